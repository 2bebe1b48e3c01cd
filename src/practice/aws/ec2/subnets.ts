import * as ec2 from '@aws-sdk/client-ec2';
import { contains, formatCidr, overlaps, parseCidr, size } from '../cidr.ts';
import { AwsError, dependency, find, invalid, missing, select } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { type Context, on } from '../operation.ts';
import { zoneId, zoneNames } from '../regions.ts';
import { requestedTags, setTags, tagList } from '../tags.ts';
import { newId } from '../world.ts';
import { networkInterfaces, RESERVED_LAST, RESERVED_START } from './interfaces.ts';
import type { Subnet } from './records.ts';

function describeSubnet(context: Context, subnet: Subnet) {
  const { region, account } = context;
  const used = networkInterfaces(context).filter((one) => one.SubnetId === subnet.id).length;
  const total = size(parseCidr(subnet.cidr)?.prefix ?? 32);
  return {
    SubnetId: subnet.id,
    SubnetArn: `arn:aws:ec2:${region.name}:${account}:subnet/${subnet.id}`,
    VpcId: subnet.vpcId,
    OwnerId: account,
    State: 'available' as const,
    CidrBlock: subnet.cidr,
    AvailabilityZone: subnet.zone,
    AvailabilityZoneId: zoneId(region.name, subnet.zone),
    AvailableIpAddressCount: total - RESERVED_START - RESERVED_LAST - used,
    DefaultForAz: false,
    MapPublicIpOnLaunch: subnet.mapPublicIp,
    MapCustomerOwnedIpOnLaunch: false,
    AssignIpv6AddressOnCreation: false,
    EnableDns64: false,
    Ipv6Native: false,
    Ipv6CidrBlockAssociationSet: [],
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: subnet.hostnameType,
      EnableResourceNameDnsARecord: subnet.resourceNameARecord,
      EnableResourceNameDnsAAAARecord: subnet.resourceNameAAAARecord,
    },
    Tags: tagList(region, subnet.id),
  };
}

/** The zone a request names, by name or id; without one the region's first, as AWS chooses one. */
function chosenZone(regionName: string, name: string | undefined, id: string | undefined): string {
  const names = zoneNames(regionName);
  const zone = name ?? (id === undefined ? names[0] : names.find((candidate) => zoneId(regionName, candidate) === id));
  if (!zone || !names.includes(zone)) {
    throw invalid(
      `Value (${name ?? id}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: ${names.join(', ')}.`,
    );
  }
  return zone;
}

export const subnetOperations = [
  on(ec2.CreateSubnetCommand, (input, context) => {
    const { region } = context;
    const vpc = find(region.vpcs, input.VpcId, 'vpc');
    if (input.CidrBlock === undefined) throw missing('cidrBlock');
    const cidr = parseCidr(input.CidrBlock);
    const range = parseCidr(vpc.cidr);
    if (!cidr || !range) {
      throw invalid(`Value (${input.CidrBlock}) for parameter cidrBlock is invalid. This is not a valid CIDR block.`);
    }
    if (cidr.prefix < 16 || cidr.prefix > 28 || !contains(range, cidr)) {
      throw new AwsError('InvalidSubnet.Range', `The CIDR '${input.CidrBlock}' is invalid.`);
    }
    for (const other of Object.values(region.subnets)) {
      const taken = parseCidr(other.cidr);
      if (other.vpcId === vpc.id && taken && overlaps(taken, cidr)) {
        throw new AwsError('InvalidSubnet.Conflict', `The CIDR '${input.CidrBlock}' conflicts with another subnet`);
      }
    }
    const subnet: Subnet = {
      id: newId('subnet'),
      vpcId: vpc.id,
      cidr: formatCidr(cidr),
      zone: chosenZone(region.name, input.AvailabilityZone, input.AvailabilityZoneId),
      aclAssociationId: newId('aclassoc'),
      mapPublicIp: false,
      hostnameType: 'ip-name',
      resourceNameARecord: false,
      resourceNameAAAARecord: false,
    };
    region.subnets[subnet.id] = subnet;
    setTags(region, subnet.id, requestedTags(input.TagSpecifications, 'subnet'));
    return { Subnet: describeSubnet(context, subnet) };
  }),

  on(ec2.DescribeSubnetsCommand, (input, context) => {
    const subnets = select(Object.values(context.region.subnets), input.SubnetIds, 'subnet');
    const described = subnets.map((subnet) => describeSubnet(context, subnet));
    const found = filtered(described, input.Filters, ec2.Subnet$, {
      cidr: 'CidrBlock',
      availabilityZone: 'AvailabilityZone',
      defaultForAz: 'DefaultForAz',
    });
    const { items, next } = page(found, input);
    return { Subnets: items, ...next };
  }),

  on(ec2.ModifySubnetAttributeCommand, (input, { region }) => {
    const subnet = find(region.subnets, input.SubnetId, 'subnet');
    subnet.mapPublicIp = input.MapPublicIpOnLaunch?.Value ?? subnet.mapPublicIp;
    subnet.hostnameType = input.PrivateDnsHostnameTypeOnLaunch ?? subnet.hostnameType;
    subnet.resourceNameARecord = input.EnableResourceNameDnsARecordOnLaunch?.Value ?? subnet.resourceNameARecord;
    subnet.resourceNameAAAARecord =
      input.EnableResourceNameDnsAAAARecordOnLaunch?.Value ?? subnet.resourceNameAAAARecord;
    return {};
  }),

  on(ec2.DeleteSubnetCommand, ({ SubnetId }, context) => {
    const { region } = context;
    const { id } = find(region.subnets, SubnetId, 'subnet');
    if (networkInterfaces(context).some((one) => one.SubnetId === id)) {
      throw dependency(`The subnet '${id}' has dependencies and cannot be deleted.`);
    }
    for (const table of Object.values(region.routeTables)) {
      table.associations = table.associations.filter((association) => association.subnetId !== id);
    }
    delete region.subnets[id];
    delete region.tags[id];
    return {};
  }),
];
