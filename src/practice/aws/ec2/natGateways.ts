import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, find, invalid, missing } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { idempotent } from '../idempotency.ts';
import { type Clock, type Context, LISTED_SECONDS, longGone, on } from '../operation.ts';
import { requestedTags, setTags, tagList } from '../tags.ts';
import { newId } from '../world.ts';
import { internetGatewayOf } from './gateways.ts';
import { newInterface } from './interfaces.ts';
import type { NatGateway } from './records.ts';

/** Typical seconds: until available, until one that cannot work is reported as failed, until deleted. */
const SECONDS = { pending: 90, failing: 10, deleting: 45 };

function natGatewayState(
  gateway: NatGateway,
  clock: Clock,
): 'pending' | 'available' | 'failed' | 'deleting' | 'deleted' {
  if (gateway.deletedAt !== undefined)
    return clock.passed(gateway.deletedAt, SECONDS.deleting) ? 'deleted' : 'deleting';
  if (gateway.failure) return clock.passed(gateway.createdAt, SECONDS.failing) ? 'failed' : 'pending';
  return clock.passed(gateway.createdAt, SECONDS.pending) ? 'available' : 'pending';
}

export function holdsInterface(gateway: NatGateway, clock: Clock): boolean {
  return !['failed', 'deleted'].includes(natGatewayState(gateway, clock));
}

/** A gateway that is gone gives its Elastic IP back; some time later it is no longer listed. */
export function sweepNatGateways({ region, clock }: Pick<Context, 'region' | 'clock'>): void {
  for (const gateway of Object.values(region.natGateways)) {
    if (holdsInterface(gateway, clock)) continue;
    for (const address of Object.values(region.addresses)) {
      if (address.association?.networkInterfaceId === gateway.interface.id) delete address.association;
    }
    const end = gateway.deletedAt ?? gateway.createdAt;
    if (longGone(clock, end, LISTED_SECONDS)) {
      delete region.natGateways[gateway.id];
      delete region.tags[gateway.id];
    }
  }
}

function describeGateway({ region, clock }: Context, gateway: NatGateway) {
  const state = natGatewayState(gateway, clock);
  return {
    NatGatewayId: gateway.id,
    VpcId: gateway.vpcId,
    SubnetId: gateway.subnetId,
    State: state,
    ConnectivityType: gateway.connectivity,
    CreateTime: new Date(gateway.createdAt),
    ...(state === 'deleted' && gateway.deletedAt !== undefined ? { DeleteTime: new Date(gateway.deletedAt) } : {}),
    ...(state === 'failed' && gateway.failure
      ? { FailureCode: gateway.failure.code, FailureMessage: gateway.failure.message }
      : {}),
    NatGatewayAddresses: [
      {
        ...(gateway.allocationId ? { AllocationId: gateway.allocationId } : {}),
        ...(gateway.publicIp && !gateway.failure ? { PublicIp: gateway.publicIp } : {}),
        ...(gateway.associationId ? { AssociationId: gateway.associationId } : {}),
        NetworkInterfaceId: gateway.interface.id,
        PrivateIp: gateway.interface.privateIp,
        IsPrimary: true,
        Status: state === 'failed' ? ('failed' as const) : ('succeeded' as const),
      },
    ],
    Tags: tagList(region, gateway.id),
  };
}

export const natGatewayOperations = [
  on(ec2.CreateNatGatewayCommand, (input, context) => {
    const { region, clock } = context;
    const { ClientToken } = input;
    const token = ClientToken ? { ClientToken } : {};
    const { earlier, remember } = idempotent(
      context,
      'CreateNatGateway',
      ClientToken,
      ([id = '']) => region.natGateways[id],
    );
    if (earlier) return { NatGateway: describeGateway(context, earlier), ...token };
    const { AvailabilityMode = 'zonal', ConnectivityType = 'public' } = input;
    if (AvailabilityMode !== 'zonal') throw invalid('the practice cloud has zonal NAT gateways only');
    const subnet = find(region.subnets, input.SubnetId, 'subnet');
    const inZone = Object.values(region.natGateways).filter(
      (one) => holdsInterface(one, clock) && region.subnets[one.subnetId]?.zone === subnet.zone,
    );
    if (inZone.length >= context.quotas.nat) {
      throw new AwsError(
        'NatGatewayLimitExceeded',
        `The maximum number of NAT Gateways has been reached for availability zone ${subnet.zone}.`,
      );
    }
    if (ConnectivityType === 'public' && input.AllocationId === undefined) throw missing('AllocationId');
    if (ConnectivityType === 'private' && input.AllocationId !== undefined) {
      throw new AwsError('InvalidParameterCombination', 'AllocationId is not allowed for a private NAT gateway');
    }
    const address =
      input.AllocationId === undefined ? undefined : find(region.addresses, input.AllocationId, 'address');
    const associationId = newId('eipassoc');
    const ownInterface = newInterface(context, subnet.id, [], input.PrivateIpAddress);
    const failure =
      context.spoiled === 'failed'
        ? {
            code: 'InternalError',
            message: `Network interface ${ownInterface.id}, created and used internally by this NAT gateway is in an invalid state. Please try again.`,
          }
        : ConnectivityType === 'public' && !internetGatewayOf(region, subnet.vpcId)
          ? { code: 'Gateway.NotAttached', message: `Network ${subnet.vpcId} has no Internet gateway attached` }
          : address?.association
            ? {
                code: 'Resource.AlreadyAssociated',
                message: `Elastic IP address [${address.id}] is already associated`,
              }
            : undefined;
    const gateway: NatGateway = {
      id: newId('nat'),
      vpcId: subnet.vpcId,
      subnetId: subnet.id,
      connectivity: ConnectivityType,
      ...(address ? { allocationId: address.id, publicIp: address.publicIp } : {}),
      ...(address && !failure ? { associationId } : {}),
      interface: ownInterface,
      createdAt: clock.now(),
      ...(failure ? { failure } : {}),
    };
    region.natGateways[gateway.id] = gateway;
    remember([gateway.id]);
    if (address && !failure) address.association = { id: associationId, networkInterfaceId: gateway.interface.id };
    setTags(region, gateway.id, requestedTags(input.TagSpecifications, 'natgateway'));
    return { NatGateway: describeGateway(context, gateway), ...token };
  }),

  on(ec2.DescribeNatGatewaysCommand, (input, context) => {
    const all = Object.values(context.region.natGateways);
    const ids = input.NatGatewayIds ?? [];
    const unknown = ids.find((id) => !all.some((gateway) => gateway.id === id));
    if (unknown) throw new AwsError('NatGatewayNotFound', `NAT gateway ${unknown} was not found`);
    const described = all
      .filter((gateway) => !ids.length || ids.includes(gateway.id))
      .map((gateway) => describeGateway(context, gateway));
    const { items, next } = page(filtered(described, input.Filter, ec2.NatGateway$), input);
    return { NatGateways: items, ...next };
  }),

  on(ec2.DeleteNatGatewayCommand, ({ NatGatewayId = '' }, { region, clock }) => {
    const gateway = region.natGateways[NatGatewayId];
    if (!gateway) throw new AwsError('NatGatewayNotFound', `NAT gateway ${NatGatewayId} was not found`);
    gateway.deletedAt ??= clock.now();
    return { NatGatewayId };
  }),
];
