import { CloudspaceError, usageError } from '../engine/types.ts';
import type { Rabbitmq } from './client.ts';
import { ownerOf, takenAtRabbitmq } from './kinds.ts';

/** What the steps and the playbooks know of an existing RabbitMQ server: no secret. */
export interface RabbitmqConfig {
  readonly managementUrl: string;
  /** where it speaks AMQP */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** Who gets a virtual host with a user of the same name, and where its password is in the vault (the guide's chapters 3 and 6). The server on the services host has another. */
export const RABBITMQ_USERS = {
  controller: { suffix: '', passwordSecret: 'rabbitmq_controller_password' },
  services: { suffix: '-services', passwordSecret: 'rabbitmq_services_password' },
} as const;
export type RabbitmqUser = keyof typeof RABBITMQ_USERS;

export function rabbitmqName(cloudspace: string, user: RabbitmqUser): string {
  return `${cloudspace}${RABBITMQ_USERS[user].suffix}`;
}

/**
 * Looks at the server before anything is made: does it answer, may the administrator do this, where does it speak AMQP. Throws as `Rabbitmq.call` does, and
 * `RabbitmqRights`.
 */
export async function lookAtRabbitmq(server: Rabbitmq, managementUrl: string): Promise<RabbitmqConfig> {
  const who = await server.call<{ name: string; tags: string[] | string }>('GET', ['whoami']);
  if (!who)
    throw usageError(
      `what answers at ${managementUrl} is not RabbitMQ's management API`,
      'check rabbitmq.management-url: it is the management plugin, usually port 15672',
      'RabbitmqRefused',
    );
  const tags = typeof who.tags === 'string' ? who.tags.split(',') : who.tags;
  if (!tags.includes('administrator'))
    throw new CloudspaceError(`"${who.name}" is no administrator of the RabbitMQ server`, {
      code: 'RabbitmqRights',
      hint: `virtual hosts and users are made by users with the tag "administrator": rabbitmqctl set_user_tags ${who.name} administrator`,
      exitCode: 2,
    });
  const overview = await server.call<{ listeners?: { protocol: string; port: number }[] }>('GET', ['overview']);
  const listener = (protocol: string): number | undefined =>
    overview?.listeners?.find((one) => one.protocol === protocol)?.port;
  const tls = listener('amqp/ssl');
  const { hostname } = new URL(managementUrl);
  return { managementUrl, host: hostname, port: tls ?? listener('amqp') ?? 5671, tls: tls !== undefined };
}

/** Throws `RabbitmqTaken` when a name that is needed is somebody else's. */
export async function refuseTakenNames(
  server: Rabbitmq,
  owner: { readonly name: string; readonly account: string },
): Promise<void> {
  for (const user of Object.keys(RABBITMQ_USERS) as RabbitmqUser[]) {
    const name = rabbitmqName(owner.name, user);
    for (const what of ['vhosts', 'users'] as const)
      if ((await ownerOf(server, what, name, owner)) === 'another') throw takenAtRabbitmq(what, name);
  }
}
