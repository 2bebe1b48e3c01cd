import {
  CreateLoadBalancerCommand,
  DeleteLoadBalancerCommand,
  type LoadBalancer,
  ModifyLoadBalancerAttributesCommand,
  paginateDescribeLoadBalancers,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Found, Kind, Output, Scope, Status } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { codeOf, ignoreGone } from '../errors.ts';
import { priceOf } from '../prices.ts';
import { all, cliTags, elbTags, must, nameOf, optional, tagList, words } from './common.ts';
import { withElbTags } from './elbTags.ts';

/** A Network Load Balancer that faces the internet. */
export interface LoadBalancerProps {
  /** public ones, one a zone */
  readonly subnetIds: readonly string[];
  /** can be given to a Network Load Balancer only when it is made */
  readonly securityGroupIds: readonly string[];
  /** at most 32 characters; left out: `<cloudspace>-<key>` */
  readonly name?: string;
}

/** `id` is the ARN */
export interface LoadBalancerOutput extends Output {
  readonly name: string;
  readonly dnsName: string;
  /** Route 53's hosted zone of the DNS name, for alias records */
  readonly zoneId: string;
  readonly state: string;
  readonly reason?: string;
}

const output = (balancer: LoadBalancer | undefined): LoadBalancerOutput => ({
  id: must(balancer?.LoadBalancerArn, 'LoadBalancerArn'),
  name: balancer?.LoadBalancerName ?? '',
  dnsName: balancer?.DNSName ?? '',
  zoneId: balancer?.CanonicalHostedZoneId ?? '',
  state: balancer?.State?.Code ?? 'active',
  ...optional('reason', balancer?.State?.Reason),
});

/** This Cloudspace's load balancers; read once a listing round. */
export function readLoadBalancers(aws: Aws, scope: Scope): Promise<Found<LoadBalancerOutput>[]> {
  return scope.once('DescribeLoadBalancers', async () => {
    const balancers = await all(
      paginateDescribeLoadBalancers({ client: aws.elb, pageSize: 400 }, {}),
      (page) => page.LoadBalancers,
    );
    const ours = balancers.filter(({ LoadBalancerName = '' }) => LoadBalancerName.startsWith(`${scope.name}-`));
    return withElbTags(aws, scope, ours.map(output));
  });
}

function status({ state, reason }: LoadBalancerOutput): Status {
  if (state === 'failed') return { state: 'failed', reason: reason ?? 'AWS gives no reason' };
  return { state: state === 'provisioning' ? 'pending' : 'ready' };
}

export const loadBalancer: Kind<LoadBalancerProps, LoadBalancerOutput, Aws> = {
  type: 'aws_lb',
  label: 'load balancer',
  quota: () => [{ code: 'L-69A177A2', amount: 1 }],
  seconds: 150,
  list: readLoadBalancers,
  async create(aws, props, { tags, signal }) {
    const answer = await aws.elb.send(
      new CreateLoadBalancerCommand({
        Name: nameOf(props, tags),
        Type: 'network',
        Scheme: 'internet-facing',
        IpAddressType: 'ipv4',
        Subnets: [...props.subnetIds],
        SecurityGroups: [...props.securityGroupIds],
        Tags: tagList(tags),
      }),
      { abortSignal: signal },
    );
    return output(answer.LoadBalancers?.[0]);
  },
  status,
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn: id }), { abortSignal: signal })),
  ...elbTags,
  protection: {
    refused: (error) => codeOf(error) === 'OperationNotPermitted',
    async lift(aws, { id }, signal) {
      const Attributes = [{ Key: 'deletion_protection.enabled', Value: 'false' }];
      await aws.elb.send(new ModifyLoadBalancerAttributesCommand({ LoadBalancerArn: id, Attributes }), {
        abortSignal: signal,
      });
    },
  },
  cli: (props, { tags }) =>
    words`aws elbv2 create-load-balancer --name ${nameOf(props, tags)} --type network --scheme internet-facing --subnets ${props.subnetIds} --security-groups ${props.securityGroupIds} ${cliTags(tags)}`,
  /** the hour, and one public address a zone; traffic (LCU) comes on top */
  price: (props, region) =>
    priceOf('networkLoadBalancer', region) + (props.subnetIds?.length ?? 2) * priceOf('publicIpv4', region),
};
