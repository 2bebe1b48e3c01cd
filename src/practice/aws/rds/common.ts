import type { Filter, Tag } from '@aws-sdk/client-rds';
import { AwsError } from '../errors.ts';
import { decodeToken, encodeToken } from '../filters.ts';
import { setTags } from '../tags.ts';
import type { RegionWorld } from '../world.ts';
import type { DbInstance } from './records.ts';

export function invalidValue(message: string): AwsError {
  return new AwsError('InvalidParameterValue', message);
}

export function combination(message: string): AwsError {
  return new AwsError('InvalidParameterCombination', message);
}

export function arn(region: RegionWorld, type: 'db' | 'subgrp' | 'snapshot' | 'pg', name: string): string {
  return `arn:aws:rds:${region.name}:${region.account}:${type}:${name}`;
}

/** A database by its identifier, in any case of letters, or ARN. */
export function database(region: RegionWorld, identifier: string | undefined): DbInstance {
  const id = (identifier ?? '').replace(/^arn:.*:db:/, '').toLowerCase();
  const found = region.dbInstances[id];
  if (!found) throw new AwsError('DBInstanceNotFound', `DBInstance ${identifier} not found.`, 404);
  return found;
}

/** Identifiers are kept in lower case. Throws for anything but letters, digits and single hyphens, from a letter on. */
export function checkIdentifier(text: string | undefined, parameter: string, longest = 63): string {
  if (!text || !/^[A-Za-z](?:-?[A-Za-z0-9])*$/.test(text) || text.length > longest) {
    throw invalidValue(
      `The parameter ${parameter} is not a valid identifier: '${text}'. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.`,
    );
  }
  return text.toLowerCase();
}

export function addTags(region: RegionWorld, name: string, tags: readonly Tag[] | undefined): void {
  const pairs = (tags ?? []).map(({ Key = '', Value = '' }) => ({ Key, Value }));
  setTags(region, name, pairs);
}

interface PageRequest {
  readonly MaxRecords?: number | undefined;
  readonly Marker?: string | undefined;
}

/** One page of RDS results: 20 to 100 records. */
export function pageOf<T>(items: readonly T[], { MaxRecords, Marker }: PageRequest) {
  if (MaxRecords !== undefined && (MaxRecords < 20 || MaxRecords > 1000)) {
    throw invalidValue(`Invalid value ${MaxRecords} for MaxRecords. Must be between 20 and 100`);
  }
  const start = Marker ? decodeToken(Marker, 'InvalidParameterValue') : 0;
  const end = start + (MaxRecords ?? 100);
  return { items: items.slice(start, end), next: end < items.length ? { Marker: encodeToken(end) } : {} };
}

/** Items that pass all filters; `readers` tells what each filter's name looks at. Throws for other names. */
export function filtered<T>(
  items: readonly T[],
  filters: readonly Filter[] | undefined,
  readers: Readonly<Record<string, (item: T) => readonly string[]>>,
): T[] {
  return (filters ?? []).reduce<T[]>(
    (rest, { Name = '', Values = [] }) => {
      const read = readers[Name];
      if (!read) throw invalidValue(`Unrecognized filter name: ${Name}`);
      return rest.filter((item) => read(item).some((value) => Values.includes(value)));
    },
    [...items],
  );
}
