import {
  CreateSubnetCommand,
  DeleteSubnetCommand,
  ModifySubnetAttributeCommand,
  paginateDescribeSubnets,
  type Subnet,
} from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
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
  tagSpecifications,
  words,
} from './common.ts';

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
  /** public addresses for whatever is started there: the walk gives them itself, where they are wanted */
  readonly mapPublicIp: boolean;
}

const output = (subnet: Subnet | undefined): SubnetOutput => ({
  id: must(subnet?.SubnetId, 'SubnetId'),
  vpcId: subnet?.VpcId ?? '',
  cidr: subnet?.CidrBlock ?? '',
  zone: subnet?.AvailabilityZone ?? '',
  state: subnet?.State ?? 'available',
  mapPublicIp: subnet?.MapPublicIpOnLaunch ?? false,
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
  drift: (props, out) => [
    ...(['vpcId', 'cidr', 'zone'] as const).flatMap((attribute) =>
      differs(attribute, props[attribute], out[attribute], { fixed: true }),
    ),
    ...differs('mapPublicIpOnLaunch', false, out.mapPublicIp, {
      mend: words`aws ec2 modify-subnet-attribute --subnet-id ${out.id} --no-map-public-ip-on-launch`,
    }),
  ],
  async update(aws, _props, out, { signal }) {
    await aws.ec2.send(new ModifySubnetAttributeCommand({ SubnetId: out.id, MapPublicIpOnLaunch: { Value: false } }), {
      abortSignal: signal,
    });
    return { ...out, mapPublicIp: false };
  },
  async candidates(aws, { vpcId }) {
    const subnets = await all(
      paginateDescribeSubnets({ client: aws.ec2, pageSize: 1000 }, { Filters: [inVpc(vpcId)] }),
      (page) => page.Subnets,
    );
    return subnets.map((one) => candidate(output(one), one.Tags));
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteSubnetCommand({ SubnetId: id }), { abortSignal: signal })),
  ...ec2Tags(),
  cli: (props, { tags }) =>
    words`aws ec2 create-subnet --vpc-id ${props.vpcId} --cidr-block ${props.cidr} --availability-zone ${props.zone} ${cliTagSpecifications(tags, 'subnet')}`,
};
