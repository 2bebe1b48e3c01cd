import * as ec2 from '@aws-sdk/client-ec2';
import { contains, formatCidr, parseCidr } from '../cidr.ts';
import { AwsError, dependency, find, invalid, missing, notFound, select } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { idempotent } from '../idempotency.ts';
import { type Context, on } from '../operation.ts';
import { requestedTags, setTags, tagList } from '../tags.ts';
import { newId, type RegionWorld } from '../world.ts';
import { networkInterfaces } from './interfaces.ts';
import { holdsInterface } from './natGateways.ts';
import type { Route, RouteTable } from './records.ts';

function describeTable(context: Context, table: RouteTable) {
  const { region, account } = context;
  return {
    RouteTableId: table.id,
    VpcId: table.vpcId,
    OwnerId: account,
    PropagatingVgws: [],
    Routes: table.routes.map((route) => ({
      DestinationCidrBlock: route.destination,
      Origin: route.origin,
      State: isAlive(context, route) ? ('active' as const) : ('blackhole' as const),
      ...(route.gatewayId ? { GatewayId: route.gatewayId } : {}),
      ...(route.natGatewayId ? { NatGatewayId: route.natGatewayId } : {}),
      ...(route.networkInterfaceId ? { NetworkInterfaceId: route.networkInterfaceId } : {}),
    })),
    Associations: table.associations.map(({ id, subnetId }) => ({
      RouteTableAssociationId: id,
      RouteTableId: table.id,
      Main: !subnetId,
      ...(subnetId ? { SubnetId: subnetId } : {}),
      AssociationState: { State: 'associated' as const },
    })),
    Tags: tagList(region, table.id),
  };
}

function isAlive(context: Context, { gatewayId, natGatewayId, networkInterfaceId }: Route): boolean {
  const { region, clock } = context;
  if (gatewayId) return gatewayId === 'local' || region.internetGateways[gatewayId]?.vpcId !== undefined;
  if (networkInterfaceId)
    return networkInterfaces(context).some((one) => one.NetworkInterfaceId === networkInterfaceId);
  const nat = natGatewayId ? region.natGateways[natGatewayId] : undefined;
  return nat !== undefined && holdsInterface(nat, clock);
}

/** The route table that a subnet uses: its own, else the VPC's main one. */
function routeTableOf(region: RegionWorld, subnetId: string): RouteTable | undefined {
  const tables = Object.values(region.routeTables);
  const vpcId = region.subnets[subnetId]?.vpcId;
  return (
    tables.find((table) => table.associations.some((association) => association.subnetId === subnetId)) ??
    tables.find((table) => table.vpcId === vpcId && table.associations.some((association) => !association.subnetId))
  );
}

/** Does the subnet's route table lead to an internet gateway? */
export function isPublicSubnet(region: RegionWorld, subnetId: string): boolean {
  return (routeTableOf(region, subnetId)?.routes ?? []).some((route) => route.gatewayId?.startsWith('igw-'));
}

type Target = Pick<Route, 'gatewayId' | 'natGatewayId' | 'networkInterfaceId'>;

interface RouteRequest {
  readonly DestinationCidrBlock?: string | undefined;
  readonly GatewayId?: string | undefined;
  readonly NatGatewayId?: string | undefined;
  readonly NetworkInterfaceId?: string | undefined;
}

function destination(request: RouteRequest): string {
  const text = request.DestinationCidrBlock;
  if (text === undefined) throw missing('destinationCidrBlock');
  const cidr = parseCidr(text);
  if (!cidr)
    throw invalid(`Value (${text}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.`);
  return formatCidr(cidr);
}

