import * as ec2 from '@aws-sdk/client-ec2';
import { formatCidr, parseCidr } from '../cidr.ts';
import { AwsError, dependency, find, invalid, missing, select } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { on } from '../operation.ts';
import { requestedTags, setTags, tagList } from '../tags.ts';
import { newId, type RegionWorld } from '../world.ts';
import type { Vpc } from './records.ts';
import { createGroup, removeGroup } from './securityGroups.ts';

function describeVpc(region: RegionWorld, vpc: Vpc) {
  return {
    VpcId: vpc.id,
    OwnerId: region.account,
    State: 'available' as const,
    CidrBlock: vpc.cidr,
    CidrBlockAssociationSet: [
      { AssociationId: vpc.associationId, CidrBlock: vpc.cidr, CidrBlockState: { State: 'associated' as const } },
    ],
    Ipv6CidrBlockAssociationSet: [],
    DhcpOptionsId: 'default',
    InstanceTenancy: vpc.tenancy,
    IsDefault: false,
    BlockPublicAccessStates: { InternetGatewayBlockMode: 'off' as const },
    Tags: tagList(region, vpc.id),
  };
}

/** A VPC's CIDR block in canonical form, /16 to /28. Throws as CreateVpc does. */
function vpcCidr(text: string): string {
  const cidr = parseCidr(text);
  if (!cidr) throw invalid(`Value (${text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.`);
  if (cidr.prefix < 16 || cidr.prefix > 28) throw new AwsError('InvalidVpc.Range', `The CIDR '${text}' is invalid.`);
  return formatCidr(cidr);
}

export const vpcOperations = [
  on(ec2.CreateVpcCommand, (input, { region, quotas }) => {
    if (input.CidrBlock === undefined) throw missing('cidrBlock');
    if (input.AmazonProvidedIpv6CidrBlock) {
      throw new AwsError(
        'UnsupportedOperation',
        'the practice cloud has no IPv6: leave AmazonProvidedIpv6CidrBlock out',
      );
    }
    const cidr = vpcCidr(input.CidrBlock);
    const tags = requestedTags(input.TagSpecifications, 'vpc');
    if (Object.keys(region.vpcs).length >= quotas.vpc) {
      throw new AwsError('VpcLimitExceeded', 'The maximum number of VPCs has been reached.');
    }
    const vpc: Vpc = {
      id: newId('vpc'),
      cidr,
      associationId: newId('vpc-cidr-assoc'),
      tenancy: input.InstanceTenancy ?? 'default',
      dnsSupport: true,
      dnsHostnames: false,
      usageMetrics: false,
    };
    region.vpcs[vpc.id] = vpc;
    setTags(region, vpc.id, tags);
    // What AWS makes with every VPC: main route table, default network ACL, default security group.
    const table = newId('rtb');
    region.routeTables[table] = {
      id: table,
      vpcId: vpc.id,
      routes: [{ destination: cidr, gatewayId: 'local', origin: 'CreateRouteTable' }],
      associations: [{ id: newId('rtbassoc') }],
    };
    const acl = newId('acl');
    region.networkAcls[acl] = { id: acl, vpcId: vpc.id };
    createGroup(region, vpc.id, 'default', 'default VPC security group');
    return { Vpc: describeVpc(region, vpc) };
  }),

  on(ec2.DescribeVpcsCommand, (input, { region }) => {
    const vpcs = select(Object.values(region.vpcs), input.VpcIds, 'vpc').map((vpc) => describeVpc(region, vpc));
    const found = filtered(vpcs, input.Filters, ec2.Vpc$, {
      cidr: 'CidrBlock',
      isDefault: 'IsDefault',
      'cidr-block-association.cidr-block': 'CidrBlockAssociationSet.CidrBlock',
      'cidr-block-association.association-id': 'CidrBlockAssociationSet.AssociationId',
      'cidr-block-association.state': 'CidrBlockAssociationSet.CidrBlockState.State',
    });
    const { items, next } = page(found, input);
    return { Vpcs: items, ...next };
  }),

  on(ec2.DeleteVpcCommand, ({ VpcId }, { region }) => {
    const { id } = find(region.vpcs, VpcId, 'vpc');
    const inside = (record: { readonly vpcId?: string }) => record.vpcId === id;
    const groups = Object.values(region.securityGroups).filter(inside);
    const tables = Object.values(region.routeTables).filter(inside);
    if (
      Object.values(region.subnets).some(inside) ||
      Object.values(region.internetGateways).some(inside) ||
      groups.some((group) => group.name !== 'default') ||
      tables.some((table) => !table.associations.some((association) => !association.subnetId))
    ) {
      throw dependency(`The vpc '${id}' has dependencies and cannot be deleted.`);
    }
    for (const group of groups) removeGroup(region, group.id);
    for (const table of tables) {
      delete region.routeTables[table.id];
      delete region.tags[table.id];
    }
    for (const acl of Object.values(region.networkAcls).filter(inside)) {
      delete region.networkAcls[acl.id];
      delete region.tags[acl.id];
    }
    delete region.vpcs[id];
    delete region.tags[id];
    return {};
  }),

  on(ec2.DescribeVpcAttributeCommand, ({ VpcId, Attribute }, { region }) => {
    const vpc = find(region.vpcs, VpcId, 'vpc');
    switch (Attribute) {
      case 'enableDnsSupport':
        return { VpcId, EnableDnsSupport: { Value: vpc.dnsSupport } };
      case 'enableDnsHostnames':
        return { VpcId, EnableDnsHostnames: { Value: vpc.dnsHostnames } };
      case 'enableNetworkAddressUsageMetrics':
        return { VpcId, EnableNetworkAddressUsageMetrics: { Value: vpc.usageMetrics } };
      default:
        throw invalid(`Value (${Attribute}) for parameter attribute is invalid. Unknown attribute.`);
    }
  }),

  on(ec2.ModifyVpcAttributeCommand, (input, { region }) => {
    const vpc = find(region.vpcs, input.VpcId, 'vpc');
    const { EnableDnsSupport, EnableDnsHostnames, EnableNetworkAddressUsageMetrics } = input;
    const given = [EnableDnsSupport, EnableDnsHostnames, EnableNetworkAddressUsageMetrics].filter(Boolean);
    if (given.length !== 1) {
      throw new AwsError('InvalidParameterCombination', 'Specify exactly one attribute of the VPC to change');
    }
    if (EnableDnsHostnames?.Value && !vpc.dnsSupport) {
      throw new AwsError('InvalidParameterCombination', 'DNS hostnames need DNS support to be on');
    }
    vpc.dnsSupport = EnableDnsSupport?.Value ?? vpc.dnsSupport;
    vpc.dnsHostnames = EnableDnsHostnames?.Value ?? vpc.dnsHostnames;
    vpc.usageMetrics = EnableNetworkAddressUsageMetrics?.Value ?? vpc.usageMetrics;
    return {};
  }),
];
