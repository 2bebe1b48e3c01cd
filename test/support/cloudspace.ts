import { readFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { inject } from 'vitest';
import { environment } from './builtCloudspace.ts';
import { cli, type Result, serve } from './cli.ts';

// The Cloudspace that the files of test/e2e share (builtCloudspace.ts): its commands, its hosts, and its door. Each file removes what it made.

const built = inject('cloudspace');
export const { name, stateDir, home } = built;
export const dir = join(stateDir, name);

/** A command of ours on it. */
export const run = (...words: string[]): Promise<Result> => cli(words, { env: environment(built), cwd: home });

/** The same, and it has to end well. */
export async function must(...words: string[]): Promise<Result> {
  const result = await run(...words);
  if (result.code === 0) return result;
  throw new Error(`${words.join(' ')} ended with ${result.code}:\n${result.stdout.slice(-2000)}\n${result.stderr}`);
}

/** Both outputs, as they were before the terminal's width broke the lines. */
export const words = ({ stdout, stderr }: Result): string => `${stdout}\n${stderr}`.replaceAll(/\s+/g, ' ');

/** Events of `--json`. */
export function events<T = Record<string, unknown>>({ stdout }: Pick<Result, 'stdout'>): T[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as T);
}

/** A script as root on a host, through the bastion; secrets in it are on its standard input. Throws when it fails. */
export async function on(host: string, script: string): Promise<string> {
  const options = ['-F', join(dir, 'ssh_config'), '-o', 'BatchMode=yes'];
  const { stdout } = await execa('ssh', [...options, host, 'sudo bash -e -s'], { input: script, timeout: 180_000 });
  return stdout.trim();
}

/** Where this machine reaches the load balancer's ports, on loopback. */
export function ports(): Record<'80' | '443' | '2222', number> {
  const { loadBalancer } = JSON.parse(readFileSync(join(dir, 'endpoints.json'), 'utf8'));
  return { 80: loadBalancer['80'].port, 443: loadBalancer['443'].port, 2222: loadBalancer['2222'].port };
}

/** The Cloudspace's own certificate authority. */
export const authority = (): string => readFileSync(join(dir, 'ca.crt'), 'utf8');

export interface Answer {
  /** 0: there was no answer, the body says why */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Asked {
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** over TLS, with the Cloudspace's authority as the only one that is trusted */
  readonly secure?: boolean;
}

/** One request through the load balancer, on a connection of its own. By address: a test must not depend on how this machine looks names up. */
export function ask({ host, path = '/', headers = {}, body, secure = false, ...more }: Asked): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ status: 0, headers: {}, body: error.message });
    const options = {
      host: '127.0.0.1',
      port: ports()[secure ? '443' : '80'],
      path,
      method: more.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { host, ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
      agent: false as const,
      timeout: 20_000,
      ...(secure ? { servername: host, ca: authority() } : {}),
    };
    const sent = (secure ? secureRequest : request)(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.once('error', failed);
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer within 20 seconds')));
    sent.once('error', failed);
    sent.end(body);
  });
}

/** Looks until what is seen is good. Throws with the last thing seen. */
export async function until<T>(look: () => Promise<T>, good: (value: T) => boolean, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await look();
    if (good(value)) return value;
    if (Date.now() > end) throw new Error(`not within ${seconds} s; last: ${JSON.stringify(value)}`);
    await sleep(300);
  }
}

/** Asks without a pause, on some connections at a time, until it is stopped. Gives what was no 200, and how many there were in all. */
export function steadily(
  asked: Asked,
  visitors = 2,
): { stop(): Promise<{ bad: Answer[]; good: Answer[]; count: number }> } {
  let going = true;
  const bad: Answer[] = [];
  const good: Answer[] = [];
  const clients = Array.from({ length: visitors }, async () => {
    while (going) {
      const answer = await ask(asked);
      (answer.status === 200 ? good : bad).push(answer);
      await sleep(10);
    }
  });
  return {
    async stop() {
      going = false;
      await Promise.all(clients);
      return { bad, good, count: bad.length + good.length };
    },
  };
}

/** The runners' Swarm nodes as the controller lists them: "runner-1 ready active true". */
export async function nodes(): Promise<string[]> {
  const format = '{{.Description.Hostname}} {{.Status.State}} {{.Spec.Availability}} {{.Spec.Labels.builder}}';
  const list = await on('controller', `docker node ls -q | xargs docker node inspect --format '${format}'`);
  return list.split('\n').sort();
}

/** The settings of an SDK client for the practice API of this Cloudspace, which runs with its hosts while `use` does. */
export async function withApi<T>(use: (client: ApiClient) => Promise<T>): Promise<T> {
  const api = await serve(stateDir, ['--name', name, '--hosts', 'containers']);
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_REGION = '' } = api.env;
  try {
    return await use({
      endpoint: api.endpoint,
      region: AWS_REGION,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    });
  } finally {
    await api.close();
  }
}

export interface ApiClient {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** The id of a host's instance. */
export function instanceOf(host: string): string {
  const { all } = JSON.parse(readFileSync(join(dir, 'inventory.json'), 'utf8'));
  return all.hosts[host].instance_id;
}