/** The route's target. Throws unless exactly one is given, exists and belongs to the table's network. */
function target(context: Context, table: RouteTable, request: RouteRequest): Target {
  const { GatewayId, NatGatewayId, NetworkInterfaceId } = request;
  const { region } = context;
  if ([GatewayId, NatGatewayId, NetworkInterfaceId].filter((id) => id !== undefined).length !== 1) {
    throw new AwsError(
      'InvalidParameterCombination',
      'The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId',
    );
  }
  const elsewhere = (id: string) =>
    invalid(`route table ${table.id} and network gateway ${id} belong to different networks`);
  if (GatewayId !== undefined) {
    // An id can name a NAT gateway here too, as on AWS.
    if (GatewayId.startsWith('nat-')) return natTarget(region, table, GatewayId, elsewhere);
    const gateway = region.internetGateways[GatewayId];
    if (!gateway) throw new AwsError('InvalidGatewayID.NotFound', `The gateway ID '${GatewayId}' does not exist`);
    if (gateway.vpcId !== table.vpcId) throw elsewhere(GatewayId);
    return { gatewayId: GatewayId };
  }
  if (NatGatewayId !== undefined) return natTarget(region, table, NatGatewayId, elsewhere);
  const found = networkInterfaces(context).find((one) => one.NetworkInterfaceId === NetworkInterfaceId);
  if (!found) throw notFound('networkInterface', [NetworkInterfaceId ?? '']);
  return { networkInterfaceId: found.NetworkInterfaceId };
}

function natTarget(region: RegionWorld, table: RouteTable, id: string, elsewhere: (id: string) => AwsError) {
  const gateway = region.natGateways[id];
  if (!gateway || gateway.deletedAt !== undefined) {
    throw new AwsError('InvalidNatGatewayID.NotFound', `The natGateway ID '${id}' does not exist`);
  }
  if (gateway.vpcId !== table.vpcId) throw elsewhere(id);
  return { natGatewayId: id };
}

function withAssociation(region: RegionWorld, id: string | undefined) {
  for (const table of Object.values(region.routeTables)) {
    const association = table.associations.find((one) => one.id === id);
    if (association) return { table, association };
  }
  throw notFound('association', [id ?? '']);
}

