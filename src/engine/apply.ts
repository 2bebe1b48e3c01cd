import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { limiter } from '../system/limit.ts';
import { listAll, match, statusOf } from './discover.ts';
import { fromOutputs, kindsOf, refsOf, resolveProps } from './graph.ts';
import type { Entry, Journal } from './journal.ts';
import { createPoller } from './poll.ts';
import { priceOf } from './render.ts';
import { tagsFor } from './tags.ts';
import {
  type Action,
  type AnyKind,
  CloudspaceError,
  type CreateContext,
  type Event,
  type Output,
  type Play,
  type Ref,
  type Resource,
} from './types.ts';

export interface RunOptions {
  readonly cloud: unknown;
  readonly name: string;
  /** every resource of the whole walk, whatever part of it is done now */
  readonly resources: readonly Resource[];
  /** chapter of each resource, by key: the tag `cloudspace:chapter` */
  readonly chapterOf: (key: string) => string;
  readonly journal: Journal;
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
  /** requests that change something, at once; default 10 */
  readonly concurrency?: number;
  /** scales every wait between polls; 1 for AWS */
  readonly pace: number;
  /** scales the typical durations that are shown: practice is faster than AWS; default 1 */
  readonly durations?: number;
  /** runs an Ansible play; undefined: plays are skipped, and say so */
  readonly play?: (play: Play) => Promise<void>;
  /** generates the named secrets that are missing */
  readonly secrets: (names: readonly string[]) => Promise<void>;
}

export interface Run {
  /** what is there, by key */
  readonly outputs: ReadonlyMap<string, Output>;
  /**
   * Does what is not done yet. Resolves when all of it exists and the plays are through; slow settling goes on behind. Throws the first
   * failure, after everything that does not depend on it was done. Asked again it waits for the same outcome.
   */
  do(actions: readonly Action[]): Promise<void>;
  /**
   * As `do`, but does not wait for resources that wait for something slow (a route for its NAT gateway): they follow in the background.
   * Gives their keys.
   */
  begin(actions: readonly Action[]): Promise<string[]>;
  /** Begins again what failed; `do` then waits for the new outcome. */
  retry(): Promise<void>;
  /** resolves when nothing settles any more; throws what failed there */
  settled(): Promise<void>;
  /** how many resources are still settling */
  settling(): number;
}

interface Node {
  readonly kind: AnyKind;
  readonly created: Promise<Output>;
  readonly ready: Promise<Output>;
  /** resolves when it has to wait for something slow before it can be made */
  readonly parked: Promise<'parked'>;
}

/** Typical seconds from which on something counts as slow: nobody should sit through it. */
const SLOW = 60;

/** How long an intent whose outcome is unknown is looked for before the request is sent again (with the same token). EC2's listings usually catch up within seconds. */
const UNKNOWN_OUTCOME_LOOKS = 5;

/**
 * Discovers what is there and gives the run that adds what is missing. Order is the graph: each resource waits for what it refers to and
 * for nothing else. Before each mutation its intent is on disk, after it its outcome.
 */
