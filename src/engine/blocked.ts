import { setTimeout as sleep } from 'node:timers/promises';
import type { Doomed, Leftover } from './doomed.ts';
import { CloudspaceError, type Event } from './types.ts';

/** Something that holds what is to be deleted. */
export interface Blocker {
  readonly id: string;
  /** for people: "network interface" */
  readonly label: string;
  /** whose it is and what for, as far as the cloud says: `of instance i-0a1b (jenkins), made by hand` */
  readonly whose: string;
  /** it goes by itself: the cloud takes it down, or this run does */
  readonly leaving: boolean;
  /** while it exists; left out: not known */
  readonly usdPerHour?: number;
}

/** Asked once for each set of blockers, whatever else they hold. `wait` looks again for a while and then asks again. */
export type Decide = (item: Doomed, blockers: readonly Blocker[]) => Promise<'wait' | 'leave'>;

/** The cloud itself still has to take something down (network interfaces of a load balancer): waited for at most this long, in seconds. */
const LEAVING_SECONDS = 600;
/** Things of others are waited for this long before they are left (or asked about again), in seconds, unless another time is given. */
const OTHERS_SECONDS = 60;
/** Waiting makes no sense below this, whatever the pace, in milliseconds. */
const LEAST_MS = 1000;

/**
 * Gives a function that does something the cloud may refuse because of a dependency: it is tried again while that passes by itself. What
 * others hold is named at once; the person decides, or it is left after a while. Throws the refusal, with `blockers`.
 */
export function patience(options: {
  readonly pace: number;
  readonly signal: AbortSignal;
  readonly notify: (event: Event) => void;
  readonly blockers?: (item: Doomed) => Promise<readonly Blocker[]>;
  readonly decide?: Decide;
  /** how long to wait for things of others, in seconds; default 60 */
  readonly patience?: number;
  /** ids of what stays because it is the person's */
  readonly adopted: ReadonlySet<string>;
  /** what could not be deleted, as it grows */
  readonly leftovers: readonly Leftover[];
  /** kind → kinds that have to be gone before it */
  readonly dependents: ReadonlyMap<string, ReadonlySet<string>>;
}): (item: Doomed, work: () => Promise<void>) => Promise<void> {
  const { pace, signal, leftovers } = options;
  const scaled = (seconds: number): number => Math.max(LEAST_MS, seconds * 1000 * pace);
  /** of each set of others' things: until when it is waited for, or the end of it */
  const verdicts = new Map<string, { until: number; left: boolean; asking?: Promise<void> }>();

  return async function patiently(item, work) {
    const started = Date.now();
    for (let wait = 1; ; wait = Math.min(15, wait * 1.5)) {
      try {
        return await work();
      } catch (error) {
        if (!isNotYet(error)) throw error;
        // The first refusal is usual: what was deleted a moment ago is still on its way out.
        const blockers = wait === 1 ? [] : await lookUp(item);
        const others = blockers.filter((one) => !one.leaving);
        if (others.length > 0 && (await isLeft(item, others)))
          throw Object.assign(refusal(error), { blockers: others });
        const held = wait > 1 && blockers.length === 0 && leftBelow(item);
        if (held) throw new CloudspaceError(`held by what is left: ${held}`, { code: 'Blocked', cause: error });
        if (others.length === 0 && Date.now() - started > scaled(LEAVING_SECONDS))
          throw Object.assign(refusal(error), { blockers });
        await sleep(Math.max(50, wait * 1000 * pace), undefined, { signal });
      }
    }
  };

  async function lookUp(item: Doomed): Promise<readonly Blocker[]> {
    const found = (await options.blockers?.(item).catch(() => [])) ?? [];
    const stays = new Set(leftovers.map(({ id }) => id));
    return found.map((one) => {
      if (options.adopted.has(one.id)) return { ...one, whose: 'yours, taken in by the walkthrough', leaving: false };
      return stays.has(one.id) ? { ...one, whose: `${one.whose}, left`, leaving: false } : one;
    });
  }

  /** Names what is in the way, once; then waits for it or has the person decide, once for all that it holds. */
  async function isLeft(item: Doomed, others: readonly Blocker[]): Promise<boolean> {
    const permanent = others.every(({ id }) => options.adopted.has(id) || leftovers.some((one) => one.id === id));
    if (permanent) return true;
    const id = others
      .map((one) => one.id)
      .sort()
      .join();
    let verdict = verdicts.get(id);
    if (!verdict) {
      verdict = { until: Date.now() + scaled(options.patience ?? OTHERS_SECONDS), left: false };
      verdicts.set(id, verdict);
      options.notify({
        type: 'warning',
        text: `${item.kind.label} \`${item.out.id}\` cannot be deleted: ${sentence(others)} ${others.length === 1 ? 'is' : 'are'} in the way. Things of others are never deleted here. Remove ${others.length === 1 ? 'it' : 'them'} elsewhere: this run looks again by itself.`,
      });
      if (options.decide) verdict.until = 0;
    }
    const known = verdict;
    if (known.left) return true;
    if (Date.now() <= known.until) return false;
    if (!options.decide) {
      known.left = true;
      return true;
    }
    known.asking ??= options.decide(item, others).then((answer) => {
      known.left = answer === 'leave';
      known.until = Date.now() + scaled(options.patience ?? OTHERS_SECONDS);
      delete known.asking;
    });
    await known.asking;
    return known.left;
  }

  /** What is left of the kinds that have to be gone before this one. */
  function leftBelow(item: Doomed): string {
    const below = new Set<string>();
    const add = (type: string): void => {
      for (const other of options.dependents.get(type) ?? []) {
        if (below.has(other)) continue;
        below.add(other);
        add(other);
      }
    };
    add(item.kind.type);
    return leftovers
      .filter(({ kind }) => below.has(kind.type))
      .map(({ kind, id }) => `${kind.label} ${id}`)
      .join(', ');
  }
}

/** `network interface eni-1 (of instance i-1), subnet subnet-2 (made by hand)` */
export function sentence(blockers: readonly Blocker[]): string {
  return blockers.map(({ id, label, whose }) => `${label} ${id} (${whose})`).join(', ');
}

const NOT_YET = new Set([
  'DependencyViolation',
  'ResourceInUse',
  'InvalidIPAddress.InUse',
  'InvalidDBSubnetGroupStateFault',
  'InvalidDBInstanceState',
  'IncorrectState',
  'InvalidGroup.InUse',
]);

/** DependencyViolation and its likes: something may still be on its way out. */
function isNotYet(error: unknown): boolean {
  const { name, code, cause } = error as { name?: string; code?: string; cause?: unknown };
  return NOT_YET.has(name ?? '') || NOT_YET.has(code ?? '') || (cause !== undefined && isNotYet(cause));
}

/** An error of our own that may carry the blockers: what the cloud's client threw is shared by nobody, but may be frozen. */
function refusal(error: unknown): CloudspaceError {
  const { message, requestId, hint } = error as Partial<CloudspaceError>;
  return new CloudspaceError(message ?? String(error), { code: 'DependencyViolation', cause: error, requestId, hint });
}
