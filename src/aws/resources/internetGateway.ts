import {
  CreateInternetGatewayCommand,
  DeleteInternetGatewayCommand,
  type InternetGateway,
  paginateDescribeInternetGateways,
} from '@aws-sdk/client-ec2';
import type { Kind, Output, Scope } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import {
  all,
  candidate,
  cliTagSpecifications,
  ec2Tags,
  found,
  must,
  ofCloudspace,
  optional,
  tagSpecifications,
} from './common.ts';

export type InternetGatewayProps = Readonly<Record<never, never>>;

/** This Cloudspace's internet gateways, with their attachments; read once a listing round. */
export function readInternetGateways(aws: Aws, scope: Scope): Promise<InternetGateway[]> {
  return scope.once('DescribeInternetGateways', () =>
    all(
      paginateDescribeInternetGateways({ client: aws.ec2, pageSize: 1000 }, { Filters: [ofCloudspace(scope)] }),
      (page) => page.InternetGateways,
    ),
  );
}

/** What a gateway is attached to: at most one VPC. */
export function attachmentsOf(gateway: InternetGateway) {
  const internetGatewayId = must(gateway.InternetGatewayId, 'InternetGatewayId');
  return (gateway.Attachments ?? [])
    .filter(({ State }) => (State as string) !== 'detached')
    .map(({ VpcId = '', State = 'available' }) => ({
      id: `${internetGatewayId}:${VpcId}`,
      internetGatewayId,
      vpcId: VpcId,
      state: State as string,
    }));
}

export const internetGateway: Kind<InternetGatewayProps, Output, Aws> = {
  type: 'aws_internet_gateway',
  label: 'internet gateway',
  async list(aws, scope) {
    const gateways = await readInternetGateways(aws, scope);
    return gateways.map((one) => found({ id: must(one.InternetGatewayId, 'InternetGatewayId') }, one.Tags));
  },
  async create(aws, _props, { tags, signal }) {
    const answer = await aws.ec2.send(
      new CreateInternetGatewayCommand({ TagSpecifications: tagSpecifications(tags, 'internet-gateway') }),
      { abortSignal: signal },
    );
    return { id: must(answer.InternetGateway?.InternetGatewayId, 'InternetGatewayId') };
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteInternetGatewayCommand({ InternetGatewayId: id }), { abortSignal: signal })),
  async candidates(aws) {
    const gateways = await all(
      paginateDescribeInternetGateways({ client: aws.ec2, pageSize: 1000 }, {}),
      (page) => page.InternetGateways,
    );
    return gateways.map((one) => {
      const id = must(one.InternetGatewayId, 'InternetGatewayId');
      const attached = attachmentsOf(one);
      return {
        ...candidate({ id }, one.Tags),
        connections: { aws_internet_gateway_attachment: attached },
        ...optional('boundTo', attached[0]?.vpcId),
      };
    });
  },
  ...ec2Tags(),
  cli: (_props, { tags }) => [
    'aws',
    'ec2',
    'create-internet-gateway',
    ...cliTagSpecifications(tags, 'internet-gateway'),
  ],
};
