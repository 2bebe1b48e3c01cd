import { randomUUID } from 'node:crypto';
import { isLeaving } from './discover.ts';
import { fingerprint } from './journal.ts';
import type { Poller } from './poll.ts';
import type { RunOptions } from './run.ts';
import { newEntry, type Stock } from './stock.ts';
import { tagsFor } from './tags.ts';
import { type AnyKind, CloudspaceError, type CreateContext, type Event, type Output, type Resource } from './types.ts';
import { sendKnowing } from './unknown.ts';

type Props = Readonly<Record<string, unknown>>;

/** Everything that changes one resource, with the journal around it: the intent before a request, the outcome after it. */
export interface Maker {
  create(resource: Resource, props: Props): Promise<Output>;
  /** what differs is put in shape, one request after another, unless `hold` */
  keep(resource: Resource, props: Props, out: Output, hold: boolean): Promise<Output>;
  /** not what a person made, and not what may hold data: that is theirs to delete */
  mayDelete(resource: Resource): boolean;
  /** deletes what failed, waits until it is gone and makes it anew, with a new token */
  replace(resource: Resource, props: Props, failed: Output, reason: string): Promise<Output>;
  record(resource: Resource, status: 'created' | 'ready', out: Output, props?: Props): Promise<void>;
  forget(key: string): Promise<void>;
  report(
    resource: Resource,
    status: Extract<Event, { type: 'resource' }>['status'],
    more?: { id?: string; seconds?: number; detail?: string },
  ): void;
  context(key: string, token?: string): CreateContext;
}

/** A set of rules needs two requests (add, revoke), an instance three; more without an end means that a change does not hold. */
const MOST_UPDATES = 5;