export const routeTableOperations = [
  on(ec2.CreateRouteTableCommand, (input, context) => {
    const { region } = context;
    const { ClientToken } = input;
    const token = ClientToken ? { ClientToken } : {};
    const { earlier, remember } = idempotent(
      context,
      'CreateRouteTable',
      ClientToken,
      ([id = '']) => region.routeTables[id],
    );
    if (earlier) return { RouteTable: describeTable(context, earlier), ...token };
    const vpc = find(region.vpcs, input.VpcId, 'vpc');
    const table: RouteTable = {
      id: newId('rtb'),
      vpcId: vpc.id,
      routes: [{ destination: vpc.cidr, gatewayId: 'local', origin: 'CreateRouteTable' }],
      associations: [],
    };
    region.routeTables[table.id] = table;
    setTags(region, table.id, requestedTags(input.TagSpecifications, 'route-table'));
    remember([table.id]);
    return { RouteTable: describeTable(context, table), ...token };
  }),

  on(ec2.DescribeRouteTablesCommand, (input, context) => {
    const tables = select(Object.values(context.region.routeTables), input.RouteTableIds, 'routeTable');
    const described = tables.map((table) => describeTable(context, table));
    const { items, next } = page(filtered(described, input.Filters, ec2.RouteTable$), input);
    return { RouteTables: items, ...next };
  }),

  on(ec2.DeleteRouteTableCommand, ({ RouteTableId }, { region }) => {
    const { id, associations } = find(region.routeTables, RouteTableId, 'routeTable');
    if (associations.length) throw dependency(`The routeTable '${id}' has dependencies and cannot be deleted.`);
    delete region.routeTables[id];
    delete region.tags[id];
    return {};
  }),

  on(ec2.CreateRouteCommand, (input, context) => {
    const table = find(context.region.routeTables, input.RouteTableId, 'routeTable');
    const cidr = destination(input);
    const next = target(context, table, input);
    const existing = table.routes.find((route) => route.destination === cidr);
    if (existing) {
      // The same route again is no error on AWS.
      const same = existing.gatewayId === next.gatewayId && existing.natGatewayId === next.natGatewayId;
      if (same && existing.networkInterfaceId === next.networkInterfaceId) return { Return: true };
      throw new AwsError('RouteAlreadyExists', `The route identified by ${cidr} already exists.`);
    }
    const range = parseCidr(cidr);
    const vpc = parseCidr(context.region.vpcs[table.vpcId]?.cidr ?? '');
    if (range && vpc && contains(vpc, range)) {
      throw invalid(
        `The destination CIDR block ${cidr} is equal to or more specific than one of this VPC's CIDR blocks.`,
      );
    }
    table.routes.push({ destination: cidr, ...next, origin: 'CreateRoute' });
    return { Return: true };
  }),

  on(ec2.ReplaceRouteCommand, (input, context) => {
    const table = find(context.region.routeTables, input.RouteTableId, 'routeTable');
    const index = routeIndex(table, destination(input));
    const route: Route = { destination: destination(input), ...target(context, table, input), origin: 'CreateRoute' };
    table.routes[index] = route;
    return {};
  }),

  on(ec2.DeleteRouteCommand, (input, { region }) => {
    const table = find(region.routeTables, input.RouteTableId, 'routeTable');
    const index = routeIndex(table, destination(input));
    if (table.routes[index]?.gatewayId === 'local') {
      throw invalid(`cannot remove local route ${destination(input)} in route table ${table.id}`);
    }
    table.routes.splice(index, 1);
    return {};
  }),

  on(ec2.AssociateRouteTableCommand, ({ RouteTableId, SubnetId }, { region }) => {
    const table = find(region.routeTables, RouteTableId, 'routeTable');
    const subnet = find(region.subnets, SubnetId, 'subnet');
    if (subnet.vpcId !== table.vpcId) {
      throw invalid(`Route table ${table.id} and subnet ${subnet.id} belong to different networks`);
    }
    for (const other of Object.values(region.routeTables)) {
      const association = other.associations.find((one) => one.subnetId === subnet.id);
      if (association && other.id === table.id) return associated(association.id);
      if (association) {
        throw new AwsError(
          'Resource.AlreadyAssociated',
          `the specified association for route table ${table.id} conflicts with an existing association`,
        );
      }
    }
    const association = { id: newId('rtbassoc'), subnetId: subnet.id };
    table.associations.push(association);
    return associated(association.id);
  }),

  on(ec2.DisassociateRouteTableCommand, ({ AssociationId }, { region }) => {
    const { table, association } = withAssociation(region, AssociationId);
    if (!association.subnetId) {
      throw invalid(`cannot disassociate the main route table association ${association.id}`);
    }
    table.associations = table.associations.filter((one) => one.id !== association.id);
    return {};
  }),

  on(ec2.ReplaceRouteTableAssociationCommand, ({ AssociationId, RouteTableId }, { region }) => {
    const { table, association } = withAssociation(region, AssociationId);
    const next = find(region.routeTables, RouteTableId, 'routeTable');
    if (next.vpcId !== table.vpcId) {
      throw invalid(`Route table ${next.id} and network ${table.vpcId} belong to different networks`);
    }
    const replaced = { ...association, id: newId('rtbassoc') };
    table.associations = table.associations.filter((one) => one.id !== association.id);
    next.associations.push(replaced);
    return { NewAssociationId: replaced.id, AssociationState: { State: 'associated' as const } };
  }),
];

function associated(AssociationId: string) {
  return { AssociationId, AssociationState: { State: 'associated' as const } };
}

function routeIndex(table: RouteTable, cidr: string): number {
  const index = table.routes.findIndex((route) => route.destination === cidr);
  if (index < 0) {
    throw new AwsError(
      'InvalidRoute.NotFound',
      `no route with destination-cidr-block ${cidr} in route table ${table.id}`,
    );
  }
  return index;
}
