import {
  CreateRouteTableCommand,
  DeleteRouteTableCommand,
  paginateDescribeRouteTables,
  type RouteTable,
} from '@aws-sdk/client-ec2';
import type { Kind, Output, Scope } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { all, cliTagSpecifications, ec2Tags, found, must, ofCloudspace, tagSpecifications, words } from './common.ts';

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
  ...ec2Tags(),
  cli: (props, { tags }) =>
    words`aws ec2 create-route-table --vpc-id ${props.vpcId} ${cliTagSpecifications(tags, 'route-table')}`,
};
