// Loaded into the real command line with `node --import`: kills the process, as by SIGKILL from outside, at a chosen moment of its
// conversation with the cloud. The product knows nothing of it. CRASH is JSON: { at?: { mutation, moment, file? }, states?: folder, hurry?: factor }.
//   moment 'before'   the request does not leave
//           'effect'   its effect is there, its answer is not read
//           'journal'  its answer is read, the next write of the state (of another file of its folder with `file`) does not begin
// `states` keeps a copy of each version of the state file; `hurry` shortens the waits between looks (node:timers/promises only).
import { appendFileSync, copyFileSync } from 'node:fs';
import fsPromises from 'node:fs/promises';
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import timers from 'node:timers/promises';

const { at, states, hurry = 1, log } = JSON.parse(process.env.CRASH ?? '{}');
delete process.env.CRASH;
delete process.env.NODE_OPTIONS;
const READS = /^(Describe|Get|List|AssumeRole)/;
const die = () => process.kill(process.pid, 'SIGKILL');
let mutations = 0;
let armed = false;

const { end } = http.OutgoingMessage.prototype;
http.ClientRequest.prototype.end = function (...args) {
  const body =
    typeof args[0] === 'string' || args[0] instanceof Uint8Array ? Buffer.from(args[0]).toString('utf8') : '';
  const parameters = new URLSearchParams(body);
  const action = parameters.get('Action');
  if (action !== null && !READS.test(action)) {
    mutations += 1;
    if (at?.mutation === mutations) {
      if (log) appendFileSync(log, `${action} ${keyOf(parameters)}\n`);
      if (at.moment === 'before') die();
      this.prependOnceListener('response', (answer) => {
        if (at.moment === 'effect') die();
        answer.once('end', () => {
          armed = true;
        });
      });
    }
  }
  return end.apply(this, args);
};

const { open, rename } = fsPromises;
fsPromises.open = (path, ...rest) => {
  if (armed && String(path).endsWith('.tmp') && String(path).includes(`/${at.file ?? 'state.json'}.`)) die();
  return open(path, ...rest);
};
let version = 0;
fsPromises.rename = async (from, to) => {
  await rename(from, to);
  if (states && /\/state\.json$/.test(String(to))) {
    copyFileSync(to, join(states, `${String(version).padStart(4, '0')}.json`));
    version += 1;
  }
};

const { setTimeout: sleep } = timers;
timers.setTimeout = (ms, ...rest) => sleep((ms ?? 0) / hurry, ...rest);
syncBuiltinESMExports();

/** What the request is about, for people: its tag cloudspace:key, else the first id or name in it. */
function keyOf(parameters) {
  const entries = [...parameters];
  const tag = entries.find(([, value]) => value === 'cloudspace:key')?.[0].replace(/Key$/, 'Value');
  const about = tag ? parameters.get(tag) : entries.find(([name]) => /(Id|Ids?\.1|Name|Arn)$/.test(name))?.[1];
  return about?.split('/').slice(-2).join('/') ?? '';
}
