import { setTimeout as sleep } from 'node:timers/promises';
import { limiter } from '../system/limit.ts';
import { type Blocker, type Decide, patience, sentence } from './blocked.ts';
import { adoptedKeys, isLeaving, listAll, match, statusOf } from './discover.ts';
import { dependentKinds, kindsOf } from './graph.ts';
import type { Journal } from './journal.ts';
import { createPoller } from './poll.ts';
import { type AnyKind, CloudspaceError, type Event, type Found, type Output, type Resource } from './types.ts';

export interface Doomed {
  readonly key: string;
  readonly kind: AnyKind;
  readonly out: Output;
  /** of the person: our tags are taken off it, and it stays */
  readonly adopted: boolean;
}

export interface Leftover {
  readonly key: string;
  readonly kind: AnyKind;
  readonly id: string;
  readonly reason: string;
  /** what holds it, when that is known */
  readonly blockers: readonly Blocker[];
}

/** Deletions at once: EC2 lets 50 of its dearest requests (revoking rules) through in a burst, and 5 a second after that. */
const DELETIONS = 20;

/** Typical seconds from which on something is waited for until it is gone; what is quicker is gone with the answer. */
const SLOW = 10;

/** How often, two seconds apart, something is looked for that listings may not show yet, or still show: EC2's usually catch up within seconds. */
const LOOKS = 5;
const BETWEEN_LOOKS_MS = 2000;

/** What `destroy` would delete: everything with this Cloudspace's tags, and the untagged things the steps describe, if `goes` says so. */
export async function findDoomed(
  cloud: unknown,
  resources: readonly Resource[],
  name: string,
  goes: (key: string, found: Found) => boolean = () => true,
): Promise<Doomed[]> {
  const kinds = kindsOf(resources);
  const listing = await listAll(cloud, kinds, name);
  const outputs = match(resources, listing, 'first');
  const keyOf = new Map([...outputs].map(([key, out]) => [out, key]));
  const adopted = adoptedKeys(resources, listing, outputs);
  // What has no tags and is described nowhere (a route somebody added) may be the person's where anything else is.
  const isAdopted = (kind: AnyKind, key: string, found: Found): boolean =>
    kind.matches ? adopted.has(key) || (adopted.size > 0 && !outputs.has(key)) : found.adopted === true;
  return kinds.flatMap((kind) =>
    (listing.get(kind.type) ?? [])
      .filter((found) => statusOf(kind, found.out).state !== 'gone')
      .map((found) => ({ found, key: found.key ?? keyOf.get(found.out) ?? found.out.id }))
      .filter(({ found, key }) => goes(key, found))
      .map(({ found, key }) => ({ key, kind, out: found.out, adopted: isAdopted(kind, key, found) })),
  );
}

