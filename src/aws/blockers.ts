import {
  type Instance,
  type NatGateway,
  type NetworkInterface,
  paginateDescribeInstances,
  paginateDescribeInternetGateways,
  paginateDescribeNatGateways,
  paginateDescribeNetworkInterfaces,
  paginateDescribeRouteTables,
  paginateDescribeSecurityGroups,
  paginateDescribeSubnets,
  paginateDescribeVpcEndpoints,
  paginateDescribeVpcPeeringConnections,
  type RouteTable,
  type SecurityGroup,
  type Tag,
} from '@aws-sdk/client-ec2';
import { type LoadBalancer, paginateDescribeLoadBalancers } from '@aws-sdk/client-elastic-load-balancing-v2';
import { type DBInstance, paginateDescribeDBInstances } from '@aws-sdk/client-rds';
import type { Output } from '../engine/types.ts';
import type { Aws } from './clients.ts';
import { priceOf } from './prices.ts';
import { all, fromTagList, TAG } from './resources/common.ts';

/** Something in our network that may hold what is to be deleted. The engine's `Blocker`, and where it is. */
interface Thing {
  readonly id: string;
  readonly label: string;
  readonly whose: string;
  /** ours, and taken down by this run or by AWS after it */
  readonly leaving: boolean;
  readonly usdPerHour?: number;
  /** ids of the subnets and security groups it is in, of what its rules, routes and associations name, and of its VPC */
  readonly holds: ReadonlySet<string>;
  /** has an address in the internet: an internet gateway cannot be detached before it goes */
  readonly public?: boolean;
}

export type Found = Omit<Thing, 'holds' | 'public'>;

/** How long one look into the network answers for, in milliseconds: what is refused is refused in bursts. */
const FRESH_MS = 1000;

/**
 * Finds what holds a resource that AWS refuses to delete (DependencyViolation and its likes say nothing about by what). Reads only, and only when
 * something was refused: ten requests, in parallel, for everything in the network at once. What may not be read (no permission) is left out.
 */
export function blockerFinder(
  aws: Aws,
  name: string,
  vpcIds: () => Promise<readonly string[]>,
): (item: { readonly kind: { readonly type: string }; readonly out: Output }) => Promise<readonly Found[]> {
  let look: { at: number; things: Promise<readonly Thing[]> } | undefined;
  return async ({ kind, out }) => {
    if (!look || Date.now() - look.at > FRESH_MS)
      look = { at: Date.now(), things: vpcIds().then((ids) => inventory(aws, name, ids)) };
    const things = await look.things;
    // An attachment and a network are held by everything in them; the rest by what names it.
    const held =
      kind.type === 'aws_internet_gateway_attachment'
        ? things.filter((thing) => thing.public)
        : things.filter((thing) => thing.holds.has(out.id) && thing.id !== out.id);
    return held.map(({ holds: _, public: _2, ...found }) => found);
  };
}

