import { setTimeout as sleep } from 'node:timers/promises';
import { adoptedKeys, type Listing, listAll, match, statusOf } from './discover.ts';
import { type Drift, findDrift } from './drift.ts';
import { kindsOf } from './graph.ts';
import type { Entry, Journal } from './journal.ts';
import { priceOf } from './render.ts';
import type { Event, Output, Resource } from './types.ts';

/** What is there, taken before anything is done. */
export interface Stock {
  readonly outputs: Map<string, Output>;
  readonly adopted: Set<string>;
  /** on its way out (an interrupted teardown): what has its key is made when it is gone */
  readonly leaving: ReadonlyMap<string, Output>;
  readonly drift: readonly Drift[];
}

export interface StockOptions {
  readonly cloud: unknown;
  readonly name: string;
  /** every resource of the whole walk, whatever part of it is done now */
  readonly resources: readonly Resource[];
  /** chapter of each resource, by key: the tag `cloudspace:chapter` */
  readonly chapterOf: (key: string) => string;
  readonly journal: Journal;
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
  /** scales every wait between polls; 1 for AWS */
  readonly pace: number;
}

/** How often a listing is asked again for what was made a moment ago. EC2's listings usually catch up within seconds. */
const LOOKS = 5;
/** What was made longer ago than this (milliseconds) is in every listing: that it is not means that it is gone. */
const FRESH = 60_000;

/**
 * Lists everything, and brings the journal in line: with the state file lost, tags rebuild it. What should be there and is not listed yet is looked
 * for a while: an open intent, and what was made less than a minute ago.
 */
export async function takeStock(options: StockOptions): Promise<Stock> {
  const { cloud, name, resources, journal } = options;
  const listing = await lookPatiently(options);
  const outputs = match(resources, listing);
  const adopted = adoptedKeys(resources, listing, outputs);
  const drift = await findDrift({
    cloud,
    name,
    resources,
    listing,
    outputs,
    adopted,
    entries: journal.state.resources,
  });
  await noteFindings(options, outputs, adopted, drift);
  return { outputs, adopted, leaving: leavingOf(resources, listing, outputs), drift };
}

async function lookPatiently(options: StockOptions): Promise<Listing> {
  const { cloud, name, resources, journal, signal, notify } = options;
  for (let look = 1; ; look++) {
    const listing = await listAll(cloud, kindsOf(resources), name);
    const outputs = match(resources, listing);
    const absent = Object.entries(journal.state.resources).filter(([key]) => !outputs.has(key));
    const unknown = absent.filter(([, { status }]) => status === 'intent');
    const fresh = absent.filter(
      ([, { status, at }]) => (status === 'created' || status === 'ready') && Date.now() - Date.parse(at) < FRESH,
    );
    if ((unknown.length === 0 && fresh.length === 0) || look > LOOKS) return listing;
    if (look === 1 && unknown.length > 0)
      notify({
        type: 'info',
        text: `The last run stopped while it made ${unknown.map(([key]) => `\`${key}\``).join(', ')}. Looking whether that arrived.`,
      });
    await sleep(2000 * options.pace, undefined, { signal });
  }
}

function leavingOf(
  resources: readonly Resource[],
  listing: Listing,
  outputs: ReadonlyMap<string, Output>,
): Map<string, Output> {
  return new Map(
    resources.flatMap(({ key, kind }): [string, Output][] => {
      if (outputs.has(key) || !kind.status) return [];
      const found = listing.get(kind.type)?.find((one) => one.key === key);
      return found && statusOf(kind, found.out).state === 'deleting' ? [[key, found.out]] : [];
    }),
  );
}

/** What was deleted by us is forgotten; what is gone by another hand stays in the journal, until it is put back or let go. */
async function noteFindings(
  { journal, resources, chapterOf }: StockOptions,
  outputs: ReadonlyMap<string, Output>,
  adopted: ReadonlySet<string>,
  drift: readonly Drift[],
): Promise<void> {
  const lost = new Set(drift.flatMap(({ key, hanging }) => [key, ...hanging]));
  const changes: [string, Entry | undefined][] = [];
  for (const resource of resources) {
    const { key } = resource;
    const out = outputs.get(key);
    const known = journal.state.resources[key];
    if (out && (known?.out?.id !== out.id || known.status === 'intent' || known.status === 'deleting')) {
      const entry = newEntry(resource, chapterOf(key), journal.state.region, 'created', known?.token ?? '', out);
      changes.push([key, adopted.has(key) ? { ...entry, adopted: true } : entry]);
    }
    if (!out && known && known.status !== 'intent' && !lost.has(key)) changes.push([key, undefined]);
  }
  if (changes.length === 0) return;
  await journal.update((state) => {
    for (const [key, entry] of changes) {
      if (entry) state.resources[key] = entry;
      else delete state.resources[key];
    }
  });
}

export function newEntry(
  resource: Resource,
  chapter: string,
  region: string,
  status: 'intent' | 'created' | 'ready',
  token: string,
  out?: Output,
  props?: string,
): Entry {
  return {
    type: resource.kind.type,
    chapter,
    status,
    token,
    at: new Date().toISOString(),
    usdPerHour: priceOf(resource, region),
    ...(out ? { out } : {}),
    ...(props === undefined ? {} : { props }),
  };
}
