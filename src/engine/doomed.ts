import { setTimeout as sleep } from 'node:timers/promises';
import type { Blocker } from './blocked.ts';
import { adoptedKeys, listAll, match, statusOf } from './discover.ts';
import { kindsOf } from './graph.ts';
import type { Journal } from './journal.ts';
import type { AnyKind, Event, Found, Output, Resource } from './types.ts';

/** Something that is to be deleted, or let go of. */
export interface Doomed {
  readonly key: string;
  readonly kind: AnyKind;
  readonly out: Output;
  /** of the person: our tags are taken off it, and it stays */
  readonly adopted: boolean;
}

/** What could not be deleted, and why. */
export interface Leftover {
  readonly key: string;
  readonly kind: AnyKind;
  readonly id: string;
  readonly reason: string;
  /** what holds it, when that is known */
  readonly blockers: readonly Blocker[];
}

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
