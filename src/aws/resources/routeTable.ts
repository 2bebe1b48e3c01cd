import {
  CreateRouteTableCommand,
  DeleteRouteTableCommand,
  paginateDescribeRouteTables,
  type RouteTable,
} from '@aws-sdk/client-ec2';
import type { Kind, Output, Scope } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import {
  all,
  candidate,
  cliTagSpecifications,
  differs,
  ec2Tags,
  found,
  inVpc,
  must,
  ofCloudspace,
  optional,
  tagSpecifications,
  words,
} from './common.ts';

export interface RouteTableProps {
  readonly vpcId: string;
}

export interface RouteTableOutput extends Output {
  readonly vpcId: string;
}

/** This Cloudspace's route tables, with their routes and associations; read once a listing round (100 is the API's largest page). */
export function readRouteTables(aws: Aws, scope: Scope): Promise<RouteTable[]> {
  return scope.once('DescribeRouteTables', () =>
    all(
      paginateDescribeRouteTables({ client: aws.ec2, pageSize: 100 }, { Filters: [ofCloudspace(scope)] }),
      (page) => page.RouteTables,
    ),
  );
}

const output = (table: RouteTable | undefined): RouteTableOutput => ({
  id: must(table?.RouteTableId, 'RouteTableId'),
  vpcId: table?.VpcId ?? '',
});

/** The routes that somebody made: not the VPC's own, and not what a gateway spreads by itself. */
export function routesOf(table: RouteTable) {
  const routeTableId = must(table.RouteTableId, 'RouteTableId');
  return (table.Routes ?? [])
    .filter(({ DestinationCidrBlock, Origin }) => DestinationCidrBlock !== undefined && Origin === 'CreateRoute')
    .map(({ DestinationCidrBlock = '', GatewayId, NatGatewayId }) => ({
      id: `${routeTableId}_${DestinationCidrBlock}`,
      routeTableId,
      destination: DestinationCidrBlock,
      ...optional('internetGatewayId', GatewayId),
      ...optional('natGatewayId', NatGatewayId),
    }));
}

/** The subnets that were associated with it; that it is the VPC's main table is none. */
export function associationsOf(table: RouteTable) {
  const routeTableId = must(table.RouteTableId, 'RouteTableId');
  return (table.Associations ?? [])
    .filter((one) => one.SubnetId && !one.Main && one.AssociationState?.State !== 'disassociated')
    .map((one) => ({
      id: must(one.RouteTableAssociationId, 'RouteTableAssociationId'),
      routeTableId,
      subnetId: one.SubnetId ?? '',
      state: (one.AssociationState?.State ?? 'associated') as string,
    }));
}

export const routeTable: Kind<RouteTableProps, RouteTableOutput, Aws> = {
  type: 'aws_route_table',
  label: 'route table',
  async list(aws, scope) {
    return (await readRouteTables(aws, scope)).map((one) => found(output(one), one.Tags));
  },
  async create(aws, props, { tags, token, signal }) {
    const answer = await aws.ec2.send(
      new CreateRouteTableCommand({
        VpcId: props.vpcId,
        ClientToken: token,
        TagSpecifications: tagSpecifications(tags, 'route-table'),
      }),
      { abortSignal: signal },
    );
    return output(answer.RouteTable);
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteRouteTableCommand({ RouteTableId: id }), { abortSignal: signal })),
  drift: (props, out) => differs('vpcId', props.vpcId, out.vpcId, { fixed: true }),
  async candidates(aws, { vpcId }) {
    const tables = await all(
      paginateDescribeRouteTables({ client: aws.ec2, pageSize: 100 }, { Filters: [inVpc(vpcId)] }),
      (page) => page.RouteTables,
    );
    return tables
      .filter(({ Associations = [] }) => !Associations.some(({ Main }) => Main))
      .map((one) => ({
        ...candidate(output(one), one.Tags),
        connections: { aws_route: routesOf(one), aws_route_table_association: associationsOf(one) },
      }));
  },
  ...ec2Tags(),
  cli: (props, { tags }) =>
    words`aws ec2 create-route-table --vpc-id ${props.vpcId} ${cliTagSpecifications(tags, 'route-table')}`,
};
