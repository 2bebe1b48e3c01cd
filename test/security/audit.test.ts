import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

it('is asked in CI, for what people install', () => {
  expect(readFileSync(new URL('../../.ci/run', import.meta.url), 'utf8')).toMatch(
    /npm audit --omit=dev --json[^\n]*audit\.mjs[\s\S]*step audit/,
  );
});
