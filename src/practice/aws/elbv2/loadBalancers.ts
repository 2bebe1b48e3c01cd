import * as elb from '@aws-sdk/client-elastic-load-balancing-v2';
import { freePublicIp } from '../ec2/addresses.ts';
import { internetGatewayOf } from '../ec2/gateways.ts';
import { newInterface } from '../ec2/interfaces.ts';
import type { Interface } from '../ec2/records.ts';
import { AwsError } from '../errors.ts';
import { type Context, on } from '../operation.ts';
import { setTags } from '../tags.ts';
import type { RegionWorld } from '../world.ts';
import {
  arn,
  arnId,
  attributeList,
  checkName,
  liveLoadBalancers,
  loadBalancer,
  pageOf,
  setAttributes,
  tagsOf,
  validation,
} from './common.ts';
import { loadBalancerState } from './loadBalancerState.ts';
import type { LoadBalancer } from './records.ts';

const ATTRIBUTES = {
  'deletion_protection.enabled': 'false',
  'load_balancing.cross_zone.enabled': 'false',
  'access_logs.s3.enabled': 'false',
  'access_logs.s3.bucket': '',
  'access_logs.s3.prefix': '',
  'ipv6.deny_all_igw_traffic': 'false',
  'dns_record.client_routing_policy': 'any_availability_zone',
  'zonal_shift.config.enabled': 'false',
  'secondary_ips.auto_assigned.per_subnet': '0',
};

function describe(context: Context, balancer: LoadBalancer) {
  const elastic = (allocationId: string | undefined) =>
    allocationId === undefined ? undefined : context.region.addresses[allocationId];
  return {
    LoadBalancerArn: balancer.arn,
    LoadBalancerName: balancer.name,
    DNSName: balancer.dnsName,
    CanonicalHostedZoneId: 'Z0PRACTICE00000000NLB',
    CreatedTime: new Date(balancer.createdAt),
    Type: 'network' as const,
    Scheme: balancer.scheme,
    IpAddressType: 'ipv4' as const,
    VpcId: balancer.vpcId,
    State: loadBalancerState(context, balancer),
    AvailabilityZones: balancer.zones.map(({ zone, subnetId, allocationId }) => ({
      ZoneName: zone,
      SubnetId: subnetId,
      LoadBalancerAddresses: allocationId
        ? [{ AllocationId: allocationId, IpAddress: elastic(allocationId)?.publicIp }]
        : [],
    })),
    SecurityGroups: balancer.groups,
    EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: 'on',
    EnablePrefixForIpv6SourceNat: 'off' as const,
  };
}

function checkGroups(region: RegionWorld, groups: readonly string[], vpcId: string): void {
  const unknown = groups.find((id) => region.securityGroups[id]?.vpcId !== vpcId);
  if (unknown) {
    throw new AwsError(
      'InvalidSecurityGroup',
      `One or more security groups are invalid: ${unknown} is not in ${vpcId}`,
    );
  }
}

/** The subnets a request names. Throws unless they exist, lie in one network and in different zones. */
function chosenSubnets(region: RegionWorld, mappings: readonly elb.SubnetMapping[]) {
  const subnets = mappings.map(({ SubnetId = '', AllocationId }) => {
    const subnet = region.subnets[SubnetId];
    if (!subnet) throw new AwsError('SubnetNotFound', `The subnet ID '${SubnetId}' does not exist`);
    const address = AllocationId === undefined ? undefined : region.addresses[AllocationId];
    if (AllocationId !== undefined && !address) {
      throw new AwsError('AllocationIdNotFound', `The allocation IDs '${AllocationId}' do not exist`);
    }
    if (address?.association) throw new AwsError('ResourceInUse', `The allocation ID '${AllocationId}' is in use`);
    return { subnet, allocationId: AllocationId };
  });
  const [first] = subnets;
  if (!first) throw validation('At least one subnet must be specified');
  if (subnets.some(({ subnet }) => subnet.vpcId !== first.subnet.vpcId)) {
    throw new AwsError('InvalidConfigurationRequest', 'All subnets must belong to the same VPC');
  }
  if (new Set(subnets.map(({ subnet }) => subnet.zone)).size < subnets.length) {
    throw new AwsError(
      'InvalidConfigurationRequest',
      'A load balancer cannot be attached to multiple subnets in the same Availability Zone',
    );
  }
  return { subnets, vpcId: first.subnet.vpcId };
}

