// Start-up: `cloudspace --help` and `cloudspace status`, as ratios to `node -e 0` of the same run.
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cli, median, report, walkOnce } from './common.mjs';

const ROUNDS = 15;

const dir = mkdtempSync(join(tmpdir(), 'cloudspace-bench-'));
await walkOnce({ dir, latency: 0 });
const commands = {
  'node -e 0': ['-e', '0'],
  'cloudspace --help': [cli, '--help'],
  'cloudspace status': [cli, 'status', '--state-dir', join(dir, 'state')],
};
const times = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  // In turn, so that a busy moment of the machine meets all of them alike.
  for (const [name, args] of Object.entries(commands)) {
    const started = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${name}: exit ${status}: ${stderr}`);
    times[name].push(performance.now() - started);
  }
}
const base = median(times['node -e 0']);
report('start-up', [
  ['node -e 0', `${base.toFixed(0)} ms`, ''],
  ...['cloudspace --help', 'cloudspace status'].map((name) => {
    const ms = median(times[name]);
    const limit = name.endsWith('--help') ? 1.5 : 3;
    return [name, `${ms.toFixed(0)} ms`, `${(ms / base).toFixed(2)} x (limit ${limit})`];
  }),
]);
