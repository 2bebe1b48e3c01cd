import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, notFound } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { on } from '../operation.ts';
import { tagList } from '../tags.ts';
import { networkInterfaces } from './interfaces.ts';

export const networkInterfaceOperations = [
  on(ec2.DescribeNetworkInterfacesCommand, (input, context) => {
    const all = networkInterfaces(context);
    const ids = input.NetworkInterfaceIds ?? [];
    const unknown = ids.filter((id) => !all.some((one) => one.NetworkInterfaceId === id));
    if (unknown.length) throw notFound('networkInterface', unknown);
    const selected = ids.length ? all.filter((one) => ids.includes(one.NetworkInterfaceId)) : all;
    const found = filtered(selected, input.Filters, ec2.NetworkInterface$, {
      'group-id': 'Groups.GroupId',
      'group-name': 'Groups.GroupName',
      'addresses.private-ip-address': 'PrivateIpAddresses.PrivateIpAddress',
      'addresses.primary': 'PrivateIpAddresses.Primary',
      'addresses.association.public-ip': 'PrivateIpAddresses.Association.PublicIp',
    });
    const { items, next } = page(found, input);
    return { NetworkInterfaces: items, ...next };
  }),

  on(ec2.DeleteNetworkInterfaceCommand, (input, context) => {
    const id = input.NetworkInterfaceId ?? '';
    if (!networkInterfaces(context).some((one) => one.NetworkInterfaceId === id)) {
      throw notFound('networkInterface', [id]);
    }
    throw new AwsError('InvalidNetworkInterface.InUse', `Network interface '${id}' is currently in use.`);
  }),

  on(ec2.DescribeNetworkAclsCommand, (input, { region, account }) => {
    const acls = Object.values(region.networkAcls).map(({ id, vpcId }) => ({
      NetworkAclId: id,
      VpcId: vpcId,
      OwnerId: account,
      IsDefault: true,
      Associations: Object.values(region.subnets)
        .filter((subnet) => subnet.vpcId === vpcId)
        .map((subnet) => ({
          NetworkAclAssociationId: subnet.aclAssociationId,
          NetworkAclId: id,
          SubnetId: subnet.id,
        })),
      Entries: [true, false].flatMap((Egress) =>
        (['allow', 'deny'] as const).map((RuleAction) => ({
          Egress,
          RuleAction,
          RuleNumber: RuleAction === 'allow' ? 100 : 32767,
          CidrBlock: '0.0.0.0/0',
          Protocol: '-1',
        })),
      ),
      Tags: tagList(region, id),
    }));
    const ids = input.NetworkAclIds ?? [];
    const unknown = ids.filter((id) => !region.networkAcls[id]);
    if (unknown.length) throw notFound('networkAcl', unknown);
    const selected = ids.length ? acls.filter((acl) => ids.includes(acl.NetworkAclId)) : acls;
    const found = filtered(selected, input.Filters, ec2.NetworkAcl$, {
      default: 'IsDefault',
      'entry.cidr': 'Entries.CidrBlock',
      'entry.egress': 'Entries.Egress',
    });
    const { items, next } = page(found, input);
    return { NetworkAcls: items, ...next };
  }),

  // Endpoints and peerings cannot be made here, so there are none: a truthful answer for who looks what is in a VPC.
  on(ec2.DescribeVpcEndpointsCommand, (input) => {
    if (input.VpcEndpointIds?.length) throw notFound('vpcEndpoint', input.VpcEndpointIds);
    const { items, next } = page(filtered([], input.Filters, ec2.VpcEndpoint$), input);
    return { VpcEndpoints: items, ...next };
  }),

  on(ec2.DescribeVpcPeeringConnectionsCommand, (input) => {
    if (input.VpcPeeringConnectionIds?.length) throw notFound('vpcPeeringConnection', input.VpcPeeringConnectionIds);
    const { items, next } = page(filtered([], input.Filters, ec2.VpcPeeringConnection$), input);
    return { VpcPeeringConnections: items, ...next };
  }),

  // No prefix list exists without VPC endpoints.
  on(ec2.DescribePrefixListsCommand, (input) => {
    const { items, next } = page(filtered([], input.Filters, ec2.PrefixList$), input);
    if (input.PrefixListIds?.length) {
      throw new AwsError(
        'InvalidPrefixListId.NotFound',
        `The prefix list ID '${input.PrefixListIds[0]}' does not exist`,
      );
    }
    return { PrefixLists: items, ...next };
  }),
];
