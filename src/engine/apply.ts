import { limiter } from '../system/limit.ts';
import { findCandidates, type Judged, theOnly } from './byHand.ts';
import { destroy, findDoomed, type Leftover } from './destroy.ts';
import { adoptedKeys, listAll, match, statusOf } from './discover.ts';
import { type Drift, driftError } from './drift.ts';
import { fromOutputs, kindsOf, refsOf, resolveProps } from './graph.ts';
import type { Journal } from './journal.ts';
import { createMaker } from './make.ts';
import { createPoller } from './poll.ts';
import { takeStock } from './stock.ts';
import { adoptionTags } from './tags.ts';
import {
  type Action,
  type AnyKind,
  CloudspaceError,
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
  /** how many times something that failed while it was made (a NAT gateway, an instance) is replaced without asking; default 0 */
  readonly replacements?: number;
  /** keys of what a person makes: taken over when the one thing that fits is there, never made */
  readonly byHand?: ReadonlySet<string>;
  /** makes sure that nobody else works on the Cloudspace, before each request that changes something; throws when somebody does */
  readonly hold?: () => Promise<void>;
  /** runs an Ansible play; undefined: plays are skipped, and say so */
  readonly play?: (play: Play) => Promise<void>;
  /** generates the named secrets that are missing */
  readonly secrets: (names: readonly string[]) => Promise<void>;
}

export interface Run {
  /** what is there, by key */
  readonly outputs: ReadonlyMap<string, Output>;
  /** keys of what a person made */
  readonly adopted: ReadonlySet<string>;
  /** what somebody changed or removed by hand, as it was when the run began; nothing is done about it before `repair` or `accept` */
  readonly drift: readonly Drift[];
  /**
   * Puts the drift of these keys back: strays are deleted, tags put on, attributes restored, what is missing made anew with what hung on it.
   * Throws the first failure after everything else was put back.
   */
  repair(keys: readonly string[]): Promise<void>;
  /** lets the drift of these keys be mended when their step is done: the person has seen it */
  accept(keys: readonly string[]): void;
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
  /** Begins again what failed; `do` then waits for the new outcome. What was left half made is replaced. */
  retry(): Promise<void>;
  /** what has failed by itself and was not tried again since, by key; what only waited for it is left out */
  failures(): ReadonlyMap<string, unknown>;
  /** Deletes what is there of these keys, in reverse, and lets go of what is adopted. Gives what could not be deleted. */
  undo(keys: readonly string[]): Promise<Leftover[]>;
  /** what a person may have made for this resource; undefined: what it refers to is not there yet */
  candidates(resource: Resource): Promise<Judged[] | undefined>;
  /** takes over what a person made: tags it, and goes on with it */
  take(resource: Resource, out: Output, named: boolean): Promise<void>;
  /** looks again which of these are there: connections are found by what they connect */
  look(keys: readonly string[]): Promise<void>;
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

/**
 * Discovers what is there and gives the run that adds what is missing. Order is the graph: each resource waits for what it refers to and
 * for nothing else. Before each mutation its intent is on disk, after it its outcome.
 */
export async function startRun(options: RunOptions): Promise<Run> {
  const { cloud, name, resources, journal, notify, signal } = options;
  const stock = await takeStock(options);
  const { outputs, adopted } = stock;
  const poller = createPoller(cloud, name, options.pace, signal);
  const slots = limiter(options.concurrency ?? 10);
  const mutate: typeof slots = (work) =>
    slots(async () => {
      await options.hold?.();
      return work();
    });
  const make = createMaker(options, stock, poller, mutate);
  const { report } = make;
  const nodes = new Map<string, Node>();
  const plays = new Map<string, Promise<void>>();
  const byKey = new Map(resources.map((resource) => [resource.key, resource]));
  /** drift that nobody has allowed to be mended yet */
  const held = new Map(stock.drift.map((drift) => [drift.key, drift]));
  const accepted = new Set<string>();
  const failed = new Map<string, unknown>();
  const replaced = new Map<string, number>();
  let unsettled = 0;

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
    const { key, kind } = resource;
    let park = (): void => {};
    const parked = new Promise<'parked'>((resolve) => {
      park = () => resolve('parked');
    });
    failed.delete(key);
    const created = exist(resource, park);
    const ready = created.then((out) => settle(resource, out, node));
    created.catch(() => {});
    const node: Node = { kind, created, ready, parked };
    ready.catch((error) => {
      if (nodes.get(key) === node && !isBlocked(error)) failed.set(key, error);
    });
    nodes.set(key, node);
    return node;
  }

