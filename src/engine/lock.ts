import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isAlive, startTime } from '../system/processes.ts';
import { CloudspaceError } from './types.ts';

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
  readonly command: string;
  /** the process's start time as Linux counts it, so that a reused pid is not taken for the holder; '' elsewhere */
  readonly started: string;
}

export interface Lock {
  release(): void;
}

/**
 * One run at a time for one Cloudspace: `<dir>/lock` names the holder. A lock whose process is gone is taken over.
 * Throws CloudspaceError `Locked` (exit 2) that says who holds it.
 */
export function acquireLock(dir: string, command: string): Lock {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, 'lock');
  const mine: Holder = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    command,
    started: startTime(process.pid),
  };
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(temporary, `${JSON.stringify(mine)}\n`, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        linkSync(temporary, path); // fails if it exists: the atomic part
        return { release: () => release(path, mine) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = read(path);
      if (holder && isHeld(holder)) throw locked(holder, path);
      // Stale: move it aside under a name of our own, so that of two who see this only one removes it.
      try {
        renameSync(path, `${temporary}.stale`);
        rmSync(`${temporary}.stale`, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    throw new CloudspaceError(`could not take the lock ${path}`, {
      code: 'Locked',
      exitCode: 2,
      hint: 'try again in a moment',
    });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function release(path: string, mine: Holder): void {
  const holder = read(path);
  if (holder?.pid === mine.pid && holder.host === mine.host && holder.since === mine.since)
    rmSync(path, { force: true });
}

function read(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

function isHeld(holder: Holder): boolean {
  if (holder.host !== hostname()) return true; // cannot be known from here
  return isAlive(holder.pid, holder.started);
}

function locked(holder: Holder, path: string): CloudspaceError {
  return new CloudspaceError(
    `"cloudspace ${holder.command}" (process ${holder.pid} on ${holder.host}, since ${holder.since}) is working on this Cloudspace`,
    {
      code: 'Locked',
      exitCode: 2,
      hint:
        holder.host === hostname()
          ? 'wait for it to finish, or stop it with Ctrl-C there'
          : `if that machine is gone for good, remove ${path}`,
    },
  );
}