function newZones(context: Context, scheme: string, mappings: readonly elb.SubnetMapping[], groups: readonly string[]) {
  const { region, world } = context;
  const { subnets } = chosenSubnets(region, mappings);
  const made: Interface[] = [];
  const ips: string[] = [];
  return subnets.map(({ subnet, allocationId }): LoadBalancer['zones'][number] => {
    const eni = newInterface(context, subnet.id, groups, undefined, made);
    made.push(eni);
    const address = allocationId === undefined ? undefined : region.addresses[allocationId];
    if (address) address.association = { id: eni.id.replace('eni', 'eipassoc'), networkInterfaceId: eni.id };
    const publicIp = scheme === 'internet-facing' && !address ? freePublicIp(world, ips, true) : undefined;
    if (publicIp) ips.push(publicIp);
    return {
      zone: subnet.zone,
      subnetId: subnet.id,
      interface: eni,
      ...(publicIp ? { publicIp } : {}),
      ...(allocationId ? { allocationId } : {}),
    };
  });
}

function mappingsOf(input: { Subnets?: string[] | undefined; SubnetMappings?: elb.SubnetMapping[] | undefined }) {
  const { Subnets, SubnetMappings } = input;
  if (Subnets?.length && SubnetMappings?.length)
    throw validation('You can specify either subnets or subnet mappings, not both');
  return SubnetMappings?.length ? SubnetMappings : (Subnets ?? []).map((SubnetId): elb.SubnetMapping => ({ SubnetId }));
}

