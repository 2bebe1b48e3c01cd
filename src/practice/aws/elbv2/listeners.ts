import * as elb from '@aws-sdk/client-elastic-load-balancing-v2';
import { AwsError } from '../errors.ts';
import { on } from '../operation.ts';
import { setTags } from '../tags.ts';
import type { RegionWorld } from '../world.ts';
import {
  arn,
  arnId,
  attributeList,
  listener,
  loadBalancer,
  onlyTcp,
  pageOf,
  setAttributes,
  tagsOf,
  targetGroup,
  validation,
} from './common.ts';
import type { Listener, LoadBalancer } from './records.ts';
import { loadBalancersOf } from './targetGroups.ts';

const ATTRIBUTES = { 'tcp.idle_timeout.seconds': '350' };

/** The one target group that the actions forward to. Throws for anything that a TCP listener cannot do. */
function forwardTarget(
  region: RegionWorld,
  balancer: LoadBalancer,
  actions: readonly elb.Action[] | undefined,
): string {
  const [action, ...others] = actions ?? [];
  if (!action || others.length || action.Type !== 'forward') {
    throw new AwsError(
      'InvalidLoadBalancerAction',
      'A listener of a Network Load Balancer has one default action, of type forward',
    );
  }
  const groups = action.ForwardConfig?.TargetGroups ?? [];
  if (groups.length > 1)
    throw new AwsError('UnsupportedOperation', 'the practice cloud forwards to one target group a listener');
  const group = targetGroup(region, action.TargetGroupArn ?? groups[0]?.TargetGroupArn);
  if (group.vpcId !== balancer.vpcId) {
    throw new AwsError(
      'InvalidConfigurationRequest',
      `Target group '${group.arn}' is not in the load balancer's VPC ${balancer.vpcId}`,
    );
  }
  if (loadBalancersOf(region, group.arn).some((one) => one !== balancer.arn)) {
    throw new AwsError(
      'TargetGroupAssociationLimit',
      `The following target groups cannot be associated with more than one load balancer: ${group.arn}`,
    );
  }
  return group.arn;
}

function portOf(region: RegionWorld, balancer: LoadBalancer, Port: number | undefined, except?: Listener): number {
  if (Port === undefined || !Number.isInteger(Port) || Port < 1 || Port > 65535) {
    throw validation(`Port '${Port}' must be in the range 1-65535`);
  }
  const taken = listenersOf(region, balancer.arn).some((one) => one.port === Port && one.arn !== except?.arn);
  if (taken)
    throw new AwsError(
      'DuplicateListener',
      `A listener already exists on this port for this load balancer '${balancer.arn}'`,
    );
  return Port;
}

export function listenersOf(region: RegionWorld, loadBalancerArn: string): Listener[] {
  return Object.values(region.listeners).filter((one) => one.loadBalancerArn === loadBalancerArn);
}

function describe(one: Listener) {
  return {
    ListenerArn: one.arn,
    LoadBalancerArn: one.loadBalancerArn,
    Protocol: one.protocol,
    Port: one.port,
    DefaultActions: [action(one)],
  };
}

function action({ targetGroupArn }: Listener) {
  return {
    Type: 'forward' as const,
    TargetGroupArn: targetGroupArn,
    ForwardConfig: { TargetGroups: [{ TargetGroupArn: targetGroupArn }] },
  };
}

export const listenerOperations = [
  on(elb.CreateListenerCommand, (input, { region }) => {
    const balancer = loadBalancer(region, input.LoadBalancerArn);
    const protocol = onlyTcp('listener protocol', input.Protocol);
    const group = forwardTarget(region, balancer, input.DefaultActions);
    const tags = tagsOf(input.Tags);
    const existing = listenersOf(region, balancer.arn).find((one) => one.port === input.Port);
    // The same listener again is no error.
    if (existing?.targetGroupArn === group) return { Listeners: [describe(existing)] };
    const made: Listener = {
      arn: arn(region, `listener/${balancer.arn.slice(balancer.arn.indexOf('net/'))}/${arnId()}`),
      loadBalancerArn: balancer.arn,
      protocol,
      port: portOf(region, balancer, input.Port),
      targetGroupArn: group,
      attributes: { ...ATTRIBUTES },
    };
    region.listeners[made.arn] = made;
    setTags(region, made.arn, tags);
    return { Listeners: [describe(made)] };
  }),

  on(elb.DescribeListenersCommand, (input, { region }) => {
    const { LoadBalancerArn, ListenerArns = [] } = input;
    if (LoadBalancerArn === undefined && !ListenerArns.length) {
      throw validation('You must specify either listener ARNs or a load balancer ARN');
    }
    const selected = ListenerArns.length
      ? ListenerArns.map((one) => listener(region, one))
      : listenersOf(region, loadBalancer(region, LoadBalancerArn).arn);
    const { items, next } = pageOf(selected, input);
    return { Listeners: items.map(describe), ...next };
  }),

  on(elb.ModifyListenerCommand, (input, { region }) => {
    const one = listener(region, input.ListenerArn);
    const balancer = loadBalancer(region, one.loadBalancerArn);
    onlyTcp('listener protocol', input.Protocol);
    if (input.Port !== undefined) one.port = portOf(region, balancer, input.Port, one);
    if (input.DefaultActions?.length) one.targetGroupArn = forwardTarget(region, balancer, input.DefaultActions);
    return { Listeners: [describe(one)] };
  }),

  on(elb.DeleteListenerCommand, ({ ListenerArn }, { region }) => {
    const one = listener(region, ListenerArn);
    delete region.listeners[one.arn];
    delete region.tags[one.arn];
    return {};
  }),

  on(elb.DescribeListenerAttributesCommand, ({ ListenerArn }, { region }) => ({
    Attributes: attributeList(listener(region, ListenerArn).attributes),
  })),

  on(elb.ModifyListenerAttributesCommand, ({ ListenerArn, Attributes }, { region }) => {
    const { attributes } = listener(region, ListenerArn);
    setAttributes(attributes, Attributes);
    return { Attributes: attributeList(attributes) };
  }),

  // TCP listeners have no certificates.
  on(elb.DescribeListenerCertificatesCommand, (input, { region }) => {
    listener(region, input.ListenerArn);
    const { items, next } = pageOf<elb.Certificate>([], input);
    return { Certificates: items, ...next };
  }),

  on(elb.DescribeRulesCommand, (input, { region }) => {
    if (input.RuleArns?.length) throw new AwsError('RuleNotFound', `Rules '${input.RuleArns}' not found`);
    const one = listener(region, input.ListenerArn);
    const rule = {
      RuleArn: `${one.arn.replace(':listener/', ':listener-rule/')}/${one.arn.slice(-16)}`,
      Priority: 'default',
      IsDefault: true,
      Conditions: [],
      Actions: [action(one)],
    };
    const { items, next } = pageOf([rule], input);
    return { Rules: items, ...next };
  }),
];
