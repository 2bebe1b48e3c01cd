// A thousand runners (no hosts): requests against those for two, memory, size of the state file; a run with nothing to do, and the teardown.
import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { report, serve, stateFile, teardown, walk } from './common.mjs';

const MORE_REQUESTS = 40;

async function measure(runners) {
  const dir = mkdtempSync(join(tmpdir(), 'cloudspace-bench-'));
  // Two vCPUs a host (t3.small). The quota of an account that runs so many is raised long before.
  const server = await serve({ dir, latency: 0, more: ['--quota', 'vcpu=4000'] });
  try {
    const up = await walk(server, dir, ['--runners', String(runners)]);
    const stateKb = statSync(stateFile(dir)).size / 1024;
    const again = await walk(server, dir, ['--runners', String(runners)]);
    const down = await teardown(server, dir);
    return { up, again, down, stateKb };
  } finally {
    server.close();
  }
}

const few = await measure(2);
const many = await measure(1000);
const mb = ({ peakKb }) => `${(peakKb / 1024).toFixed(0)} MB`;
const row = (name, of) => [
  name,
  `${many[of].requests} requests, ${(many[of].ms / 1000).toFixed(1)} s, ${mb(many[of])}`,
  `with 2: ${few[of].requests} requests, ${(few[of].ms / 1000).toFixed(1)} s; limits +${MORE_REQUESTS}, 250 MB`,
];
report('1000 runners', [
  row('walk', 'up'),
  row('nothing to do', 'again'),
  row('teardown', 'down'),
  ['mutations with nothing to do', String(many.again.mutations), '(limit 0)'],
  ['state file', `${many.stateKb.toFixed(0)} KB`, `with 2: ${few.stateKb.toFixed(0)} KB; limit 1024`],
]);
const good =
  ['up', 'again', 'down'].every(
    (of) => many[of].requests - few[of].requests <= MORE_REQUESTS && many[of].peakKb < 250 * 1024,
  ) &&
  many.stateKb < 1024 &&
  many.again.mutations === 0;
process.exitCode = good ? 0 : 1;