export function createMaker(
  options: RunOptions,
  stock: Stock,
  poller: Poller,
  mutate: <T>(work: () => Promise<T>) => Promise<T>,
): Maker {
  const { cloud, name, journal, notify, signal } = options;
  const batches = new Map<
    string,
    { members: { resource: Resource; props: Props }[]; made: Promise<Map<string, Output>> }
  >();

  async function create(resource: Resource, props: Props): Promise<Output> {
    const leaving = stock.leaving.get(resource.key);
    if (leaving) await poller.gone(resource.kind, leaving);
    return resource.kind.batch ? inBatch(resource, props) : createOne(resource, props);
  }

  function createOne(resource: Resource, props: Props): Promise<Output> {
    return intending([{ resource, props }], async (token) => [
      await resource.kind.create(cloud, props, context(resource.key, token)),
    ]).then(([out]) => out as Output);
  }

  /** Resources of a batching kind that get ready in the same moment go out in one request. */
  async function inBatch(resource: Resource, props: Props): Promise<Output> {
    const id = `${resource.kind.type} ${resource.kind.batch?.groupBy(props)}`;
    let batch = batches.get(id);
    if (!batch) {
      const members: { resource: Resource; props: Props }[] = [];
      const made = new Promise((resolve) => setImmediate(resolve)).then(() => {
        batches.delete(id);
        return createBatch(members);
      });
      batch = { members, made };
      batches.set(id, batch);
    }
    batch.members.push({ resource, props });
    return (await batch.made).get(resource.key) as Output;
  }

  async function createBatch(members: readonly { resource: Resource; props: Props }[]): Promise<Map<string, Output>> {
    const [first] = members;
    if (!first) return new Map();
    if (members.length === 1) return new Map([[first.resource.key, await createOne(first.resource, first.props)]]);
    const keys = members.map(({ resource }) => resource.key);
    const made = await intending(members, (token) =>
      (first.resource.kind.batch as NonNullable<AnyKind['batch']>).create(
        cloud,
        first.props,
        keys,
        context(first.resource.key, token),
      ),
    );
    return new Map(keys.map((key, index) => [key, made[index] as Output]));
  }

  /**
   * One creating request. The token of an intent that is still open is used again: where the API knows it, a request that did arrive makes
   * nothing new. An intent that AWS itself has refused is closed: nothing of it can turn up later.
   */
  function intending(
    members: readonly { resource: Resource; props: Props }[],
    send: (token: string) => Promise<Output[]>,
  ): Promise<Output[]> {
    return mutate(async () => {
      signal.throwIfAborted();
      const all = members.map(({ resource }) => resource);
      const open = all.map(({ key }) => journal.state.resources[key]).find((known) => known?.status === 'intent');
      const token = open?.token ?? randomUUID();
      await journal.update((state) => {
        for (const resource of all)
          state.resources[resource.key] = newEntry(
            resource,
            options.chapterOf(resource.key),
            state.region,
            'intent',
            token,
          );
      });
      for (const resource of all) report(resource, 'creating');
      try {
        const made = await sendKnowing(members, options, () => send(token));
        await journal.update((state) => {
          for (const [index, { resource, props }] of members.entries())
            state.resources[resource.key] = newEntry(
              resource,
              options.chapterOf(resource.key),
              state.region,
              'created',
              token,
              made[index],
              fingerprint(props),
            );
        });
        return made;
      } catch (error) {
        if (!open && wasRefused(error))
          await journal.update((state) => {
            for (const { key } of all) delete state.resources[key];
          });
        for (const resource of all) report(resource, 'failed', { detail: (error as Error).message });
        throw error;
      }
    });
  }

  async function keep(resource: Resource, props: Props, existing: Output, hold: boolean): Promise<Output> {
    const { key, kind } = resource;
    let out = existing;
    for (let round = 1; ; round++) {
      const all = kind.drift?.(props, out) ?? [];
      const differences = all.filter(({ fixed }) => fixed !== true);
      // What only a new one can have was not put in shape: the journal goes on saying what it was made with.
      const shaped = differences.length === all.length;
      if (!kind.update || differences.length === 0 || hold || round > MOST_UPDATES) {
        const known = journal.state.resources[key];
        if (!hold && shaped && known && known.props !== fingerprint(props))
          await record(resource, 'created', out, props);
        if (out === existing) report(resource, 'kept', { id: out.id });
        else report(resource, 'updated', { id: out.id });
        return out;
      }
      if (round === 1)
        report(resource, 'updating', { id: out.id, detail: differences.map(({ attribute }) => attribute).join(', ') });
      const now = out;
      out = await mutate(() => kind.update?.(cloud, props, now, context(key)) as Promise<Output>);
      await record(resource, 'created', out, shaped ? props : undefined);
    }
  }

  async function replace(resource: Resource, props: Props, failed: Output, reason: string): Promise<Output> {
    const { key, kind } = resource;
    if (!mayDelete(resource))
      throw new CloudspaceError(
        `${kind.label} ${failed.id}${stock.adopted.has(key) ? ', which you made yourself,' : ''} failed: ${reason}`,
        {
          code: 'Failed',
          hint: stock.adopted.has(key)
            ? 'mend or delete it, then try again; nothing that you made is deleted here'
            : 'it may hold your data, so it is not deleted here: mend it, or save what is in it and delete it, then try again',
        },
      );
    report(resource, 'replacing', { id: failed.id, detail: reason });
    if (!isLeaving(kind, failed)) {
      const known = journal.state.resources[key];
      if (known)
        await journal.update((state) => {
          state.resources[key] = { ...known, status: 'deleting', at: new Date().toISOString() };
        });
      await mutate(() => kind.delete(cloud, failed, signal));
    }
    await poller.gone(kind, failed);
    await forget(key);
    return create(resource, props);
  }

  function mayDelete({ key, kind }: Resource): boolean {
    const entry = journal.state.resources[key];
    const neverReady = entry?.status === 'created' && entry.token !== '';
    return !stock.adopted.has(key) && (kind.keepsData !== true || neverReady);
  }

  async function record(resource: Resource, status: 'created' | 'ready', out: Output, props?: Props): Promise<void> {
    const known = journal.state.resources[resource.key];
    const print = props === undefined ? known?.props : fingerprint(props);
    const { key } = resource;
    await journal.update((state) => {
      const entry = newEntry(resource, options.chapterOf(key), state.region, status, known?.token ?? '', out, print);
      state.resources[key] = stock.adopted.has(key) ? { ...entry, adopted: true } : entry;
    });
  }

  async function forget(key: string): Promise<void> {
    await journal.update((state) => {
      delete state.resources[key];
    });
  }

  function context(key: string, token: string = randomUUID()): CreateContext {
    return { tags: tagsFor(name, key, options.chapterOf(key)), token, name, signal };
  }

  function report(
    resource: Resource,
    status: Extract<Event, { type: 'resource' }>['status'],
    more: { id?: string; seconds?: number; detail?: string } = {},
  ): void {
    const { seconds } = resource.kind;
    const typical = seconds === undefined ? {} : { typicalSeconds: Math.ceil(seconds * (options.durations ?? 1)) };
    notify({
      type: 'resource',
      key: resource.key,
      kind: resource.kind.type,
      label: resource.kind.label,
      status,
      ...typical,
      ...more,
    });
  }

  return { create, keep, mayDelete, replace, record, forget, report, context };
}

/** AWS answered, and its answer was no. (A lost answer is `OutcomeUnknown`.) */
function wasRefused(error: unknown): boolean {
  return error instanceof CloudspaceError && error.requestId !== undefined && error.code !== 'OutcomeUnknown';
}
