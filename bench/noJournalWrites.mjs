// Loaded before the command (node --import). With BENCH_JOURNAL=off the state file, its backup and their syncs are written nowhere; everything else is
// as always. For bench/journal.mjs alone: there is no such flag.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

if (process.env.BENCH_JOURNAL === 'off') {
  const { open, rename, link } = fs;
  const nothing = async () => {};
  const isJournal = (path) => /state\.json/.test(String(path));
  const handle = { chmod: nothing, writeFile: nothing, sync: nothing, close: nothing };
  fs.open = async (path, ...more) => (isJournal(path) ? handle : open(path, ...more));
  fs.rename = async (from, to) => (isJournal(to) ? undefined : rename(from, to));
  fs.link = async (from, to) => (isJournal(to) ? undefined : link(from, to));
  syncBuiltinESMExports();
}
