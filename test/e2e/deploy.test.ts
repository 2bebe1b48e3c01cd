import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../src/commands/apps.ts';
import { cli, type Result } from '../support/cli.ts';

// Applications on a practice Cloudspace, through the command line and through the load balancer. Makes a Cloudspace and destroys it; with
// CLOUDSPACE_TEST_DEPLOY=<state folder>/<name> one that is there is used and left.

const given = process.env.CLOUDSPACE_TEST_DEPLOY;
const SAMPLE = fileURLToPath(new URL('../../examples/hello', import.meta.url));
const APP = 'greeter';
const DOMAIN = 'greeter.localhost';

let work: string;
let stateDir: string;
let name: string;
let port: { http: number; https: number };
let ca: string;

/** The Cloudspace is named in the environment: what follows a host of `ssh` is the remote command's. */
const run = (...words: string[]): Promise<Result> =>
  cli(words, {
    env: { ...process.env, CLOUDSPACE_NAME: name, CLOUDSPACE_STATE_DIR: stateDir, SSH_AUTH_SOCK: '', FORCE_COLOR: '0' },
    cwd: work,
  });
const deploy = (folder: string, ...more: string[]) => run('deploy', folder, '--app', APP, '--domain', DOMAIN, ...more);
/** Words as they were before the terminal's width broke the lines. */
const words = ({ stdout, stderr }: Result): string => `${stdout}\n${stderr}`.replaceAll(/\s+/g, ' ');

async function apps(): Promise<App[]> {
  const { code, stdout, stderr } = await run('apps', '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as App[];
}
const app = async (): Promise<App> => (await apps()).find((one) => one.app === APP) as App;

interface Answer {
  readonly status: number;
  readonly host: string;
  readonly body: string;
}

/** One request on a connection of its own. Status 0: there was no answer, the body says why. */
function ask(path = '/whoami', options: { method?: string; body?: string; secure?: boolean } = {}): Promise<Answer> {
  const { method = 'GET', body, secure = false } = options;
  return new Promise((resolve) => {
    const settings = {
      host: '127.0.0.1',
      port: secure ? port.https : port.http,
      path,
      method,
      headers: { host: DOMAIN, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
      agent: false as const,
      timeout: 15_000,
    };
    const sent = secure ? secureRequest({ ...settings, ca, servername: DOMAIN }) : request(settings);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, host: String(response.headers['x-served-by']), body: text }),
      );
      response.on('error', (error) => resolve({ status: 0, host: '', body: error.message }));
    });
    sent.on('timeout', () => sent.destroy(new Error('timed out')));
    sent.on('error', (error) => resolve({ status: 0, host: '', body: error.message }));
    sent.end(body);
  });
}

/** Asks without a pause, on two connections at a time, until it is stopped. Gives what was no 200, and how many there were in all. */
function steadily(): { stop(): Promise<{ bad: Answer[]; count: number; versions: Set<string> }> } {
  let going = true;
  const bad: Answer[] = [];
  const versions = new Set<string>();
  let count = 0;
  const client = async (): Promise<void> => {
    while (going) {
      const answer = await ask();
      count++;
      if (answer.status === 200) versions.add(JSON.parse(answer.body).version);
      else bad.push(answer);
      await sleep(10);
    }
  };
  const clients = [client(), client()];
  return {
    async stop() {
      going = false;
      await Promise.all(clients);
      return { bad, count, versions };
    },
  };
}

/** A copy of the sample with another program, so another version. */
async function version(change: (program: string) => string, dockerfile?: (text: string) => string): Promise<string> {
  const folder = await mkdtemp(join(work, 'app-'));
  await cp(SAMPLE, folder, { recursive: true });
  await writeFile(join(folder, 'hello.py'), change(await readFile(join(SAMPLE, 'hello.py'), 'utf8')));
  if (dockerfile)
    await writeFile(join(folder, 'Dockerfile'), dockerfile(await readFile(join(SAMPLE, 'Dockerfile'), 'utf8')));
  return folder;
}

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cloudspace-deploy-'));
  stateDir = given ? dirname(given) : join(work, 'state');
  name = given ? basename(given) : 'e2e-74';
  if (!given) {
    const built = await run('practice', '--yes');
    expect(built.code, words(built)).toBe(0);
    expect(words(built)).toMatch(/http:\/\/hello\.localhost:\d+\//);
  }
  const dir = join(stateDir, name);
  const { loadBalancer } = JSON.parse(await readFile(join(dir, 'endpoints.json'), 'utf8'));
  port = { http: loadBalancer['80'].port, https: loadBalancer['443'].port };
  ca = await readFile(join(dir, 'ca.crt'), 'utf8');
}, 1_200_000);

afterAll(async () => {
  if (given) {
    await run('ssh', 'controller', '--', 'sudo', 'docker', 'service', 'rm', APP);
    await run('services', 'unbind', `${APP}-db`, APP);
    await run('services', 'delete', `${APP}-db`, '--yes');
  } else await run('destroy', '--yes');
  await rm(work, { recursive: true, force: true });
}, 300_000);

test('a folder becomes an application with a database, on both runners, on http and https', {
  timeout: 300_000,
}, async () => {
  const result = await deploy(SAMPLE, '--service', 'postgres');
  expect(result.code, words(result)).toBe(0);
  expect(words(result)).toContain(`http://${DOMAIN}:${port.http}/`);
  const hosts = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const { status, host } = await ask();
    expect(status).toBe(200);
    hosts.add(host);
  }
  expect([...hosts].sort()).toEqual(['runner-1', 'runner-2']);
  expect((await ask('/whoami', { secure: true })).status).toBe(200);
  expect((await ask('/rows', { method: 'POST', body: 'kept by a test' })).status).toBe(201);
  expect((await ask('/rows')).body).toContain('kept by a test');
  expect(await app()).toMatchObject({ domains: [DOMAIN], http: 'serve', replicas: 2, running: 2 });
});