async function inventory(aws: Aws, name: string, vpcIds: readonly string[]): Promise<readonly Thing[]> {
  if (vpcIds.length === 0) return [];
  const { ec2: client } = aws;
  const Filters = [{ Name: 'vpc-id', Values: [...vpcIds] }];
  const inOurs = (id: string | undefined): boolean => vpcIds.includes(id ?? '');
  const page = { client, pageSize: 1000 };
  const read = <T>(work: Promise<T[]>): Promise<T[]> => work.catch(() => []);
  const [interfaces, instances, gateways, subnets, tables, groups, endpoints, peerings, balancers, databases, igws] =
    await Promise.all([
      read(all(paginateDescribeNetworkInterfaces(page, { Filters }), (one) => one.NetworkInterfaces)),
      read(
        all(paginateDescribeInstances(page, { Filters }), (one) => one.Reservations?.flatMap((r) => r.Instances ?? [])),
      ),
      read(all(paginateDescribeNatGateways(page, { Filter: Filters }), (one) => one.NatGateways)),
      read(all(paginateDescribeSubnets(page, { Filters }), (one) => one.Subnets)),
      read(all(paginateDescribeRouteTables({ client, pageSize: 100 }, { Filters }), (one) => one.RouteTables)),
      read(all(paginateDescribeSecurityGroups(page, { Filters }), (one) => one.SecurityGroups)),
      read(all(paginateDescribeVpcEndpoints(page, { Filters }), (one) => one.VpcEndpoints)),
      read(all(paginateDescribeVpcPeeringConnections(page, {}), (one) => one.VpcPeeringConnections)),
      read(all(paginateDescribeLoadBalancers({ client: aws.elb, pageSize: 400 }, {}), (one) => one.LoadBalancers)),
      read(all(paginateDescribeDBInstances({ client: aws.rds, pageSize: 100 }, {}), (one) => one.DBInstances)),
      read(
        all(
          paginateDescribeInternetGateways(page, { Filters: [{ Name: 'attachment.vpc-id', Values: [...vpcIds] }] }),
          (one) => one.InternetGateways,
        ),
      ),
    ]);
  const context = { name, region: aws.region };
  const things: Thing[] = [
    ...owners(context, interfaces, {
      instances,
      gateways,
      balancers: balancers.filter((one) => inOurs(one.VpcId)),
      databases: databases.filter((one) => inOurs(one.DBSubnetGroup?.VpcId)),
    }),
    ...subnets.map((one) => simple(context, 'subnet', one.SubnetId, one.Tags, [one.VpcId])),
    ...tables.filter((one) => !isMain(one)).map((one) => table(context, one)),
    ...groups.filter((one) => one.GroupName !== 'default').map((one) => group(context, one)),
    ...igws.map((one) =>
      simple(
        context,
        'internet gateway',
        one.InternetGatewayId,
        one.Tags,
        (one.Attachments ?? []).map((attachment) => attachment.VpcId),
      ),
    ),
    ...endpoints.map((one) => ({
      ...simple(context, 'VPC endpoint', one.VpcEndpointId, one.Tags, [
        one.VpcId,
        ...(one.SubnetIds ?? []),
        ...(one.RouteTableIds ?? []),
        ...(one.Groups ?? []).map(({ GroupId }) => GroupId),
      ]),
      leaving: /^delet/i.test(one.State ?? ''),
    })),
    ...peerings
      .filter((one) => [one.AccepterVpcInfo, one.RequesterVpcInfo].some((side) => inOurs(side?.VpcId)))
      .filter((one) => !/^(?:deleted|rejected|expired|failed)$/.test(one.Status?.Code ?? ''))
      .map((one) =>
        simple(context, 'peering connection', one.VpcPeeringConnectionId, one.Tags, [
          one.AccepterVpcInfo?.VpcId,
          one.RequesterVpcInfo?.VpcId,
        ]),
      ),
  ];
  return things;
}

interface Where {
  readonly name: string;
  readonly region: string;
}

const isOurs = (where: Where, tags: readonly Tag[] | undefined): boolean => fromTagList(tags)[TAG.name] === where.name;

function whose(where: Where, tags: readonly Tag[] | undefined, more = ''): string {
  const { Name, [TAG.name]: cloudspace } = fromTagList(tags);
  const owner =
    cloudspace === where.name
      ? `of ${where.name}`
      : cloudspace === undefined
        ? 'not made by cloudspace'
        : `of the Cloudspace ${cloudspace}`;
  return [Name === undefined ? '' : `"${Name}"`, more, owner].filter((part) => part !== '').join(', ');
}

function simple(
  where: Where,
  label: string,
  id: string | undefined,
  tags: readonly Tag[] | undefined,
  holds: readonly (string | undefined)[],
): Thing {
  return {
    id: id ?? '',
    label,
    whose: whose(where, tags),
    leaving: isOurs(where, tags),
    holds: new Set(holds.filter((one) => one !== undefined)),
  };
}

const isMain = (one: RouteTable): boolean => (one.Associations ?? []).some(({ Main }) => Main === true);

function table(where: Where, one: RouteTable): Thing {
  const named = [
    one.VpcId,
    ...(one.Associations ?? []).map(({ SubnetId }) => SubnetId),
    ...(one.Routes ?? []).flatMap((route) => [route.GatewayId, route.NatGatewayId]),
  ];
  return simple(where, 'route table', one.RouteTableId, one.Tags, named);
}

function group(where: Where, one: SecurityGroup): Thing {
  const named = [...(one.IpPermissions ?? []), ...(one.IpPermissionsEgress ?? [])].flatMap((permission) =>
    (permission.UserIdGroupPairs ?? []).map(({ GroupId }) => GroupId),
  );
  return {
    ...simple(where, 'security group', one.GroupId, one.Tags, [one.VpcId, ...named]),
    whose: whose(where, one.Tags, one.GroupName),
  };
}

