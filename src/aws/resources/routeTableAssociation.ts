import { AssociateRouteTableCommand, DisassociateRouteTableCommand } from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { must, words } from './common.ts';
import { associationsOf, readRouteTables } from './routeTable.ts';

export interface RouteTableAssociationProps {
  readonly routeTableId: string;
  readonly subnetId: string;
}

export interface RouteTableAssociationOutput extends Output {
  readonly routeTableId: string;
  readonly subnetId: string;
  readonly state: string;
}

export const routeTableAssociation: Kind<RouteTableAssociationProps, RouteTableAssociationOutput, Aws> = {
  type: 'aws_route_table_association',
  label: 'route table association',
  async list(aws, scope) {
    return (await readRouteTables(aws, scope)).flatMap(associationsOf).map((out) => ({ out }));
  },
  exclusive: ({ subnetId }) => `association with subnet ${subnetId}`,
  matches: (props, out) => props.routeTableId === out.routeTableId && props.subnetId === out.subnetId,
  async create(aws, { routeTableId, subnetId }, { signal }) {
    const answer = await aws.ec2.send(
      new AssociateRouteTableCommand({ RouteTableId: routeTableId, SubnetId: subnetId }),
      { abortSignal: signal },
    );
    return {
      id: must(answer.AssociationId, 'AssociationId'),
      routeTableId,
      subnetId,
      state: answer.AssociationState?.State ?? 'associated',
    };
  },
  status: ({ state }) => {
    if (state === 'failed') return { state: 'failed', reason: 'the association failed' };
    return { state: state === 'associating' ? 'pending' : state === 'disassociating' ? 'deleting' : 'ready' };
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DisassociateRouteTableCommand({ AssociationId: id }), { abortSignal: signal })),
  cli: ({ routeTableId, subnetId }) =>
    words`aws ec2 associate-route-table --route-table-id ${routeTableId} --subnet-id ${subnetId}`,
};
