import * as elb from '@aws-sdk/client-elastic-load-balancing-v2';
import { AwsError } from '../errors.ts';
import { on } from '../operation.ts';
import { setTags } from '../tags.ts';
import type { RegionWorld } from '../world.ts';
import {
  arn,
  arnId,
  attributeList,
  checkName,
  loadBalancer,
  onlyTcp,
  pageOf,
  setAttributes,
  tagsOf,
  targetGroup,
  validation,
} from './common.ts';
import type { TargetGroup } from './records.ts';

const ATTRIBUTES = {
  'deregistration_delay.timeout_seconds': '300',
  'deregistration_delay.connection_termination.enabled': 'false',
  'stickiness.enabled': 'false',
  'stickiness.type': 'source_ip',
  'proxy_protocol_v2.enabled': 'false',
  'preserve_client_ip.enabled': 'true',
  'load_balancing.cross_zone.enabled': 'use_load_balancer_configuration',
  'target_group_health.dns_failover.minimum_healthy_targets.count': '1',
  'target_group_health.dns_failover.minimum_healthy_targets.percentage': 'off',
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.count': '1',
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage': 'off',
  'target_health_state.unhealthy.connection_termination.enabled': 'true',
  'target_health_state.unhealthy.draining_interval_seconds': '0',
};

interface HealthRequest {
  readonly HealthCheckProtocol?: string | undefined;
  readonly HealthCheckPort?: string | undefined;
  readonly HealthCheckEnabled?: boolean | undefined;
  readonly HealthCheckIntervalSeconds?: number | undefined;
  readonly HealthCheckTimeoutSeconds?: number | undefined;
  readonly HealthyThresholdCount?: number | undefined;
  readonly UnhealthyThresholdCount?: number | undefined;
}

/** Health check settings with the API's defaults for TCP. Throws for values outside its limits. */
function healthOf(request: HealthRequest, before?: TargetGroup['health']): TargetGroup['health'] {
  onlyTcp('health check protocol', request.HealthCheckProtocol);
  if (request.HealthCheckEnabled === false)
    throw validation('Health check enabled must be true for target groups with target type instance');
  const health = {
    port: request.HealthCheckPort ?? before?.port ?? 'traffic-port',
    intervalSeconds: request.HealthCheckIntervalSeconds ?? before?.intervalSeconds ?? 30,
    timeoutSeconds: request.HealthCheckTimeoutSeconds ?? before?.timeoutSeconds ?? 10,
    healthyThreshold: request.HealthyThresholdCount ?? before?.healthyThreshold ?? 5,
    unhealthyThreshold: request.UnhealthyThresholdCount ?? before?.unhealthyThreshold ?? 2,
  };
  if (health.port !== 'traffic-port' && !isPort(Number(health.port)))
    throw validation(`Health check port '${health.port}' must be in the range 1-65535 or 'traffic-port'`);
  const limits = [
    ['interval', health.intervalSeconds, 5, 300],
    ['timeout', health.timeoutSeconds, 2, 120],
    ['healthy threshold', health.healthyThreshold, 2, 10],
    ['unhealthy threshold', health.unhealthyThreshold, 2, 10],
  ] as const;
  for (const [name, value, least, most] of limits) {
    if (value < least || value > most)
      throw validation(`Health check ${name} '${value}' must be between ${least} and ${most}`);
  }
  return health;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}

/** ARNs of the load balancers whose listeners use the group. */
export function loadBalancersOf(region: RegionWorld, groupArn: string): string[] {
  const using = Object.values(region.listeners).filter((one) => one.targetGroupArn === groupArn);
  return [...new Set(using.map((one) => one.loadBalancerArn))];
}

function describe(region: RegionWorld, group: TargetGroup) {
  return {
    TargetGroupArn: group.arn,
    TargetGroupName: group.name,
    Protocol: group.protocol,
    Port: group.port,
    VpcId: group.vpcId,
    TargetType: 'instance' as const,
    IpAddressType: 'ipv4' as const,
    HealthCheckEnabled: true,
    HealthCheckProtocol: 'TCP' as const,
    HealthCheckPort: group.health.port,
    HealthCheckIntervalSeconds: group.health.intervalSeconds,
    HealthCheckTimeoutSeconds: group.health.timeoutSeconds,
    HealthyThresholdCount: group.health.healthyThreshold,
    UnhealthyThresholdCount: group.health.unhealthyThreshold,
    LoadBalancerArns: loadBalancersOf(region, group.arn),
  };
}

