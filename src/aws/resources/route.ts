import { CreateRouteCommand, DeleteRouteCommand, ReplaceRouteCommand } from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { differs, optional, words } from './common.ts';
import { readRouteTables, routesOf } from './routeTable.ts';

/** Exactly one of the two gateways. */
export interface RouteProps {
  readonly routeTableId: string;
  /** CIDR, such as 0.0.0.0/0 */
  readonly destination: string;
  readonly internetGatewayId?: string;
  readonly natGatewayId?: string;
}

/** `id` is `<table>_<destination>`, as Terraform imports it */
export interface RouteOutput extends Output {
  readonly routeTableId: string;
  readonly destination: string;
  readonly internetGatewayId?: string;
  readonly natGatewayId?: string;
}

const request = (props: RouteProps) => ({
  RouteTableId: props.routeTableId,
  DestinationCidrBlock: props.destination,
  ...(props.internetGatewayId !== undefined && { GatewayId: props.internetGatewayId }),
  ...(props.natGatewayId !== undefined && { NatGatewayId: props.natGatewayId }),
});

const target = (props: RouteProps): string[] =>
  props.natGatewayId === undefined
    ? ['--gateway-id', props.internetGatewayId ?? '']
    : ['--nat-gateway-id', props.natGatewayId];

const output = (props: RouteProps): RouteOutput => ({
  id: `${props.routeTableId}_${props.destination}`,
  routeTableId: props.routeTableId,
  destination: props.destination,
  ...optional('internetGatewayId', props.internetGatewayId),
  ...optional('natGatewayId', props.natGatewayId),
});

export const route: Kind<RouteProps, RouteOutput, Aws> = {
  type: 'aws_route',
  label: 'route',
  async list(aws, scope) {
    return (await readRouteTables(aws, scope)).flatMap(routesOf).map((out) => ({ out }));
  },
  matches: (props, out) => props.routeTableId === out.routeTableId && props.destination === out.destination,
  async create(aws, props, { signal }) {
    await aws.ec2.send(new CreateRouteCommand(request(props)), { abortSignal: signal });
    return output(props);
  },
  /** a route to a gateway that was deleted and made anew is a black hole */
  drift: (props, out) =>
    (['internetGatewayId', 'natGatewayId'] as const).flatMap((attribute) =>
      differs(attribute, props[attribute], out[attribute], {
        mend: words`aws ec2 replace-route --route-table-id ${props.routeTableId} --destination-cidr-block ${props.destination} ${target(props)}`,
      }),
    ),
  exclusive: ({ destination, internetGatewayId, natGatewayId }) =>
    `route ${destination} to ${internetGatewayId ?? natGatewayId ?? 'something else'}`,
  async update(aws, props, _out, { signal }) {
    await aws.ec2.send(new ReplaceRouteCommand(request(props)), { abortSignal: signal });
    return output(props);
  },
  delete: (aws, { routeTableId, destination }, signal) =>
    ignoreGone(
      aws.ec2.send(new DeleteRouteCommand({ RouteTableId: routeTableId, DestinationCidrBlock: destination }), {
        abortSignal: signal,
      }),
    ),
  partOf: ({ routeTableId }) => routeTableId,
  cli: (props) =>
    words`aws ec2 create-route --route-table-id ${props.routeTableId} --destination-cidr-block ${props.destination} ${target(props)}`,
};
