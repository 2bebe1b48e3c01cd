import { NOTES } from '../aws/resources/common.ts';
import { vpcTag } from '../aws/resources/vpcTag.ts';
import { type Action, out, resource } from '../engine/types.ts';
import { rabbitmqPermissions, rabbitmqUser, rabbitmqVhost } from '../rabbitmq/kinds.ts';
import { RABBITMQ_USERS, type RabbitmqUser, rabbitmqName } from '../rabbitmq/settings.ts';
import type { Config } from './config.ts';
import { network } from './vpc.ts';

/** On an existing RabbitMQ server: a virtual host, a user of the same name, and its rights there; nothing where none is configured. */
export function queues(config: Config, user: RabbitmqUser): Action[] {
  if (!config.rabbitmq) return [];
  const { passwordSecret } = RABBITMQ_USERS[user];
  const name = rabbitmqName(config.name, user);
  // A note on the VPC says where they are: made before the first of them, and gone after the last.
  const note = resource(vpcTag, 'note-rabbitmq', {
    vpcId: out(network.vpc(config), 'id'),
    tag: NOTES.rabbitmq,
    value: config.rabbitmq.managementUrl,
  });
  const noted = [out(note, 'id')];
  const vhost = resource(rabbitmqVhost, `rabbitmq-vhost-${user}`, { vhost: name }, noted);
  const account = resource(rabbitmqUser, `rabbitmq-user-${user}`, { user: name, passwordSecret }, noted);
  const rights = resource(rabbitmqPermissions, `rabbitmq-permissions-${user}`, {
    vhost: out(vhost, 'id'),
    user: out(account, 'id'),
  });
  return [
    { secrets: [passwordSecret] },
    ...(user === 'controller' ? [{ resource: note }] : []),
    { resource: vhost },
    { resource: account },
    { resource: rights },
  ];
}
