import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../src/commands/apps.ts';
import * as cloudspace from '../support/cloudspace.ts';
import { type Asked, events, must, ports, run, steadily, words } from '../support/cloudspace.ts';

// Applications on a practice Cloudspace, through the command line and through the load balancer.

const SAMPLE = fileURLToPath(new URL('../../examples/hello', import.meta.url));
const APP = 'greeter';
const DOMAIN = 'greeter.localhost';
const WHOAMI: Asked = { host: DOMAIN, path: '/whoami' };

let work: string;

const deploy = (folder: string, ...more: string[]) => run('deploy', folder, '--app', APP, '--domain', DOMAIN, ...more);
const ask = (path = '/whoami', more: Partial<Asked> = {}) => cloudspace.ask({ ...WHOAMI, path, ...more });

async function apps(): Promise<App[]> {
  return JSON.parse((await must('apps', '--json')).stdout) as App[];
}
const app = async (): Promise<App> => (await apps()).find((one) => one.app === APP) as App;

/** Versions of the answers that visitors got. */
const versionsOf = (answers: readonly cloudspace.Answer[]): string[] =>
  [...new Set(answers.map(({ body }) => JSON.parse(body).version))].sort();

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
});

afterAll(async () => {
  await run('apps', 'remove', APP, '--services', '--yes');
  await rm(work, { recursive: true, force: true });
}, 300_000);

