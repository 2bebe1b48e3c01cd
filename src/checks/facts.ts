import {
  DescribeInstancesCommand,
  DescribeInternetGatewaysCommand,
  DescribeNatGatewaysCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  type Filter,
  type Tag,
} from '@aws-sdk/client-ec2';
import {
  DescribeListenersCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { DescribeDBInstancesCommand } from '@aws-sdk/client-rds';
import type { Aws } from '../aws/clients.ts';

export interface InstanceFact {
  readonly id: string;
  /** bastion, controller, runner-1, services: from the tag `cloudspace:key`, else from its Name */
  readonly name: string;
  readonly state: string;
  readonly privateIp: string;
  readonly publicIp: string | undefined;
  readonly subnetId: string;
  readonly groups: readonly string[];
}

export interface SubnetFact {
  readonly id: string;
  readonly zone: string;
  /** where its default route leads: a gateway's id, or nothing */
  readonly defaultRoute: string | undefined;
}

/** What the cloud's API says of one Cloudspace. Nothing in it comes from the state file. */
export interface Facts {
  readonly name: string;
  readonly account: string;
  readonly vpcs: readonly { readonly id: string; readonly cidr: string; readonly state: string }[];
  readonly subnets: readonly SubnetFact[];
  readonly internetGateways: readonly string[];
  readonly natGateways: readonly { readonly id: string; readonly state: string }[];
  /** group → what it lets in from address ranges */
  readonly openings: ReadonlyMap<
    string,
    readonly { readonly from: number; readonly to: number; readonly cidr: string }[]
  >;
  readonly instances: readonly InstanceFact[];
  readonly databases: readonly {
    readonly id: string;
    readonly status: string;
    readonly public: boolean;
    readonly groups: readonly string[];
  }[];
  readonly loadBalancers: readonly {
    readonly name: string;
    readonly dnsName: string;
    readonly state: string;
    readonly listeners: readonly number[];
    readonly targets: readonly {
      readonly port: number;
      readonly id: string;
      readonly health: string;
      readonly reason: string;
    }[];
  }[];
}

/**
 * Looks at everything of a Cloudspace: its VPC by the tag `cloudspace:name` (or by its Name, when somebody built it by hand), and all else by being in that VPC.
 * Reads only. Without `healthKnown` the targets' health is "not asked". Throws what the clients throw.
 */
export async function gatherFacts(aws: Aws, name: string, account: string, healthKnown = true): Promise<Facts> {
  const vpcs = await vpcsOf(aws, name);
  const [vpc] = vpcs;
  const nothing = {
    name,
    account,
    vpcs,
    subnets: [],
    internetGateways: [],
    natGateways: [],
    openings: new Map(),
    instances: [],
    databases: [],
    loadBalancers: [],
  };
  if (!vpc) return nothing;
  const inVpc: Filter[] = [{ Name: 'vpc-id', Values: [vpc.id] }];
  const [subnets, gateways, nats, groups, instances, databases, loadBalancers] = await Promise.all([
    subnetsOf(aws, inVpc),
    aws.ec2.send(new DescribeInternetGatewaysCommand({ Filters: [{ Name: 'attachment.vpc-id', Values: [vpc.id] }] })),
    aws.ec2.send(new DescribeNatGatewaysCommand({ Filter: inVpc })),
    aws.ec2.send(new DescribeSecurityGroupsCommand({ Filters: inVpc })),
    instancesOf(aws, inVpc, name),
    databasesOf(aws, vpc.id),
    loadBalancersOf(aws, vpc.id, healthKnown),
  ]);
  return {
    ...nothing,
    subnets,
    internetGateways: (gateways.InternetGateways ?? []).map((one) => one.InternetGatewayId ?? ''),
    natGateways: (nats.NatGateways ?? [])
      .map((one) => ({ id: one.NatGatewayId ?? '', state: one.State ?? '' }))
      .filter(({ state }) => state !== 'deleted' && state !== 'deleting'),
    openings: new Map(
      (groups.SecurityGroups ?? []).map((group) => [
        group.GroupId ?? '',
        (group.IpPermissions ?? []).flatMap((rule) =>
          (rule.IpRanges ?? []).map(({ CidrIp = '' }) => ({
            from: rule.FromPort ?? 0,
            to: rule.ToPort ?? 65_535,
            cidr: CidrIp,
          })),
        ),
      ]),
    ),
    instances,
    databases,
    loadBalancers,
  };
}

async function vpcsOf(aws: Aws, name: string): Promise<Facts['vpcs']> {
  const byTag = async (tag: string, values: string[]) =>
    (await aws.ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: `tag:${tag}`, Values: values }] }))).Vpcs ?? [];
  const tagged = await byTag('cloudspace:name', [name]);
  const found = tagged.length > 0 ? tagged : await byTag('Name', [name, `${name}-vpc`]);
  return found.map((vpc) => ({ id: vpc.VpcId ?? '', cidr: vpc.CidrBlock ?? '', state: vpc.State ?? '' }));
}

