import { listener } from '../aws/resources/listener.ts';
import { loadBalancer } from '../aws/resources/loadBalancer.ts';
import { securityGroupRules } from '../aws/resources/securityGroupRules.ts';
import { targetGroup } from '../aws/resources/targetGroup.ts';
import { targetGroupAttachment } from '../aws/resources/targetGroupAttachment.ts';
import { type Chapter, out, resource } from '../engine/types.ts';
import type { Config } from './config.ts';
import { applicationsRecord } from './dns.ts';
import { groups } from './groups.ts';
import { runnerHosts } from './runners.ts';
import { network } from './vpc.ts';

const SSH_PORT = 2222;

/** The guide's chapter 5: three TCP ports, checked on another one. */
export const PORTS = [
  { protocol: 'http', port: 80 },
  { protocol: 'https', port: 443 },
  { protocol: 'ssh', port: SSH_PORT },
] as const;
const HEALTH_PORT = 79;

const groupFor = (config: Config, { protocol, port }: (typeof PORTS)[number]) =>
  resource(targetGroup, `target-group-${protocol}`, {
    vpcId: out(network.vpc(config), 'id'),
    name: `${config.name}-runners-${protocol}`,
    port,
    healthCheckPort: HEALTH_PORT,
    healthyThreshold: 3,
    healthCheckInterval: 10,
  });

const balancer = (config: Config) =>
  resource(
    loadBalancer,
    'load-balancer',
    {
      subnetIds: [out(network.publicA(config), 'id'), out(network.publicB(config), 'id')],
      securityGroupIds: [out(groups.loadBalancer(config), 'id')],
    },
    // An internet-facing load balancer is refused in a VPC without an internet gateway.
    [out(network.attachment(config), 'id')],
  );

/** Chapter 5: from the internet to the runners. */
export const ingress: Chapter<Config> = {
  id: 'ingress',
  title: 'Ingress tier',
  guide: '5-ingress.md',
  steps: [
    {
      id: 'target-groups',
      title: 'Target groups',
      guide: 'Target groups',
      actions: (config) => PORTS.map((port) => ({ resource: groupFor(config, port) })),
    },
    {
      id: 'firewall',
      title: "The load balancer's firewall",
      guide: "The load balancer's firewall",
      actions: (config) => [
        { resource: groups.loadBalancer(config) },
        {
          resource: resource(securityGroupRules, 'sg-load-balancer-ingress', {
            groupId: out(groups.loadBalancer(config), 'id'),
            rules: PORTS.map(({ protocol, port }) => ({
              protocol: 'tcp' as const,
              fromPort: port,
              toPort: port,
              cidr: '0.0.0.0/0',
              description: `${protocol} from anywhere`,
            })),
          }),
        },
        {
          resource: resource(securityGroupRules, 'sg-runners-ingress-load-balancer', {
            groupId: out(groups.runners(config), 'id'),
            rules: [
              ...[...PORTS.map(({ port }) => port), HEALTH_PORT].map((port) => ({
                protocol: 'tcp' as const,
                fromPort: port,
                toPort: port,
                sourceGroupId: out(groups.loadBalancer(config), 'id'),
                description: port === HEALTH_PORT ? 'health checks' : 'from the load balancer',
              })),
              {
                protocol: 'tcp',
                fromPort: SSH_PORT,
                toPort: SSH_PORT,
                sourceGroupId: out(groups.runners(config), 'id'),
                description: 'SSH, sent on to the runner with the container',
              },
            ],
          }),
        },
      ],
    },
    {
      id: 'load-balancer',
      title: 'The load balancer',
      guide: 'The load balancer',
      actions: (config) => [{ resource: balancer(config) }, ...applicationsRecord(config, balancer(config))],
    },
    {
      id: 'listeners',
      title: 'Listeners and targets',
      guide: 'Listeners and targets',
      actions: (config) =>
        PORTS.flatMap((port) => [
          {
            // Listeners may be made while the load balancer is still being provisioned.
            resource: resource(listener, `listener-${port.protocol}`, {
              loadBalancerArn: out(balancer(config), 'id', 'created'),
              targetGroupArn: out(groupFor(config, port), 'id'),
              port: port.port,
            }),
          },
          {
            resource: resource(targetGroupAttachment, `targets-${port.protocol}`, {
              targetGroupArn: out(groupFor(config, port), 'id'),
              instanceIds: runnerHosts(config).map((machine) => out(machine, 'id')),
            }),
          },
        ]),
    },
  ],
};