/** Looks again for a while when the journal holds a request whose outcome is not known: what it made may not be listed yet. */
export async function findDoomedSettlingIntents(
  find: () => Promise<Doomed[]>,
  options: {
    journal: Journal | undefined;
    notify: (event: Event) => void;
    pace: number;
    signal: AbortSignal;
  },
): Promise<Doomed[]> {
  for (let look = 1; ; look++) {
    const doomed = await find();
    const found = new Set(doomed.map(({ key }) => key));
    const unknown = Object.entries(options.journal?.state.resources ?? {}).filter(
      ([key, known]) => known.status === 'intent' && !found.has(key),
    );
    if (unknown.length === 0 || look > LOOKS) return doomed;
    if (look === 1)
      options.notify({
        type: 'info',
        text: `The last run stopped while it made ${unknown.map(([key]) => `\`${key}\``).join(', ')}. Looking whether that arrived.`,
      });
    await sleep(BETWEEN_LOOKS_MS * options.pace, undefined, { signal: options.signal });
  }
}

export interface DestroyOptions {
  readonly cloud: unknown;
  readonly name: string;
  readonly resources: readonly Resource[];
  readonly doomed: readonly Doomed[];
  readonly journal: Journal | undefined;
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
  readonly concurrency?: number;
  /** scales every wait; 1 for AWS */
  readonly pace: number;
  /** makes sure that nobody else works on the Cloudspace, before each deletion; throws when somebody does */
  readonly hold?: () => Promise<void>;
  /** finds what holds something that the cloud refuses to delete */
  readonly blockers?: (item: Doomed) => Promise<readonly Blocker[]>;
  /** asks the person about what is held by things of others; left out: they are waited for a while, then left */
  readonly decide?: Decide;
  /** how long to wait for things of others, in seconds; default 60 */
  readonly patience?: number;
  /** asked before each deletion, with what has failed so far: a reason to leave it for now */
  readonly keep?: (item: Doomed, failed: readonly Leftover[]) => string | undefined;
  /** may the protection of this one be lifted? Left out: no */
  readonly lift?: (item: Doomed) => Promise<boolean>;
}

/**
 * Deletes in the reverse order of the graph, by kind: a kind goes when nothing of the kinds that refer to it is left. Whatever does not
 * depend on a failure is still deleted. Gives what could not be deleted, with the reason.
 */
export async function destroy(options: DestroyOptions): Promise<Leftover[]> {
  const { cloud, journal, notify, signal } = options;
  const doomed = options.doomed.filter((item) => !item.adopted);
  const adopted = options.doomed.filter((item) => item.adopted);
  const going = new Set(doomed.filter(({ kind }) => !kind.partOf).map(({ out }) => out.id));
  const poller = createPoller(cloud, options.name, options.pace, signal);
  const slots = limiter(options.concurrency ?? DELETIONS);
  const mutate: typeof slots = (work) =>
    slots(async () => {
      await options.hold?.();
      return work();
    });
  const dependents = dependentKinds(options.resources);
  const leftovers: Leftover[] = [];
  const done = new Map<string, Promise<void>>();
  const wait = patience({ ...options, adopted: new Set(adopted.map(({ out }) => out.id)), leftovers, dependents });

  function kindGone(type: string): Promise<void> {
    let promise = done.get(type);
    if (!promise) {
      promise = (async () => {
        await Promise.all([...(dependents.get(type) ?? [])].map(kindGone));
        const items = doomed.filter((item) => item.kind.type === type);
        const sent = await removeTogether(items.filter((item) => !isLeaving(item.kind, item.out)));
        await Promise.all(items.map((item) => remove(item, sent.has(item))));
      })();
      done.set(type, promise);
    }
    return promise;
  }

  /** As many as possible in one request. What is refused together (one of them is protected) is tried one by one after that. */
  async function removeTogether(items: readonly Doomed[]): Promise<ReadonlySet<Doomed>> {
    const many = items[0]?.kind.deleteMany;
    const sent = new Set<Doomed>();
    if (!many || items.length < 2) return sent;
    const parts = Array.from({ length: Math.ceil(items.length / many.most) }, (_, index) =>
      items.slice(index * many.most, (index + 1) * many.most),
    );
    await Promise.all(
      parts.map(async (part) => {
        signal.throwIfAborted();
        await note(part, 'deleting');
        try {
          await mutate(() =>
            many.send(
              cloud,
              part.map(({ out }) => out),
              signal,
            ),
          );
          for (const item of part) sent.add(item);
        } catch {
          signal.throwIfAborted();
        }
      }),
    );
    return sent;
  }

  async function remove(item: Doomed, sent: boolean): Promise<void> {
    const { kind, out } = item;
    const started = Date.now();
    try {
      signal.throwIfAborted();
      const stays = options.keep?.(item, leftovers);
      if (stays !== undefined) throw new CloudspaceError(stays, { code: 'Kept' });
      report(item, 'deleting');
      const parent = kind.partOf?.(out);
      if (parent !== undefined && going.has(parent)) {
        await note([item], undefined);
        report(item, 'deleted');
        return;
      }
      if (!sent && !isLeaving(kind, out)) {
        await note([item], 'deleting');
        await wait(item, () => mutate(() => unprotected(item)));
      }
      if ((kind.seconds ?? 0) >= SLOW) await poller.gone(kind, out);
      await note([item], undefined);
      report(item, 'deleted', { seconds: (Date.now() - started) / 1000 });
    } catch (error) {
      if (signal.aborted || (error as { code?: string }).code === 'LeaseLost') throw error;
      const blockers = (error as { blockers?: readonly Blocker[] }).blockers ?? [];
      const reason = blockers.length > 0 ? `held by ${sentence(blockers)}` : (error as Error).message;
      leftovers.push({ key: item.key, kind, id: out.id, reason, blockers });
      report(item, 'failed', { detail: reason });
    }
  }

  async function unprotected({ kind, out, ...item }: Doomed): Promise<void> {
    try {
      await kind.delete(cloud, out, signal);
    } catch (error) {
      if (!kind.protection?.refused(error)) throw error;
      if (!(await options.lift?.({ kind, out, ...item })))
        throw new CloudspaceError(`${kind.label} ${out.id} is protected against deletion`, {
          code: 'Protected',
          hint: 'somebody switched that on by hand; `cloudspace destroy --force` lifts the protection and deletes it',
          cause: error,
        });
      await kind.protection.lift(cloud, out, signal);
      await kind.delete(cloud, out, signal);
    }
  }

  function report(
    { key, kind, out }: Doomed,
    status: 'deleting' | 'deleted' | 'failed' | 'skipped',
    more: { seconds?: number; detail?: string } = {},
  ): void {
    notify({ type: 'resource', key, kind: kind.type, label: kind.label, status, id: out.id, ...more });
  }

  async function note(items: readonly Doomed[], status: 'deleting' | undefined): Promise<void> {
    const known = items.filter(({ key }) => journal?.state.resources[key]);
    if (!journal || known.length === 0) return;
    const at = new Date().toISOString();
    await journal.update(({ resources }) => {
      for (const { key } of known) {
        const entry = resources[key];
        if (status && entry) resources[key] = { ...entry, status, at };
        else delete resources[key];
      }
    });
  }

  await Promise.all(kindsOf(options.resources).map((kind) => kindGone(kind.type)));
  if (adopted.length > 0) {
    signal.throwIfAborted();
    const released = adopted.filter((item) => options.keep?.(item, leftovers) === undefined);
    await Promise.all(released.map(({ kind, out }) => mutate(async () => kind.untag?.(cloud, out, signal))));
    await note(released, undefined);
    for (const item of released.filter(({ kind }) => kind.untag))
      report(item, 'skipped', { detail: 'yours: left as it was, without our tags' });
  }
  return leftovers;
}

/**
 * What is still there after a teardown, by a fresh listing. A listing may show for some seconds what is gone: it is asked again before anything of `deleted`
 * is said to be left.
 */
export async function findRemains(
  find: () => Promise<Doomed[]>,
  deleted: ReadonlySet<string>,
  options: { pace: number; signal: AbortSignal },
): Promise<Doomed[]> {
  for (let look = 1; ; look++) {
    const still = (await find()).filter((item) => !item.adopted);
    if (look >= LOOKS || !still.some(({ out }) => deleted.has(out.id))) return still;
    await sleep(BETWEEN_LOOKS_MS * options.pace, undefined, { signal: options.signal });
  }
}