export async function startRun(options: RunOptions): Promise<Run> {
  const { cloud, name, resources, journal, notify, signal } = options;
  const outputs = await discoverSettlingIntents(options);
  const poller = createPoller(cloud, name, options.pace, signal);
  const mutate = limiter(options.concurrency ?? 10);
  const nodes = new Map<string, Node>();
  const plays = new Map<string, Promise<void>>();
  const byKey = new Map(resources.map((resource) => [resource.key, resource]));
  let unsettled = 0;
  await adopt(journal, resources, outputs, options.chapterOf);

  const batches = new Map<
    string,
    { resources: { resource: Resource; props: Record<string, unknown> }[]; made: Promise<Map<string, Output>> }
  >();

  async function awaitRefs(of: Pick<Resource, 'key' | 'props' | 'after'>, park: () => void): Promise<void> {
    await Promise.all(refsOf(of).map((ref) => awaitRef(of.key, ref, park)));
  }

  async function awaitRef(key: string, ref: Ref, park: () => void): Promise<void> {
    let node = nodes.get(ref.$ref);
    const resource = byKey.get(ref.$ref);
    // Done in an earlier run, or in a step the person skipped now: what is there may be used.
    if (!node && resource && outputs.has(ref.$ref)) node = begin(resource);
    if (!node)
      throw new CloudspaceError(`${key} needs ${ref.$ref}, which is not there`, {
        code: 'Blocked',
        hint: 'its step was skipped: go back to it',
      });
    if (
      ref.when === 'ready' &&
      (node.kind.seconds ?? 0) >= SLOW &&
      journal.state.resources[ref.$ref]?.status !== 'ready'
    )
      park();
    await (ref.when === 'created' ? node.created : node.ready).catch((error: unknown) => {
      throw new CloudspaceError(`${key} waits for ${ref.$ref}, which failed`, {
        code: 'Blocked',
        cause: error,
        hint: error instanceof CloudspaceError ? error.hint : undefined,
      });
    });
  }

  function begin(resource: Resource): Node {
    let park = (): void => {};
    const parked = new Promise<'parked'>((resolve) => {
      park = () => resolve('parked');
    });
    const created = exist(resource, park);
    const ready = created.then((out) => settle(resource, out));
    created.catch(() => {});
    ready.catch(() => {});
    const node = { kind: resource.kind, created, ready, parked };
    nodes.set(resource.key, node);
    return node;
  }

  async function exist(resource: Resource, park: () => void): Promise<Output> {
    const { key, kind } = resource;
    await null; // so that everything asked for in one call is known before references are followed
    await awaitRefs(resource, park);
    signal.throwIfAborted();
    const props = resolveProps(resource.props, fromOutputs(outputs));
    if (!props) throw new CloudspaceError(`${key} refers to an output that is not there`, { code: 'BadGraph' });
    const existing = outputs.get(key);
    if (existing) return keepOrUpdate(resource, props, existing);
    const started = Date.now();
    const out = kind.batch ? await inBatch(resource, props) : await create(resource, props);
    outputs.set(key, out);
    report(resource, 'created', { id: out.id, seconds: (Date.now() - started) / 1000 });
    return out;
  }

  async function keepOrUpdate(resource: Resource, props: Record<string, unknown>, existing: Output): Promise<Output> {
    const { key, kind } = resource;
    const differences = kind.drift?.(props, existing) ?? [];
    if (!kind.update || differences.length === 0) {
      report(resource, 'kept', { id: existing.id });
      return existing;
    }
    report(resource, 'updating', {
      id: existing.id,
      detail: differences.map((difference) => difference.attribute).join(', '),
    });
    const out = await mutate(
      () => kind.update?.(cloud, props, existing, context(key, randomUUID())) as Promise<Output>,
    );
    outputs.set(key, out);
    await record(resource, 'created', out);
    report(resource, 'updated', { id: out.id });
    return out;
  }

  async function create(resource: Resource, props: Record<string, unknown>): Promise<Output> {
    return mutate(async () => {
      signal.throwIfAborted();
      const token = await intend([resource]);
      report(resource, 'creating');
      try {
        const out = await resource.kind.create(cloud, props, context(resource.key, token));
        await record(resource, 'created', out);
        return out;
      } catch (error) {
        report(resource, 'failed', { detail: (error as Error).message });
        throw error;
      }
    });
  }

  /** Resources of a batching kind that get ready in the same moment go out in one request. */
  async function inBatch(resource: Resource, props: Record<string, unknown>): Promise<Output> {
    const id = `${resource.kind.type} ${resource.kind.batch?.groupBy(props)}`;
    let batch = batches.get(id);
    if (!batch) {
      const members: { resource: Resource; props: Record<string, unknown> }[] = [];
      const made = new Promise((resolve) => setImmediate(resolve)).then(() => {
        batches.delete(id);
        return createBatch(members);
      });
      batch = { resources: members, made };
      batches.set(id, batch);
    }
    batch.resources.push({ resource, props });
    return (await batch.made).get(resource.key) as Output;
  }

  async function createBatch(
    members: readonly { resource: Resource; props: Record<string, unknown> }[],
  ): Promise<Map<string, Output>> {
    const [first] = members;
    if (!first) return new Map();
    if (members.length === 1) return new Map([[first.resource.key, await create(first.resource, first.props)]]);
    return mutate(async () => {
      signal.throwIfAborted();
      const all = members.map((member) => member.resource);
      const token = await intend(all);
      for (const resource of all) report(resource, 'creating');
      const keys = all.map((resource) => resource.key);
      try {
        const made = await (first.resource.kind.batch as NonNullable<AnyKind['batch']>).create(
          cloud,
          first.props,
          keys,
          context(first.resource.key, token),
        );
        const result = new Map(keys.map((key, index) => [key, made[index] as Output]));
        await journal.update((state) => {
          for (const resource of all)
            state.resources[resource.key] = entry(resource, 'created', token, result.get(resource.key));
        });
        return result;
      } catch (error) {
        for (const resource of all) report(resource, 'failed', { detail: (error as Error).message });
        throw error;
      }
    });
  }

  async function settle(resource: Resource, out: Output): Promise<Output> {
    const { key, kind } = resource;
    let now = out;
    const status = statusOf(kind, out);
    if (status.state !== 'ready') {
      const started = Date.now();
      unsettled++;
      const detail = status.state === 'pending' ? status.detail : undefined;
      report(resource, 'waiting', { id: out.id, ...(detail === undefined ? {} : { detail }) });
      try {
        now = await poller.ready(kind, out);
      } catch (error) {
        if (!signal.aborted) report(resource, 'failed', { id: out.id, detail: (error as Error).message });
        throw error;
      } finally {
        unsettled--;
      }
      outputs.set(key, now);
      report(resource, 'ready', { id: now.id, seconds: (Date.now() - started) / 1000 });
    }
    if (journal.state.resources[key]?.status !== 'ready') await record(resource, 'ready', now);
    return now;
  }

  async function runPlay(play: Play): Promise<void> {
    await null;
    await awaitRefs({ key: play.key, props: {}, after: play.after }, () => {});
    for (const other of play.needs ?? []) await plays.get(other);
    signal.throwIfAborted();
    if (options.play) await options.play(play);
    else notify({ type: 'play', key: play.key, title: play.title, status: 'skipped', hosts: play.hosts });
  }

  /** The token of an intent that is still open is used again: where the API knows it, a request that did arrive makes nothing new. */
  async function intend(all: readonly Resource[]): Promise<string> {
    const open = all
      .map((resource) => journal.state.resources[resource.key])
      .find((known) => known?.status === 'intent');
    const token = open?.token ?? randomUUID();
    await journal.update((state) => {
      for (const resource of all) state.resources[resource.key] = entry(resource, 'intent', token);
    });
    return token;
  }

  async function record(resource: Resource, status: 'created' | 'ready', out: Output): Promise<void> {
    const token = journal.state.resources[resource.key]?.token ?? '';
    await journal.update((state) => {
      state.resources[resource.key] = entry(resource, status, token, out);
    });
  }

  function entry(resource: Resource, status: 'intent' | 'created' | 'ready', token: string, out?: Output) {
    return newEntry(resource, options.chapterOf(resource.key), journal.state.region, status, token, out);
  }

  function context(key: string, token: string): CreateContext {
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

  /** Begins what has not begun; one promise an action. */
  function submit(actions: readonly Action[]): { key: string; done: Promise<unknown>; parked?: Promise<'parked'> }[] {
    return actions.map((action) => {
      if ('resource' in action) {
        const node = nodes.get(action.resource.key) ?? begin(action.resource);
        return { key: action.resource.key, done: node.created, parked: node.parked };
      }
      if ('secrets' in action) return { key: 'secrets', done: options.secrets(action.secrets) };
      const { play } = action;
      const running = plays.get(play.key) ?? runPlay(play);
      plays.set(play.key, running);
      return { key: play.key, done: running };
    });
  }

  return {
    outputs,
    async do(actions) {
      throwFirst(await Promise.allSettled(submit(actions).map(({ done }) => done)), signal);
    },
    async begin(actions) {
      const work = submit(actions);
      const first = await Promise.allSettled(
        work.map(({ done, parked }) => (parked ? Promise.race([done, parked]) : done)),
      );
      throwFirst(first, signal);
      return work.flatMap(({ key }, index) => {
        const result = first[index];
        return result?.status === 'fulfilled' && result.value === 'parked' ? [key] : [];
      });
    },
    async retry() {
      const failed: Resource[] = [];
      for (const [key, node] of nodes) {
        const resource = byKey.get(key);
        if (resource && (await isRejected(node.ready))) failed.push(resource);
      }
      // A request whose answer was lost may have arrived: look before anything is sent again.
      const there = match(resources, await listAll(cloud, kindsOf(resources), name));
      for (const { key } of failed) {
        nodes.delete(key);
        const out = there.get(key);
        if (out) outputs.set(key, out);
        else outputs.delete(key);
      }
      for (const resource of failed) if (!nodes.has(resource.key)) begin(resource);
      for (const [key, play] of plays) if (await isRejected(play)) plays.delete(key);
    },
    async settled() {
      throwFirst(await Promise.allSettled([...nodes.values()].map((node) => node.ready)), signal);
    },
    settling: () => unsettled,
  };
}

/** Lists everything; where the journal holds an open intent that the listing does not show, looks again for a while: listings lag behind creates. */
async function discoverSettlingIntents(options: RunOptions): Promise<Map<string, Output>> {
  const { cloud, name, resources, journal, signal, notify } = options;
  for (let look = 1; ; look++) {
    const outputs = match(resources, await listAll(cloud, kindsOf(resources), name));
    const unknown = Object.entries(journal.state.resources).filter(
      ([key, known]) => known.status === 'intent' && !outputs.has(key),
    );
    if (unknown.length === 0 || look > UNKNOWN_OUTCOME_LOOKS) return outputs;
    if (look === 1)
      notify({
        type: 'info',
        text: `The last run stopped while it made ${unknown.map(([key]) => `\`${key}\``).join(', ')}. Looking whether that arrived.`,
      });
    await sleep(2000 * options.pace, undefined, { signal });
  }
}

/** Brings the journal in line with what was found: with the state file lost, tags rebuild it; what is gone is forgotten. */
async function adopt(
  journal: Journal,
  resources: readonly Resource[],
  outputs: ReadonlyMap<string, Output>,
  chapterOf: (key: string) => string,
): Promise<void> {
  const changes: [string, ReturnType<typeof newEntry> | undefined][] = [];
  for (const resource of resources) {
    const out = outputs.get(resource.key);
    const known = journal.state.resources[resource.key];
    if (out && (known?.out?.id !== out.id || known.status === 'intent' || known.status === 'deleting'))
      changes.push([
        resource.key,
        newEntry(resource, chapterOf(resource.key), journal.state.region, 'created', known?.token ?? '', out),
      ]);
    if (!out && known && known.status !== 'intent') changes.push([resource.key, undefined]);
  }
  if (changes.length === 0) return;
  await journal.update((state) => {
    for (const [key, entry] of changes) {
      if (entry) state.resources[key] = entry;
      else delete state.resources[key];
    }
  });
}

function newEntry(
  resource: Resource,
  chapter: string,
  region: string,
  status: 'intent' | 'created' | 'ready',
  token: string,
  out?: Output,
): Entry {
  return {
    type: resource.kind.type,
    chapter,
    status,
    token,
    at: new Date().toISOString(),
    usdPerHour: priceOf(resource, region),
    ...(out ? { out } : {}),
  };
}

async function isRejected(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  return Promise.race([promise, Promise.resolve(pending)]).then(
    () => false,
    () => true,
  );
}

/** Throws the first failure that is a cause, not a consequence. */
function throwFirst(results: readonly PromiseSettledResult<unknown>[], signal: AbortSignal): void {
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (signal.aborted) signal.throwIfAborted();
  const cause = errors.find((error) => !(error instanceof CloudspaceError && error.code === 'Blocked')) ?? errors[0];
  if (cause !== undefined) throw cause;
}
