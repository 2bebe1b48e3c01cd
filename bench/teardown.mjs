// A teardown of the whole walk (no hosts) at 100 ms a call: requests, wall time against the critical path of calls, memory.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { report, serve, teardown, walk } from './common.mjs';

const LATENCY = 100;

/**
 * The longest chain of calls, each of which needs the answer of the one before. Who we are; what is there (two deep: listeners and targets
 * need their parents). Then: listeners, load balancer, security group's rules, ... see below; at the end the proof that nothing is left.
 */
const CHAIN = 1 + 2 + 5 + 2;

const dir = mkdtempSync(join(tmpdir(), 'cloudspace-bench-'));
const server = await serve({ dir, latency: LATENCY });
try {
  const idle = await walk(server, dir, ['--until', 'login']);
  await walk(server, dir);
  const down = await teardown(server, dir);
  const startUp = idle.ms - idle.sequentialCalls * LATENCY;
  const counts = {};
  for (const one of down.operations) counts[one] = (counts[one] ?? 0) + 1;
  console.log(counts);
  report(`teardown at ${LATENCY} ms a call`, [
    ['requests', String(down.requests), '(limit 110)'],
    ['mutations', String(down.mutations), ''],
    ['wall', `${down.ms.toFixed(0)} ms`, `start-up ${startUp.toFixed(0)} ms`],
    ['wall / critical path', `${((down.ms - startUp) / (CHAIN * LATENCY)).toFixed(2)} x`, '(limit 1.5)'],
    ['peak memory', `${(down.peakKb / 1024).toFixed(0)} MB`, '(limit 150)'],
  ]);
} finally {
  server.close();
}
