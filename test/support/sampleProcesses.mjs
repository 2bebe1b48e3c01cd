// Looks at all processes of this machine about every 50 ms (those of its containers too, when it runs as root) and writes each command line and each environment that
// it has not seen yet into a file, a JSON line each: {what, command, text}. Ends when its standard input does, and then says how often it looked.
//   node sampleProcesses.mjs FILE
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';

const PAUSE_MS = 50;
/** Looks at a process while it is young: it may still become another program (exec), which gives it other arguments and another environment. */
const YOUNG = 20;
/** After that it is looked at once in so many rounds. */
const RARELY = 40;

const output = openSync(process.argv[2], 'w', 0o600);
const seen = new Set();
/** pid → rounds since it was first seen */
const ages = new Map();
let rounds = 0;

function look(pid, what) {
  let text;
  let command;
  try {
    text = readFileSync(`/proc/${pid}/${what}`, 'latin1');
    command = what === 'cmdline' ? text : undefined;
  } catch {
    return; // It has ended.
  }
  if (text === '') return;
  const hash = createHash('sha1').update(what).update(text).digest('base64');
  if (seen.has(hash)) return;
  seen.add(hash);
  command ??= commandOf(pid);
  writeSync(output, `${JSON.stringify({ what, command, text })}\n`);
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '(ended)';
  }
}

function round() {
  rounds += 1;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const there = new Set(pids);
  for (const pid of ages.keys()) if (!there.has(pid)) ages.delete(pid);
  for (const pid of pids) {
    const age = ages.get(pid) ?? 0;
    ages.set(pid, age + 1);
    if (age > YOUNG && (age + Number(pid)) % RARELY !== 0) continue;
    look(pid, 'cmdline');
    look(pid, 'environ');
  }
}

const timer = setInterval(round, PAUSE_MS);
process.stdin.resume().once('end', () => {
  clearInterval(timer);
  closeSync(output);
  process.stdout.write(JSON.stringify({ rounds, samples: seen.size }));
});
