import {
  CreateLoadBalancerCommand,
  DeleteLoadBalancerCommand,
  DescribeLoadBalancerAttributesCommand,
  type LoadBalancer,
  ModifyLoadBalancerAttributesCommand,
  paginateDescribeLoadBalancers,
  SetSecurityGroupsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Found, Kind, Output, Scope, Status } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { codeOf, ignoreGone, isNotFound } from '../errors.ts';
import { priceOf } from '../prices.ts';
import { all, cliTags, differs, elbTags, must, nameOf, optional, tagList, words } from './common.ts';
import { elbCandidates, withElbTags } from './elbTags.ts';

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
  readonly securityGroupIds: readonly string[];
  readonly subnetIds: readonly string[];
  /** load_balancing.cross_zone.enabled: off in a new one; traffic between zones costs. Read with the list, so undefined in a create's answer */
  readonly crossZone?: boolean;
  readonly reason?: string;
}

const output = (balancer: LoadBalancer | undefined): LoadBalancerOutput => ({
  id: must(balancer?.LoadBalancerArn, 'LoadBalancerArn'),
  name: balancer?.LoadBalancerName ?? '',
  dnsName: balancer?.DNSName ?? '',
  zoneId: balancer?.CanonicalHostedZoneId ?? '',
  state: balancer?.State?.Code ?? 'active',
  securityGroupIds: [...(balancer?.SecurityGroups ?? [])].sort(),
  subnetIds: (balancer?.AvailabilityZones ?? []).flatMap(({ SubnetId }) => SubnetId ?? []).sort(),
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
    return withElbTags(aws, scope, await Promise.all(ours.map((one) => withCrossZone(aws, output(one)))));
  });
}

async function withCrossZone(aws: Aws, out: LoadBalancerOutput): Promise<LoadBalancerOutput> {
  try {
    const answer = await aws.elb.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerArn: out.id }));
    const { Value } = answer.Attributes?.find(({ Key }) => Key === CROSS_ZONE) ?? {};
    return { ...out, crossZone: Value === 'true' };
  } catch (error) {
    if (isNotFound(error)) return out;
    throw error;
  }
}

const CROSS_ZONE = 'load_balancing.cross_zone.enabled';

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
  drift: (props, out) => [
    ...differs('subnetIds', [...props.subnetIds].sort(), out.subnetIds, { fixed: true }),
    ...differs('securityGroupIds', [...props.securityGroupIds].sort(), out.securityGroupIds, {
      mend: words`aws elbv2 set-security-groups --load-balancer-arn ${out.id} --security-groups ${props.securityGroupIds}`,
    }),
    ...differs('crossZone', false, out.crossZone ?? false, {
      mend: words`aws elbv2 modify-load-balancer-attributes --load-balancer-arn ${out.id} --attributes Key=${CROSS_ZONE},Value=false`,
    }),
  ],
  /** the security groups, else the attribute */
  async update(aws, props, out, { signal }) {
    const securityGroupIds = [...props.securityGroupIds].sort();
    if (JSON.stringify(securityGroupIds) !== JSON.stringify(out.securityGroupIds)) {
      await aws.elb.send(new SetSecurityGroupsCommand({ LoadBalancerArn: out.id, SecurityGroups: securityGroupIds }), {
        abortSignal: signal,
      });
      return { ...out, securityGroupIds };
    }
    await aws.elb.send(
      new ModifyLoadBalancerAttributesCommand({
        LoadBalancerArn: out.id,
        Attributes: [{ Key: CROSS_ZONE, Value: 'false' }],
      }),
      { abortSignal: signal },
    );
    return { ...out, crossZone: false };
  },
  /** Only what is called like ours: others would not be found again (`list`). */
  async candidates(aws, _props, scope) {
    const balancers = await all(
      paginateDescribeLoadBalancers({ client: aws.elb, pageSize: 400 }, {}),
      (page) => page.LoadBalancers,
    );
    const ours = balancers.filter(
      ({ LoadBalancerName = '', Type }) => Type === 'network' && LoadBalancerName.startsWith(`${scope.name}-`),
    );
    return elbCandidates(aws, await Promise.all(ours.map((one) => withCrossZone(aws, output(one)))));
  },
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
