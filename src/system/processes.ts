import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** One process, so that it is not taken for another: neither for one with its number on another machine, nor for one that gets its number later. */
export interface ProcessId {
  /** a hash of the host's name and, on Linux, of this boot and this process namespace (containers count their processes from 1) */
  readonly machine: string;
  readonly pid: number;
  /** its start as Linux counts it; '' elsewhere */
  readonly started: string;
}

export function thisProcess(): ProcessId {
  return { machine: machine(), pid: process.pid, started: startTime(process.pid) };
}

/** Does it run? undefined: it is on another machine, so that cannot be known from here. */
export function isRunning(other: ProcessId): boolean | undefined {
  return other.machine === machine() ? isAlive(other.pid, other.started) : undefined;
}

/** Does a process of this machine with this number and start run? */
export function isAlive(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return started === '' || started === startTime(pid);
}

/** Field 22 of /proc/PID/stat (proc(5)); the command name in field 2 may hold spaces, so count from its closing parenthesis. */
export function startTime(pid: number): string {
  return attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  });
}

function machine(): string {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const namespace = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return createHash('sha256').update([hostname(), boot, namespace].join('\n')).digest('hex').slice(0, 16);
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
