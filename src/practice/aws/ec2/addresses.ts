import * as ec2 from '@aws-sdk/client-ec2';
import { ELASTIC_IP_RANGE } from '../../hosts/types.ts';
import { formatIp, parseCidr, size } from '../cidr.ts';
import { AwsError, find, invalid, missing, select } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { type Context, on } from '../operation.ts';
import { requestedTags, setTags, tagList } from '../tags.ts';
import { newId, type World } from '../world.ts';
import { internetGatewayOf } from './gateways.ts';
import { instanceState } from './instanceState.ts';
import { networkInterfaces } from './interfaces.ts';
import type { Address } from './records.ts';

/** The lowest address of the practice cloud's public range that nobody in any account has; the highest for `fromEnd`. */
export function freePublicIp(world: World, also: readonly string[], fromEnd = false): string {
  const range = parseCidr(ELASTIC_IP_RANGE);
  if (!range) throw new Error(`${ELASTIC_IP_RANGE} is no CIDR`);
  const taken = new Set(also);
  for (const region of Object.values(world.regions)) {
    for (const address of Object.values(region.addresses)) taken.add(address.publicIp);
    for (const { publicIp } of Object.values(region.loadBalancers).flatMap((one) => one.zones)) {
      if (publicIp) taken.add(publicIp);
    }
    for (const { publicIp } of Object.values(region.instances)) if (publicIp) taken.add(publicIp);
  }
  const usable = Array.from({ length: size(range.prefix) - 2 }, (_, index) => formatIp(range.base + 1 + index));
  const free = fromEnd ? usable.findLast((ip) => !taken.has(ip)) : usable.find((ip) => !taken.has(ip));
  if (!free)
    throw new AwsError(
      'InsufficientAddressCapacity',
      'Insufficient capacity to fulfill your Elastic IP address request.',
    );
  return free;
}

function describeAddress(context: Context, address: Address, interfaces: ReturnType<typeof networkInterfaces>) {
  const { association } = address;
  const holder = interfaces.find((one) => one.NetworkInterfaceId === association?.networkInterfaceId);
  return {
    AllocationId: address.id,
    PublicIp: address.publicIp,
    Domain: 'vpc' as const,
    NetworkBorderGroup: context.region.name,
    PublicIpv4Pool: 'amazon',
    ...(association
      ? {
          AssociationId: association.id,
          NetworkInterfaceId: association.networkInterfaceId,
          NetworkInterfaceOwnerId: context.account,
          PrivateIpAddress: holder?.PrivateIpAddress,
          InstanceId: holder?.Attachment.InstanceId ?? '',
        }
      : { InstanceId: '' }),
    Tags: tagList(context.region, address.id),
  };
}

