import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A stand-in for 1Password's command line `op`: no account can be had here. It knows `op read [--no-newline] REFERENCE` and `op --version`, and answers as the
 * documentation of version 2 says: the value on standard output; else `[ERROR] date could not read secret 'REFERENCE': reason` on standard error, exit code 1.
 * The reasons are those that op 2.39 gives. It notes its arguments, one call a line.
 */
export interface StandInOp {
  /** put before PATH */
  readonly bin: string;
  /** arguments of each call */
  calls(): string[];
  signIn(): void;
  signOut(): void;
  set(reference: string, value: string): void;
  remove(): void;
}

export function standInOp(items: Readonly<Record<string, string>> = {}): StandInOp {
  const bin = mkdtempSync(join(tmpdir(), 'cloudspace-op-'));
  const values = join(bin, 'values.json');
  const calls = join(bin, 'calls');
  const session = join(bin, 'session');
  const save = (content: Readonly<Record<string, string>>) => writeFileSync(values, JSON.stringify(content));
  save(items);
  writeFileSync(session, '');
  writeFileSync(join(bin, 'op'), SCRIPT(bin), { mode: 0o755 });
  return {
    bin,
    calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []),
    signIn: () => writeFileSync(session, ''),
    signOut: () => rmSync(session, { force: true }),
    set: (reference, value) => save({ ...(JSON.parse(readFileSync(values, 'utf8')) as object), [reference]: value }),
    remove: () => rmSync(bin, { recursive: true, force: true }),
  };
}

const SCRIPT = (bin: string) => `#!${process.execPath}
const { appendFileSync, existsSync, readFileSync } = require('node:fs');
const words = process.argv.slice(2);
appendFileSync('${bin}/calls', words.join(' ') + '\\n');
const fail = (reason) => { process.stderr.write('[ERROR] 2026/11/23 09:15:07 ' + reason + '\\n'); process.exit(1); };
if (words[0] === '--version') { console.log('2.39.0'); process.exit(0); }
if (words[0] !== 'read') fail('unknown command "' + words[0] + '" for "op"');
const reference = words.at(-1);
const secret = (reason) => fail("could not read secret '" + reference + "': " + reason);
if (!existsSync('${bin}/session')) secret('error initializing client: account is not signed in');
const values = JSON.parse(readFileSync('${bin}/values.json', 'utf8'));
if (reference in values) { process.stdout.write(values[reference] + (words.includes('--no-newline') ? '' : '\\n')); process.exit(0); }
const [vault, item, ...field] = reference.slice('op://'.length).split('/');
const known = Object.keys(values).map((one) => one.slice('op://'.length).split('/'));
if (!known.some((one) => one[0] === vault)) secret('"' + vault + '" isn\\'t a vault in this account. Specify the vault with its ID or name.');
if (!known.some((one) => one[0] === vault && one[1] === item))
  secret('could not get item ' + vault + '/' + item + ': "' + item + '" isn\\'t an item in the "' + vault + '" vault. Specify the item with its UUID, name, or domain.');
secret("item '" + vault + '/' + item + "' does not have a field '" + field.join('/') + "'");
`;