  async function exist(resource: Resource, park: () => void): Promise<Output> {
    const { key, kind } = resource;
    await null; // so that everything asked for in one call is known before references are followed
    await awaitRefs(resource, park);
    signal.throwIfAborted();
    const props = resolve(resource);
    const existing = outputs.get(key);
    const drift = held.get(key);
    if (drift && (drift.what === 'missing' || drift.what === 'untagged') && !existing) throw driftError(drift);
    if (!existing && options.byHand?.has(key) && kind.candidates) {
      await take(resource, theOnly(resource, await findCandidates(cloud, name, resource, resources, outputs)), true);
      return outputs.get(key) as Output;
    }
    const started = Date.now();
    let out: Output;
    const status = existing && statusOf(kind, existing);
    if (existing && status?.state !== 'failed') {
      out = await make.keep(resource, props, existing, drift !== undefined || (adopted.has(key) && !accepted.has(key)));
      outputs.set(key, out);
      return out;
    }
    if (existing && status?.state === 'failed') {
      replaced.set(key, (replaced.get(key) ?? 0) + 1);
      // It stays among what is there until it is replaced: whoever compares must not take it for a stranger's.
      if (make.mayDelete(resource)) await clear(key);
      out = await make.replace(resource, props, existing, status.reason);
    } else out = await make.create(resource, props);
    outputs.set(key, out);
    report(resource, 'created', { id: out.id, seconds: (Date.now() - started) / 1000 });
    return out;
  }

  function resolve(resource: Resource): Record<string, unknown> {
    const props = resolveProps(resource.props, fromOutputs(outputs));
    if (props) return props;
    throw new CloudspaceError(`${resource.key} refers to an output that is not there`, { code: 'BadGraph' });
  }