export const addressOperations = [
  on(ec2.AllocateAddressCommand, (input, { region, world, quotas }) => {
    if (input.Domain !== undefined && input.Domain !== 'vpc') {
      throw invalid(`Value (${input.Domain}) for parameter domain is invalid: only vpc is left`);
    }
    if (Object.keys(region.addresses).length >= quotas.eip) {
      throw new AwsError('AddressLimitExceeded', 'The maximum number of addresses has been reached.');
    }
    const address: Address = { id: newId('eipalloc'), publicIp: freePublicIp(world, []) };
    region.addresses[address.id] = address;
    setTags(region, address.id, requestedTags(input.TagSpecifications, 'elastic-ip'));
    return {
      AllocationId: address.id,
      PublicIp: address.publicIp,
      Domain: 'vpc' as const,
      NetworkBorderGroup: region.name,
      PublicIpv4Pool: 'amazon',
    };
  }),

  on(ec2.DescribeAddressesCommand, (input, context) => {
    const interfaces = networkInterfaces(context);
    const all = select(Object.values(context.region.addresses), input.AllocationIds, 'address');
    const ips = input.PublicIps ?? [];
    const unknown = ips.find((ip) => !all.some((address) => address.publicIp === ip));
    if (unknown) throw new AwsError('InvalidAddress.NotFound', `Address '${unknown}' not found.`);
    const described = all
      .filter((address) => !ips.length || ips.includes(address.publicIp))
      .map((address) => describeAddress(context, address, interfaces));
    return { Addresses: filtered(described, input.Filters, ec2.Address$) };
  }),

  on(ec2.DescribeAddressesAttributeCommand, (input, { region }) => {
    // Only reverse DNS names are listed here, and the practice cloud has none.
    const addresses = select(Object.values(region.addresses), input.AllocationIds, 'address');
    if (input.Attribute !== undefined && input.Attribute !== 'domain-name') {
      throw invalid(`Value (${input.Attribute}) for parameter attribute is invalid`);
    }
    const { items, next } = page(addresses, input, 1);
    return { Addresses: items.map(({ id, publicIp }) => ({ AllocationId: id, PublicIp: publicIp })), ...next };
  }),

  on(ec2.AssociateAddressCommand, (input, context) => {
    const { region } = context;
    if (input.AllocationId === undefined) throw missing('AllocationId');
    const address = find(region.addresses, input.AllocationId, 'address');
    const interfaces = networkInterfaces(context);
    const { InstanceId, NetworkInterfaceId, AllowReassociation = true, PrivateIpAddress } = input;
    if (InstanceId === undefined && NetworkInterfaceId === undefined) throw missing('InstanceId or NetworkInterfaceId');
    const holder = interfaces.find(
      (one) =>
        (InstanceId === undefined || one.Attachment.InstanceId === InstanceId) &&
        (NetworkInterfaceId === undefined || one.NetworkInterfaceId === NetworkInterfaceId),
    );
    if (!holder) {
      throw InstanceId === undefined
        ? new AwsError(
            'InvalidNetworkInterfaceID.NotFound',
            `The networkInterface ID '${NetworkInterfaceId}' does not exist`,
          )
        : new AwsError('InvalidInstanceID.NotFound', `The instance ID '${InstanceId}' does not exist`);
    }
    if (PrivateIpAddress !== undefined && PrivateIpAddress !== holder.PrivateIpAddress) {
      throw invalid(`Value (${PrivateIpAddress}) for parameter privateIpAddress is invalid`);
    }
    if (!internetGatewayOf(region, holder.VpcId)) {
      throw new AwsError('Gateway.NotAttached', `Network ${holder.VpcId} is not attached to any internet gateway`);
    }
    const state = pendingState(context, holder.Attachment.InstanceId);
    if (state) {
      throw new AwsError(
        'InvalidInstanceID',
        `The ${state} instance '${holder.Attachment.InstanceId}' is not in a valid state for this operation.`,
      );
    }
    const { association } = address;
    if (association?.networkInterfaceId === holder.NetworkInterfaceId) return { AssociationId: association.id };
    if (association && !AllowReassociation) {
      throw new AwsError(
        'Resource.AlreadyAssociated',
        `resource ${address.id} is already associated with associate-id ${association.id}`,
      );
    }
    // The interface's former Elastic IP goes back to the pool of the account's unassociated ones.
    for (const other of Object.values(region.addresses)) {
      if (other.association?.networkInterfaceId === holder.NetworkInterfaceId) delete other.association;
    }
    address.association = { id: newId('eipassoc'), networkInterfaceId: holder.NetworkInterfaceId };
    return { AssociationId: address.association.id };
  }),

  on(ec2.DisassociateAddressCommand, ({ AssociationId, PublicIp }, context) => {
    const address = Object.values(context.region.addresses).find(
      (one) =>
        (AssociationId !== undefined && one.association?.id === AssociationId) ||
        (PublicIp !== undefined && one.publicIp === PublicIp && one.association),
    );
    if (!address) {
      throw new AwsError(
        'InvalidAssociationID.NotFound',
        `The association ID '${AssociationId ?? PublicIp}' does not exist`,
      );
    }
    refuseNatOwned(context, address);
    delete address.association;
    return {};
  }),

  on(ec2.ReleaseAddressCommand, ({ AllocationId, NetworkBorderGroup, PublicIp }, context) => {
    const { region } = context;
    if (AllocationId === undefined)
      throw missing(PublicIp ? 'AllocationId (addresses of a VPC are released by it)' : 'AllocationId');
    const address = find(region.addresses, AllocationId, 'address');
    if (NetworkBorderGroup !== undefined && NetworkBorderGroup !== region.name) {
      throw invalid(`Value (${NetworkBorderGroup}) for parameter networkBorderGroup is invalid`);
    }
    refuseNatOwned(context, address);
    if (address.association) throw new AwsError('InvalidIPAddress.InUse', `Address ${address.publicIp} is in use.`);
    delete region.addresses[address.id];
    delete region.tags[address.id];
    return {};
  }),
];

/** The state of an instance that takes no Elastic IP now. */
function pendingState(context: Context, id: string | undefined): string | undefined {
  const instance = id === undefined ? undefined : context.region.instances[id];
  const state = instance && instanceState(instance, context);
  return state === 'running' || state === 'stopped' || state === 'stopping' ? undefined : state;
}

/** A NAT gateway's address is managed by the service until the gateway is deleted. */
function refuseNatOwned(context: Context, address: Address): void {
  const holder = networkInterfaces(context).find(
    (one) => one.NetworkInterfaceId === address.association?.networkInterfaceId,
  );
  if (holder?.RequesterManaged) {
    throw new AwsError('AuthFailure', 'You do not have permission to access the specified resource.');
  }
}
