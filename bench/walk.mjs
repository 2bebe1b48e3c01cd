// The whole unattended walk without hosts against the practice API as a process of its own, at 100 ms a call: requests, wall time against the
// critical path of calls, memory; then a resume with nothing to do.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { report, serve, walk } from './common.mjs';

const LATENCY = 100;

const dir = mkdtempSync(join(tmpdir(), 'cloudspace-bench-'));
const server = await serve({ dir, latency: LATENCY });
try {
  const idle = await walk(server, dir, ['--until', 'login']);
  const first = await walk(server, dir);
  const again = await walk(server, dir);
  // Identity and look-ups, one round of discovery (two calls deep: listeners and targets need their parents), the lease (taken, looked again, at the
  // end given back), and the longest chain of mutations.
  const calls = 1 + 2 + 2 + 3 + first.longestChain;
  const startUp = idle.ms - idle.sequentialCalls * LATENCY;
  const bound = 1.5 * calls * LATENCY + startUp;
  report(`walk at ${LATENCY} ms a call`, [
    ['requests', String(first.requests), '(limit 110)'],
    ['mutations', String(first.mutations), ''],
    [
      'wall',
      `${first.ms.toFixed(0)} ms`,
      `bound ${bound.toFixed(0)} ms = 1.5 x ${calls} calls x ${LATENCY} ms + start-up ${startUp.toFixed(0)} ms`,
    ],
    ['wall / critical path', `${((first.ms - startUp) / (calls * LATENCY)).toFixed(2)} x`, '(limit 1.5)'],
    ['peak memory', `${(first.peakKb / 1024).toFixed(0)} MB`, '(limit 150)'],
    [
      'resume with nothing to do',
      `${again.requests} requests, ${again.mutations} mutations, ${again.ms.toFixed(0)} ms`,
      '(limit 25)',
    ],
  ]);
} finally {
  server.close();
}
