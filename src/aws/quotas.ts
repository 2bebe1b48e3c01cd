import type { Instance } from '@aws-sdk/client-ec2';
import type { Account } from './account.ts';
import { fromTagList } from './resources/common.ts';
import { isStandard, vcpusOf } from './vcpus.ts';

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

const named = (tags: Parameters<typeof fromTagList>[0], more = ''): string =>
  [fromTagList(tags)['cloudspace:name'] ?? fromTagList(tags).Name ?? 'no name', more].filter(Boolean).join(', ');

/** The quotas that a Cloudspace meets: what AWS allows, how it is counted, and who could make room. */
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
