import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fernetKey } from '../../src/ansible/vault.ts';
import type { ServicesConfig } from '../../src/services-api/config.ts';
import { type Backends, ended, freePorts, PASSWORDS, selfSigned, until } from './backends.ts';

const BUNDLE = fileURLToPath(new URL('../../deployment/roles/services_api/files/services-api.mjs', import.meta.url));
export const TOKEN = 'a-bearer-token-of-more-than-32-characters';

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of many shapes
  readonly body: any;
}

export interface Api {
  readonly dir: string;
  readonly port: number;
  readonly config: ServicesConfig;
  /** what it wrote to standard error so far */
  said(): string;
  start(): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<void>;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Waits for the operation that the answer began. */
  finished(answer: Answer): Promise<Answer>;
  close(): Promise<void>;
}

/** The built services API as a process of its own, with a certificate of its own. SERVICES_API_NODE: another Node to run it with, such as the 18 of Debian 12. */
export async function servicesApi(backends: Backends): Promise<Api> {
  const dir = mkdtempSync(join(tmpdir(), 'cloudspace-services-'));
  selfSigned(dir, 'services');
  const [port] = (await freePorts(1)) as [number];
  const config: ServicesConfig = {
    listen: { host: '127.0.0.1', port },
    tls: { certificate: join(dir, 'services.crt'), key: join(dir, 'services.key') },
    token: TOKEN,
    fernetKeys: [fernetKey()],
    database: {
      host: '127.0.0.1',
      port: backends.postgres.port,
      user: 'services',
      password: PASSWORDS.services,
      name: 'services',
    },
    rabbitmq: {
      management: backends.rabbitmq.management,
      user: 'services',
      password: PASSWORDS.rabbitmq,
      host: '127.0.0.1',
      port: backends.rabbitmq.port,
    },
    backups: join(dir, 'backups'),
    auditLog: join(dir, 'audit.jsonl'),
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  const ca = readFileSync(config.tls.certificate);
  let child: ChildProcess | undefined;
  let text = '';

  const call: Api['call'] = (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port,
          method,
          path,
          ca,
          agent: false,
          headers: { authorization: `Bearer ${TOKEN}`, ...headers },
        },
        (response) => {
          let answer = '';
          response.setEncoding('utf8').on('data', (chunk) => {
            answer += chunk;
          });
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(answer || 'null') }));
        },
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
    });

  const api: Api = {
    dir,
    port,
    config,
    said: () => text,
    call,
    async start() {
      const begun = spawn(process.env.SERVICES_API_NODE ?? process.execPath, [BUNDLE, join(dir, 'config.json')], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      begun.stderr.on('data', (chunk) => {
        text += chunk;
      });
      child = begun;
      await until(async () => {
        if (begun.exitCode !== null) throw new Error(`it ended: ${text}`);
        await call('GET', '/openapi.json');
      });
    },
    async stop(signal) {
      if (child) await ended(child, signal);
    },
    async finished({ body }) {
      return until(async () => {
        const answer = await call(
          'GET',
          `/v2/service_instances/${body.instance}/last_operation?operation=${body.operation}`,
        );
        if (answer.body.state === 'in progress') throw new Error('still in progress');
        return answer;
      });
    },
    async close() {
      await api.stop('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await api.start();
  return api;
}