/** Network interfaces as what they belong to: an instance, a NAT gateway, a load balancer, a database, else themselves. */
function owners(
  where: Where,
  interfaces: readonly NetworkInterface[],
  of: {
    readonly instances: readonly Instance[];
    readonly gateways: readonly NatGateway[];
    readonly balancers: readonly LoadBalancer[];
    readonly databases: readonly DBInstance[];
  },
): Thing[] {
  const things = new Map<string, Thing>();
  for (const one of interfaces) {
    const owner = ownerOf(where, one, of);
    const before = things.get(owner.id);
    const isPublic = one.Association?.PublicIp !== undefined;
    const named = [one.SubnetId, one.VpcId, ...(one.Groups ?? []).map(({ GroupId }) => GroupId)];
    things.set(owner.id, {
      ...owner,
      holds: new Set([...(before?.holds ?? []), ...named.filter((id) => id !== undefined)]),
      public: isPublic || before?.public === true,
    });
  }
  return [...things.values()];
}

function ownerOf(where: Where, one: NetworkInterface, of: Parameters<typeof owners>[2]): Omit<Thing, 'holds'> {
  const description = one.Description ?? '';
  const instance = of.instances.find(({ InstanceId }) => InstanceId === one.Attachment?.InstanceId);
  if (instance) {
    const type = instance.InstanceType ?? '';
    return {
      id: instance.InstanceId ?? '',
      label: 'instance',
      whose: whose(where, instance.Tags, type),
      leaving: isOurs(where, instance.Tags) || /^(?:shutting-down|terminated)$/.test(instance.State?.Name ?? ''),
      usdPerHour: priceOf(type, where.region),
    };
  }
  const gateway = of.gateways.find(({ NatGatewayAddresses }) =>
    (NatGatewayAddresses ?? []).some(({ NetworkInterfaceId }) => NetworkInterfaceId === one.NetworkInterfaceId),
  );
  if (gateway)
    return {
      id: gateway.NatGatewayId ?? '',
      label: 'NAT gateway',
      whose: whose(where, gateway.Tags),
      leaving: isOurs(where, gateway.Tags) || /^delet/.test(gateway.State ?? ''),
      usdPerHour: priceOf('natGateway', where.region),
    };
  // AWS describes these as `ELB net/<name>/<id>` (or `app/…`): the end of the ARN. The interfaces stay some minutes after it is deleted.
  const path = /^ELB (.+)$/.exec(description)?.[1];
  if (path !== undefined) {
    const balancer = of.balancers.find(({ LoadBalancerArn = '' }) => LoadBalancerArn.endsWith(path));
    const ours = (path.split('/')[1] ?? '').startsWith(`${where.name}-`);
    return {
      id: balancer?.LoadBalancerArn ?? one.NetworkInterfaceId ?? '',
      label: 'load balancer',
      whose: `${path.split('/')[1] ?? path}, ${ours ? `of ${where.name}` : 'not made by cloudspace'}`,
      leaving: ours || balancer === undefined,
      usdPerHour: balancer ? priceOf('networkLoadBalancer', where.region) : 0,
    };
  }
  const database =
    description === 'RDSNetworkInterface'
      ? of.databases.find(({ VpcSecurityGroups }) =>
          (VpcSecurityGroups ?? []).some(({ VpcSecurityGroupId }) =>
            (one.Groups ?? []).some(({ GroupId }) => GroupId === VpcSecurityGroupId),
          ),
        )
      : undefined;
  if (database)
    return {
      id: database.DBInstanceIdentifier ?? '',
      label: 'database',
      whose: whose(where, database.TagList, database.DBInstanceClass),
      leaving: isOurs(where, database.TagList) || database.DBInstanceStatus === 'deleting',
      usdPerHour: priceOf(database.DBInstanceClass ?? '', where.region),
    };
  const requester = one.RequesterManaged
    ? `managed by ${one.RequesterId ?? 'AWS'}`
    : `of account ${one.OwnerId ?? '?'}`;
  return {
    id: one.NetworkInterfaceId ?? '',
    label: 'network interface',
    whose: whose(
      where,
      one.TagSet,
      [description === '' ? '' : `"${description}"`, requester].filter(Boolean).join(', '),
    ),
    // AWS takes down the interfaces of what this run has deleted (databases) by itself.
    leaving: description === 'RDSNetworkInterface',
  };
}
