import { setTimeout as sleep } from 'node:timers/promises';
import { limiter } from '../system/limit.ts';
import { isLeaving, listAll, match, statusOf } from './discover.ts';
import { dependentKinds, kindsOf } from './graph.ts';
import type { Journal } from './journal.ts';
import { createPoller } from './poll.ts';
import type { AnyKind, Event, Found, Output, Resource } from './types.ts';

export interface Doomed {
  readonly key: string;
  readonly kind: AnyKind;
  readonly out: Output;
}

export interface Leftover {
  readonly key: string;
  readonly label: string;
  readonly id: string;
  readonly reason: string;
}

/** A dependency that the cloud itself still has to take down (a network interface of a load balancer): tried again for at most this long, in seconds. */
const VIOLATION_SECONDS = 600;

/** What `destroy` would delete: everything with this Cloudspace's tags, and the untagged things the steps describe, if `doomed` says so. */
export async function findDoomed(
  cloud: unknown,
  resources: readonly Resource[],
  name: string,
  doomed: (key: string, found: Found) => boolean = () => true,
): Promise<Doomed[]> {
  const kinds = kindsOf(resources);
  const listing = await listAll(cloud, kinds, name);
  const keyOf = new Map([...match(resources, listing)].map(([key, out]) => [out, key]));
  return kinds.flatMap((kind) =>
    (listing.get(kind.type) ?? [])
      .filter((found) => statusOf(kind, found.out).state !== 'gone')
      .map((found) => ({ found, key: found.key ?? keyOf.get(found.out) ?? found.out.id }))
      .filter(({ found, key }) => doomed(key, found))
      .map(({ found, key }) => ({ key, kind, out: found.out })),
  );
}

/**
 * Deletes in the reverse order of the graph, by kind: a kind goes when nothing of the kinds that refer to it is left. Whatever does not
 * depend on a failure is still deleted. Gives what could not be deleted, with the reason.
 */
export async function destroy(options: {
  cloud: unknown;
  name: string;
  resources: readonly Resource[];
  doomed: readonly Doomed[];
  journal: Journal | undefined;
  notify: (event: Event) => void;
  signal: AbortSignal;
  concurrency?: number;
  pace: number;
}): Promise<Leftover[]> {
  const { cloud, doomed, journal, notify, signal } = options;
  const poller = createPoller(cloud, options.name, options.pace, signal);
  const mutate = limiter(options.concurrency ?? 10);
  const dependents = dependentKinds(options.resources);
  const leftovers: Leftover[] = [];
  const done = new Map<string, Promise<void>>();

  function kindGone(type: string): Promise<void> {
    let promise = done.get(type);
    if (!promise) {
      promise = (async () => {
        await Promise.all([...(dependents.get(type) ?? [])].map(kindGone));
        await Promise.all(doomed.filter((item) => item.kind.type === type).map(remove));
      })();
      done.set(type, promise);
    }
    return promise;
  }

  async function remove(item: Doomed): Promise<void> {
    const { key, kind, out } = item;
    const started = Date.now();
    const event = (status: 'deleting' | 'deleted' | 'failed', more: { seconds?: number; detail?: string } = {}): void =>
      notify({ type: 'resource', key, kind: kind.type, label: kind.label, status, id: out.id, ...more });
    try {
      signal.throwIfAborted();
      if (!isLeaving(kind, out)) {
        await note(key, 'deleting');
        event('deleting');
        await patiently(() => mutate(() => kind.delete(cloud, out, signal)));
      } else event('deleting');
      await poller.gone(kind, out);
      await note(key, undefined);
      event('deleted', { seconds: (Date.now() - started) / 1000 });
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = (error as Error).message;
      leftovers.push({ key, label: kind.label, id: out.id, reason });
      event('failed', { detail: reason });
    }
  }

  /** Something else may still be on its way out: DependencyViolation and its likes mean "not yet". */
  async function patiently(work: () => Promise<void>): Promise<void> {
    const until = Date.now() + Math.max(5000, VIOLATION_SECONDS * 1000 * options.pace);
    for (let wait = 1; ; wait = Math.min(15, wait * 1.5)) {
      try {
        return await work();
      } catch (error) {
        if (!isNotYet(error) || Date.now() > until) throw error;
        await sleep(Math.max(50, wait * 1000 * options.pace), undefined, { signal });
      }
    }
  }

  async function note(key: string, status: 'deleting' | undefined): Promise<void> {
    const known = journal?.state.resources[key];
    if (!known) return;
    await journal?.update((state) => {
      if (status) state.resources[key] = { ...known, status, at: new Date().toISOString() };
      else delete state.resources[key];
    });
  }

  await Promise.all(kindsOf(options.resources).map((kind) => kindGone(kind.type)));
  return leftovers;
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

function isNotYet(error: unknown): boolean {
  const { name, code, cause } = error as { name?: string; code?: string; cause?: unknown };
  return NOT_YET.has(name ?? '') || NOT_YET.has(code ?? '') || (cause !== undefined && isNotYet(cause));
}
