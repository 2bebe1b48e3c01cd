import {
  CreateTargetGroupCommand,
  DeleteTargetGroupCommand,
  ModifyTargetGroupCommand,
  paginateDescribeTargetGroups,
  type TargetGroup,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Found, Kind, Output, Scope } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { all, cliTags, differs, elbTags, must, nameOf, tagList, words } from './common.ts';
import { elbCandidates, withElbTags } from './elbTags.ts';

/** TCP, targets by instance id; the health check is TCP too. */
export interface TargetGroupProps {
  readonly vpcId: string;
  readonly port: number;
  readonly healthCheckPort: number;
  /** seconds: 5 to 300 */
  readonly healthCheckInterval: number;
  /** checks in a row, 2 to 10, until a target is healthy (and, as NLB's default, unhealthy) */
  readonly healthyThreshold: number;
  /** at most 32 characters; left out: `<cloudspace>-<key>` */
  readonly name?: string;
}

/** `id` is the ARN */
export interface TargetGroupOutput extends Output {
  readonly name: string;
  readonly vpcId: string;
  readonly port: number;
  readonly healthCheckPort: number;
  readonly healthCheckInterval: number;
  readonly healthyThreshold: number;
}

const output = (group: TargetGroup | undefined): TargetGroupOutput => ({
  id: must(group?.TargetGroupArn, 'TargetGroupArn'),
  name: group?.TargetGroupName ?? '',
  vpcId: group?.VpcId ?? '',
  port: group?.Port ?? 0,
  healthCheckPort: Number(group?.HealthCheckPort ?? 0),
  healthCheckInterval: group?.HealthCheckIntervalSeconds ?? 0,
  healthyThreshold: group?.HealthyThresholdCount ?? 0,
});

/** This Cloudspace's target groups; read once a listing round. */
export function readTargetGroups(aws: Aws, scope: Scope): Promise<Found<TargetGroupOutput>[]> {
  return scope.once('DescribeTargetGroups', async () => {
    const groups = await all(
      paginateDescribeTargetGroups({ client: aws.elb, pageSize: 400 }, {}),
      (page) => page.TargetGroups,
    );
    const ours = groups.filter(({ TargetGroupName = '' }) => TargetGroupName.startsWith(`${scope.name}-`));
    return withElbTags(aws, scope, ours.map(output));
  });
}

const CHECKED = ['healthCheckPort', 'healthCheckInterval', 'healthyThreshold'] as const;

export const targetGroup: Kind<TargetGroupProps, TargetGroupOutput, Aws> = {
  type: 'aws_lb_target_group',
  label: 'target group',
  list: readTargetGroups,
  async create(aws, props, { tags, signal }) {
    const answer = await aws.elb.send(
      new CreateTargetGroupCommand({
        Name: nameOf(props, tags),
        Protocol: 'TCP',
        Port: props.port,
        VpcId: props.vpcId,
        TargetType: 'instance',
        HealthCheckProtocol: 'TCP',
        HealthCheckPort: String(props.healthCheckPort),
        HealthCheckIntervalSeconds: props.healthCheckInterval,
        HealthyThresholdCount: props.healthyThreshold,
        Tags: tagList(tags),
      }),
      { abortSignal: signal },
    );
    return output(answer.TargetGroups?.[0]);
  },
  drift: (props, out) => [
    ...(['vpcId', 'port'] as const).flatMap((attribute) =>
      differs(attribute, props[attribute], out[attribute], { fixed: true }),
    ),
    ...CHECKED.flatMap((attribute) =>
      differs(attribute, props[attribute], out[attribute], {
        mend: words`aws elbv2 modify-target-group --target-group-arn ${out.id} --health-check-port ${props.healthCheckPort} --health-check-interval-seconds ${props.healthCheckInterval} --healthy-threshold-count ${props.healthyThreshold}`,
      }),
    ),
  ],
  /** Only what is called like ours: others would not be found again (`list`). */
  async candidates(aws, _props, scope) {
    const groups = await all(
      paginateDescribeTargetGroups({ client: aws.elb, pageSize: 400 }, {}),
      (page) => page.TargetGroups,
    );
    return elbCandidates(
      aws,
      groups.filter(({ TargetGroupName = '' }) => TargetGroupName.startsWith(`${scope.name}-`)).map(output),
    );
  },
  async update(aws, props, out, { signal }) {
    const answer = await aws.elb.send(
      new ModifyTargetGroupCommand({
        TargetGroupArn: out.id,
        HealthCheckPort: String(props.healthCheckPort),
        HealthCheckIntervalSeconds: props.healthCheckInterval,
        HealthyThresholdCount: props.healthyThreshold,
      }),
      { abortSignal: signal },
    );
    return output(answer.TargetGroups?.[0]);
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.elb.send(new DeleteTargetGroupCommand({ TargetGroupArn: id }), { abortSignal: signal })),
  ...elbTags,
  cli: (props, { tags }) =>
    words`aws elbv2 create-target-group --name ${nameOf(props, tags)} --protocol TCP --port ${props.port} --vpc-id ${props.vpcId} --target-type instance --health-check-protocol TCP --health-check-port ${props.healthCheckPort} --health-check-interval-seconds ${props.healthCheckInterval} --healthy-threshold-count ${props.healthyThreshold} ${cliTags(tags)}`,
};
