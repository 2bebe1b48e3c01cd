// A teardown of the whole walk (no hosts) at 100 ms a call: requests, wall time against the critical path of calls, memory.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { report, serve, teardown, walk } from './common.mjs';

const LATENCY = 100;

/**
 * The longest chain of calls, each of which needs the answers of those before: who we are; what is there (target groups, their tags, their targets); the
 * lease; listeners, load balancer, a look whether it and the instances are gone, the network's parts, the network; what is left; the lease given back.
 */
const CALLS = 1 + 3 + 1 + 5 + 1 + 1;

const dir = mkdtempSync(join(tmpdir(), 'cloudspace-bench-'));
const server = await serve({ dir, latency: LATENCY });
try {
  const idle = await walk(server, dir, ['--until', 'login']);
  await walk(server, dir);
  const down = await teardown(server, dir);
  const startUp = idle.ms - idle.sequentialCalls * LATENCY;
  report(`teardown at ${LATENCY} ms a call`, [
    ['requests', String(down.requests), '(limit 110)'],
    ['mutations', String(down.mutations), ''],
    [
      'wall',
      `${down.ms.toFixed(0)} ms`,
      `bound ${(1.5 * CALLS * LATENCY + startUp).toFixed(0)} ms = 1.5 x ${CALLS} calls x ${LATENCY} ms + start-up ${startUp.toFixed(0)} ms`,
    ],
    ['wall / critical path', `${((down.ms - startUp) / (CALLS * LATENCY)).toFixed(2)} x`, '(limit 1.5)'],
    ['peak memory', `${(down.peakKb / 1024).toFixed(0)} MB`, '(limit 150)'],
  ]);
} finally {
  server.close();
}
