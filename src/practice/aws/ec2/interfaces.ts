/**
 * Network interfaces are not kept: each belongs to an instance, a NAT gateway, a load balancer or a database, and is described from
 * its owner's record for as long as the owner holds it.
 */
import type { NetworkInterface } from '@aws-sdk/client-ec2';
import { formatIp, parseCidr, parseIp, size } from '../cidr.ts';
import { holdsInterfaces, shortName } from '../elbv2/loadBalancerState.ts';
import { AwsError, find } from '../errors.ts';
import type { Context } from '../operation.ts';
import { tagList } from '../tags.ts';
import { newId, type RegionWorld } from '../world.ts';
import { instanceState } from './instanceState.ts';
import { holdsInterface } from './natGateways.ts';
import type { Address, Interface } from './records.ts';

/** AWS reserves the first four addresses of a subnet and the last one. */
export const RESERVED_START = 4;
export const RESERVED_LAST = 1;

/** As the API spells them; the SDK's type lists some of them in another spelling. */
type InterfaceType = 'interface' | 'nat_gateway' | 'network_load_balancer';

/** What the description of network interfaces depends on. */
export type InterfaceContext = Pick<Context, 'region' | 'clock' | 'hosts'>;

interface Owner {
  readonly interface: Interface;
  readonly type: InterfaceType;
  readonly description: string;
  readonly requesterManaged: boolean;
  readonly requesterId?: string;
  readonly instanceId?: string;
  readonly attachmentId?: string;
  readonly attachedAt?: number;
  readonly deleteOnTermination?: boolean;
  /** an address that is not an Elastic IP (assigned at launch, or the load balancer's) */
  readonly publicIp?: string;
}

/** Everything that holds a network interface now. */
function owners(context: InterfaceContext): Owner[] {
  const { region, clock } = context;
  const instances = Object.values(region.instances)
    .filter((instance) => instanceState(instance, context) !== 'terminated')
    .map((instance) => ({
      interface: instance.interface,
      type: 'interface' as const,
      description: '',
      requesterManaged: false,
      instanceId: instance.id,
      attachedAt: instance.launchedAt,
      deleteOnTermination: true,
      ...(instance.publicIp ? { publicIp: instance.publicIp } : {}),
    }));
  const natGateways = Object.values(region.natGateways)
    .filter((gateway) => holdsInterface(gateway, clock))
    .map((gateway) => ({
      interface: gateway.interface,
      type: 'nat_gateway' as const,
      description: `Interface for NAT Gateway ${gateway.id}`,
      requesterManaged: true,
      requesterId: 'amazon-aws',
    }));
  const loadBalancers = Object.values(region.loadBalancers)
    .filter((balancer) => holdsInterfaces(balancer, context))
    .flatMap((balancer) =>
      balancer.zones.map((zone) => ({
        interface: zone.interface,
        type: 'network_load_balancer' as const,
        description: `ELB ${shortName(balancer)}`,
        requesterManaged: true,
        requesterId: 'amazon-elb',
        ...(zone.publicIp ? { publicIp: zone.publicIp } : {}),
      })),
    );
  const databases = Object.values(region.dbInstances).map((database) => ({
    interface: database.interface,
    type: 'interface' as const,
    description: 'RDSNetworkInterface',
    requesterManaged: true,
    requesterId: 'amazon-rds',
  }));
  return [...instances, ...natGateways, ...loadBalancers, ...databases];
}

export function privateDnsName(ip: string, regionName: string): string {
  const domain = regionName === 'us-east-1' ? 'ec2.internal' : `${regionName}.compute.internal`;
  return `ip-${ip.replaceAll('.', '-')}.${domain}`;
}

export function publicDnsName(ip: string, regionName: string): string {
  const domain = regionName === 'us-east-1' ? 'compute-1' : `${regionName}.compute`;
  return `ec2-${ip.replaceAll('.', '-')}.${domain}.amazonaws.com`;
}

function addressOf(region: RegionWorld, interfaceId: string): Address | undefined {
  return Object.values(region.addresses).find((one) => one.association?.networkInterfaceId === interfaceId);
}

/** MAC address derived from the interface's id: locally administered, stable. */
function macAddress(id: string): string {
  return `0a:${id.slice(-10).match(/../g)?.join(':') ?? ''}`;
}

/** Every network interface of the region, as DescribeNetworkInterfaces shows it. */
export function networkInterfaces(context: InterfaceContext) {
  return owners(context).map((owner) => describeInterface(context, owner));
}

