import { securityGroup } from '../aws/resources/securityGroup.ts';
import { out, resource } from '../engine/types.ts';
import type { Config } from './config.ts';
import { network } from './vpc.ts';

const group = (key: string, description: string) => (config: Config) =>
  resource(securityGroup, key, { vpcId: out(network.vpc(config), 'id'), description });

/** The security groups that rules of several chapters refer to: by id, never by address, so that a replaced host needs no new rule. */
export const groups = {
  bastion: group('sg-bastion', 'SSH bastion: SSH from your own address'),
  controller: group('sg-controller', 'Application controller: Swarm, registry and routes for the runners'),
  database: group('sg-database', 'Database: PostgreSQL from the controller and the services API'),
  runners: group('sg-runners', 'Application runners: traffic from the load balancer'),
  loadBalancer: group('sg-load-balancer', 'Load balancer: HTTP, HTTPS and SSH into applications from anywhere'),
  services: group('sg-services', 'Services API: HTTPS from the controller and from your own address'),
};

/** SSH from the bastion: the rule that every other host's group has. */
export const sshFromBastion = (config: Config) => ({
  protocol: 'tcp' as const,
  fromPort: 22,
  toPort: 22,
  sourceGroupId: out(groups.bastion(config), 'id'),
  description: 'SSH through the bastion',
});
