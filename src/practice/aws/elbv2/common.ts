import { randomBytes } from 'node:crypto';
import type { Tag } from '@aws-sdk/client-elastic-load-balancing-v2';
import { AwsError } from '../errors.ts';
import { decodeToken, encodeToken } from '../filters.ts';
import type { RegionWorld } from '../world.ts';
import type { Listener, LoadBalancer, TargetGroup } from './records.ts';

export function validation(message: string): AwsError {
  return new AwsError('ValidationError', message);
}

/** The practice cloud has Network Load Balancers with TCP listeners and health checks; anything else is refused by name. */
export function onlyTcp(what: string, value: string | undefined): 'TCP' {
  if (value !== undefined && value !== 'TCP') {
    throw new AwsError(
      'UnsupportedOperation',
      `the practice cloud balances TCP only: ${what} ${value} is not simulated`,
    );
  }
  return 'TCP';
}

export function arn(region: RegionWorld, path: string): string {
  return `arn:aws:elasticloadbalancing:${region.name}:${region.account}:${path}`;
}

/** The last part of an ARN: 16 hexadecimal digits. */
export function arnId(): string {
  return randomBytes(8).toString('hex');
}

export function loadBalancer(region: RegionWorld, name: string | undefined): LoadBalancer {
  const found = name === undefined ? undefined : region.loadBalancers[name];
  if (!found || found.deletedAt !== undefined) {
    throw new AwsError('LoadBalancerNotFound', `Load balancer '${name}' not found`);
  }
  return found;
}

export function liveLoadBalancers(region: RegionWorld): LoadBalancer[] {
  return Object.values(region.loadBalancers).filter((one) => one.deletedAt === undefined);
}

export function targetGroup(region: RegionWorld, name: string | undefined): TargetGroup {
  const found = name === undefined ? undefined : region.targetGroups[name];
  if (!found) throw new AwsError('TargetGroupNotFound', `Target group '${name}' not found`);
  return found;
}

export function listener(region: RegionWorld, name: string | undefined): Listener {
  const found = name === undefined ? undefined : region.listeners[name];
  if (!found) throw new AwsError('ListenerNotFound', `Listener '${name}' not found`);
  return found;
}

/** Load balancers' and target groups' names: at most 32 letters, digits and single hyphens. */
export function checkName(name: string | undefined, what: string): string {
  if (!name || !/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?$/.test(name)) {
    throw validation(
      `The ${what} name '${name}' must have 1 to 32 letters, digits and hyphens, and no hyphen at its ends`,
    );
  }
  return name;
}

/** One page of ELB results. */
export function pageOf<T>(
  items: readonly T[],
  { PageSize, Marker }: { PageSize?: number | undefined; Marker?: string | undefined },
): { readonly items: T[]; readonly next: { readonly NextMarker?: string } } {
  if (PageSize !== undefined && (PageSize < 1 || PageSize > 400)) {
    throw validation(`Page size '${PageSize}' must be between 1 and 400`);
  }
  const start = Marker ? decodeToken(Marker, 'ValidationError') : 0;
  const end = start + (PageSize ?? 400);
  return { items: items.slice(start, end), next: end < items.length ? { NextMarker: encodeToken(end) } : {} };
}

export function attributeList(attributes: Readonly<Record<string, string>>) {
  return Object.entries(attributes).map(([Key, Value]) => ({ Key, Value }));
}

/** Changes attributes that are there; throws for any other. */
export function setAttributes(
  attributes: Record<string, string>,
  changes: readonly { Key?: string | undefined; Value?: string | undefined }[] | undefined,
): void {
  for (const { Key = '', Value = '' } of changes ?? []) {
    if (attributes[Key] === undefined) throw validation(`Attribute key '${Key}' is not recognized`);
    attributes[Key] = Value;
  }
}

/** Tags of a creating request, which may be compared with the resource that is there already. */
export function tagsOf(tags: readonly Tag[] | undefined): Tag[] {
  const keys = (tags ?? []).map((tag) => tag.Key);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new AwsError('DuplicateTagKeys', `A tag key was specified more than once: ${twice}`);
  return [...(tags ?? [])];
}