test('a folder becomes an application with a database, on both runners, on http and https', {
  timeout: 300_000,
}, async () => {
  const result = await deploy(SAMPLE, '--service', 'postgres');
  expect(result.code, words(result)).toBe(0);
  expect(words(result)).toContain(`http://${DOMAIN}:${ports()['80']}/`);
  const hosts = new Set<unknown>();
  for (let i = 0; i < 20; i++) {
    const { status, headers } = await ask();
    expect(status).toBe(200);
    hosts.add(headers['x-served-by']);
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

test('a redirect leads to https where this machine has it', { timeout: 120_000 }, async () => {
  await must('deploy', SAMPLE, '--app', APP, '--domain', DOMAIN, '--http', 'redirect');
  const { status, headers } = await ask('/rows?a=b');
  expect([status, headers.location]).toEqual([308, `https://${DOMAIN}:${ports()['443']}/rows?a=b`]);
  const { hostname, port, pathname } = new URL(headers.location ?? '');
  expect([hostname, port]).toEqual([DOMAIN, String(ports()['443'])]);
  expect((await ask(pathname, { secure: true })).body).toContain('kept by a test');
  await must('deploy', SAMPLE, '--app', APP, '--domain', DOMAIN, '--http', 'serve');
  expect((await ask()).status).toBe(200);
});

test('an update fails no request', { timeout: 300_000 }, async () => {
  const before = await app();
  const client = steadily(WHOAMI);
  const result = await deploy(await version((program) => program.replace('Hello from', 'Greetings from')));
  const { bad, good, count } = await client.stop();
  expect(result.code, words(result)).toBe(0);
  expect(bad.slice(0, 3)).toEqual([]);
  expect(count).toBeGreaterThan(50);
  const after = await app();
  expect(versionsOf(good)).toEqual([before.version, after.version].sort());
  expect((await ask('/')).body).toContain('Greetings from your Cloudspace');
  expect(after.containers.map(({ host }) => host)).toEqual(['runner-1', 'runner-2']);
});

test('a version that crashes leaves the old one serving, and its last lines are shown', {
  timeout: 300_000,
}, async () => {
  const before = await app();
  const client = steadily(WHOAMI);
  const result = await deploy(
    await version((program) => program.replace('def main():', 'def main():\n    print("out of cheese"); sys.exit(3)')),
  );
  const { bad, good } = await client.stop();
  expect(result.code).toBe(1);
  expect(words(result)).toMatch(/ended with exit code 3.*out of cheese.*the old version goes on serving/);
  expect(bad.slice(0, 3)).toEqual([]);
  expect(versionsOf(good)).toEqual([before.version]);
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
  // From their beginning: visitors have filled many lines since.
  const plain = await run('logs', APP, '--tail', '100000');
  expect(plain.code, plain.stderr).toBe(0);
  expect(plain.stdout).toMatch(/^runner-[12] greeter\.\d {2}listening on 8080, with a database$/m);
  const entries = events(await run('logs', APP, '--json', '--tail', '500'));
  expect(new Set(entries.map(({ host }) => host))).toEqual(new Set(['runner-1', 'runner-2']));
  const unknown = await run('logs', 'nobody-here');
  expect(unknown.code).toBe(2);
  expect(words(unknown)).toContain('there is no application "nobody-here"');
});

test('check proves the chain, and names the layer that is broken', { timeout: 120_000 }, async () => {
  const good = await run('check', '--json');
  expect(good.code, good.stderr).toBe(0);
  const status = (of: Record<string, unknown>[], key: string) =>
    of.findLast((event) => event.type === 'check' && event.key === key)?.status;
  for (const key of [
    'bastion.ssh.login',
    'controller.service.publisher',
    'ingress.service.health',
    'ingress.http.https',
    'services.http.applications',
  ])
    expect(status(events(good), key), key).toBe('passed');

  await run('ssh', 'runner-2', '--', 'sudo', 'systemctl', 'stop', 'nginx');
  try {
    const broken = await run('check', 'ingress', '--json');
    expect(broken.code).toBe(1);
    const seen = events(broken);
    expect(status(seen, 'ingress.service.nginx')).toBe('failed');
    expect(status(seen, 'ingress.http.http')).toBe('skipped');
    expect(seen.at(-1)?.text).toMatch(/Broken first.*runner-2/);
    // One runner is enough for the visitors, once the load balancer has noticed.
    await expect.poll(async () => (await ask()).status, { timeout: 40_000, interval: 500 }).toBe(200);
  } finally {
    await run('ssh', 'runner-2', '--', 'sudo', 'systemctl', 'start', 'nginx');
  }
});

test('an application is removed with its routes and its certificate; its database only when that is said, after a backup', {
  timeout: 180_000,
}, async () => {
  const declined = await run('apps', 'remove', APP);
  expect(declined.code).toBe(2);
  expect(words(declined)).toContain('--yes');
  expect((await ask()).status).toBe(200);

  const removed = JSON.parse((await must('apps', 'remove', APP, '--yes', '--json')).stdout);
  expect(removed).toEqual({
    app: APP,
    domains: [DOMAIN],
    certificates: { [DOMAIN]: 'removed' },
    database: { instance: `${APP}-db`, status: 'kept' },
  });
  expect(await app()).toBeUndefined();
  expect((await ask()).body).toContain('No application of this Cloudspace has this address');
  // What is shown now is the Cloudspace's own for *.localhost, which no client takes for a name below it.
  expect((await ask('/', { secure: true })).body).toMatch(/altnames|does not match/i);
  const left = 'ls /etc/cloudspace/tls/domains; cloudspace-redis keys "*"; docker service ls';
  expect(await cloudspace.on('controller', left)).not.toContain(APP);

  // The database was kept: deployed again, the application finds what it wrote.
  await must('deploy', SAMPLE, '--app', APP, '--domain', DOMAIN, '--service', 'postgres');
  expect((await ask('/rows')).body).toContain('kept by a test');

  const all = JSON.parse((await must('apps', 'remove', APP, '--services', '--yes', '--json')).stdout);
  expect(all.database).toMatchObject({ instance: `${APP}-db`, status: 'deleted' });
  const { backups } = JSON.parse((await must('services', 'backups', `${APP}-db`, '--json')).stdout);
  expect(backups).toContainEqual(expect.objectContaining({ id: all.database.backup, state: 'ready' }));
  const { instances } = JSON.parse((await must('services', 'list', '--json')).stdout);
  expect(instances.map(({ id }: { id: string }) => id)).not.toContain(`${APP}-db`);
  const again = await run('apps', 'remove', APP, '--yes');
  expect(again.code).toBe(2);
  expect(words(again)).toContain(`there is no application "${APP}"`);
});
