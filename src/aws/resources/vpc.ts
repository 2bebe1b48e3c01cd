import { CreateVpcCommand, DeleteVpcCommand, paginateDescribeVpcs, type Vpc } from '@aws-sdk/client-ec2';
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
  must,
  ofCloudspace,
  tagSpecifications,
  words,
} from './common.ts';

export interface VpcProps {
  /** /16 to /28, such as 10.7.0.0/16 */
  readonly cidr: string;
}

export interface VpcOutput extends Output {
  readonly cidr: string;
  readonly state: string;
}

/** This Cloudspace's VPCs; read once a listing round. */
export function readVpcs(aws: Aws, scope: Scope): Promise<Vpc[]> {
  return scope.once('DescribeVpcs', () =>
    all(
      paginateDescribeVpcs({ client: aws.ec2, pageSize: 1000 }, { Filters: [ofCloudspace(scope)] }),
      (page) => page.Vpcs,
    ),
  );
}

const output = (vpc: Vpc | undefined): VpcOutput => ({
  id: must(vpc?.VpcId, 'VpcId'),
  cidr: vpc?.CidrBlock ?? '',
  state: vpc?.State ?? 'available',
});

export const vpc: Kind<VpcProps, VpcOutput, Aws> = {
  type: 'aws_vpc',
  label: 'VPC',
  quota: () => [{ code: 'L-F678F1CE', amount: 1 }],
  seconds: 2,
  async list(aws, scope) {
    return (await readVpcs(aws, scope)).map((one) => found(output(one), one.Tags));
  },
  async create(aws, props, { tags, signal }) {
    const answer = await aws.ec2.send(
      new CreateVpcCommand({ CidrBlock: props.cidr, TagSpecifications: tagSpecifications(tags, 'vpc') }),
      { abortSignal: signal },
    );
    return output(answer.Vpc);
  },
  status: ({ state }) => ({ state: state === 'pending' ? 'pending' : 'ready' }),
  drift: (props, out) => differs('cidr', props.cidr, out.cidr, { fixed: true }),
  async candidates(aws) {
    const vpcs = await all(paginateDescribeVpcs({ client: aws.ec2, pageSize: 1000 }, {}), (page) => page.Vpcs);
    return vpcs.map((one) => candidate(output(one), one.Tags));
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteVpcCommand({ VpcId: id }), { abortSignal: signal })),
  ...ec2Tags(),
  cli: (props, { tags }) => words`aws ec2 create-vpc --cidr-block ${props.cidr} ${cliTagSpecifications(tags, 'vpc')}`,
};
