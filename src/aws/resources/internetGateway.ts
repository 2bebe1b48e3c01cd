import {
  CreateInternetGatewayCommand,
  DeleteInternetGatewayCommand,
  type InternetGateway,
  paginateDescribeInternetGateways,
} from '@aws-sdk/client-ec2';
import type { Kind, Output, Scope } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { all, cliTagSpecifications, ec2Tags, found, must, ofCloudspace, tagSpecifications } from './common.ts';

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
  ...ec2Tags(),
  cli: (_props, { tags }) => [
    'aws',
    'ec2',
    'create-internet-gateway',
    ...cliTagSpecifications(tags, 'internet-gateway'),
  ],
};
