import { AttachInternetGatewayCommand, DetachInternetGatewayCommand } from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { words } from './common.ts';
import { attachmentsOf, readInternetGateways } from './internetGateway.ts';

export interface InternetGatewayAttachmentProps {
  readonly internetGatewayId: string;
  readonly vpcId: string;
}

/** `id` is `<gateway>:<vpc>`, as Terraform imports it */
export interface InternetGatewayAttachmentOutput extends Output {
  readonly internetGatewayId: string;
  readonly vpcId: string;
  readonly state: string;
}

export const internetGatewayAttachment: Kind<InternetGatewayAttachmentProps, InternetGatewayAttachmentOutput, Aws> = {
  type: 'aws_internet_gateway_attachment',
  label: 'internet gateway attachment',
  async list(aws, scope) {
    return (await readInternetGateways(aws, scope)).flatMap(attachmentsOf).map((out) => ({ out }));
  },
  matches: (props, out) => props.internetGatewayId === out.internetGatewayId && props.vpcId === out.vpcId,
  async create(aws, { internetGatewayId, vpcId }, { signal }) {
    await aws.ec2.send(new AttachInternetGatewayCommand({ InternetGatewayId: internetGatewayId, VpcId: vpcId }), {
      abortSignal: signal,
    });
    return { id: `${internetGatewayId}:${vpcId}`, internetGatewayId, vpcId, state: 'available' };
  },
  status: ({ state }) => ({
    state: state === 'attaching' ? 'pending' : state === 'detaching' ? 'deleting' : 'ready',
  }),
  delete: (aws, { internetGatewayId, vpcId }, signal) =>
    ignoreGone(
      aws.ec2.send(new DetachInternetGatewayCommand({ InternetGatewayId: internetGatewayId, VpcId: vpcId }), {
        abortSignal: signal,
      }),
    ),
  cli: ({ internetGatewayId, vpcId }) =>
    words`aws ec2 attach-internet-gateway --internet-gateway-id ${internetGatewayId} --vpc-id ${vpcId}`,
};
