import { type Action, out, resource } from '../engine/types.ts';
import { rabbitmqPermissions, rabbitmqUser, rabbitmqVhost } from '../rabbitmq/kinds.ts';
import { RABBITMQ_USERS, type RabbitmqUser, rabbitmqName } from '../rabbitmq/settings.ts';
import type { Config } from './config.ts';

/** On an existing RabbitMQ server: a virtual host, a user of the same name, and its rights there; nothing where none is configured. */
export function queues(config: Config, user: RabbitmqUser): Action[] {
  if (!config.rabbitmq) return [];
  const { passwordSecret } = RABBITMQ_USERS[user];
  const name = rabbitmqName(config.name, user);
  const vhost = resource(rabbitmqVhost, `rabbitmq-vhost-${user}`, { vhost: name });
  const account = resource(rabbitmqUser, `rabbitmq-user-${user}`, { user: name, passwordSecret });
  const rights = resource(rabbitmqPermissions, `rabbitmq-permissions-${user}`, {
    vhost: out(vhost, 'id'),
    user: out(account, 'id'),
  });
  return [{ secrets: [passwordSecret] }, { resource: vhost }, { resource: account }, { resource: rights }];
}
