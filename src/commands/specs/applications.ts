import { common, yes } from './options.ts';
import { servicesCommand } from './services.ts';
import type { CommandSpec } from './spec.ts';

/** Applications and what they are given. */
export const applicationsCommands: readonly CommandSpec[] = [
  {
    name: 'deploy',
    arguments: '<dir>',
    summary: 'build an application on a builder, run it on the runners, route its domain to it',
    options: [
      {
        flags: '--domain <names>',
        text: "the application's domain, or several with commas (default <app>.<your domain>)",
      },
      { flags: '--app <name>', text: "the application's name (default: the folder's)" },
      { flags: '--replicas <count>', text: 'how many containers (default 2, or as many as it has)' },
      { flags: '--service <kind>', text: 'postgres: a database of its own, as DATABASE_URL' },
      { flags: '--http <how>', text: 'on port 80: serve, or redirect to https (default: serve in practice)' },
      { flags: '--port <port>', text: 'the port it listens on (default: what its image exposes)' },
      ...common,
    ],
    examples: [
      'cloudspace deploy examples/hello --domain hello.localhost --service postgres',
      'cloudspace deploy . --app shop --domain shop.example.com --replicas 3',
    ],
    load: () => import('../deploy.ts'),
  },
  {
    name: 'apps',
    document: true,
    summary: 'the applications that run, with their domains, versions and containers',
    options: common,
    examples: ['cloudspace apps', 'cloudspace apps --json'],
    load: () => import('../apps.ts'),
    children: [
      {
        name: 'remove',
        arguments: '<app>',
        summary: 'remove an application: its containers, its routes, its certificate; its database stays',
        options: [{ flags: '--services', text: 'its database too, after a backup' }, yes, ...common],
        examples: ['cloudspace apps remove hello', 'cloudspace apps remove hello --services'],
        load: () => import('../appsRemove.ts'),
      },
    ],
  },
  {
    name: 'logs',
    arguments: '<app>',
    summary: 'what an application prints, of all its containers',
    options: [
      { flags: '--follow', text: 'go on until Ctrl-C' },
      { flags: '--tail <lines>', text: 'how many lines of each container (default 100)' },
      ...common,
    ],
    examples: ['cloudspace logs hello', 'cloudspace logs hello --follow --json'],
    load: () => import('../logs.ts'),
  },
  servicesCommand(common),
];
