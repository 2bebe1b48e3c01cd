import { CloudspaceError } from '../engine/types.ts';

export interface RabbitmqOptions {
  /** of the management plugin, such as https://rabbitmq.example.com:15671 */
  readonly managementUrl: string;
  readonly administrator: string;
  readonly password: string;
  /** refuses every change before it is sent */
  readonly readOnly?: boolean;
  readonly signal?: AbortSignal;
}

/** An existing RabbitMQ server, by its management API (rabbitmq.com/docs/management). Every change there may be repeated without harm. */
export interface Rabbitmq {
  /** Gives undefined on 404. Throws CloudspaceError `RabbitmqUnreachable`, `RabbitmqPassword`, `RabbitmqRights`, `RabbitmqRefused`. */
  call<T>(method: 'GET' | 'PUT' | 'DELETE', path: readonly string[], body?: unknown): Promise<T | undefined>;
}

const TIMEOUT_MS = 15_000;

export function rabbitmq(options: RabbitmqOptions): Rabbitmq {
  const { managementUrl, administrator } = options;
  const base = managementUrl.replace(/\/+$/, '');
  const authorization = `Basic ${Buffer.from(`${administrator}:${options.password}`).toString('base64')}`;
  const fail = (message: string, code: string, hint: string, cause?: unknown): CloudspaceError =>
    new CloudspaceError(message, { code, hint, exitCode: 2, cause });

  return {
    async call<T>(method: 'GET' | 'PUT' | 'DELETE', path: readonly string[], body?: unknown): Promise<T | undefined> {
      if (options.readOnly && method !== 'GET')
        throw new CloudspaceError(`${path[0]} of RabbitMQ would change, and this run only looks`, { code: 'ReadOnly' });
      const limit = AbortSignal.timeout(TIMEOUT_MS);
      let answer: Response;
      let text: string;
      try {
        answer = await fetch(`${base}/api/${path.map(encodeURIComponent).join('/')}`, {
          method,
          headers: { authorization, 'content-type': 'application/json' },
          signal: options.signal ? AbortSignal.any([options.signal, limit]) : limit,
          // A proxy that sends us elsewhere would get the password.
          redirect: 'error',
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        text = await answer.text();
      } catch (error) {
        options.signal?.throwIfAborted();
        const { cause, name } = error as { cause?: { code?: string; message?: string }; name: string };
        const why =
          name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1000} seconds` : (cause?.code ?? cause?.message);
        throw fail(
          `cannot reach RabbitMQ at ${base}${why ? `: ${why}` : ''}`,
          'RabbitmqUnreachable',
          'check rabbitmq.management-url in cloudspace.yaml (it is the management plugin, usually port 15672, with TLS 15671) and the network',
          error,
        );
      }
      if (answer.status === 404) return undefined;
      if (answer.status === 401)
        throw fail(
          `RabbitMQ at ${base} does not let "${administrator}" in with this password`,
          'RabbitmqPassword',
          'check rabbitmq.administrator and rabbitmq.password; the user "guest" may come from the server itself only',
        );
      const reason = /"reason":"?((?:[^"\\]|\\.)*)/.exec(text)?.[1] ?? answer.statusText;
      if (answer.status === 403)
        throw fail(
          `RabbitMQ at ${base} does not let "${administrator}" do this: ${reason.slice(0, 200)}`,
          'RabbitmqRights',
          'virtual hosts and users are made by users with the tag "administrator"',
        );
      if (!answer.ok)
        throw fail(
          `RabbitMQ at ${base} refused ${method} ${path.join('/')} (${answer.status}): ${reason.slice(0, 300)}`,
          'RabbitmqRefused',
          'is it the address of the management plugin? Its log says more',
        );
      try {
        return (text === '' ? {} : JSON.parse(text)) as T;
      } catch (error) {
        throw fail(
          `what answers at ${base} is not RabbitMQ's management API`,
          'RabbitmqRefused',
          'check rabbitmq.management-url: it is the management plugin, usually port 15672',
          error,
        );
      }
    },
  };
}