export const targetGroupOperations = [
  on(elb.CreateTargetGroupCommand, (input, { region }) => {
    const name = checkName(input.Name, 'target group');
    const protocol = onlyTcp('protocol', input.Protocol);
    const { Port = 0, VpcId = '', TargetType = 'instance', IpAddressType = 'ipv4' } = input;
    if (input.Protocol === undefined) throw validation('A protocol must be specified');
    if (!isPort(Port)) throw validation(`Port '${Port}' must be in the range 1-65535`);
    if (!region.vpcs[VpcId]) throw validation(`The VPC ID '${VpcId}' is not found`);
    if (TargetType !== 'instance' || IpAddressType !== 'ipv4') {
      throw new AwsError(
        'UnsupportedOperation',
        `the practice cloud has instances as targets only: ${TargetType} ${IpAddressType} is not simulated`,
      );
    }
    const health = healthOf(input);
    const tags = tagsOf(input.Tags);
    const existing = Object.values(region.targetGroups).find((one) => one.name === name);
    if (existing) {
      const settings = (port: number, vpcId: string, one: TargetGroup['health']) =>
        JSON.stringify([port, vpcId, Object.values(one)]);
      if (settings(existing.port, existing.vpcId, existing.health) === settings(Port, VpcId, health)) {
        return { TargetGroups: [describe(region, existing)] };
      }
      throw new AwsError(
        'DuplicateTargetGroupName',
        `A target group with the same name '${name}' exists, but with different settings`,
      );
    }
    const group: TargetGroup = {
      arn: arn(region, `targetgroup/${name}/${arnId()}`),
      name,
      protocol,
      port: Port,
      vpcId: VpcId,
      health,
      attributes: { ...ATTRIBUTES },
      targets: [],
    };
    region.targetGroups[group.arn] = group;
    setTags(region, group.arn, tags);
    return { TargetGroups: [describe(region, group)] };
  }),

  on(elb.DescribeTargetGroupsCommand, (input, { region }) => {
    const { LoadBalancerArn, TargetGroupArns = [], Names = [] } = input;
    if ([LoadBalancerArn !== undefined, TargetGroupArns.length > 0, Names.length > 0].filter(Boolean).length > 1) {
      throw validation('You can specify one of load balancer ARN, target group ARNs and names');
    }
    const all = Object.values(region.targetGroups);
    const missing = Names.find((name) => !all.some((group) => group.name === name));
    if (missing) throw new AwsError('TargetGroupNotFound', `Target groups '[${missing}]' not found`);
    if (LoadBalancerArn !== undefined) loadBalancer(region, LoadBalancerArn);
    const selected = TargetGroupArns.length
      ? TargetGroupArns.map((one) => targetGroup(region, one))
      : all.filter(
          (group) =>
            (!Names.length || Names.includes(group.name)) &&
            (LoadBalancerArn === undefined || loadBalancersOf(region, group.arn).includes(LoadBalancerArn)),
        );
    const { items, next } = pageOf(selected, input);
    return { TargetGroups: items.map((group) => describe(region, group)), ...next };
  }),

  on(elb.ModifyTargetGroupCommand, (input, { region }) => {
    const group = targetGroup(region, input.TargetGroupArn);
    group.health = healthOf(input, group.health);
    return { TargetGroups: [describe(region, group)] };
  }),

  on(elb.DeleteTargetGroupCommand, ({ TargetGroupArn = '' }, { region }) => {
    // One that is not there is no error.
    if (!region.targetGroups[TargetGroupArn]) return {};
    if (loadBalancersOf(region, TargetGroupArn).length) {
      throw new AwsError(
        'ResourceInUse',
        `Target group '${TargetGroupArn}' is currently in use by a listener or a rule`,
      );
    }
    delete region.targetGroups[TargetGroupArn];
    delete region.tags[TargetGroupArn];
    return {};
  }),

  on(elb.DescribeTargetGroupAttributesCommand, ({ TargetGroupArn }, { region }) => ({
    Attributes: attributeList(targetGroup(region, TargetGroupArn).attributes),
  })),

  on(elb.ModifyTargetGroupAttributesCommand, ({ TargetGroupArn, Attributes }, { region }) => {
    const { attributes } = targetGroup(region, TargetGroupArn);
    setAttributes(attributes, Attributes);
    return { Attributes: attributeList(attributes) };
  }),
];
