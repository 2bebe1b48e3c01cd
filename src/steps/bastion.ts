import { securityGroupRules } from '../aws/resources/securityGroupRules.ts';
import { type Chapter, out, ready, resource } from '../engine/types.ts';
import type { Config } from './config.ts';
import { groups } from './groups.ts';
import { publicHost, sshKeyPair } from './host.ts';
import { network } from './vpc.ts';

/** Chapter 2: the first foothold, and the way to every other host. */
export const bastion: Chapter<Config> = {
  id: 'bastion',
  title: 'SSH bastion',
  guide: '2-bastion.md',
  steps: [
    {
      id: 'key-pair',
      title: 'Your key pair',
      guide: 'Your key pair',
      actions: (config) => [{ resource: sshKeyPair(config) }],
    },
    {
      id: 'firewall',
      title: "The bastion's firewall",
      guide: "The bastion's firewall",
      actions: (config) => [
        { resource: groups.bastion(config) },
        {
          resource: resource(securityGroupRules, 'sg-bastion-ingress', {
            groupId: out(groups.bastion(config), 'id'),
            rules: [
              {
                protocol: 'tcp',
                fromPort: 22,
                toPort: 22,
                cidr: config.sshFrom,
                description: 'SSH from your own address',
              },
            ],
          }),
        },
      ],
    },
    {
      id: 'host',
      title: 'The bastion host',
      guide: 'The bastion host',
      actions: (config) => publicHost(config, 'bastion', groups.bastion(config), network.publicA(config)),
    },
    {
      id: 'provision',
      title: 'Provisioning the bastion',
      guide: 'Provisioning the bastion',
      actions: () => [
        {
          play: {
            key: 'play-bastion',
            title: 'Provision the bastion',
            playbook: 'bastion.yml',
            hosts: ['bastion'],
            after: [
              ready('bastion'),
              ready('eip-association-bastion'),
              ready('sg-bastion-ingress'),
              ready('route-public-internet'),
              ready('route-table-association-public-a'),
            ],
            seconds: 90,
          },
        },
      ],
    },
  ],
};