function describeInterface({ region }: InterfaceContext, owner: Owner) {
  const { id, subnetId, privateIp, groups } = owner.interface;
  const subnet = find(region.subnets, subnetId, 'subnet');
  const vpc = find(region.vpcs, subnet.vpcId, 'vpc');
  const elastic = addressOf(region, id);
  const publicIp = elastic?.publicIp ?? owner.publicIp;
  const association = publicIp
    ? {
        PublicIp: publicIp,
        PublicDnsName: vpc.dnsHostnames ? publicDnsName(publicIp, region.name) : '',
        IpOwnerId: elastic ? region.account : 'amazon',
        ...(elastic ? { AllocationId: elastic.id, AssociationId: elastic.association?.id } : {}),
      }
    : undefined;
  const dns = vpc.dnsHostnames ? { PrivateDnsName: privateDnsName(privateIp, region.name) } : {};
  return {
    NetworkInterfaceId: id,
    InterfaceType: owner.type as NonNullable<NetworkInterface['InterfaceType']>,
    Description: owner.description,
    Status: 'in-use' as const,
    VpcId: subnet.vpcId,
    SubnetId: subnetId,
    AvailabilityZone: subnet.zone,
    OwnerId: region.account,
    RequesterManaged: owner.requesterManaged,
    ...(owner.requesterId ? { RequesterId: owner.requesterId } : {}),
    MacAddress: macAddress(id),
    PrivateIpAddress: privateIp,
    ...dns,
    PrivateIpAddresses: [
      { Primary: true, PrivateIpAddress: privateIp, ...dns, ...(association ? { Association: association } : {}) },
    ],
    Ipv6Addresses: [],
    SourceDestCheck: owner.type === 'interface',
    Groups: groups.map((GroupId) => ({ GroupId, GroupName: region.securityGroups[GroupId]?.name ?? '' })),
    ...(association ? { Association: association } : {}),
    Attachment: {
      AttachmentId: owner.attachmentId ?? id.replace('eni-', 'eni-attach-'),
      DeleteOnTermination: owner.deleteOnTermination ?? false,
      DeviceIndex: owner.type === 'nat_gateway' || owner.instanceId ? 0 : 1,
      NetworkCardIndex: 0,
      InstanceOwnerId: owner.instanceId ? region.account : 'amazon-aws',
      ...(owner.instanceId ? { InstanceId: owner.instanceId } : {}),
      ...(owner.attachedAt ? { AttachTime: new Date(owner.attachedAt) } : {}),
      Status: 'attached' as const,
    },
    TagSet: tagList(region, id),
  };
}

/**
 * A new interface in a subnet, with the address asked for or the subnet's lowest free one. `batch` are interfaces that are being made
 * in the same request. Throws InvalidIPAddress.InUse, InvalidParameterValue or InsufficientFreeAddressesInSubnet.
 */
export function newInterface(
  context: Context,
  subnetId: string,
  groups: readonly string[],
  wanted?: string,
  batch: readonly Interface[] = [],
): Interface {
  const subnet = find(context.region.subnets, subnetId, 'subnet');
  const cidr = parseCidr(subnet.cidr);
  if (!cidr) throw new Error(`subnet ${subnetId} has no valid CIDR`);
  const taken = new Set<string | undefined>([
    ...networkInterfaces(context).map((one) => (one.SubnetId === subnetId ? one.PrivateIpAddress : undefined)),
    ...batch.map((one) => one.privateIp),
  ]);
  const first = cidr.base + RESERVED_START;
  const last = cidr.base + size(cidr.prefix) - 1 - RESERVED_LAST;
  if (wanted !== undefined) {
    const number = parseIp(wanted);
    if (number === undefined || number < first || number > last) {
      throw new AwsError('InvalidParameterValue', `Address ${wanted} does not fall within the subnet's address range`);
    }
    if (taken.has(wanted)) throw new AwsError('InvalidIPAddress.InUse', `Address ${wanted} is in use.`);
    return { id: newId('eni'), subnetId, privateIp: wanted, groups: [...groups] };
  }
  for (let number = first; number <= last; number += 1) {
    const privateIp = formatIp(number);
    if (!taken.has(privateIp)) return { id: newId('eni'), subnetId, privateIp, groups: [...groups] };
  }
  throw new AwsError(
    'InsufficientFreeAddressesInSubnet',
    `There are not enough free addresses in subnet '${subnetId}' to satisfy the requested number of instances.`,
  );
}

/** Does anything in the VPC have a public address? An internet gateway cannot be detached before that ends. */
export function hasMappedAddresses(context: Context, vpcId: string): boolean {
  return networkInterfaces(context).some((one) => one.VpcId === vpcId && one.Association);
}
