// What crash safety costs: the same walk with the journal as it is and with its writes switched off, in turns, at 100 ms a call. A pair meets the same
// moments of a busy machine; the median of the pairs' ratios counts.
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, report, serve, stateFile, walk } from './common.mjs';

const LATENCY = 100;
const PAIRS = 7;
const LIMIT = 1.05;
const preload = ['--import', fileURLToPath(new URL('noJournalWrites.mjs', import.meta.url))];

async function once(journal) {
  const dir = mkdtempSync(join(tmpdir(), 'cloudspace-bench-'));
  const server = await serve({ dir, latency: LATENCY });
  process.env.BENCH_JOURNAL = journal;
  try {
    const { ms } = await walk(server, dir, [], preload);
    if (existsSync(stateFile(dir)) !== (journal === 'on')) throw new Error(`the journal is not ${journal}`);
    return ms;
  } finally {
    server.close();
  }
}

const on = [];
const off = [];
for (let pair = 0; pair < PAIRS; pair++) {
  // Whoever is first finds warm caches less often: they take turns in that too.
  const order = pair % 2 === 0 ? ['on', 'off'] : ['off', 'on'];
  for (const journal of order) (journal === 'on' ? on : off).push(await once(journal));
}
const ratio = median(on.map((ms, pair) => ms / off[pair]));
report(`journal, walk at ${LATENCY} ms a call, ${PAIRS} pairs`, [
  ['with', `${median(on).toFixed(0)} ms`, ''],
  ['without writes', `${median(off).toFixed(0)} ms`, ''],
  ['with / without', `${ratio.toFixed(3)} x`, `(limit ${LIMIT})`],
]);
process.exitCode = ratio <= LIMIT ? 0 : 1;
