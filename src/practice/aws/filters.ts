/** EC2's filters and pages, generic over the described shapes. */
import type { Filter } from '@aws-sdk/client-ec2';
import { NormalizedSchema } from '@smithy/core/schema';
import type { SchemaRef } from '@smithy/types';
import { AwsError, invalid } from './errors.ts';

/** Filters whose name does not follow from the shape: either another path (`State.Name`) or a function of the item. */
export type Aliases<T> = Readonly<Record<string, string | ((item: T) => readonly (string | undefined)[])>>;

/**
 * Items for which every filter has a matching value (`*` and `?` are wildcards). `vpc-id` is the member VpcId,
 * `attachment.vpc-id` the member Attachments[].VpcId, and so on; `tag:NAME`, `tag-key` and `tag-value` look at Tags.
 * Throws InvalidParameterValue for a filter that the shape does not have.
 */
export function filtered<T extends object>(
  items: readonly T[],
  filters: readonly Filter[] | undefined,
  shape: SchemaRef,
  aliases: Aliases<T> = {},
): T[] {
  return (filters ?? []).reduce<T[]>(
    (rest, filter) => {
      const read = reader(filter.Name ?? '', shape, aliases);
      const patterns = (filter.Values ?? []).map(pattern);
      return rest.filter((item) => read(item).some((value) => patterns.some((test) => test.test(value))));
    },
    [...items],
  );
}

function reader<T extends object>(name: string, shape: SchemaRef, aliases: Aliases<T>): (item: T) => string[] {
  const alias = aliases[name];
  if (typeof alias === 'function') return (item) => alias(item).filter((value) => value !== undefined);
  const tag = /^tag:(.+)$/s.exec(name)?.[1];
  if (tag !== undefined) return (item) => tagsOf(item).flatMap(([key, value]) => (key === tag ? [value] : []));
  if (name === 'tag-key') return (item) => tagsOf(item).map(([key]) => key);
  if (name === 'tag-value') return (item) => tagsOf(item).map(([, value]) => value);
  const path = resolve(NormalizedSchema.of(shape), (alias ?? name).split('.'));
  if (!path) throw invalid(`The filter '${name}' is invalid`);
  return (item) => leaves(item, path).map(text);
}

/** The member names that a dotted filter name stands for; lists on the way are entered. */
function resolve(ns: NormalizedSchema, parts: readonly string[]): string[] | undefined {
  if (ns.isListSchema()) return resolve(ns.getValueSchema(), parts);
  const [part, ...rest] = parts;
  if (part === undefined) return ns.isStructSchema() ? undefined : [];
  if (!ns.isStructSchema()) return undefined;
  const wanted = plain(part);
  const forms = [wanted, `${wanted}s`, `${wanted}set`];
  for (const [name, member] of ns.structIterator()) {
    if (!forms.includes(plain(name))) continue;
    const below = resolve(member, rest);
    if (below) return [name, ...below];
  }
  return undefined;
}

function plain(name: string): string {
  return name.replace(/[-_]/g, '').toLowerCase();
}

function leaves(value: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => leaves(item, path));
  if (value === undefined || value === null) return [];
  const [first, ...rest] = path;
  return first === undefined ? [value] : leaves((value as Record<string, unknown>)[first], rest);
}

function text(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

function tagsOf(item: object): [string, string][] {
  type Tagged = Readonly<Record<'Tags' | 'TagSet', readonly { Key?: string; Value?: string }[] | undefined>>;
  const { Tags, TagSet } = item as Tagged;
  return (Tags ?? TagSet ?? []).map(({ Key = '', Value = '' }) => [Key, Value]);
}

function pattern(value: string): RegExp {
  const source = value
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`, 's');
}

interface PageRequest {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/** One page of EC2 results. Throws for a page size below `least` and for a token that is none of ours. */
export function page<T>(
  items: readonly T[],
  request: PageRequest,
  least = 5,
): { readonly items: T[]; readonly next: { readonly NextToken?: string } } {
  const { MaxResults, NextToken } = request;
  if (MaxResults !== undefined && (MaxResults < least || MaxResults > 1000)) {
    throw invalid(
      `Value ( ${MaxResults} ) for parameter maxResults is invalid. Expecting a value between ${least} and 1000.`,
    );
  }
  const start = NextToken ? decodeToken(NextToken, 'InvalidNextToken') : 0;
  const end = start + (MaxResults ?? 1000);
  return { items: items.slice(start, end), next: end < items.length ? { NextToken: encodeToken(end) } : {} };
}

/** Opaque to clients; holds the position of the next item. */
export function encodeToken(position: number): string {
  return Buffer.from(`practice:${position}`).toString('base64url');
}

export function decodeToken(token: string, errorCode: string): number {
  const match = /^practice:(\d+)$/.exec(Buffer.from(token, 'base64url').toString());
  if (!match) throw new AwsError(errorCode, `The token '${token}' is invalid`);
  return Number(match[1]);
}
