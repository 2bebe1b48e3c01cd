import { setTimeout as sleep } from 'node:timers/promises';
import { newScope, statusOf } from './discover.ts';
import { type AnyKind, CloudspaceError, type Output, type Status } from './types.ts';

interface Waiter {
  readonly id: string;
  readonly until: 'ready' | 'gone';
  missing: number;
  /** seconds that were waited for it, as AWS's clock counts: practice's waits are shorter */
  waited: number;
  readonly since: number;
  readonly resolve: (out: Output | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export interface Poller {
  /** until the resource is usable; throws CloudspaceError `Failed` with the cloud's reason, or `Vanished` */
  ready(kind: AnyKind, out: Output): Promise<Output>;
  /** until the cloud no longer lists it */
  gone(kind: AnyKind, out: Output): Promise<void>;
}

/** A new resource may be missing from listings for a while (EC2 is eventually consistent): this many polls, no more. */
const MISSING_POLLS = 12;

/**
 * Waits by listing: all waiting resources of a kind share one request a poll.
 * `pace` scales the waiting between polls (1 = for AWS; 1/60 for a practice cloud that is sixty times faster; 0 = no wait).
 */
export function createPoller(cloud: unknown, name: string, pace: number, signal: AbortSignal): Poller {
  const waiting = new Map<string, { kind: AnyKind; waiters: Set<Waiter>; round: number }>();

  function wait(kind: AnyKind, id: string, until: Waiter['until']): Promise<Output | undefined> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { id, until, missing: 0, waited: 0, since: Date.now(), resolve, reject };
      const group = waiting.get(kind.type);
      if (group) {
        group.waiters.add(waiter);
        group.round = 0;
        return;
      }
      const started = { kind, waiters: new Set([waiter]), round: 0 };
      waiting.set(kind.type, started);
      void loop(started);
    });
  }

  async function loop(group: { kind: AnyKind; waiters: Set<Waiter>; round: number }): Promise<void> {
    try {
      while (group.waiters.size > 0) {
        const seconds = delay(group.kind, group.round++);
        await sleep(seconds * pace * 1000, undefined, { signal });
        const found = await group.kind.list(cloud, newScope(name));
        for (const waiter of [...group.waiters]) {
          waiter.waited += seconds;
          const out = found.find((item) => item.out.id === waiter.id)?.out;
          if (judge(group.kind, waiter, out)) group.waiters.delete(waiter);
        }
      }
      waiting.delete(group.kind.type);
    } catch (error) {
      waiting.delete(group.kind.type);
      for (const waiter of group.waiters) waiter.reject(error);
    }
  }

  return {
    async ready(kind, out) {
      const status = statusOf(kind, out);
      if (status.state === 'ready') return out;
      if (status.state === 'failed') throw failed(kind, out.id, status.reason);
      return (await wait(kind, out.id, 'ready')) ?? out;
    },
    async gone(kind, out) {
      if (kind.status && statusOf(kind, out).state !== 'gone') await wait(kind, out.id, 'gone');
    },
  };
}

/** Seconds before the next look: one at once, for what is quick; then a twentieth of what is typical, growing, between 1 and 15. */
function delay(kind: AnyKind, round: number): number {
  if (round === 0) return 0.1;
  const first = Math.max(1, Math.min(5, (kind.seconds ?? 10) / 20));
  return Math.min(15, first * 1.4 ** (round - 1));
}

/** Tells the waiter, if there is something to tell; true when it need not wait any longer. */
function judge(kind: AnyKind, waiter: Waiter, out: Output | undefined): boolean {
  const status: Status = out ? statusOf(kind, out) : { state: 'gone' };
  if (waiter.until === 'gone') {
    if (status.state !== 'gone') return false;
    waiter.resolve(undefined);
    return true;
  }
  if (status.state === 'ready') {
    waiter.resolve(out);
    return true;
  }
  if (status.state === 'failed') {
    waiter.reject(failed(kind, waiter.id, status.reason));
    return true;
  }
  if (!out && ++waiter.missing < MISSING_POLLS) return false;
  if (status.state === 'pending') {
    if (waiter.waited < longestWait(kind)) return false;
    waiter.reject(tooLong(kind, waiter));
    return true;
  }
  waiter.reject(
    new CloudspaceError(
      `${kind.label} ${waiter.id} is gone while it was waited for${status.state === 'gone' && status.reason ? `: ${status.reason}` : ''}`,
      {
        code: 'Vanished',
        hint: 'it ended by itself or somebody deleted it; try again, or run the command again: a new one is made',
      },
    ),
  );
  return true;
}

/** Nothing that works takes an hour, nor six times as long as is usual. */
function longestWait(kind: AnyKind): number {
  return Math.max(3600, 6 * (kind.seconds ?? 0));
}

function tooLong(kind: AnyKind, { id, since }: Waiter): CloudspaceError {
  const seconds = Math.round((Date.now() - since) / 1000);
  const waited = seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
  return new CloudspaceError(`${kind.label} ${id} is not ready after ${waited}, and nothing says that it failed`, {
    code: 'TooLong',
    hint: 'run again to go on waiting; look at it in the console, or delete it there: then the next run makes a new one',
  });
}

function failed(kind: AnyKind, id: string, reason: string): CloudspaceError {
  return new CloudspaceError(`${kind.label} ${id} failed: ${reason}`, {
    code: 'Failed',
    hint: 'try again, or run the command again: it is deleted and made anew',
  });
}
