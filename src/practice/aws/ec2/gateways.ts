import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, dependency, find, select } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { on } from '../operation.ts';
import { requestedTags, setTags, tagList } from '../tags.ts';
import { newId, type RegionWorld } from '../world.ts';
import { hasMappedAddresses } from './interfaces.ts';
import type { InternetGateway } from './records.ts';

function describeGateway(region: RegionWorld, gateway: InternetGateway) {
  return {
    InternetGatewayId: gateway.id,
    OwnerId: region.account,
    // The API really says `available` for an attached internet gateway, a value the type does not list.
    Attachments: gateway.vpcId ? [{ State: 'available' as 'attached', VpcId: gateway.vpcId }] : [],
    Tags: tagList(region, gateway.id),
  };
}

export function internetGatewayOf(region: RegionWorld, vpcId: string): InternetGateway | undefined {
  return Object.values(region.internetGateways).find((gateway) => gateway.vpcId === vpcId);
}

export const gatewayOperations = [
  on(ec2.CreateInternetGatewayCommand, (input, { region }) => {
    const gateway: InternetGateway = { id: newId('igw') };
    region.internetGateways[gateway.id] = gateway;
    setTags(region, gateway.id, requestedTags(input.TagSpecifications, 'internet-gateway'));
    return { InternetGateway: describeGateway(region, gateway) };
  }),

  on(ec2.DescribeInternetGatewaysCommand, (input, { region }) => {
    const gateways = select(Object.values(region.internetGateways), input.InternetGatewayIds, 'internetGateway');
    const described = gateways.map((gateway) => describeGateway(region, gateway));
    const { items, next } = page(filtered(described, input.Filters, ec2.InternetGateway$), input);
    return { InternetGateways: items, ...next };
  }),

  on(ec2.AttachInternetGatewayCommand, ({ InternetGatewayId, VpcId }, { region }) => {
    const gateway = find(region.internetGateways, InternetGatewayId, 'internetGateway');
    const vpc = find(region.vpcs, VpcId, 'vpc');
    if (gateway.vpcId) {
      throw new AwsError(
        'Resource.AlreadyAssociated',
        `resource ${gateway.id} is already attached to network ${gateway.vpcId}`,
      );
    }
    if (internetGatewayOf(region, vpc.id)) {
      throw new AwsError('InvalidParameterValue', `Network ${vpc.id} already has an internet gateway attached`);
    }
    gateway.vpcId = vpc.id;
    return {};
  }),

  on(ec2.DetachInternetGatewayCommand, ({ InternetGatewayId, VpcId }, context) => {
    const { region } = context;
    const gateway = find(region.internetGateways, InternetGatewayId, 'internetGateway');
    const vpc = find(region.vpcs, VpcId, 'vpc');
    if (gateway.vpcId !== vpc.id) {
      throw new AwsError('Gateway.NotAttached', `resource ${gateway.id} is not attached to network ${vpc.id}`);
    }
    if (hasMappedAddresses(context, vpc.id)) {
      throw dependency(
        `Network ${vpc.id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
      );
    }
    delete gateway.vpcId;
    return {};
  }),

  on(ec2.DeleteInternetGatewayCommand, ({ InternetGatewayId }, { region }) => {
    const { id, vpcId } = find(region.internetGateways, InternetGatewayId, 'internetGateway');
    if (vpcId) throw dependency(`The internetGateway '${id}' has dependencies and cannot be deleted.`);
    delete region.internetGateways[id];
    delete region.tags[id];
    return {};
  }),
];