  async function settle(resource: Resource, out: Output, node: Node): Promise<Output> {
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
        // Somebody undid it meanwhile: nobody waits for this node any more.
        if (signal.aborted || nodes.get(key) !== node) throw error;
        if (!mayReplace(key, error)) {
          report(resource, 'failed', { id: out.id, detail: (error as Error).message });
          throw error;
        }
        return await again(resource, out, error as CloudspaceError, node);
      } finally {
        unsettled--;
      }
      outputs.set(key, now);
      report(resource, 'ready', { id: now.id, seconds: (Date.now() - started) / 1000 });
    }
    if (journal.state.resources[key]?.status !== 'ready') await make.record(resource, 'ready', now);
    return now;
  }

  function mayReplace(key: string, error: unknown): boolean {
    const code = error instanceof CloudspaceError ? error.code : '';
    if (code !== 'Failed' && code !== 'Vanished') return false;
    const resource = byKey.get(key);
    if (!resource || !make.mayDelete(resource)) return false;
    return (replaced.get(key) ?? 0) < (options.replacements ?? 0);
  }

  /** It failed after it was made: made anew, and with it what was put on it before it was ready (a listener on its load balancer). */
  async function again(resource: Resource, old: Output, error: CloudspaceError, node: Node): Promise<Output> {
    const { key } = resource;
    replaced.set(key, (replaced.get(key) ?? 0) + 1);
    outputs.delete(key);
    const hung = resources.filter((other) => nodes.has(other.key) && isEarly(other, key));
    await Promise.all(hung.map((other) => nodes.get(other.key)?.created.catch(() => {})));
    await clear(key);
    let made: Output;
    if (error.code === 'Vanished') {
      report(resource, 'replacing', { id: old.id, detail: error.message });
      await make.forget(key);
      made = await make.create(resource, resolve(resource));
    } else made = await make.replace(resource, resolve(resource), old, error.message);
    outputs.set(key, made);
    report(resource, 'created', { id: made.id });
    for (const other of hung) begin(other);
    return settle(resource, made, node);
  }

  /** Deletes what was put on something before it was ready. */
  async function clear(key: string): Promise<void> {
    for (const other of resources) {
      const out = outputs.get(other.key);
      if (!out || adopted.has(other.key) || !isEarly(other, key)) continue;
      await mutate(() => other.kind.delete(cloud, out, signal));
      outputs.delete(other.key);
      await make.forget(other.key);
    }
  }

  async function runPlay(play: Play): Promise<void> {
    await null;
    await awaitRefs({ key: play.key, props: {}, after: play.after }, () => {});
    for (const other of play.needs ?? []) await plays.get(other);
    signal.throwIfAborted();
    if (options.play) await options.play(play);
    else notify({ type: 'play', key: play.key, title: play.title, status: 'skipped', hosts: play.hosts });
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

  async function doAll(actions: readonly Action[]): Promise<void> {
    throwFirst(await Promise.allSettled(submit(actions).map(({ done }) => done)), signal);
  }

  async function take(resource: Resource, out: Output, named: boolean): Promise<void> {
    const { key, kind } = resource;
    if (!kind.tag)
      throw new CloudspaceError(`${kind.label} carries no tags: it is found by itself`, { code: 'ByHand' });
    await mutate(
      () => kind.tag?.(cloud, out, adoptionTags(name, key, options.chapterOf(key), named), signal) ?? Promise.resolve(),
    );
    adopted.add(key);
    outputs.set(key, out);
    await make.record(resource, 'created', out);
    report(resource, 'adopted', { id: out.id });
  }

  async function look(keys: readonly string[]): Promise<void> {
    const listing = await listAll(cloud, kindsOf(resources), name);
    const there = match(resources, listing);
    for (const key of keys) {
      const out = there.get(key);
      const resource = byKey.get(key);
      if (out && resource && !outputs.has(key)) {
        outputs.set(key, out);
        held.delete(key);
        await make.record(resource, 'created', out);
      }
    }
    for (const key of adoptedKeys(resources, listing, there)) adopted.add(key);
  }

  async function repair(wanted: readonly string[]): Promise<void> {
    const mending = [...held.values()].filter(({ key, mendable }) => mendable && wanted.includes(key));
    for (const drift of mending) {
      const { what, resource, out, key, label } = drift;
      signal.throwIfAborted();
      if (out && what === 'extra') {
        const stray = { type: 'resource', key, kind: resource.kind.type, label, id: out.id } as const;
        notify({ ...stray, status: 'deleting' });
        await mutate(() => resource.kind.delete(cloud, out, signal));
        notify({ ...stray, status: 'deleted' });
      }
      if (out && what === 'untagged') await tagAgain(drift, out);
    }
    const keys = mending.flatMap(({ key, hanging, what }) => (what === 'extra' ? [] : [key, ...hanging]));
    accept(mending.map(({ key }) => key));
    // What hung on something that only lost its tags is there.
    if (mending.some(({ what }) => what === 'untagged')) await look(keys);
    await doAll(keys.flatMap((key) => ((resource) => (resource ? [{ resource }] : []))(byKey.get(key))));
  }

  async function tagAgain({ resource, adopted: theirs, key }: Drift, out: Output): Promise<void> {
    const tags = theirs ? adoptionTags(name, key, options.chapterOf(key), true) : make.context(key).tags;
    report(resource, 'updating', { id: out.id, detail: 'tags' });
    await mutate(() => resource.kind.tag?.(cloud, out, tags, signal) ?? Promise.resolve());
    if (theirs) adopted.add(key);
    outputs.set(key, out);
    await make.record(resource, 'created', out);
    report(resource, 'updated', { id: out.id });
  }

  function accept(keys: readonly string[]): void {
    for (const key of keys) {
      accepted.add(key);
      held.delete(key);
    }
  }

  async function undo(keys: readonly string[]): Promise<Leftover[]> {
    for (const key of keys) {
      nodes.delete(key);
      failed.delete(key);
    }
    const doomed = await findDoomed(cloud, resources, name, (key) => keys.includes(key));
    const { pace, hold } = options;
    const left = await destroy({
      cloud,
      name,
      resources,
      doomed,
      journal,
      notify,
      signal,
      pace,
      ...(hold ? { hold } : {}),
    });
    const still = new Set(left.map(({ key }) => key));
    for (const key of keys.filter((one) => !still.has(one))) {
      outputs.delete(key);
      adopted.delete(key);
      await make.forget(key);
    }
    return left;
  }

  return {
    outputs,
    adopted,
    drift: stock.drift,
    repair,
    accept,
    undo,
    take,
    look,
    candidates: (resource) => findCandidates(cloud, name, resource, resources, outputs),
    do: doAll,
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
      const rejected: Resource[] = [];
      for (const [key, node] of nodes) {
        const resource = byKey.get(key);
        if (resource && (await isRejected(node.ready))) rejected.push(resource);
      }
      // What was put on it before it was ready goes with it when it is replaced.
      for (const other of resources)
        if (nodes.has(other.key) && !rejected.includes(other) && rejected.some(({ key }) => isEarly(other, key)))
          rejected.push(other);
      // A request whose answer was lost may have arrived: look before anything is sent again.
      const there = match(resources, await listAll(cloud, kindsOf(resources), name));
      for (const { key } of rejected) {
        nodes.delete(key);
        failed.delete(key);
        const out = there.get(key);
        if (out) outputs.set(key, out);
        else outputs.delete(key);
      }
      for (const resource of rejected) if (!nodes.has(resource.key)) begin(resource);
      for (const [key, play] of plays) if (await isRejected(play)) plays.delete(key);
    },
    failures: () => failed,
    async settled() {
      // What is replaced meanwhile puts new nodes in the place of some.
      for (let before = -1; before !== 0; ) {
        const all = [...nodes];
        throwFirst(await Promise.allSettled(all.map(([, { ready }]) => ready)), signal);
        before = [...nodes].filter(([key, node]) => all.every(([other, one]) => other !== key || one !== node)).length;
      }
    },
    settling: () => unsettled,
  };
}

/** Does it refer to this key, and need not wait until that is ready? */
function isEarly(resource: Resource, key: string): boolean {
  return refsOf(resource).some((ref) => ref.$ref === key && ref.when === 'created');
}

function isBlocked(error: unknown): boolean {
  return error instanceof CloudspaceError && error.code === 'Blocked';
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
  const cause = errors.find((error) => !isBlocked(error)) ?? errors[0];
  if (cause !== undefined) throw cause;
}
