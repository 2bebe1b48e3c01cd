import { fromOutputs, inOrder, kindsOf, refsOf, resolvePartly } from './graph.ts';
import {
  type AnyKind,
  CloudspaceError,
  type Found,
  type Output,
  type Resource,
  type Scope,
  type Status,
} from './types.ts';

/** Everything of one Cloudspace that the cloud lists, by kind. */
export type Listing = ReadonlyMap<string, readonly Found[]>;

/** A listing round: each kind asks at the same time, and reads that several kinds need are sent once. */
export function newScope(name: string): Scope {
  const reads = new Map<string, Promise<unknown>>();
  return {
    name,
    once<T>(what: string, read: () => Promise<T>): Promise<T> {
      let promise = reads.get(what) as Promise<T> | undefined;
      if (!promise) {
        promise = read();
        reads.set(what, promise);
      }
      return promise;
    },
  };
}

/** Lists all kinds at once. The number of requests does not depend on the number of resources (but for pages). */
export async function listAll(cloud: unknown, kinds: readonly AnyKind[], name: string): Promise<Listing> {
  const scope = newScope(name);
  const found = await Promise.all(kinds.map((kind) => kind.list(cloud, scope)));
  return new Map(kinds.map((kind, index) => [kind.type, found[index] ?? []]));
}

export function statusOf(kind: AnyKind, out: Output): Status {
  return kind.status?.(out) ?? { state: 'ready' };
}

/** On its way out: it does not count as there when applying, it still has to be waited for when destroying. */
export function isLeaving(kind: AnyKind, out: Output): boolean {
  const { state } = statusOf(kind, out);
  return state === 'gone' || state === 'deleting';
}

/**
 * Which found resource is which described one: by the tag `cloudspace:key`, or, for kinds without tags, by what they connect.
 * Throws CloudspaceError `Duplicate` with the ids when two match, unless the first will do (a teardown takes them all).
 */
export function match(
  resources: readonly Resource[],
  listing: Listing,
  duplicates: 'refuse' | 'first' = 'refuse',
): Map<string, Output> {
  const outputs = new Map<string, Output>();
  const lookup = fromOutputs(outputs);
  for (const resource of inOrder(resources)) {
    const { kind, key } = resource;
    const alive = (listing.get(kind.type) ?? []).filter((found) => !isLeaving(kind, found.out));
    // One member of a list may be missing (a new runner among the targets): what identifies the resource is there all the same.
    const props = kind.matches ? resolvePartly(resource.props, lookup) : undefined;
    const all = alive.filter((found) =>
      kind.matches ? props !== undefined && kind.matches(props, found.out) : found.key === key,
    );
    // One that failed counts only when there is no other: it is about to be replaced, or was.
    const working = all.filter((found) => statusOf(kind, found.out).state !== 'failed');
    const matching = working.length > 0 ? working : all.slice(0, 1);
    if (matching.length > 1 && duplicates === 'refuse')
      throw new CloudspaceError(
        `${kind.label} "${key}" is there ${matching.length} times: ${matching.map((found) => found.out.id).join(', ')}`,
        {
          code: 'Duplicate',
          hint: 'keep the one that is in use; delete the others, or remove their tag cloudspace:key, then run again',
        },
      );
    const one = matching[0];
    if (one) outputs.set(key, one.out);
  }
  return outputs;
}

/**
 * The keys of what a person made and the Cloudspace only uses: what is tagged as adopted, and, as connections carry no tags, what connects
 * nothing but adopted things. Never changed unasked, never deleted; destroy takes our tags off.
 */
export function adoptedKeys(
  resources: readonly Resource[],
  listing: Listing,
  outputs: ReadonlyMap<string, Output>,
): Set<string> {
  const adopted = new Set<string>();
  for (const resource of inOrder(resources)) {
    const { key, kind, props } = resource;
    const out = outputs.get(key);
    if (!out) continue;
    const refs = refsOf({ props, after: [] });
    const stays = kind.matches
      ? refs.length > 0 && refs.every((ref) => adopted.has(ref.$ref))
      : listing.get(kind.type)?.some((found) => found.out === out && found.adopted === true);
    if (stays) adopted.add(key);
  }
  return adopted;
}

/** Lists and matches in one go. */
export async function discover(
  cloud: unknown,
  resources: readonly Resource[],
  name: string,
): Promise<{ listing: Listing; outputs: Map<string, Output> }> {
  const listing = await listAll(cloud, kindsOf(resources), name);
  return { listing, outputs: match(resources, listing) };
}
