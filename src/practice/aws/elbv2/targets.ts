import * as elb from '@aws-sdk/client-elastic-load-balancing-v2';
import type { TargetHealth as HostHealth } from '../../hosts/types.ts';
import { instanceState } from '../ec2/instanceState.ts';
import { AwsError } from '../errors.ts';
import { type Context, on } from '../operation.ts';
import { targetGroup } from './common.ts';
import { loadBalancerState } from './loadBalancerState.ts';
import type { Target, TargetGroup } from './records.ts';
import { loadBalancersOf } from './targetGroups.ts';

/** Drained targets and terminated instances leave their groups. */
export function sweepTargets(context: Pick<Context, 'region' | 'clock' | 'hosts'>): void {
  const { region, clock } = context;
  for (const group of Object.values(region.targetGroups)) {
    const delay = Number(group.attributes['deregistration_delay.timeout_seconds']);
    group.targets = group.targets.filter((target) => {
      const instance = region.instances[target.id];
      const there = instance !== undefined && instanceState(instance, context) !== 'terminated';
      return there && !(target.drainingSince !== undefined && clock.passed(target.drainingSince, delay));
    });
  }
}

type Requested = readonly elb.TargetDescription[] | undefined;

function same(group: TargetGroup, target: Target, one: elb.TargetDescription): boolean {
  return target.id === one.Id && target.port === (one.Port ?? group.port);
}

export const targetOperations = [
  on(elb.RegisterTargetsCommand, ({ TargetGroupArn, Targets }, context) => {
    const { region, clock } = context;
    const group = targetGroup(region, TargetGroupArn);
    for (const { Id = '', Port = group.port } of Targets ?? []) {
      const instance = region.instances[Id];
      if (!instance) throw new AwsError('InvalidTarget', `The following targets are not valid instances: '${Id}'`);
      if (instance.vpcId !== group.vpcId) {
        throw new AwsError(
          'InvalidTarget',
          `The following targets are not in the target group VPC '${group.vpcId}': '${Id}'`,
        );
      }
      if (instanceState(instance, context) !== 'running') {
        throw new AwsError(
          'InvalidTarget',
          `The following targets are not in a running state and cannot be registered: '${Id}'`,
        );
      }
      const known = group.targets.find((target) => same(group, target, { Id, Port }));
      if (known) delete known.drainingSince;
      else group.targets.push({ id: Id, port: Port, registeredAt: clock.now() });
    }
    return {};
  }),

  on(elb.DeregisterTargetsCommand, ({ TargetGroupArn, Targets }, { region, clock }) => {
    const group = targetGroup(region, TargetGroupArn);
    const used = loadBalancersOf(region, group.arn).length > 0;
    for (const one of Targets ?? []) {
      // Without a port all of the target's registrations go.
      const leaving = group.targets.filter(
        (target) => target.id === one.Id && (one.Port ?? target.port) === target.port,
      );
      if (!leaving.length) throw new AwsError('InvalidTarget', `The following targets are not registered: '${one.Id}'`);
      // Nothing has to drain from a group that gets no traffic.
      if (used) for (const target of leaving) target.drainingSince ??= clock.now();
      else group.targets = group.targets.filter((target) => !leaving.includes(target));
    }
    return {};
  }),

  on(elb.DescribeTargetHealthCommand, async ({ TargetGroupArn, Targets, Include: _ }, context) => {
    const group = targetGroup(context.region, TargetGroupArn);
    const fromHosts = await context.hosts?.targetHealth(group.arn);
    const described = group.targets.map((target) => ({
      Target: { Id: target.id, Port: target.port },
      HealthCheckPort: group.health.port === 'traffic-port' ? String(target.port) : group.health.port,
      TargetHealth: healthOf(context, group, target, fromHosts),
    }));
    return { TargetHealthDescriptions: chosen(group, Targets, described) };
  }),
];

function chosen<T extends { readonly Target: { readonly Id: string; readonly Port: number } }>(
  group: TargetGroup,
  requested: Requested,
  described: readonly T[],
) {
  if (!requested?.length) return [...described];
  return requested.map((one) => {
    const found = described.find(({ Target }) => Target.Id === one.Id && Target.Port === (one.Port ?? group.port));
    return (
      found ?? {
        Target: { Id: one.Id, Port: one.Port ?? group.port },
        TargetHealth: health('unused', 'Target.NotRegistered', 'Target is not registered to the target group'),
      }
    );
  });
}

function health(
  State: elb.TargetHealthStateEnum,
  Reason?: elb.TargetHealthReasonEnum,
  Description?: string,
): elb.TargetHealth {
  return { State, ...(Reason ? { Reason } : {}), ...(Description ? { Description } : {}) };
}

/** A target's health: what the hosts' health checks say; without hosts, that nothing answers. */
function healthOf(
  context: Context,
  group: TargetGroup,
  target: Target,
  fromHosts: readonly HostHealth[] | undefined,
): elb.TargetHealth {
  const { region, clock } = context;
  if (target.drainingSince !== undefined) {
    return health('draining', 'Target.DeregistrationInProgress', 'Target deregistration is in progress');
  }
  const [balancerArn] = loadBalancersOf(region, group.arn);
  const balancer = balancerArn === undefined ? undefined : region.loadBalancers[balancerArn];
  if (!balancer) {
    return health(
      'unused',
      'Target.NotInUse',
      'Target group is not configured to receive traffic from the load balancer',
    );
  }
  const instance = region.instances[target.id];
  const state = instance ? instanceState(instance, context) : 'terminated';
  if (state !== 'running') return health('unused', 'Target.InvalidState', `Target is in the ${state} state`);
  if (loadBalancerState(context, balancer).Code !== 'active') {
    return health('initial', 'Elb.RegistrationInProgress', 'Target registration is in progress');
  }
  if (fromHosts) {
    const seen = fromHosts.find((one) => one.id === target.id);
    switch (seen?.state) {
      case 'healthy':
        return health('healthy');
      case 'unhealthy':
        return health('unhealthy', 'Target.FailedHealthChecks', seen.reason ?? 'Health checks failed');
      case 'unused':
        return health('unused', 'Target.NotInUse', seen.reason);
      default:
        return health('initial', 'Elb.InitialHealthChecking', seen?.reason ?? 'Initial health checks in progress');
    }
  }
  if (!clock.passed(target.registeredAt, group.health.intervalSeconds * group.health.unhealthyThreshold)) {
    return health('initial', 'Elb.InitialHealthChecking', 'Initial health checks in progress');
  }
  return health(
    'unhealthy',
    'Target.FailedHealthChecks',
    'practice cloud without hosts: nothing runs on this instance that could answer health checks',
  );
}
