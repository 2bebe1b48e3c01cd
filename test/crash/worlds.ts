/** Are two practice worlds the same but for ids, times and order? Pure functions over what world.json holds. */
import { createHash } from 'node:crypto';
import { decodeKeySet } from '../../src/aws/resources/keySet.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Fields = Readonly<Record<string, Json>>;

interface Thing {
  readonly collection: string;
  readonly id: string;
  readonly content: Fields;
}

/** Made at random, or counted up: it says nothing of what was asked for. */
const RANDOM =
  /^(?:id|arn|reservationId|launchIndex|clientToken|privateIp|publicIp|dnsName|endpoint|resourceId|verifier|associationId|aclAssociationId|booted|modifiedAt)$/;
const ID = /^(?:[a-z]+(?:-[a-z]+)*-[0-9a-f]{17}|arn:aws:.*)$/;
/** Collections that hold no resources. */
const NO_RESOURCES = ['tags', 'tokens'];

/**
 * Every resource of a world in one line, sorted: its attributes, its tags, and what it refers to, by description. Two worlds are the same
 * if these are equal. What is terminated or deleted and only still listed is left out.
 */
export function describeWorld(json: string): string[] {
  const { regions } = JSON.parse(json) as { regions: Record<string, Record<string, Record<string, Fields>>> };
  return Object.entries(regions)
    .flatMap(([name, region]) => describeRegion(region).map((line) => `${name} ${line}`))
    .sort();
}

/** The lines that only one of two described worlds has, marked - (missing) and + (too many). */
export function difference(expected: readonly string[], actual: readonly string[]): string[] {
  const left = [...actual];
  const missing = expected.filter((line) => {
    const at = left.indexOf(line);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
  return [...missing.map((line) => `- ${line}`), ...left.map((line) => `+ ${line}`)];
}

function describeRegion(region: Readonly<Record<string, Readonly<Record<string, Fields>>>>): string[] {
  const tags = (region.tags ?? {}) as Readonly<Record<string, Readonly<Record<string, string>>>>;
  const things = Object.entries(region)
    .filter(([collection, content]) => !NO_RESOURCES.includes(collection) && typeof content === 'object')
    .flatMap(([collection, content]) => Object.values(content).map((one) => thingOf(collection, one, tags)))
    .filter(({ content }) => content.terminatedAt === undefined && content.deletedAt === undefined);
  const owner = new Map<string, Thing>();
  for (const thing of things) for (const id of idsOf(thing.content)) owner.set(id, thing);
  for (const thing of things) owner.set(thing.id, thing);
  // Each round a thing is described by what it refers to as described in the round before.
  let labels = new Map<Thing, string>();
  for (let round = 0; round < 5; round += 1) {
    const before = labels;
    const refer = (id: string): string => {
      const thing = owner.get(id);
      return thing ? (before.get(thing) ?? thing.collection) : 'elsewhere';
    };
    labels = new Map(things.map((thing) => [thing, `${nameOf(thing)}~${hash(render(thing.content, refer))}`]));
  }
  return things.map((thing) => {
    const refer = (id: string): string => labels.get(owner.get(id) as Thing)?.split('~')[0] ?? 'elsewhere';
    return `${labels.get(thing)} ${thing.collection} ${render(thing.content, refer)}`;
  });
}

/** The record with its tags. What is made several at once carries a set of keys: each member is described by its own. */
function thingOf(
  collection: string,
  record: Fields,
  tags: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Thing {
  const id = String(record.arn ?? record.id ?? record.name);
  const own = { ...(tags[id] ?? tags[String(record.id)] ?? {}) };
  const keys = decodeKeySet(own['cloudspace:key'] ?? '');
  if (keys.length > 1 || collection === 'instances') {
    own['cloudspace:key'] = keys[Number(record.launchIndex ?? 0)] ?? keys[0] ?? '';
    delete own.Name;
  }
  if (collection === 'volumes') {
    // Tagged as the request's instances were together: the instance tells them apart.
    delete own['cloudspace:key'];
    delete own.Name;
  }
  return { collection, id, content: { ...record, tags: own } };
}

function nameOf({ content, collection }: Thing): string {
  const tags = content.tags as Readonly<Record<string, string>>;
  return tags['cloudspace:key'] ?? (typeof content.name === 'string' ? content.name : collection);
}

/** Ids that a record gives itself, at any depth: its network interface's, its associations'. */
function idsOf(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(idsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value as Fields).flatMap(([key, item]) =>
    key === 'id' && typeof item === 'string' ? [item] : idsOf(item),
  );
}

function render(value: Json, refer: (id: string) => string): string {
  if (Array.isArray(value))
    return `[${value
      .map((item) => render(item, refer))
      .sort()
      .join(',')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value as Fields)
      .filter(([key]) => !RANDOM.test(key) && !/(?:At|Since)$/.test(key))
      .map(([key, item]) => `${key}:${render(item, refer)}`)
      .sort()
      .join(',')}}`;
  return typeof value === 'string' && ID.test(value) && !value.startsWith('ami-')
    ? refer(value)
    : JSON.stringify(value);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
