import { dbInstance } from '../aws/resources/dbInstance.ts';
import { dbSubnetGroup } from '../aws/resources/dbSubnetGroup.ts';
import { securityGroupRules } from '../aws/resources/securityGroupRules.ts';
import { type Chapter, out, ready, resource } from '../engine/types.ts';
import type { Config } from './config.ts';
import { groups, sshFromBastion } from './groups.ts';
import { publicHost } from './host.ts';
import { queues } from './rabbitmq.ts';
import { network } from './vpc.ts';

export const POSTGRES_PORT = 5432;
export const DATABASE_NAME = 'cloudspace';

/** Chapter 3: the controller and the database of the Cloudspace's own services. */
export const controller: Chapter<Config> = {
  id: 'controller',
  title: 'Application controller',
  guide: '3-controller.md',
  steps: [
    {
      id: 'database',
      title: 'The database',
      guide: 'The database',
      actions: (config) => {
        const subnetGroup = resource(dbSubnetGroup, 'db-subnet-group', {
          subnetIds: [out(network.privateA(config), 'id'), out(network.privateB(config), 'id')],
          description: 'Private subnets of the Cloudspace',
        });
        return [
          { resource: groups.database(config) },
          { resource: groups.controller(config) },
          {
            resource: resource(securityGroupRules, 'sg-database-ingress', {
              groupId: out(groups.database(config), 'id'),
              rules: [
                {
                  protocol: 'tcp',
                  fromPort: POSTGRES_PORT,
                  toPort: POSTGRES_PORT,
                  sourceGroupId: out(groups.controller(config), 'id'),
                  description: 'PostgreSQL from the controller',
                },
              ],
            }),
          },
          { resource: subnetGroup },
          {
            resource: resource(dbInstance, 'database', {
              instanceClass: config.dbClass,
              engineVersion: config.postgresVersion,
              caCertificate: config.caCertificate,
              dbSubnetGroup: out(subnetGroup, 'id'),
              securityGroupIds: [out(groups.database(config), 'id')],
              masterUsername: 'cloudspace',
              masterPasswordSecret: 'database_master_password',
              databaseName: DATABASE_NAME,
            }),
          },
        ];
      },
    },
    {
      id: 'firewall',
      title: "The controller's firewall",
      guide: "The controller's firewall",
      actions: (config) => [
        { resource: groups.runners(config) },
        {
          resource: resource(securityGroupRules, 'sg-controller-ingress', {
            groupId: out(groups.controller(config), 'id'),
            rules: [
              sshFromBastion(config),
              ...from(groups.runners(config), [
                ['tcp', 2377, 'Swarm: management'],
                ['tcp', 7946, 'Swarm: gossip'],
                ['udp', 7946, 'Swarm: gossip'],
                ['udp', 4789, 'Swarm: overlay network'],
                ['tcp', 5000, 'image registry'],
                ['tcp', 6379, 'Redis: routes'],
              ]),
              // Two managers, for the minutes in which one succeeds the other.
              ...from(groups.controller(config), [
                ['tcp', 2377, 'Swarm: management, its successor'],
                ['tcp', 7946, 'Swarm: gossip, its successor'],
                ['udp', 7946, 'Swarm: gossip, its successor'],
              ]),
            ],
          }),
        },
      ],
    },
    {
      id: 'host',
      title: 'The controller host',
      guide: 'The controller host',
      actions: (config) => publicHost(config, 'controller', groups.controller(config), network.publicA(config)),
    },
    {
      id: 'provision',
      title: 'Provisioning the controller',
      guide: 'Provisioning the controller',
      actions: (config) => [
        { secrets: ['redis_password'] },
        ...queues(config, 'controller'),
        {
          play: {
            key: 'play-controller',
            title: 'Provision the controller',
            playbook: 'controller.yml',
            hosts: ['controller'],
            after: [ready('controller'), ready('eip-association-controller'), ready('sg-controller-ingress')],
            needs: ['play-bastion'],
            seconds: 180,
          },
        },
      ],
    },
  ],
};

type Group = ReturnType<typeof groups.runners>;

function from(group: Group, ports: readonly (readonly ['tcp' | 'udp', number, string])[]) {
  return ports.map(([protocol, port, description]) => ({
    protocol,
    fromPort: port,
    toPort: port,
    sourceGroupId: out(group, 'id'),
    description,
  }));
}
