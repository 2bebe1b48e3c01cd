import {
  DeregisterTargetsCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Found, Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone, isNotFound } from '../errors.ts';
import { words } from './common.ts';
import { readTargetGroups } from './targetGroup.ts';

/** All targets of one group, registered in one request. */
export interface TargetGroupAttachmentProps {
  readonly targetGroupArn: string;
  readonly instanceIds: readonly string[];
}

/** `id` is the target group's ARN */
export interface TargetGroupAttachmentOutput extends Output {
  readonly instanceIds: readonly string[];
}

const targets = (instanceIds: readonly string[]) => instanceIds.map((Id) => ({ Id }));

function compare(props: TargetGroupAttachmentProps, out: TargetGroupAttachmentOutput) {
  return {
    missing: props.instanceIds.filter((id) => !out.instanceIds.includes(id)),
    extra: out.instanceIds.filter((id) => !props.instanceIds.includes(id)),
  };
}

export const targetGroupAttachment: Kind<TargetGroupAttachmentProps, TargetGroupAttachmentOutput, Aws> = {
  type: 'aws_lb_target_group_attachment',
  label: 'targets',
  async list(aws, scope) {
    const groups = await readTargetGroups(aws, scope);
    const attachments = await Promise.all(
      groups.map(async ({ out: { id } }): Promise<Found<TargetGroupAttachmentOutput>[]> => {
        try {
          const answer = await aws.elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: id }));
          const instanceIds = (answer.TargetHealthDescriptions ?? [])
            .filter(({ TargetHealth }) => TargetHealth?.State !== 'draining')
            .flatMap(({ Target }) => Target?.Id ?? []);
          return instanceIds.length === 0 ? [] : [{ out: { id, instanceIds: instanceIds.sort() } }];
        } catch (error) {
          if (isNotFound(error)) return [];
          throw error;
        }
      }),
    );
    return attachments.flat();
  },
  matches: (props, out) => props.targetGroupArn === out.id,
  async create(aws, { targetGroupArn, instanceIds }, { signal }) {
    await aws.elb.send(new RegisterTargetsCommand({ TargetGroupArn: targetGroupArn, Targets: targets(instanceIds) }), {
      abortSignal: signal,
    });
    return { id: targetGroupArn, instanceIds: [...instanceIds].sort() };
  },
  drift(props, out) {
    const { missing, extra } = compare(props, out);
    return [...missing, ...extra].length === 0
      ? []
      : [{ attribute: 'instanceIds', want: [...props.instanceIds].sort(), have: out.instanceIds }];
  },
  /** registers what is missing; once nothing is, deregisters what is too much */
  async update(aws, props, out, { signal }) {
    const { missing, extra } = compare(props, out);
    const options = { abortSignal: signal };
    if (missing.length > 0) {
      await aws.elb.send(new RegisterTargetsCommand({ TargetGroupArn: out.id, Targets: targets(missing) }), options);
      return { id: out.id, instanceIds: [...out.instanceIds, ...missing].sort() };
    }
    await aws.elb.send(new DeregisterTargetsCommand({ TargetGroupArn: out.id, Targets: targets(extra) }), options);
    return { id: out.id, instanceIds: [...props.instanceIds].sort() };
  },
  delete: (aws, { id, instanceIds }, signal) =>
    ignoreGone(
      aws.elb.send(new DeregisterTargetsCommand({ TargetGroupArn: id, Targets: targets(instanceIds) }), {
        abortSignal: signal,
      }),
    ),
  partOf: ({ id }) => id,
  cli: ({ targetGroupArn, instanceIds }) =>
    words`aws elbv2 register-targets --target-group-arn ${targetGroupArn} --targets ${instanceIds.map((id) => `Id=${id}`)}`,
};
