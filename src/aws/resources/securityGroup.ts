import {
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  paginateDescribeSecurityGroups,
  type SecurityGroup,
} from '@aws-sdk/client-ec2';
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
  inVpc,
  must,
  nameOf,
  ofCloudspace,
  tagSpecifications,
  words,
} from './common.ts';

export interface SecurityGroupProps {
  readonly vpcId: string;
  /** letters, digits, spaces and . _ - : / ( ) # , @ [ ] + = & ; { } ! $ * only: EC2 refuses others */
  readonly description: string;
  /** unique in the VPC; left out: `<cloudspace>-<key>` */
  readonly name?: string;
}

export interface SecurityGroupOutput extends Output {
  readonly name: string;
  readonly vpcId: string;
}

/** This Cloudspace's security groups; read once a listing round. */
export function readSecurityGroups(aws: Aws, scope: Scope): Promise<SecurityGroup[]> {
  return scope.once('DescribeSecurityGroups', () =>
    all(
      paginateDescribeSecurityGroups({ client: aws.ec2, pageSize: 1000 }, { Filters: [ofCloudspace(scope)] }),
      (page) => page.SecurityGroups,
    ),
  );
}

/** A group without ingress rules; EC2 gives it one egress rule that lets everything out. */
export const securityGroup: Kind<SecurityGroupProps, SecurityGroupOutput, Aws> = {
  type: 'aws_security_group',
  label: 'security group',
  async list(aws, scope) {
    return (await readSecurityGroups(aws, scope)).map((one) =>
      found({ id: must(one.GroupId, 'GroupId'), name: one.GroupName ?? '', vpcId: one.VpcId ?? '' }, one.Tags),
    );
  },
  async create(aws, props, { tags, signal }) {
    const name = nameOf(props, tags);
    const answer = await aws.ec2.send(
      new CreateSecurityGroupCommand({
        GroupName: name,
        Description: props.description,
        VpcId: props.vpcId,
        TagSpecifications: tagSpecifications(tags, 'security-group'),
      }),
      { abortSignal: signal },
    );
    return { id: must(answer.GroupId, 'GroupId'), name, vpcId: props.vpcId };
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DeleteSecurityGroupCommand({ GroupId: id }), { abortSignal: signal })),
  drift: (props, out) => differs('vpcId', props.vpcId, out.vpcId, { fixed: true }),
  async candidates(aws, { vpcId }) {
    const groups = await all(
      paginateDescribeSecurityGroups({ client: aws.ec2, pageSize: 1000 }, { Filters: [inVpc(vpcId)] }),
      (page) => page.SecurityGroups,
    );
    return groups
      .filter(({ GroupName }) => GroupName !== 'default')
      .map((one) => ({
        called: one.GroupName ?? '',
        ...candidate({ id: must(one.GroupId, 'GroupId'), name: one.GroupName ?? '', vpcId }, one.Tags),
      }));
  },
  ...ec2Tags(),
  cli: (props, { tags }) =>
    words`aws ec2 create-security-group --group-name ${nameOf(props, tags)} --description ${props.description} --vpc-id ${props.vpcId} ${cliTagSpecifications(tags, 'security-group')}`,
};
