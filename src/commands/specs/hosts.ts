import { ami, cloud, common, instanceType, maxUsdPerHour, practiceOnly, textOnly, yes } from './options.ts';
import type { CommandSpec } from './spec.ts';

/** The hosts, through the bastion. */
export const hostsCommands: readonly CommandSpec[] = [
  {
    name: 'ssh',
    arguments: '<host> [command...]',
    summary: 'open a shell on a host, or run a command there, through the bastion',
    options: textOnly,
    examples: ['cloudspace ssh bastion', 'cloudspace ssh runner-1 -- hostname'],
    load: () => import('../ssh.ts'),
  },
  {
    name: 'hosts',
    summary: 'the hosts, their addresses and their pinned host keys',
    options: common,
    examples: ['cloudspace hosts', 'cloudspace hosts trust runner-1'],
    load: () => import('../hosts.ts'),
    children: [
      {
        name: 'trust',
        arguments: '<host>',
        summary: "pin a host's new key, when its console output or you vouch for it",
        options: [
          { flags: '--fingerprint <sha256>', text: 'the key you expect, read on the host by another way' },
          yes,
          ...cloud,
          ...practiceOnly,
          ...common,
        ],
        examples: ['cloudspace hosts trust runner-1'],
        load: () => import('../hostsTrust.ts'),
      },
    ],
  },
  {
    name: 'ssh-config',
    summary: 'print the ssh_config with which ssh, scp and rsync reach the hosts',
    options: common,
    examples: ['cloudspace ssh-config > cloudspace.ssh && ssh -F cloudspace.ssh controller'],
    load: () => import('../sshConfig.ts'),
  },
  {
    name: 'inventory',
    summary: "Ansible's dynamic inventory",
    options: [{ flags: '--list', text: 'all groups and hosts, as Ansible asks for them' }, ...common],
    examples: ['cloudspace inventory --list'],
    load: () => import('../inventory.ts'),
  },
  {
    name: 'cycle',
    arguments: '[host]',
    summary: 'replace hosts by new ones, one by one, while applications go on answering',
    options: [yes, ami, instanceType, maxUsdPerHour, ...cloud, ...practiceOnly, ...common],
    examples: ['cloudspace cycle runner-1', 'cloudspace cycle all --yes', 'cloudspace cycle all --ami newest'],
    load: () => import('../cycle.ts'),
  },
];
