import { execa } from 'execa';
import { afterAll, expect, test } from 'vitest';
import { hash, LABEL } from '../../src/practice/hosts/machine.ts';
import {
  type Answer,
  ask,
  dir,
  events,
  instanceOf,
  must,
  name,
  nodes,
  run,
  steadily,
  until,
  withApi,
} from '../support/cloudspace.ts';

// What the guide promises at its end: the sample application that the walk itself deployed serves, keeps its data, and outlives a runner.

const APP = 'hello';
const HOST = 'hello.localhost';
const RUNNERS = ['runner-1', 'runner-2'];

const servers = (answers: readonly Answer[]): unknown[] =>
  [...new Set(answers.map(({ headers }) => headers['x-served-by']))].sort();

/** Some answers in turn, over http or https. */
async function answers(count: number, secure: boolean): Promise<Answer[]> {
  const all: Answer[] = [];
  for (let i = 0; i < count; i++) all.push(await ask({ host: HOST, path: '/whoami', secure }));
  return all;
}

async function rows(): Promise<string[]> {
  const { body } = await ask({ host: HOST, path: '/rows' });
  return (JSON.parse(body) as { text: string }[]).map(({ text }) => text);
}

/** The engine's container of a host. */
async function containerOf(host: string): Promise<string> {
  const practice = `label=${LABEL.practice}=${hash(`${dir}/practice/hosts`)}`;
  const { stdout } = await execa('docker', ['ps', '-q', '--filter', practice, '--filter', `name=^${name}-${host}-`]);
  expect(stdout, `the container of ${host}`).toMatch(/^[0-9a-f]+$/);
  return stdout;
}

afterAll(async () => {
  const { stdout } = await run('services', 'list', '--json');
  if (stdout.includes('copy-of-hello')) await run('services', 'delete', 'copy-of-hello', '--yes');
}, 60_000);

test('the sample answers through the load balancer, on http and https, from both runners', {
  timeout: 60_000,
}, async () => {
  for (const secure of [false, true]) {
    const seen = await answers(20, secure);
    expect(seen.map(({ status, body }) => [status, status === 200 ? '' : body])).toEqual(seen.map(() => [200, '']));
    expect(servers(seen)).toEqual(RUNNERS);
  }
});

test('a row written through the application is there again after its backup was restored', {
  timeout: 180_000,
}, async () => {
  const text = `precious ${process.pid}`;
  expect((await ask({ host: HOST, path: '/rows', body: text })).status).toBe(201);
  const { id } = JSON.parse((await must('services', 'backup', `${APP}-db`, '--json')).stdout);
  const [row] = JSON.parse((await ask({ host: HOST, path: '/rows' })).body);
  expect((await ask({ host: HOST, path: `/rows/${row.id}`, method: 'DELETE' })).status).toBe(200);
  expect(await rows()).not.toContain(text);
  // Into another instance: the application's own is not touched.
  await must('services', 'create', 'copy-of-hello', '--service', 'postgresql');
  await must('services', 'restore', `${APP}-db`, id, '--into', 'copy-of-hello');
  expect(await rows()).not.toContain(text);
  await must('services', 'restore', `${APP}-db`, id);
  // The application's connections were to the database before; it opens new ones by itself.
  await until(rows, (found) => found.includes(text), 30);
});

test('a runner dies: the other one serves; made anew, it joins, gets its share and serves', {
  timeout: 1_800_000,
}, async () => {
  await execa('docker', ['rm', '--force', '--volumes', await containerOf('runner-2')]);
  // The load balancer notices by its health checks; from then on no request fails.
  await until(
    () => answers(12, false),
    (seen) => seen.every(({ status }) => status === 200),
    90,
  );
  expect(servers(await answers(12, true))).toEqual(['runner-1']);
  // Swarm notices as well, and replaces the container that is gone on the runner that is left.
  const running = async () => {
    const apps = JSON.parse((await must('apps', '--json')).stdout) as {
      app: string;
      containers: { host: string; state: string }[];
    }[];
    const mine = apps.find(({ app }) => app === APP)?.containers ?? [];
    return mine.filter(({ state }) => state === 'running').map(({ host }) => host);
  };
  await until(running, (hosts) => hosts.length === 2 && hosts.every((host) => host === 'runner-1'), 120);
  const client = steadily({ host: HOST, path: '/whoami' });

  const { EC2Client, TerminateInstancesCommand } = await import('@aws-sdk/client-ec2');
  await withApi(async (api) => {
    const ec2 = new EC2Client(api);
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [instanceOf('runner-2')] }));
    ec2.destroy();
  });
  // What went behind the wizard's back is put back only when that is said.
  const again = await run('practice', '--yes', '--repair', '--json');
  expect(again.code, again.stderr + again.stdout.slice(-2000)).toBe(0);
  const made = events(again).filter(({ type, status }) => type === 'resource' && status === 'created');
  expect(made).toContainEqual(expect.objectContaining({ key: 'runner-2' }));

  expect(await nodes()).toEqual([
    'controller ready drain <no value>',
    'runner-1 ready active true',
    'runner-2 ready active true',
  ]);
  await until(running, (hosts) => [...hosts].sort().join() === RUNNERS.join(), 60);
  await until(
    () => answers(12, true),
    (seen) => servers(seen).length === 2,
    60,
  );
  const { bad, count } = await client.stop();
  expect(bad.slice(0, 3)).toEqual([]);
  expect(count).toBeGreaterThan(100);
});
