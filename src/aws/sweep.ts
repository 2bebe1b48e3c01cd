import {
  paginateDescribeNetworkInterfaces,
  paginateDescribeTags,
  paginateDescribeVolumes,
  type ResourceType,
} from '@aws-sdk/client-ec2';
import { paginateDescribeDBSnapshots } from '@aws-sdk/client-rds';
import type { Aws } from './clients.ts';
import { HOURS_A_MONTH, priceOf } from './prices.ts';
import { all, fromTagList, TAG } from './resources/common.ts';

/** Something with this Cloudspace's tags that no kind describes. */
export interface Swept {
  readonly id: string;
  /** EC2's name of the type, such as `volume` */
  readonly type: string;
  readonly usdPerHour?: number;
  /** deletes it */
  readonly command?: string;
}

/** What EC2's kinds list themselves; their tags may stay visible for an hour after they are gone. */
const MODELLED: ReadonlySet<ResourceType> = new Set([
  'vpc',
  'subnet',
  'internet-gateway',
  'route-table',
  'elastic-ip',
  'natgateway',
  'security-group',
  'security-group-rule',
  'key-pair',
  'instance',
]);

/** Ids of everything in EC2 that carries this Cloudspace's tag and has a kind; what was deleted an hour ago may be among them. One request for 1,000 tags. */
export async function taggedIds(aws: Aws, name: string): Promise<string[]> {
  return (await readTags(aws, name))
    .filter(({ ResourceType: type }) => type !== undefined && type !== 'security-group-rule' && MODELLED.has(type))
    .flatMap(({ ResourceId }) => ResourceId ?? []);
}

function readTags(aws: Aws, name: string) {
  const Filters = [{ Name: `tag:${TAG.name}`, Values: [name] }];
  return all(paginateDescribeTags({ client: aws.ec2, pageSize: 1000 }, { Filters }), (page) => page.Tags);
}

/**
 * Whatever else in EC2 carries this Cloudspace's tag (volumes, network interfaces, snapshots, …): one request, and one more for each of volumes and
 * interfaces to see that they are really still there.
 */
export async function sweep(aws: Aws, name: string): Promise<readonly Swept[]> {
  const tags = await readTags(aws, name);
  const ids = new Map(
    tags.flatMap(({ ResourceId, ResourceType: type }) =>
      ResourceId !== undefined && type !== undefined && !MODELLED.has(type) ? [[ResourceId, type] as const] : [],
    ),
  );
  const of = (type: ResourceType): string[] => [...ids].flatMap(([id, one]) => (one === type ? [id] : []));
  const other = [...ids]
    .filter(([, type]) => type !== 'volume' && type !== 'network-interface')
    .map(([id, type]) => ({ id, type }));
  return [...(await volumes(aws, of('volume'))), ...(await interfaces(aws, of('network-interface'))), ...other];
}

/** EC2's limit on values of a filter. */
const MOST_VALUES = 200;

async function volumes(aws: Aws, ids: readonly string[]): Promise<Swept[]> {
  const found = await all(
    inParts(ids, (Values) =>
      paginateDescribeVolumes({ client: aws.ec2 }, { Filters: [{ Name: 'volume-id', Values: [...Values] }] }),
    ),
    (page) => page.Volumes,
  );
  return found
    .filter(({ State }) => State !== 'deleting' && State !== 'deleted')
    .map(({ VolumeId: id = '', Size = 0 }) => ({
      id,
      type: 'volume',
      usdPerHour: (Size * priceOf('gp3GbMonth', aws.region)) / HOURS_A_MONTH,
      command: `aws ec2 delete-volume --volume-id ${id} --region ${aws.region}`,
    }));
}

async function interfaces(aws: Aws, ids: readonly string[]): Promise<Swept[]> {
  const found = await all(
    inParts(ids, (Values) =>
      paginateDescribeNetworkInterfaces(
        { client: aws.ec2 },
        { Filters: [{ Name: 'network-interface-id', Values: [...Values] }] },
      ),
    ),
    (page) => page.NetworkInterfaces,
  );
  return found.map(({ NetworkInterfaceId: id = '' }) => ({
    id,
    type: 'network-interface',
    usdPerHour: 0,
    command: `aws ec2 delete-network-interface --network-interface-id ${id} --region ${aws.region}`,
  }));
}

async function* inParts<Page>(
  ids: readonly string[],
  read: (part: readonly string[]) => AsyncIterable<Page>,
): AsyncIterable<Page> {
  for (let start = 0; start < ids.length; start += MOST_VALUES) yield* read(ids.slice(start, start + MOST_VALUES));
}

export interface DbSnapshot {
  readonly id: string;
  readonly gigabytes: number;
  readonly usdPerHour: number;
  readonly command: string;
}

/** The manual snapshots of this Cloudspace's databases (they take over the database's tags): they outlive it, and cost. */
export async function keptSnapshots(aws: Aws, name: string): Promise<readonly DbSnapshot[]> {
  const snapshots = await all(
    paginateDescribeDBSnapshots({ client: aws.rds, pageSize: 100 }, { SnapshotType: 'manual' }),
    (page) => page.DBSnapshots,
  );
  return snapshots
    .filter(({ TagList }) => fromTagList(TagList)[TAG.name] === name)
    .map(({ DBSnapshotIdentifier: id = '', AllocatedStorage: gigabytes = 0 }) => ({
      id,
      gigabytes,
      usdPerHour: (gigabytes * priceOf('rdsSnapshotGbMonth', aws.region)) / HOURS_A_MONTH,
      command: `aws rds delete-db-snapshot --db-snapshot-identifier ${id} --region ${aws.region}`,
    }));
}

/** Is there a database snapshot of this name, whoever's? */
export async function hasSnapshot(aws: Aws, id: string): Promise<boolean> {
  const filter = [{ Name: 'db-snapshot-id', Values: [id] }];
  const found = await all(
    paginateDescribeDBSnapshots({ client: aws.rds, pageSize: 100 }, { Filters: filter }),
    (page) => page.DBSnapshots,
  );
  return found.length > 0;
}
