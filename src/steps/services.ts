import { securityGroupRules } from '../aws/resources/securityGroupRules.ts';
import { type Chapter, out, ready, resource } from '../engine/types.ts';
import { type Config, isWorld } from './config.ts';
import { POSTGRES_PORT } from './controller.ts';
import { groups, sshFromBastion } from './groups.ts';
import { publicHost } from './host.ts';
import { runnerKeys } from './hosts.ts';
import { queues } from './rabbitmq.ts';
import { network } from './vpc.ts';

/** AMQP over TLS, IANA's port for it. */
const AMQPS_PORT = 5671;

/** Secrets of the services API, by their names in the vault file (the guide's chapter 6): five of 64 characters, one Fernet key. */
const SERVICE_SECRETS = {
  services_api_token: 'password',
  services_database_password: 'password',
  services_rabbitmq_password: 'password',
  services_redis_password: 'password',
  services_secret_key: 'password',
  services_fernet_key: 'fernet',
} as const;

/** Chapter 6: databases, queues and storage for the applications. */
export const services: Chapter<Config> = {
  id: 'services',
  title: 'Services API',
  guide: '6-services.md',
  steps: [
    {
      id: 'secrets',
      title: 'Secrets for the services',
      guide: 'Secrets for the services',
      actions: (config) => [{ secrets: Object.keys(SERVICE_SECRETS) }, ...queues(config, 'services')],
    },
    {
      id: 'firewall',
      title: 'The services firewall',
      guide: 'The services firewall',
      actions: (config) => [
        { resource: groups.services(config) },
        {
          resource: resource(securityGroupRules, 'sg-services-ingress', {
            groupId: out(groups.services(config), 'id'),
            rules: [
              sshFromBastion(config),
              {
                protocol: 'tcp',
                fromPort: 443,
                toPort: 443,
                sourceGroupId: out(groups.controller(config), 'id'),
                description: 'API from the controller',
              },
              // Who opens SSH to the world has not asked for more: the command reaches the API over SSH anyway.
              ...(isWorld(config.sshFrom)
                ? []
                : [
                    {
                      protocol: 'tcp' as const,
                      fromPort: 443,
                      toPort: 443,
                      cidr: config.sshFrom,
                      description: 'API from your own address',
                    },
                  ]),
              {
                protocol: 'tcp',
                fromPort: 443,
                toPort: 443,
                sourceGroupId: out(groups.runners(config), 'id'),
                description: 'API from the runners',
              },
              {
                protocol: 'tcp',
                fromPort: AMQPS_PORT,
                toPort: AMQPS_PORT,
                sourceGroupId: out(groups.runners(config), 'id'),
                description: 'RabbitMQ from applications',
              },
              {
                protocol: 'tcp',
                fromPort: POSTGRES_PORT,
                toPort: POSTGRES_PORT,
                sourceGroupId: out(groups.runners(config), 'id'),
                description: 'PostgreSQL from applications, passed on to the database',
              },
            ],
          }),
        },
        {
          resource: resource(securityGroupRules, 'sg-database-ingress-services', {
            groupId: out(groups.database(config), 'id'),
            rules: [
              {
                protocol: 'tcp',
                fromPort: POSTGRES_PORT,
                toPort: POSTGRES_PORT,
                sourceGroupId: out(groups.services(config), 'id'),
                description: 'PostgreSQL from the services API',
              },
            ],
          }),
        },
      ],
    },
    {
      id: 'host',
      title: 'The services host',
      guide: 'The services host',
      actions: (config) => publicHost(config, 'services', groups.services(config), network.publicB(config)),
    },
    {
      id: 'provision',
      title: 'Provisioning the services host',
      guide: 'Provisioning the services host',
      actions: (config) => [
        {
          play: {
            key: 'play-services',
            title: 'Provision the services host',
            playbook: 'services.yml',
            hosts: ['services'],
            // The API keeps its own data in the database, and its certificate comes from the controller.
            after: [
              ready('services'),
              ready('eip-association-services'),
              ready('sg-services-ingress'),
              ready('database'),
              ready('sg-database-ingress-services'),
            ],
            needs: ['play-bastion', 'play-controller'],
            seconds: 120,
          },
        },
        {
          play: {
            key: 'play-connect',
            title: 'Tell all hosts of each other and of the database',
            playbook: 'connect.yml',
            hosts: ['bastion', 'controller', ...runnerKeys(config), 'services'],
            after: [ready('database'), ready('sg-database-ingress'), ready('sg-database-ingress-services')],
            needs: ['play-controller', 'play-runners', 'play-services'],
            seconds: 30,
          },
        },
      ],
    },
  ],
};