async function subnetsOf(aws: Aws, inVpc: Filter[]): Promise<SubnetFact[]> {
  const [subnets, tables] = await Promise.all([
    aws.ec2.send(new DescribeSubnetsCommand({ Filters: inVpc })),
    aws.ec2.send(new DescribeRouteTablesCommand({ Filters: inVpc })),
  ]);
  const all = tables.RouteTables ?? [];
  const main = all.find((table) => table.Associations?.some((association) => association.Main));
  return (subnets.Subnets ?? []).map((subnet) => {
    const own = all.find((table) =>
      table.Associations?.some((association) => association.SubnetId === subnet.SubnetId),
    );
    const route = (own ?? main)?.Routes?.find(
      (one) => one.DestinationCidrBlock === '0.0.0.0/0' && one.State !== 'blackhole',
    );
    return {
      id: subnet.SubnetId ?? '',
      zone: subnet.AvailabilityZone ?? '',
      defaultRoute: route?.NatGatewayId ?? route?.GatewayId,
    };
  });
}

async function instancesOf(aws: Aws, inVpc: Filter[], name: string): Promise<InstanceFact[]> {
  const found = await aws.ec2.send(new DescribeInstancesCommand({ Filters: inVpc }));
  return (found.Reservations ?? [])
    .flatMap((reservation) => reservation.Instances ?? [])
    .map((one) => ({
      id: one.InstanceId ?? '',
      name: hostName(one.Tags ?? [], name, one.AmiLaunchIndex ?? 0),
      state: one.State?.Name ?? '',
      privateIp: one.PrivateIpAddress ?? '',
      publicIp: one.PublicIpAddress,
      subnetId: one.SubnetId ?? '',
      groups: (one.SecurityGroups ?? []).map((group) => group.GroupId ?? ''),
    }))
    .filter(({ state }) => state !== 'terminated' && state !== 'shutting-down');
}

/** The host's name from its tags: `cloudspace:key`, where a batch has a set of them (`runner-{1,3}`), or Name without the Cloudspace's. */
export function hostName(tags: readonly Tag[], cloudspace: string, index: number): string {
  const value = (key: string): string | undefined => tags.find((tag) => tag.Key === key)?.Value;
  const text = value('cloudspace:key') ?? value('Name') ?? '';
  const set = /^(.*)\{(.*)\}$/.exec(text);
  const one = set ? `${set[1]}${set[2]?.split(',')[index] ?? index + 1}` : text;
  return one.startsWith(`${cloudspace}-`) ? one.slice(cloudspace.length + 1) : one;
}

async function databasesOf(aws: Aws, vpcId: string): Promise<Facts['databases']> {
  const found = await aws.rds.send(new DescribeDBInstancesCommand({}));
  return (found.DBInstances ?? [])
    .filter((one) => one.DBSubnetGroup?.VpcId === vpcId)
    .map((one) => ({
      id: one.DBInstanceIdentifier ?? '',
      status: one.DBInstanceStatus ?? '',
      public: one.PubliclyAccessible === true,
      groups: (one.VpcSecurityGroups ?? []).map((group) => group.VpcSecurityGroupId ?? ''),
    }));
}

async function loadBalancersOf(aws: Aws, vpcId: string, healthKnown: boolean): Promise<Facts['loadBalancers']> {
  const found = await aws.elb.send(new DescribeLoadBalancersCommand({}));
  const mine = (found.LoadBalancers ?? []).filter((one) => one.VpcId === vpcId);
  return Promise.all(
    mine.map(async (one) => {
      const arn = one.LoadBalancerArn ?? '';
      const [listeners, groups] = await Promise.all([
        aws.elb.send(new DescribeListenersCommand({ LoadBalancerArn: arn })),
        aws.elb.send(new DescribeTargetGroupsCommand({ LoadBalancerArn: arn })),
      ]);
      const targets = await Promise.all(
        (groups.TargetGroups ?? []).map(async (group) => {
          const health = await aws.elb.send(
            new DescribeTargetHealthCommand({ TargetGroupArn: group.TargetGroupArn ?? '' }),
          );
          return (health.TargetHealthDescriptions ?? []).map((target) => ({
            port: group.Port ?? 0,
            id: target.Target?.Id ?? '',
            health: healthKnown ? (target.TargetHealth?.State ?? '') : 'not asked',
            reason: target.TargetHealth?.Description ?? target.TargetHealth?.Reason ?? '',
          }));
        }),
      );
      return {
        name: one.LoadBalancerName ?? '',
        dnsName: one.DNSName ?? '',
        state: one.State?.Code ?? '',
        listeners: (listeners.Listeners ?? []).map((listener) => listener.Port ?? 0),
        targets: targets.flat(),
      };
    }),
  );
}
