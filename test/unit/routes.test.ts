import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';

// The publisher of routes is Python, as its libraries on the controller are; so are its tests, and this shows them among the others.

test('the publisher turns services, tasks and nodes into routes', async () => {
  const script = fileURLToPath(new URL('routes_test.py', import.meta.url));
  const { exitCode, stderr } = await execa('python3', ['-B', script], { reject: false });
  expect(stderr).toMatch(/^Ran [1-9]\d* tests/m);
  expect(stderr).toMatch(/^OK$/m);
  expect(exitCode).toBe(0);
});
