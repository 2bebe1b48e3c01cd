import { securityGroupRules } from '../aws/resources/securityGroupRules.ts';
import { type Chapter, out, ready, resource } from '../engine/types.ts';
import type { Config } from './config.ts';
import { groups, sshFromBastion } from './groups.ts';
import { host } from './host.ts';
import { runnerKeys } from './hosts.ts';
import { network } from './vpc.ts';

/** The runners, alternating between the private subnets of the two zones. */
export const runnerHosts = (config: Config) =>
  runnerKeys(config).map((key, index) =>
    host(config, key, groups.runners(config), index % 2 === 0 ? network.privateA(config) : network.privateB(config)),
  );

/** Chapter 4: the machines that build images and run containers. */
export const runners: Chapter<Config> = {
  id: 'runners',
  title: 'Runners and builders',
  guide: '4-runners.md',
  steps: [
    {
      id: 'firewall',
      title: "The runners' firewall",
      guide: "The runners' firewall",
      actions: (config) => [
        {
          resource: resource(securityGroupRules, 'sg-runners-ingress', {
            groupId: out(groups.runners(config), 'id'),
            rules: [sshFromBastion(config), ...[groups.controller(config), groups.runners(config)].flatMap(swarmFrom)],
          }),
        },
      ],
    },
    {
      id: 'hosts',
      title: 'The runners',
      guide: 'The runners',
      actions: (config) => runnerHosts(config).map((machine) => ({ resource: machine })),
    },
    {
      id: 'provision',
      title: 'Provisioning the runners',
      guide: 'Provisioning the runners',
      actions: (config) => [
        {
          play: {
            key: 'play-runners',
            title: 'Provision the runners',
            playbook: 'runners.yml',
            hosts: runnerKeys(config),
            after: [
              ...runnerKeys(config).map(ready),
              ready('sg-runners-ingress'),
              ready('route-private-nat'),
              ready('route-table-association-private-a'),
              ready('route-table-association-private-b'),
            ],
            // A runner joins the controller's Swarm and trusts its authority.
            needs: ['play-controller'],
            seconds: 120,
          },
        },
      ],
    },
  ],
};

/** What Docker chooses host ports from: the kernel's net.ipv4.ip_local_port_range, and this is its default. */
const CONTAINER_PORTS = [32768, 60999] as const;

type Group = ReturnType<typeof groups.runners>;

/**
 * Docker Swarm's traffic between nodes: gossip and the overlay network (Docker's documentation, "Open protocols and ports between the
 * hosts"), and requests to containers from the ingress of any runner.
 */
function swarmFrom(group: Group) {
  const rule = (protocol: 'tcp' | 'udp', port: number, description: string) => ({
    protocol,
    fromPort: port,
    toPort: port,
    sourceGroupId: out(group, 'id'),
    description,
  });
  return [
    rule('tcp', 7946, 'Swarm: gossip'),
    rule('udp', 7946, 'Swarm: gossip'),
    rule('udp', 4789, 'Swarm: overlay network'),
    {
      ...rule('tcp', CONTAINER_PORTS[0], 'containers, on ports that Docker chooses'),
      toPort: CONTAINER_PORTS[1],
    },
  ];
}
