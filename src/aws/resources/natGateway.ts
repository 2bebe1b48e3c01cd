import {
  CreateNatGatewayCommand,
  DeleteNatGatewayCommand,
  type NatGateway,
  paginateDescribeNatGateways,
} from '@aws-sdk/client-ec2';
import type { Kind, Output, Status } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { priceOf } from '../prices.ts';
import {
  all,
  candidate,
  cliTagSpecifications,
  differs,
  ec2Tags,
  found,
  must,
  ofCloudspace,
  optional,
  tagSpecifications,
  words,
} from './common.ts';

export interface NatGatewayProps {
  /** a public one */
  readonly subnetId: string;
  readonly allocationId: string;
}

export interface NatGatewayOutput extends Output {
  readonly state: string;
  readonly subnetId: string;
  readonly allocationId?: string;
  readonly publicIp?: string;
  readonly failureMessage?: string;
}

const output = (gateway: NatGateway | undefined): NatGatewayOutput => ({
  id: must(gateway?.NatGatewayId, 'NatGatewayId'),
  state: gateway?.State ?? 'pending',
  subnetId: gateway?.SubnetId ?? '',
  ...optional('allocationId', gateway?.NatGatewayAddresses?.[0]?.AllocationId),
  ...optional('publicIp', gateway?.NatGatewayAddresses?.[0]?.PublicIp),
  ...optional('failureMessage', gateway?.FailureMessage),
});

function status({ state, failureMessage }: NatGatewayOutput): Status {
  if (state === 'available') return { state: 'ready' };
  if (state === 'failed') return { state: 'failed', reason: failureMessage ?? 'AWS gives no reason' };
  if (state === 'deleted') return { state: 'gone' };
  return { state: state === 'deleting' ? 'deleting' : 'pending' };
}

export const natGateway: Kind<NatGatewayProps, NatGatewayOutput, Aws> = {
  type: 'aws_nat_gateway',
  label: 'NAT gateway',
  quota: ({ subnetId }) => [{ code: 'L-FE5A380F', amount: 1, of: subnetId }],
  seconds: 110,
  async list(aws, scope) {
    // deleted ones stay visible for about an hour
    const states = { Name: 'state', Values: ['pending', 'available', 'failed', 'deleting'] };
    const gateways = await scope.once('DescribeNatGateways', () =>
      all(
        paginateDescribeNatGateways({ client: aws.ec2, pageSize: 1000 }, { Filter: [ofCloudspace(scope), states] }),
        (page) => page.NatGateways,
      ),
    );
    return gateways.filter(({ State }) => State !== 'deleted').map((one) => found(output(one), one.Tags));
  },
  async create(aws, props, { tags, token, signal }) {
    const answer = await aws.ec2.send(
      new CreateNatGatewayCommand({
        SubnetId: props.subnetId,
        AllocationId: props.allocationId,
        ClientToken: token,
        TagSpecifications: tagSpecifications(tags, 'natgateway'),
      }),
      { abortSignal: signal },
    );
    return output(answer.NatGateway);
  },
  status,
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteNatGatewayCommand({ NatGatewayId: id }), { abortSignal: signal })),
  drift: (props, out) =>
    (['subnetId', 'allocationId'] as const).flatMap((attribute) =>
      differs(attribute, props[attribute], out[attribute] ?? props[attribute], { fixed: true }),
    ),
  async candidates(aws, { subnetId }) {
    const gateways = await all(
      paginateDescribeNatGateways(
        { client: aws.ec2, pageSize: 1000 },
        { Filter: [{ Name: 'subnet-id', Values: [subnetId] }] },
      ),
      (page) => page.NatGateways,
    );
    return gateways.map((one) => candidate(output(one), one.Tags));
  },
  ...ec2Tags(),
  cli: (props, { tags }) =>
    words`aws ec2 create-nat-gateway --subnet-id ${props.subnetId} --allocation-id ${props.allocationId} ${cliTagSpecifications(tags, 'natgateway')}`,
  price: (_props, region) => priceOf('natGateway', region),
};
