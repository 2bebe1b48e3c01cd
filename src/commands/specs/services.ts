import { yes } from './options.ts';
import type { CommandSpec } from './spec.ts';

type Verb = Exclude<keyof typeof import('../services.ts'), 'default'>;

const verb = (name: Verb) => async () => ({ run: (await import('../services.ts'))[name] });

/** `cloudspace services …`: one child a verb. `common` are the options that every command has. */
export function servicesCommand(common: CommandSpec['options']): CommandSpec {
  const child = (
    name: string,
    words: string,
    summary: string,
    runs: Verb,
    options: CommandSpec['options'] = [],
    examples: readonly string[] = [],
  ): CommandSpec => ({
    name,
    summary,
    ...(words === '' ? {} : { arguments: words }),
    options: [...options, ...common],
    examples: examples.length > 0 ? examples : [`cloudspace services ${name}${words === '' ? '' : ' shop-db'}`],
    load: verb(runs),
  });
  return {
    name: 'services',
    summary: 'databases, queues and buckets for applications, and their backups',
    options: common,
    examples: [
      'cloudspace services create shop-db --service postgresql',
      'cloudspace services bind shop-db web',
      'cloudspace services backup shop-db',
    ],
    load: verb('list'),
    children: [
      child('catalog', '', 'services and plans on offer', 'catalog'),
      child('list', '', 'all instances and their bindings', 'list'),
      child(
        'create',
        '<instance>',
        'make a database, a virtual host or a bucket',
        'create',
        [
          { flags: '--service <service>', text: 'postgresql, rabbitmq or s3' },
          { flags: '--plan <plan>', text: 'default: the smallest' },
          { flags: '--parameters <json>', text: "the plan's parameters" },
        ],
        [
          'cloudspace services create shop-db --service postgresql',
          `cloudspace services create jobs --service rabbitmq --parameters '{"max_queues": 10}'`,
        ],
      ),
      child(
        'bind',
        '<instance> <binding>',
        'make a login for it, or show it again (a secret!)',
        'bind',
        [],
        ['cloudspace services bind shop-db web'],
      ),
      child(
        'unbind',
        '<instance> <binding>',
        'remove a login, and end its sessions',
        'unbind',
        [],
        ['cloudspace services unbind shop-db web'],
      ),
      child('delete', '<instance>', 'delete it and its data; its backups stay', 'remove', [yes]),
      child('backup', '<instance>', 'make a backup, and wait for it', 'backup'),
      child('backups', '<instance>', 'its backups; also when it was deleted', 'backups'),
      child(
        'restore',
        '<instance> <backup>',
        'restore a backup, and wait for it',
        'restore',
        [{ flags: '--into <instance>', text: 'into another instance of the same service' }],
        [
          'cloudspace services restore shop-db 20261122T230105-1a2b3c',
          'cloudspace services restore shop-db 20261122T230105-1a2b3c --into shop-db-copy',
        ],
      ),
    ],
  };
}