test('the same folder again builds nothing and replaces nothing', { timeout: 120_000 }, async () => {
  const before = await app();
  const result = await deploy(SAMPLE);
  expect(result.code, words(result)).toBe(0);
  expect(words(result)).toContain('is built already');
  const after = await app();
  expect(after.containers).toEqual(before.containers);
  // The database is kept, although nobody asked for it this time.
  expect((await ask('/rows')).body).toContain('kept by a test');
});

test('an update fails no request', { timeout: 300_000 }, async () => {
  const before = await app();
  const client = steadily();
  const result = await deploy(await version((program) => program.replace('Hello from', 'Greetings from')));
  const { bad, count, versions } = await client.stop();
  expect(result.code, words(result)).toBe(0);
  expect(bad.slice(0, 3)).toEqual([]);
  expect(count).toBeGreaterThan(50);
  const after = await app();
  expect([...versions].sort()).toEqual([before.version, after.version].sort());
  expect((await ask('/')).body).toContain('Greetings from your Cloudspace');
});

test('a version that crashes leaves the old one serving, and its last lines are shown', {
  timeout: 300_000,
}, async () => {
  const before = await app();
  const client = steadily();
  const result = await deploy(
    await version((program) => program.replace('def main():', 'def main():\n    print("out of cheese"); sys.exit(3)')),
  );
  const { bad, versions } = await client.stop();
  expect(result.code).toBe(1);
  expect(words(result)).toMatch(/ended with exit code 3.*out of cheese.*the old version goes on serving/);
  expect(bad.slice(0, 3)).toEqual([]);
  expect([...versions]).toEqual([before.version]);
  expect(await app()).toMatchObject({ version: before.version, running: 2 });
});

test('a version that never listens is found out without a health check of its own', { timeout: 300_000 }, async () => {
  const before = await app();
  const deaf = await version(
    (program) => program.replace('Server(("", PORT)', 'Server(("127.0.0.1", PORT)'),
    (dockerfile) => dockerfile.replace(/^HEALTHCHECK.*$/m, ''),
  );
  const result = await deploy(deaf);
  expect(result.code).toBe(1);
  expect(words(result)).toMatch(
    /nothing in it listens on port 8080.*listening on 8080.*the old version goes on serving/,
  );
  expect(await app()).toMatchObject({ version: before.version, running: 2 });
  expect((await ask()).status).toBe(200);
});

test('an image that does not build shows the last lines of its build', { timeout: 120_000 }, async () => {
  const before = await app();
  const broken = await version(
    (program) => program,
    (dockerfile) => `${dockerfile}\nRUN echo no flour left && exit 7\n`,
  );
  const result = await deploy(broken);
  expect(result.code).toBe(1);
  expect(words(result)).toMatch(/does not build.*no flour left.*7/);
  expect(await app()).toEqual(before);
});

test('a domain of another application is refused, and nothing is made', { timeout: 60_000 }, async () => {
  const before = await apps();
  const result = await run('deploy', SAMPLE, '--app', 'thief', '--domain', `new.localhost,${DOMAIN}`);
  expect(result.code).toBe(2);
  expect(words(result)).toContain(`${DOMAIN} is routed to the application "${APP}" already; nothing was changed`);
  expect(await apps()).toEqual(before);
});

test('logs show what the containers print', { timeout: 60_000 }, async () => {
  const plain = await run('logs', APP);
  expect(plain.code, plain.stderr).toBe(0);
  expect(plain.stdout).toMatch(/^runner-[12] greeter\.[12] {2}listening on 8080, with a database$/m);
  const { stdout } = await run('logs', APP, '--json', '--tail', '500');
  const entries = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(new Set(entries.map(({ host }) => host))).toEqual(new Set(['runner-1', 'runner-2']));
  const unknown = await run('logs', 'nobody-here');
  expect(unknown.code).toBe(2);
  expect(words(unknown)).toContain('there is no application "nobody-here"');
});

test('check proves the chain, and names the layer that is broken', { timeout: 120_000 }, async () => {
  const good = await run('check', '--json');
  const events = good.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(good.code, good.stderr).toBe(0);
  const status = (of: typeof events, key: string) =>
    of.findLast((event) => event.type === 'check' && event.key === key)?.status;
  for (const key of [
    'bastion.ssh.login',
    'controller.service.publisher',
    'ingress.service.health',
    'ingress.http.https',
    'services.http.applications',
  ])
    expect(status(events, key), key).toBe('passed');

  await run('ssh', 'runner-2', '--', 'sudo', 'systemctl', 'stop', 'nginx');
  try {
    const broken = await run('check', 'ingress', '--json');
    expect(broken.code).toBe(1);
    const seen = broken.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(status(seen, 'ingress.service.nginx')).toBe('failed');
    expect(status(seen, 'ingress.http.http')).toBe('skipped');
    expect(seen.at(-1).text).toMatch(/Broken first.*runner-2/);
    // One runner is enough for the visitors, once the load balancer has noticed.
    await expect.poll(async () => (await ask()).status, { timeout: 40_000, interval: 500 }).toBe(200);
  } finally {
    await run('ssh', 'runner-2', '--', 'sudo', 'systemctl', 'start', 'nginx');
  }
});
