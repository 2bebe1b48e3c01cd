import { findCandidates, theOnly } from './byHand.ts';
import { listAll, match, statusOf } from './discover.ts';
import { driftError } from './drift.ts';
import { fromOutputs, kindsOf, refsOf, resolveProps } from './graph.ts';
import { isBlocked, isRejected, throwFirst } from './outcomes.ts';
import { takeOver } from './takeOver.ts';
import { type AnyKind, CloudspaceError, type Output, type Ref, type Resource } from './types.ts';
import type { Work } from './work.ts';

/** One resource on its way: from what it waits for, over its making, until it is ready. */
export interface Node {
  readonly kind: AnyKind;
  readonly created: Promise<Output>;
  readonly ready: Promise<Output>;
  /** resolves when it has to wait for something slow before it can be made */
  readonly parked: Promise<'parked'>;
}

/** The resources that are under way in a run, or through. */
export interface Nodes {
  /** the node of a resource; begins it when it has not begun */
  of(resource: Resource): Node;
  /** waits for what is referred to; calls `park` when that is slow */
  awaitRefs(of: Pick<Resource, 'key' | 'props' | 'after'>, park: () => void): Promise<void>;
  /** begins again what failed */
  retry(): Promise<void>;
  /** forgets that these ever began */
  drop(keys: readonly string[]): void;
  /** what has failed by itself, by key; what only waited for it is left out */
  readonly failed: ReadonlyMap<string, unknown>;
  /** resolves when nothing is under way any more; throws what failed there */
  settled(): Promise<void>;
  /** how many exist and are not ready */
  settling(): number;
}

/** Typical seconds from which on something counts as slow: nobody should sit through it. */
const SLOW = 60;

/** Begins with nothing under way. */
export function createNodes(work: Work): Nodes {
  const { options, byKey, outputs, adopted, held, accepted, poller, make, mutate } = work;
  const { cloud, name, resources, journal, signal } = options;
  const nodes = new Map<string, Node>();
  const failed = new Map<string, unknown>();
  /** how many times each was replaced in this run */
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
    const isSlow = (node.kind.seconds ?? 0) >= SLOW;
    if (ref.when === 'ready' && isSlow && journal.state.resources[ref.$ref]?.status !== 'ready') park();
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

  /** Sees to it that it exists: found, taken over, replaced or made. */
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
      const out = theOnly(resource, await findCandidates(cloud, name, resource, resources, outputs));
      await takeOver(work, resource, out, true);
      return out;
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
    make.report(resource, 'created', { id: out.id, seconds: (Date.now() - started) / 1000 });
    return out;
  }

  function resolve(resource: Resource): Record<string, unknown> {
    const props = resolveProps(resource.props, fromOutputs(outputs));
    if (props) return props;
    throw new CloudspaceError(`${resource.key} refers to an output that is not there`, { code: 'BadGraph' });
  }

  /** Waits until it is ready; what fails on the way is made anew as often as the run allows. */
  async function settle(resource: Resource, out: Output, node: Node): Promise<Output> {
    const { key, kind } = resource;
    let now = out;
    const status = statusOf(kind, out);
    if (status.state !== 'ready') {
      const started = Date.now();
      unsettled++;
      const detail = status.state === 'pending' ? status.detail : undefined;
      make.report(resource, 'waiting', { id: out.id, ...(detail === undefined ? {} : { detail }) });
      try {
        now = await poller.ready(kind, out);
      } catch (error) {
        // Somebody undid it meanwhile: nobody waits for this node any more.
        if (signal.aborted || nodes.get(key) !== node) throw error;
        if (!(error instanceof CloudspaceError) || !mayReplace(resource, error)) {
          make.report(resource, 'failed', { id: out.id, detail: (error as Error).message });
          throw error;
        }
        return await again(resource, out, error, node);
      } finally {
        unsettled--;
      }
      outputs.set(key, now);
      make.report(resource, 'ready', { id: now.id, seconds: (Date.now() - started) / 1000 });
    }
    if (journal.state.resources[key]?.status !== 'ready') await make.record(resource, 'ready', now);
    return now;
  }

  function mayReplace(resource: Resource, { code }: CloudspaceError): boolean {
    if (code !== 'Failed' && code !== 'Vanished') return false;
    return make.mayDelete(resource) && (replaced.get(resource.key) ?? 0) < (options.replacements ?? 0);
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
      make.report(resource, 'replacing', { id: old.id, detail: error.message });
      await make.forget(key);
      made = await make.create(resource, resolve(resource));
    } else made = await make.replace(resource, resolve(resource), old, error.message);
    outputs.set(key, made);
    make.report(resource, 'created', { id: made.id });
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

  async function retry(): Promise<void> {
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
    drop(rejected.map(({ key }) => key));
    for (const { key } of rejected) {
      const out = there.get(key);
      if (out) outputs.set(key, out);
      else outputs.delete(key);
    }
    for (const resource of rejected) if (!nodes.has(resource.key)) begin(resource);
  }

  function drop(keys: readonly string[]): void {
    for (const key of keys) {
      nodes.delete(key);
      failed.delete(key);
    }
  }

  async function settled(): Promise<void> {
    // What is replaced meanwhile puts new nodes in the place of some.
    for (let before = -1; before !== 0; ) {
      const all = new Map(nodes);
      throwFirst(await Promise.allSettled([...all.values()].map(({ ready }) => ready)), signal);
      before = [...nodes].filter(([key, node]) => all.get(key) !== node).length;
    }
  }

  return {
    of: (resource) => nodes.get(resource.key) ?? begin(resource),
    awaitRefs,
    retry,
    drop,
    failed,
    settled,
    settling: () => unsettled,
  };
}

/** Does it refer to this key, and need not wait until that is ready? */
function isEarly(resource: Resource, key: string): boolean {
  return refsOf(resource).some((ref) => ref.$ref === key && ref.when === 'created');
}
