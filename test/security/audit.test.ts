import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const judge = (input: string) =>
  spawnSync(process.execPath, [new URL('../../.ci/audit.mjs', import.meta.url).pathname], { input, encoding: 'utf8' });
const report = (severity: string) => ({
  vulnerabilities: { left: { name: 'left', severity, range: '<2' } },
  metadata: { vulnerabilities: { total: 1, low: 0, high: 0, critical: 0, [severity]: 1 } },
});

it('fails on what is high or critical, and names it', () => {
  for (const severity of ['high', 'critical']) {
    const said = judge(JSON.stringify(report(severity)));
    expect(said.status).toBe(1);
    expect(said.stdout).toContain(`left <2: ${severity}`);
  }
  expect(judge(JSON.stringify(report('low'))).status).toBe(0);
});

it('says so when the registry cannot be asked, and does not fail for it', () => {
  for (const text of ['{"message":"405 Method Not Allowed"}', '', 'npm error']) {
    const said = judge(text);
    expect(said.status).toBe(0);
    expect(said.stdout).toContain('could not be asked');
  }
});

// npm ends with 1 for a finding and for a registry without the service alike: the step of CI is run as CI runs it, against an npm that does so.
it.each([
  ['a registry without the service', '{"message":"405 Method Not Allowed"}', 0],
  ['a finding', JSON.stringify(report('high')), 1],
])('in CI, %s ends the step as it should', async (_case, answer, code) => {
  const script = readFileSync(new URL('../../.ci/run', import.meta.url), 'utf8');
  expect(script).toContain('\nstep audit\n');
  const step = /^audit\(\) \{[\s\S]*?^\}$/m.exec(script)?.[0] ?? 'exit 99';
  const bin = await mkdtemp(join(tmpdir(), 'npm-'));
  await writeFile(
    join(bin, 'npm'),
    `#!/bin/sh\n[ "$1 $2" = "audit --omit=dev" ] || exit 98\necho '${answer}'\nexit 1\n`,
    {
      mode: 0o755,
    },
  );
  const run = spawnSync('bash', ['-c', `set -uo pipefail\n${step}\naudit`], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    encoding: 'utf8',
  });
  await rm(bin, { recursive: true });
  expect(run.status, run.stdout + run.stderr).toBe(code);
});