export const loadBalancerOperations = [
  on(elb.CreateLoadBalancerCommand, (input, context) => {
    const { region, clock } = context;
    const name = checkName(input.Name, 'load balancer');
    const { Scheme = 'internet-facing', Type, SecurityGroups = [], IpAddressType = 'ipv4' } = input;
    if (Type !== 'network') {
      throw new AwsError(
        'UnsupportedOperation',
        `the practice cloud has Network Load Balancers only: type ${Type ?? 'application'} is not simulated`,
      );
    }
    if (IpAddressType !== 'ipv4') throw new AwsError('UnsupportedOperation', 'the practice cloud has no IPv6');
    const mappings = mappingsOf(input);
    const { vpcId } = chosenSubnets(region, mappings);
    const tags = tagsOf(input.Tags);
    const existing = liveLoadBalancers(region).find((one) => one.name === name);
    if (existing) {
      const settings = (scheme: string, subnets: readonly (string | undefined)[], groups: readonly string[]) =>
        JSON.stringify([scheme, [...subnets].sort(), [...groups].sort()]);
      const same =
        settings(
          existing.scheme,
          existing.zones.map((zone) => zone.subnetId),
          existing.groups,
        ) ===
        settings(
          Scheme,
          mappings.map((one) => one.SubnetId),
          SecurityGroups,
        );
      if (same) return { LoadBalancers: [describe(context, existing)] };
      throw new AwsError(
        'DuplicateLoadBalancerName',
        `A load balancer with the same name '${name}' exists, but with different settings`,
      );
    }
    if (Object.keys(region.loadBalancers).length >= context.quotas.nlb) {
      throw new AwsError('TooManyLoadBalancers', 'The maximum number of load balancers has been reached');
    }
    checkGroups(region, SecurityGroups, vpcId);
    if (Scheme === 'internet-facing' && !internetGatewayOf(region, vpcId)) {
      throw new AwsError('InvalidSubnet', `VPC ${vpcId} has no internet gateway`);
    }
    const id = arnId();
    const balancer: LoadBalancer = {
      arn: arn(region, `loadbalancer/net/${name}/${id}`),
      name,
      scheme: Scheme,
      vpcId,
      dnsName: `${name}-${id}.elb.${region.name}.localhost`.toLowerCase(),
      zones: newZones(context, Scheme, mappings, SecurityGroups),
      groups: [...SecurityGroups],
      attributes: { ...ATTRIBUTES },
      createdAt: clock.now(),
    };
    region.loadBalancers[balancer.arn] = balancer;
    setTags(region, balancer.arn, tags);
    return { LoadBalancers: [describe(context, balancer)] };
  }),

  on(elb.DescribeLoadBalancersCommand, (input, context) => {
    const { LoadBalancerArns = [], Names = [] } = input;
    if (LoadBalancerArns.length && Names.length)
      throw validation('Load balancer names and load balancer ARNs cannot be specified at the same time');
    const all = liveLoadBalancers(context.region);
    const named = Names.map((name) => {
      const found = all.find((one) => one.name === name);
      if (!found) throw new AwsError('LoadBalancerNotFound', `Load balancers '[${name}]' not found`);
      return found;
    });
    const selected = LoadBalancerArns.length
      ? LoadBalancerArns.map((one) => loadBalancer(context.region, one))
      : Names.length
        ? named
        : all;
    const { items, next } = pageOf(selected, input);
    return { LoadBalancers: items.map((balancer) => describe(context, balancer)), ...next };
  }),

  on(elb.DeleteLoadBalancerCommand, ({ LoadBalancerArn = '' }, { region, clock }) => {
    const balancer = region.loadBalancers[LoadBalancerArn];
    // One that is not there is no error.
    if (!balancer || balancer.deletedAt !== undefined) return {};
    if (balancer.attributes['deletion_protection.enabled'] === 'true') {
      throw new AwsError(
        'OperationNotPermitted',
        `Load balancer '${balancer.arn}' cannot be deleted because deletion protection is enabled`,
      );
    }
    balancer.deletedAt = clock.now();
    delete region.tags[balancer.arn];
    for (const listener of Object.values(region.listeners)) {
      if (listener.loadBalancerArn !== balancer.arn) continue;
      delete region.listeners[listener.arn];
      delete region.tags[listener.arn];
    }
    return {};
  }),

  on(elb.DescribeLoadBalancerAttributesCommand, ({ LoadBalancerArn }, { region }) => ({
    Attributes: attributeList(loadBalancer(region, LoadBalancerArn).attributes),
  })),

  on(elb.ModifyLoadBalancerAttributesCommand, ({ LoadBalancerArn, Attributes }, { region }) => {
    const { attributes } = loadBalancer(region, LoadBalancerArn);
    setAttributes(attributes, Attributes);
    return { Attributes: attributeList(attributes) };
  }),

  on(elb.SetSecurityGroupsCommand, ({ LoadBalancerArn, SecurityGroups = [] }, { region }) => {
    const balancer = loadBalancer(region, LoadBalancerArn);
    if (!balancer.groups.length || !SecurityGroups.length) {
      throw new AwsError(
        'InvalidConfigurationRequest',
        'Security groups of a Network Load Balancer can be changed only when it was created with some, and not to none',
      );
    }
    checkGroups(region, SecurityGroups, balancer.vpcId);
    balancer.groups = [...SecurityGroups];
    for (const zone of balancer.zones) zone.interface.groups = [...SecurityGroups];
    return { SecurityGroupIds: SecurityGroups, EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: 'on' as const };
  }),

  on(elb.SetSubnetsCommand, (input, context) => {
    const balancer = loadBalancer(context.region, input.LoadBalancerArn);
    const mappings = mappingsOf(input);
    const { vpcId } = chosenSubnets(context.region, mappings);
    if (vpcId !== balancer.vpcId) {
      throw new AwsError('InvalidSubnet', `The subnets must belong to the load balancer's VPC ${balancer.vpcId}`);
    }
    const kept = balancer.zones.filter((zone) => mappings.some((one) => one.SubnetId === zone.subnetId));
    const added = mappings.filter((one) => !kept.some((zone) => zone.subnetId === one.SubnetId));
    const zones = added.length ? newZones(context, balancer.scheme, added, balancer.groups) : [];
    balancer.zones = [...kept, ...zones];
    return { AvailabilityZones: describe(context, balancer).AvailabilityZones, IpAddressType: 'ipv4' as const };
  }),

  on(elb.DescribeCapacityReservationCommand, ({ LoadBalancerArn }, { region }) => {
    loadBalancer(region, LoadBalancerArn);
    return { CapacityReservationState: [] };
  }),
];
