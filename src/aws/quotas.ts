import {
  DescribeAddressesCommand,
  type Instance,
  paginateDescribeInstances,
  paginateDescribeInternetGateways,
  paginateDescribeNatGateways,
  paginateDescribeNetworkInterfaces,
  paginateDescribeSecurityGroups,
  paginateDescribeSubnets,
  paginateDescribeVpcs,
} from '@aws-sdk/client-ec2';
import { paginateDescribeLoadBalancers } from '@aws-sdk/client-elastic-load-balancing-v2';
import { paginateDescribeDBInstances } from '@aws-sdk/client-rds';
import { GetServiceQuotaCommand, paginateListServiceQuotas, ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { CloudspaceError } from '../engine/types.ts';
import type { Aws } from './clients.ts';
import { codeOf } from './errors.ts';
import { all, fromTagList } from './resources/common.ts';
import { isStandard, vcpusOf } from './vcpus.ts';

/** Reads of the whole account in the region, each sent once however many need it. */
export type Account = ReturnType<typeof readAccount>;

/** Something that counts against a quota and that nobody uses, with the command that frees it. */
export interface Idle {
  readonly id: string;
  /** name, Cloudspace, address: what helps to recognise it */
  readonly what: string;
  readonly command: string;
}

export interface Quota {
  /** in Service Quotas */
  readonly code: string;
  readonly service: 'vpc' | 'ec2' | 'elasticloadbalancing' | 'rds';
  readonly name: string;
  /** AWS's default. Source: "Quotas" in the user guide of each service */
  readonly standard: number;
  /** AWS's error codes when it is full */
  readonly errors: readonly string[];
  /** how many there are; left out: it is counted for each group of ours, nothing of others counts */
  used?(account: Account, zone: string | undefined): Promise<number>;
  idle?(account: Account): Promise<Idle[]>;
}

export interface QuotaUse {
  readonly quota: Quota;
  readonly limit: number;
  /** `default`: the account's own could not be read, AWS's default is shown in its place */
  readonly source: 'account' | 'default';
  readonly used: number;
  /** found when there is too little room */
  readonly idle: readonly Idle[];
}

const named = (tags: Parameters<typeof fromTagList>[0], more = ''): string =>
  [fromTagList(tags)['cloudspace:name'] ?? fromTagList(tags).Name ?? 'no name', more].filter(Boolean).join(', ');

export const QUOTAS: readonly Quota[] = [
  {
    code: 'L-F678F1CE',
    service: 'vpc',
    name: 'VPCs per Region',
    standard: 5,
    errors: ['VpcLimitExceeded'],
    used: async ({ vpcs }) => (await vpcs()).length,
    async idle({ vpcs, interfaces }) {
      const busy = new Set((await interfaces()).map(({ VpcId }) => VpcId));
      return (await vpcs())
        .filter(({ VpcId }) => !busy.has(VpcId))
        .map(({ VpcId = '', CidrBlock, IsDefault, Tags }) => ({
          id: VpcId,
          what: named(Tags, `${CidrBlock}${IsDefault ? ', the default VPC' : ''}`),
          command: `aws ec2 delete-vpc --vpc-id ${VpcId}`,
        }));
    },
  },
  {
    code: 'L-A4707A72',
    service: 'vpc',
    name: 'Internet gateways per Region',
    standard: 5,
    errors: ['InternetGatewayLimitExceeded'],
    used: async ({ internetGateways }) => (await internetGateways()).length,
    idle: async ({ internetGateways }) =>
      (await internetGateways())
        .filter(({ Attachments = [] }) => Attachments.length === 0)
        .map(({ InternetGatewayId = '', Tags }) => ({
          id: InternetGatewayId,
          what: named(Tags),
          command: `aws ec2 delete-internet-gateway --internet-gateway-id ${InternetGatewayId}`,
        })),
  },
  {
    code: 'L-0263D0A3',
    service: 'ec2',
    name: 'EC2-VPC Elastic IPs',
    standard: 5,
    errors: ['AddressLimitExceeded'],
    used: async ({ addresses }) => (await addresses()).length,
    idle: async ({ addresses }) =>
      (await addresses())
        .filter(({ AssociationId }) => AssociationId === undefined)
        .map(({ AllocationId = '', PublicIp, Tags }) => ({
          id: AllocationId,
          what: named(Tags, PublicIp),
          command: `aws ec2 release-address --allocation-id ${AllocationId}`,
        })),
  },
  {
    code: 'L-FE5A380F',
    service: 'vpc',
    name: 'NAT gateways per Availability Zone',
    standard: 5,
    errors: ['NatGatewayLimitExceeded'],
    async used({ natGateways, subnets }, zone) {
      const alive = (await natGateways()).filter(({ State }) => State === 'pending' || State === 'available');
      if (alive.length === 0) return 0;
      const zoneOf = new Map((await subnets()).map(({ SubnetId, AvailabilityZone }) => [SubnetId, AvailabilityZone]));
      const zones = alive.map(({ SubnetId }) => zoneOf.get(SubnetId));
      if (zone !== undefined) return zones.filter((one) => one === zone).length;
      return Math.max(...zones.map((one) => zones.filter((other) => other === one).length));
    },
  },
  {
    code: 'L-1216C47A',
    service: 'ec2',
    name: 'Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances',
    standard: 5,
    errors: ['VcpuLimitExceeded', 'InstanceLimitExceeded'],
    used: async ({ instances }) => (await instances()).reduce((sum, one) => sum + vcpusIn(one), 0),
  },
  {
    code: 'L-69A177A2',
    service: 'elasticloadbalancing',
    name: 'Network Load Balancers per Region',
    standard: 50,
    errors: ['TooManyLoadBalancers'],
    used: async ({ loadBalancers }) => (await loadBalancers()).filter(({ Type }) => Type === 'network').length,
  },
  {
    code: 'L-7B6409FD',
    service: 'rds',
    name: 'DB instances',
    standard: 40,
    errors: ['InstanceQuotaExceeded', 'DBInstanceQuotaExceeded'],
    used: async ({ databases }) => (await databases()).length,
  },
  {
    code: 'L-E79EC296',
    service: 'vpc',
    name: 'VPC security groups per Region',
    standard: 2500,
    errors: ['SecurityGroupLimitExceeded'],
    used: async ({ securityGroups }) => (await securityGroups()).length,
  },
  {
    code: 'L-0EA8095F',
    service: 'vpc',
    name: 'Inbound or outbound rules per security group',
    standard: 60,
    errors: ['RulesPerSecurityGroupLimitExceeded'],
  },
];

/** On-demand vCPUs of the standard families: spot and other families have quotas of their own. */
function vcpusIn({ InstanceType: type, InstanceLifecycle, CpuOptions }: Instance): number {
  const InstanceType: string = type ?? '';
  if (InstanceLifecycle !== undefined || !isStandard(InstanceType)) return 0;
  const { CoreCount, ThreadsPerCore } = CpuOptions ?? {};
  return CoreCount !== undefined && ThreadsPerCore !== undefined
    ? CoreCount * ThreadsPerCore
    : (vcpusOf(InstanceType) ?? 0);
}

export function readAccount({ ec2, elb, rds }: Aws) {
  const running = { Name: 'instance-state-name', Values: ['pending', 'running'] };
  return {
    vpcs: once(() => all(paginateDescribeVpcs({ client: ec2, pageSize: 1000 }, {}), (page) => page.Vpcs)),
    subnets: once(() => all(paginateDescribeSubnets({ client: ec2, pageSize: 1000 }, {}), (page) => page.Subnets)),
    interfaces: once(() =>
      all(paginateDescribeNetworkInterfaces({ client: ec2, pageSize: 1000 }, {}), (page) => page.NetworkInterfaces),
    ),
    internetGateways: once(() =>
      all(paginateDescribeInternetGateways({ client: ec2, pageSize: 1000 }, {}), (page) => page.InternetGateways),
    ),
    addresses: once(async () => (await ec2.send(new DescribeAddressesCommand({}))).Addresses ?? []),
    natGateways: once(() =>
      all(paginateDescribeNatGateways({ client: ec2, pageSize: 1000 }, {}), (page) => page.NatGateways),
    ),
    instances: once(() =>
      all(paginateDescribeInstances({ client: ec2, pageSize: 1000 }, { Filters: [running] }), (page) =>
        page.Reservations?.flatMap(({ Instances = [] }) => Instances),
      ),
    ),
    securityGroups: once(() =>
      all(paginateDescribeSecurityGroups({ client: ec2, pageSize: 1000 }, {}), (page) => page.SecurityGroups),
    ),
    loadBalancers: once(() =>
      all(paginateDescribeLoadBalancers({ client: elb, pageSize: 400 }, {}), (page) => page.LoadBalancers),
    ),
    databases: once(() =>
      all(paginateDescribeDBInstances({ client: rds, pageSize: 100 }, {}), (page) => page.DBInstances),
    ),
  };
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => {
    promise ??= read();
    return promise;
  };
}

/**
 * The account's own values, by code. Where Service Quotas has none, AWS's default holds; where it may not be asked, that is all there is to show, and the
 * source says so. Two or more of a service come in one list, but for EC2's, which is several pages long.
 */
export async function readLimits(
  aws: Aws,
  quotas: readonly Quota[],
): Promise<ReadonlyMap<string, Pick<QuotaUse, 'limit' | 'source'>>> {
  const client = aws.another('servicequotas', (config) => new ServiceQuotasClient(config));
  const services = [...new Set(quotas.map(({ service }) => service))];
  const answers = await Promise.all(
    services.flatMap((service) => {
      const mine = quotas.filter((quota) => quota.service === service);
      if (service === 'ec2' || mine.length === 1)
        return mine.map((quota) =>
          client
            .send(new GetServiceQuotaCommand({ ServiceCode: service, QuotaCode: quota.code }))
            .then(({ Quota }): Values => new Map([[quota.code, Quota?.Value]]), orNone)
            .then((values) => [limitOf(quota, values)]),
        );
      return [
        all(paginateListServiceQuotas({ client, pageSize: 100 }, { ServiceCode: service }), (page) => page.Quotas)
          .then((list): Values => new Map(list.map(({ QuotaCode = '', Value }) => [QuotaCode, Value])), orNone)
          .then((values) => mine.map((quota) => limitOf(quota, values))),
      ];
    }),
  );
  return new Map(answers.flat());
}

const limitOf = (
  { code, standard }: Quota,
  values: Values | undefined,
): [string, Pick<QuotaUse, 'limit' | 'source'>] => [
  code,
  { limit: values?.get(code) ?? standard, source: values === undefined ? 'default' : 'account' },
];

type Values = ReadonlyMap<string, number | undefined>;

/** Empty: there is no value of the account's own, AWS's default holds. Undefined: nobody may or can say. */
function orNone(error: unknown): Values | undefined {
  return codeOf(error) === 'NoSuchResource' ? new Map() : undefined;
}

/** How much of a quota is used; with too little room for `more`, who could make some. */
export async function useOf(
  quota: Quota,
  limits: ReadonlyMap<string, Pick<QuotaUse, 'limit' | 'source'>>,
  account: Account,
  more: { readonly amount: number; readonly zone?: string | undefined },
): Promise<QuotaUse> {
  const { limit, source } = limits.get(quota.code) ?? { limit: quota.standard, source: 'default' as const };
  const used = (await quota.used?.(account, more.zone)) ?? 0;
  const idle = used + more.amount > limit ? ((await quota.idle?.(account)) ?? []) : [];
  return { quota, limit, source, used, idle };
}

/** The page on which an account's owner sees and raises a quota. */
export function consoleLink(quota: Pick<Quota, 'service' | 'code'>, region: string): string {
  return `https://${region}.console.aws.amazon.com/servicequotas/home/services/${quota.service}/quotas/${quota.code}`;
}

const MOST_SHOWN = 10;

/** A quota that leaves too little room, for people: how much, who does not use theirs, where to ask for more. Markdown-light. */
export function describeUse(use: QuotaUse, amount: number, region: string): string {
  const { quota, limit, used, idle, source } = use;
  const counted = quota.used ? `${used} of ${limit} ${used === 1 ? 'is' : 'are'} used` : `${limit} is the most`;
  return [
    `**${quota.name}**: ${counted}${source === 'default' ? " (AWS's default; the account's own value could not be read)" : ''}, ${amount} more ${amount === 1 ? 'is' : 'are'} needed.`,
    ...(idle.length > 0
      ? [
          '',
          'Not in use:',
          ...idle.slice(0, MOST_SHOWN).map(({ id, what, command }) => `- ${id} (${what}): \`${command}\``),
        ]
      : []),
    '',
    `${idle.length > 0 ? 'Free what nobody needs, or ask' : 'Ask'} for more: quota ${quota.code}, ${consoleLink(quota, region)}`,
  ].join('\n');
}

/**
 * When AWS refused because a quota is full: which one, how it stands, who could make room. Undefined for every other error, and when that cannot be
 * found out. Reads only.
 */
async function explainQuota(aws: Aws, error: unknown): Promise<string | undefined> {
  const code = codeOf(error);
  const quota = QUOTAS.find(({ errors }) => errors.includes(code));
  if (!quota) return undefined;
  try {
    const limits = await readLimits(aws, [quota]);
    const use = await useOf(quota, limits, readAccount(aws), { amount: Number.POSITIVE_INFINITY });
    return describeUse(use, 1, aws.region);
  } catch {
    // The refusal itself is what matters; its own text names the quota.
    return undefined;
  }
}

/** For `connect`: puts what {@link explainQuota} knows in the place of the hint; requests that fail together are explained once. */
export function quotaExplainer(aws: () => Aws): (error: CloudspaceError) => Promise<CloudspaceError> {
  const asked = new Map<string, Promise<string | undefined>>();
  return async (error) => {
    if (error.code !== 'QuotaExceeded') return error;
    const code = codeOf(error);
    const asking = asked.get(code) ?? explainQuota(aws(), error).finally(() => asked.delete(code));
    asked.set(code, asking);
    const text = await asking;
    if (text === undefined) return error;
    const { message, requestId, cause } = error;
    return new CloudspaceError(message, {
      ...{ code: error.code, requestId, cause },
      hint: `${text.replaceAll(/\n+/g, '\n')}\nThen run the same command again: it goes on here.`,
    });
  };
}
