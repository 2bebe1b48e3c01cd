import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, type ProcessId } from '../system/processes.ts';
import { CloudspaceError, type Event } from './types.ts';

/** Who wants to work on a Cloudspace. */
export interface Claim extends ProcessId {
  /** for people: `alice@laptop` */
  readonly who: string;
  /** for people: `start` */
  readonly command: string;
}

/** Times are the cloud's, in milliseconds since 1970. */
export interface Held extends Claim {
  /** of this very claim: never the same again */
  readonly id: string;
  readonly since: number;
  readonly renewed: number;
}

/** Where a lease is kept. `claim` and `drop` have to be atomic in the cloud: of two who claim at once one gets it, and a drop takes no other claim than its own. */
export interface LeaseStore {
  now(): number;
  /** its id; `held`: somebody has it; `denied`: these credentials may not */
  claim(claim: Claim): Promise<{ readonly id: string } | 'held' | 'denied'>;
  read(): Promise<Held | undefined>;
  /** writes a new sign of life; false when that claim is gone */
  renew(id: string): Promise<boolean>;
  /** ends that claim; gone already = success */
  drop(id: string): Promise<void>;
}

export interface Lease {
  /** Takes it if it is not held yet, and makes sure that it still is: before everything that changes something. Costs nothing most times. */
  hold(): Promise<void>;
  /** Gives it back, and says whether nothing of it is left; never throws. What could not be given back is stale some minutes later. */
  release(): Promise<boolean>;
}

export interface LeaseOptions {
  readonly store: LeaseStore;
  readonly mine: Claim;
  /** the Cloudspace's name */
  readonly name: string;
  /** take it from a run that lives */
  readonly takeOver: boolean;
  /** asks the person: `take` it over, look `again`, or throws; left out: a held lease ends the run */
  readonly decide?: (held: Held, text: string) => Promise<'take' | 'again'>;
  /** after it was taken, before anything is changed: throws when the cloud is not any more as it was looked at */
  readonly taken?: () => Promise<void>;
  readonly notify: (event: Event) => void;
  /** scales the times; 1 for AWS */
  readonly pace: number;
  readonly signal: AbortSignal;
}

/** Seconds between two signs of life. One who takes over from a run that lives waits this long: by then that run has noticed. */
const RENEW_SECONDS = 120;
/** Without a sign of life for this long a lease is stale. */
const STALE_SECONDS = 600;
/** A holder that could not write a sign of life for this long (a laptop that slept) makes sure before it changes anything. */
const DOUBT_SECONDS = 300;

/** One run at a time for one Cloudspace, wherever the runs are. */
export function createLease(options: LeaseOptions): Lease {
  const { store, mine, notify, signal } = options;
  const scaled = (seconds: number): number => seconds * 1000 * options.pace;
  let id: string | undefined;
  let confirmed = 0;
  let lost = false;
  let without = false;
  let taking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function renew(): Promise<void> {
    if (id === undefined) return;
    const at = Date.now();
    if (await store.renew(id)) confirmed = at;
    else lost = true;
  }

  async function take(): Promise<void> {
    let waits = false;
    for (;;) {
      signal.throwIfAborted();
      const answer = await store.claim(mine);
      if (typeof answer === 'object') {
        id = answer.id;
        break;
      }
      const denied = answer === 'denied';
      // Who may not take it can still see who has it.
      const held = await store.read().catch((error: unknown) => {
        if (denied) return undefined;
        throw error;
      });
      if (held && held.machine === mine.machine && held.pid === mine.pid && held.started === mine.started) {
        id = held.id; // the answer to our own claim was lost
        break;
      }
      if (held) {
        const over = whyOver(held);
        if (over === undefined) {
          if (!options.takeOver && !options.decide) throw heldError(held);
          if (!options.takeOver && (await options.decide?.(held, describe(held))) === 'again') continue;
          waits = true;
        }
        notify({ type: 'info', text: `Taking over from ${describe(held)}${over === undefined ? '' : `: ${over}`}.` });
        await store.drop(held.id).catch((error: unknown) => {
          if (!denied) throw error;
        });
      }
      // Neither denied nor there: given back in this moment.
      if (denied) {
        without = true;
        notify({
          type: 'warning',
          text: `These credentials may not mark \`${options.name}\` as being worked on (ec2:ImportKeyPair): make sure that nobody else works on it now.`,
        });
        if (waits) await untilNoticed();
        return;
      }
    }
    confirmed = Date.now();
    timer = setInterval(() => void renew().catch(() => {}), Math.max(1000, scaled(RENEW_SECONDS)));
    timer.unref();
    if (waits) await untilNoticed();
    await options.taken?.();
  }

  async function untilNoticed(): Promise<void> {
    notify({ type: 'info', text: 'Waiting until the other run has noticed: it looks every two minutes.' });
    await sleep(scaled(RENEW_SECONDS), undefined, { signal });
  }

  /** Why a lease counts no more, or undefined. */
  function whyOver(held: Held): string | undefined {
    if (isRunning(held) === false) return 'that process does not run any more';
    const silent = store.now() - held.renewed;
    return silent > scaled(STALE_SECONDS) ? `no sign of life for ${ago(silent)}` : undefined;
  }

  function describe(held: Held): string {
    return `${held.who} (\`cloudspace ${held.command}\`, process ${held.pid}, for ${ago(store.now() - held.since)}, last sign of life ${ago(store.now() - held.renewed)} ago)`;
  }

  function heldError(held: Held): CloudspaceError {
    return new CloudspaceError(`"${options.name}" is being worked on by ${describe(held).replaceAll('`', '')}`, {
      code: 'LeaseHeld',
      hint: 'wait until that run has ended and run this again: it goes on from what is there. If that run is gone for good: --take-over',
    });
  }

  async function giveBack(mine: string): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await store.drop(mine);
        return true;
      } catch (error) {
        if (attempt === DROPS.tries) {
          notify({
            type: 'warning',
            text: `The lease on ${options.name} could not be given back: ${(error as Error).message}. The next run does; nothing else is left of it.`,
          });
          return false;
        }
        await sleep(scaled(DROPS.pause));
      }
    }
  }

  return {
    async hold() {
      if (without) return;
      taking ??= take();
      await taking.catch((error: unknown) => {
        if (id === undefined) taking = undefined; // a retry may ask again
        throw error;
      });
      if (!lost && id !== undefined && Date.now() - confirmed > Math.max(1000, scaled(DOUBT_SECONDS))) await renew();
      if (lost)
        throw new CloudspaceError(`somebody else has taken over the work on "${options.name}"`, {
          code: 'LeaseLost',
          hint: 'this run changes nothing any more; run it again when the other one has ended: it goes on from what is there',
        });
    },
    async release() {
      clearInterval(timer);
      await taking?.catch(() => {});
      clearInterval(timer);
      const mine = lost ? undefined : id;
      id = undefined;
      return mine === undefined || (await giveBack(mine));
    },
  };
}

/** Times that giving back is tried, and seconds between them. */
const DROPS = { tries: 4, pause: 2 };

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
}
