import {
  CreateListenerCommand,
  DeleteListenerCommand,
  type Listener,
  ModifyListenerCommand,
  paginateDescribeListeners,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone, isNotFound } from '../errors.ts';
import { all, cliTags, differs, must, tagList, words } from './common.ts';
import { readLoadBalancers } from './loadBalancer.ts';

/** A TCP listener that forwards to one target group. */
export interface ListenerProps {
  readonly loadBalancerArn: string;
  readonly port: number;
  readonly targetGroupArn: string;
}

/** `id` is the ARN */
export interface ListenerOutput extends Output {
  readonly loadBalancerArn: string;
  readonly port: number;
  readonly targetGroupArn: string;
}

const output = (listener: Listener | undefined): ListenerOutput => ({
  id: must(listener?.ListenerArn, 'ListenerArn'),
  loadBalancerArn: listener?.LoadBalancerArn ?? '',
  port: listener?.Port ?? 0,
  targetGroupArn:
    listener?.DefaultActions?.[0]?.TargetGroupArn ??
    listener?.DefaultActions?.[0]?.ForwardConfig?.TargetGroups?.[0]?.TargetGroupArn ??
    '',
});

const forward = (targetGroupArn: string) => [{ Type: 'forward' as const, TargetGroupArn: targetGroupArn }];

/** Found through its load balancer and port, which saves asking for its tags. */
export const listener: Kind<ListenerProps, ListenerOutput, Aws> = {
  type: 'aws_lb_listener',
  label: 'listener',
  async list(aws, scope) {
    const balancers = await readLoadBalancers(aws, scope);
    const listeners = await Promise.all(
      balancers.map(async ({ out }) => {
        try {
          const pages = paginateDescribeListeners({ client: aws.elb, pageSize: 400 }, { LoadBalancerArn: out.id });
          return await all(pages, (page) => page.Listeners);
        } catch (error) {
          if (isNotFound(error)) return [];
          throw error;
        }
      }),
    );
    return listeners.flat().map((one) => ({ out: output(one) }));
  },
  matches: (props, out) => props.loadBalancerArn === out.loadBalancerArn && props.port === out.port,
  async create(aws, props, { tags, signal }) {
    const answer = await aws.elb.send(
      new CreateListenerCommand({
        LoadBalancerArn: props.loadBalancerArn,
        Protocol: 'TCP',
        Port: props.port,
        DefaultActions: forward(props.targetGroupArn),
        Tags: tagList(tags),
      }),
      { abortSignal: signal },
    );
    return output(answer.Listeners?.[0]);
  },
  drift: (props, out) =>
    differs('targetGroupArn', props.targetGroupArn, out.targetGroupArn, {
      mend: words`aws elbv2 modify-listener --listener-arn ${out.id} --default-actions Type=forward,TargetGroupArn=${props.targetGroupArn}`,
    }),
  exclusive: ({ port }) => `listener on port ${port}`,
  async update(aws, props, out, { signal }) {
    const answer = await aws.elb.send(
      new ModifyListenerCommand({ ListenerArn: out.id, DefaultActions: forward(props.targetGroupArn) }),
      { abortSignal: signal },
    );
    return output(answer.Listeners?.[0]);
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.elb.send(new DeleteListenerCommand({ ListenerArn: id }), { abortSignal: signal })),
  cli: (props, { tags }) =>
    words`aws elbv2 create-listener --load-balancer-arn ${props.loadBalancerArn} --protocol TCP --port ${props.port} --default-actions Type=forward,TargetGroupArn=${props.targetGroupArn} ${cliTags(tags)}`,
};
