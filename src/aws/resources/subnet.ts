import { CreateSubnetCommand, DeleteSubnetCommand, paginateDescribeSubnets, type Subnet } from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { all, cliTagSpecifications, ec2Tags, found, must, ofCloudspace, tagSpecifications, words } from './common.ts';

export interface SubnetProps {
  readonly vpcId: string;
  readonly cidr: string;
  /** availability zone, such as eu-central-1a */
  readonly zone: string;
}

export interface SubnetOutput extends Output {
  readonly vpcId: string;
  readonly cidr: string;
  readonly zone: string;
  readonly state: string;
}

const output = (subnet: Subnet | undefined): SubnetOutput => ({
  id: must(subnet?.SubnetId, 'SubnetId'),
  vpcId: subnet?.VpcId ?? '',
  cidr: subnet?.CidrBlock ?? '',
  zone: subnet?.AvailabilityZone ?? '',
  state: subnet?.State ?? 'available',
});

export const subnet: Kind<SubnetProps, SubnetOutput, Aws> = {
  type: 'aws_subnet',
  label: 'subnet',
  seconds: 2,
  async list(aws, scope) {
    const subnets = await scope.once('DescribeSubnets', () =>
      all(
        paginateDescribeSubnets({ client: aws.ec2, pageSize: 1000 }, { Filters: [ofCloudspace(scope)] }),
        (page) => page.Subnets,
      ),
    );
    return subnets.map((one) => found(output(one), one.Tags));
  },
  async create(aws, props, { tags, signal }) {
    const answer = await aws.ec2.send(
      new CreateSubnetCommand({
        VpcId: props.vpcId,
        CidrBlock: props.cidr,
        AvailabilityZone: props.zone,
        TagSpecifications: tagSpecifications(tags, 'subnet'),
      }),
      { abortSignal: signal },
    );
    return output(answer.Subnet);
  },
  status: ({ state }) =>
    state === 'failed' || state === 'failed-insufficient-capacity'
      ? { state: 'failed', reason: `the subnet is ${state}` }
      : { state: state === 'pending' ? 'pending' : 'ready' },
  drift: (props, out) =>
    (['cidr', 'zone'] as const)
      .filter((attribute) => out[attribute] !== '' && out[attribute] !== props[attribute])
      .map((attribute) => ({ attribute, want: props[attribute], have: out[attribute] })),
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteSubnetCommand({ SubnetId: id }), { abortSignal: signal })),
  ...ec2Tags(),
  cli: (props, { tags }) =>
    words`aws ec2 create-subnet --vpc-id ${props.vpcId} --cidr-block ${props.cidr} --availability-zone ${props.zone} ${cliTagSpecifications(tags, 'subnet')}`,
};
