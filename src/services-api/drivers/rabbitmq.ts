import { open, readFile } from 'node:fs/promises';
import type { ServicesConfig } from '../config.ts';
import { ApiError } from '../errors.ts';
import type { Instance } from '../store.ts';
import { randomPassword } from './scram.ts';
import type { Driver } from './types.ts';

const TIMEOUT_MS = 30_000;

/** Virtual hosts of a RabbitMQ server, through its management API (rabbitmq.com/docs/management, 3.10). Every PUT there may be repeated. */
export function rabbitmq(config: ServicesConfig['rabbitmq']): Driver {
  const authorization = `Basic ${Buffer.from(`${config.user}:${config.password}`).toString('base64')}`;

  /** Gives the answer, or undefined on 404. Throws ApiError 502 with RabbitMQ's own reason. */
  async function call(method: string, path: readonly string[], body?: unknown): Promise<unknown> {
    const url = `${config.management}/api/${path.map(encodeURIComponent).join('/')}`;
    let answer: Response;
    try {
      answer = await fetch(url, {
        method,
        headers: { authorization, 'content-type': 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new ApiError(502, 'BackendUnavailable', 'RabbitMQ does not answer: is rabbitmq-server running?', error);
    }
    const text = await answer.text();
    if (answer.status === 404) return undefined;
    if (!answer.ok) {
      const reason = /"reason":"?((?:[^"\\]|\\.)*)/.exec(text)?.[1] ?? answer.statusText;
      throw new ApiError(502, 'BackendError', `RabbitMQ refused (${answer.status}): ${reason.slice(0, 300)}`);
    }
    return text === '' ? {} : JSON.parse(text);
  }

  /** The API's own user needs permissions in a virtual host to import definitions into it. */
  async function makeVhost(vhost: string): Promise<void> {
    await call('PUT', ['vhosts', vhost], {});
    await call('PUT', ['permissions', vhost, config.user], { configure: '.*', write: '.*', read: '.*' });
  }

  return {
    async create(instance) {
      await makeVhost(instance.name);
      for (const [ours, theirs] of [
        ['max_connections', 'max-connections'],
        ['max_queues', 'max-queues'],
      ] as const)
        await call('PUT', ['vhost-limits', instance.name, theirs], { value: instance.parameters[ours] });
    },

    async delete(instance) {
      await call('DELETE', ['vhosts', instance.name]);
    },

    async bind(instance, user) {
      const password = randomPassword();
      await call('PUT', ['users', user], { password, tags: '' });
      await call('PUT', ['permissions', instance.name, user], { configure: '.*', write: '.*', read: '.*' });
      const { host, port } = config;
      return {
        uri: `amqps://${user}:${password}@${host}:${port}/${encodeURIComponent(instance.name)}`,
        host,
        port,
        vhost: instance.name,
        username: user,
        password,
      };
    },

    async unbind(_instance, user) {
      await call('DELETE', ['users', user]);
      await closeConnections(user);
    },

    async ping() {
      await call('GET', ['overview']);
    },

    backups: {
      async dump(instance, file) {
        const definitions = await call('GET', ['definitions', instance.name]);
        if (definitions === undefined) throw missing(instance);
        const output = await open(file, 'wx', 0o600);
        try {
          await output.writeFile(JSON.stringify(definitions, null, 1));
          await output.sync();
        } finally {
          await output.close();
        }
      },

      /** Into a virtual host made for it: definitions that RabbitMQ does not take are found out there. */
      async stage(_instance, file, stage) {
        const definitions = await readDefinitions(file);
        await makeVhost(stage);
        await call('POST', ['definitions', stage], definitions);
      },

      /**
       * Declares what the backup has and the virtual host has not. Other queues and all messages stay: a broker's are in use by both sides,
       * and there is no renaming of virtual hosts.
       */
      async swap(instance, file, _stage, mark) {
        if ((await call('GET', ['vhosts', instance.name])) === undefined) throw missing(instance);
        await call('POST', ['definitions', instance.name], await readDefinitions(file));
        await mark();
      },

      async discard(stage) {
        await call('DELETE', ['vhosts', stage]);
      },
    },
  };

  /** A user that is gone keeps the connections it has. */
  async function closeConnections(user: string): Promise<void> {
    const open = await call('GET', ['connections', 'username', user]);
    if (!Array.isArray(open)) return;
    for (const { name } of open as { name: string }[]) await call('DELETE', ['connections', name]);
  }
}

const missing = (instance: Instance): ApiError =>
  new ApiError(502, 'BackendError', `the virtual host ${instance.name} is not there any more`);

async function readDefinitions(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'));
}
