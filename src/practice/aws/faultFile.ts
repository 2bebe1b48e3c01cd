/**
 * The rules that are in force, as an append-only file `<dir>/faults.log`: the server and the commands that give rules or clear them write
 * one line at a time, so that nobody has to wait for the other and a kill loses nothing. What holds is what is read from the lines in order:
 *
 *     add RULE     from now on, over restarts
 *     run RULE     from now on, while this server lives (--fault)
 *     used N       the N-th rule of the file met a request
 *     end          a server ended: rules of `run` are over
 *     clear        no rule holds any more
 */
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A rule in force. */
export interface GivenFault {
  /** counts from 1 over the whole file: its name in `used` */
  readonly number: number;
  readonly rule: string;
  /** requests that it met */
  readonly used: number;
  /** false: it goes with the server */
  readonly stays: boolean;
}

export type FaultLine = `add ${string}` | `run ${string}` | `used ${number}` | 'end' | 'clear';

const fileOf = (dir: string): string => join(dir, 'faults.log');

/** Appends a line; the folder (0700) and the file (0600) are made if missing. A rule of several lines is refused: RangeError. */
export function writeFault(dir: string, line: FaultLine): void {
  if (/[\r\n]/.test(line)) throw new RangeError('a fault is one line');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  appendFileSync(fileOf(dir), `${line}\n`, { mode: 0o600 });
}

/** The rules in force, oldest first. */
export function readFaults(dir: string): GivenFault[] {
  let text = '';
  try {
    text = readFileSync(fileOf(dir), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  let given: GivenFault[] = [];
  let number = 0;
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.split(' ');
    const argument = rest.join(' ');
    if (word === 'add' || word === 'run') {
      number += 1;
      given.push({ number, rule: argument, used: 0, stays: word === 'add' });
    } else if (word === 'used') {
      given = given.map((one) => (one.number === Number(argument) ? { ...one, used: one.used + 1 } : one));
    } else if (word === 'end') given = given.filter((one) => one.stays);
    else if (word === 'clear') given = [];
  }
  return given;
}
