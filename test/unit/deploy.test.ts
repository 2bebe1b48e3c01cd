import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { buildersOf, leastLoaded, parseImageConfig, portOf } from '../../src/commands/applications/build.ts';
import { isRouted } from '../../src/commands/applications/deployReach.ts';
import { applicationFailed, progressOf, rollOut } from '../../src/commands/applications/rollout.ts';
import {
  listening,
  type Node,
  type Release,
  type Service,
  type Swarm,
  serviceSpec,
  type Task,
} from '../../src/commands/applications/swarm.ts';
import { appsOf } from '../../src/commands/apps.ts';
import { ask, isApplications } from '../../src/commands/check/answer.ts';
import { refuseTaken } from '../../src/commands/deploy.ts';
import { endpointsOf, urlOf } from '../../src/commands/hosts/endpointsFile.ts';
import { lastLines, quote } from '../../src/commands/hosts/remote.ts';
import { parseLine } from '../../src/commands/logs.ts';

const release: Release = {
  app: 'shop',
  version: 'aaaaaaaaaaaa',
  image: 'controller:5000/shop:aaaaaaaaaaaa',
  domains: ['shop.example', 'www.shop.example'],
  port: 8080,
  http: 'serve',
  replicas: 2,
  healthcheck: { Test: ['CMD', 'true'] },
  environment: { DATABASE_URL: 'postgresql://u:p@db/x?sslmode=require' },
};

function service(name: string, domains: string, more: Partial<Service> = {}): Service {
  const spec = serviceSpec({ ...release, app: name, domains: domains.split(',') });
  return {
    ID: `id-${name}`,
    Version: { Index: 7 },
    CreatedAt: '',
    UpdatedAt: '2026-01-01T00:00:00Z',
    Spec: spec,
    ...more,
  };
}

function task(id: string, state: string, more: Partial<Task> = {}): Task {
  return {
    ID: id,
    CreatedAt: '2026-01-01T00:00:01Z',
    NodeID: 'n1',
    ServiceID: 'id-shop',
    DesiredState: state === 'failed' ? 'shutdown' : 'running',
    Spec: { ContainerSpec: serviceSpec(release).TaskTemplate.ContainerSpec },
    Status: { State: state },
    ...more,
  };
}

const node = (id: string, host: string, builder: string, state = 'ready'): Node => ({
  ID: id,
  Spec: { Availability: 'active', Role: 'worker', Labels: { builder, host } },
  Description: { Hostname: host },
  Status: { State: state, Addr: '10.1.128.4' },
});

it('describes a service that replaces its containers one by one, the new one first', () => {
  const spec = serviceSpec(release);
  expect(spec.Labels).toEqual({
    'cloudspace.app': 'shop',
    'cloudspace.domain': 'shop.example,www.shop.example',
    'cloudspace.port': '8080',
    'cloudspace.http': 'serve',
    'cloudspace.version': 'aaaaaaaaaaaa',
  });
  expect(spec).toMatchObject({
    UpdateConfig: { Order: 'start-first', FailureAction: 'rollback', Parallelism: 1 },
    EndpointSpec: { Ports: [{ TargetPort: 8080, PublishMode: 'host' }] },
    TaskTemplate: { Placement: { Constraints: ['node.role==worker'] } },
  });
  expect(spec.TaskTemplate.ContainerSpec.Env).toContain('DATABASE_URL=postgresql://u:p@db/x?sslmode=require');
  expect(spec.TaskTemplate.ContainerSpec.Healthcheck).toBeUndefined();
  // What it is told must not hang on a published port: Docker chooses it.
  expect(JSON.stringify(spec)).not.toContain('PublishedPort');
});

it('gives an image without a health check one that sees a listening port, and sees loopback as none', async () => {
  const check = async (host: string | undefined): Promise<number | undefined> => {
    const server = createServer();
    if (host !== undefined) await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const port = host === undefined ? 1 : (server.address() as AddressInfo).port;
    const command = listening(port).Test[1] ?? '';
    const { exitCode } = await execa('sh', ['-c', command], { reject: false });
    server.close();
    return exitCode;
  };
  if (process.platform !== 'linux') return;
  expect(await check('0.0.0.0')).toBe(0);
  expect(await check('::')).toBe(0);
  expect(await check('127.0.0.1')).toBe(1);
  expect(await check('::1')).toBe(1);
  expect(await check(undefined)).toBe(1);
  const { Healthcheck } = serviceSpec({ ...release, healthcheck: undefined }).TaskTemplate.ContainerSpec;
  expect(Healthcheck?.Test[1]).toContain(':1F90 ');
});

it('refuses a domain of another application, and takes its own again', () => {
  const services = [service('shop', 'shop.example'), service('blog', 'blog.example,old.example')];
  const before = services[0];
  expect(() => refuseTaken({ app: 'shop', domains: ['shop.example', 'new.example'] }, services, before)).not.toThrow();
  expect(() => refuseTaken({ app: 'shop', domains: ['old.example'] }, services, before)).toThrow(
    'old.example is routed to the application "blog" already; nothing was changed',
  );
  const foreign = { ...service('shop', 'x.example'), Spec: { ...serviceSpec(release), Labels: {} } };
  expect(() => refuseTaken({ app: 'shop', domains: ['x.example'] }, [], foreign)).toThrow(/is no application/);
});

it('chooses the builder with the least to do, among those that are ready and known', () => {
  const nodes = [
    node('1', 'runner-1', 'true'),
    node('2', 'runner-2', 'true', 'down'),
    node('3', 'runner-3', 'false'),
    node('4', 'runner-4', 'true'),
  ];
  expect(buildersOf(nodes, ['runner-1', 'runner-2', 'runner-3'])).toEqual(['runner-1']);
  expect(
    leastLoaded([
      { name: 'b', load: [3, 0] },
      { name: 'a', load: [3, 1] },
      { name: 'c', load: [9, 0] },
    ]),
  ).toBe('b');
  expect(
    leastLoaded([
      { name: 'b', load: [0, 2] },
      { name: 'a', load: [0, 2] },
    ]),
  ).toBe('a');
  expect(leastLoaded([])).toBeUndefined();
});

it('reads port and health check from the image', () => {
  const image = parseImageConfig(
    '{"config":{"ExposedPorts":{"8080/tcp":{},"53/udp":{}},"Healthcheck":{"Test":["NONE"]}}}',
  );
  expect(image).toEqual({ ports: [8080], healthcheck: { Test: ['NONE'] } });
  expect(portOf(image, undefined)).toBe(8080);
  expect(portOf(image, 9000)).toBe(9000);
  const bare = parseImageConfig('{"config":{"ExposedPorts":null}}');
  expect(bare).toEqual({ ports: [], healthcheck: undefined });
  expect(() => portOf(bare, undefined)).toThrow(/exposes no port/);
  expect(() => portOf({ ports: [80, 443], healthcheck: undefined }, undefined)).toThrow(/several ports: 80, 443/);
});

it('counts what runs of the new version, and what failed of it since', () => {
  const spec = serviceSpec(release);
  const old = serviceSpec({ ...release, image: 'controller:5000/shop:old' }).TaskTemplate.ContainerSpec;
  const sameImageOtherSecret = serviceSpec({ ...release, environment: {} }).TaskTemplate.ContainerSpec;
  const tasks = [
    task('a', 'running'),
    task('b', 'starting'),
    task('c', 'running', { Spec: { ContainerSpec: old } }),
    task('d', 'running', { Spec: { ContainerSpec: sameImageOtherSecret } }),
    task('e', 'failed'),
    task('f', 'failed', { CreatedAt: '2025-12-31T23:59:59Z' }),
    task('g', 'running', { DesiredState: 'shutdown' }),
    task('h', 'pending', { Status: { State: 'pending', Err: 'no suitable node' } }),
  ];
  const progress = progressOf(tasks, spec, '2026-01-01T00:00:00Z');
  expect(progress.running).toBe(1);
  expect(progress.failed.map(({ ID }) => ID)).toEqual(['e']);
  expect(progress.waiting).toBe('no suitable node');
});

/** A Swarm as a list of moments: each look sees the next one. */
function swarmOf(moments: readonly { tasks: readonly Task[]; state?: string }[]) {
  const sent: string[] = [];
  let at = 0;
  const swarm: Swarm = {
    get: async () => Promise.reject(new Error('not asked')),
    send: async (method, path) => {
      sent.push(`${method} ${path}`);
      return undefined as never;
    },
    services: async () => [],
    nodes: async () => [],
    service: async () => {
      const state = moments[Math.min(at, moments.length - 1)]?.state;
      return service('shop', 'shop.example', state === undefined ? {} : { UpdateStatus: { State: state } });
    },
    tasks: async () => moments[Math.min(at++, moments.length - 1)]?.tasks ?? [],
    logs: async (of) => `line of ${of}`,
  };
  return { swarm, sent };
}

const rolling = (swarm: Swarm, before: Service | undefined) =>
  rollOut(
    { swarm, spec: serviceSpec(release), notify: () => {}, signal: new AbortController().signal, pace: 1 },
    before,
  );

it('waits until all containers run and the update is over', async () => {
  const both = [task('a', 'running'), task('b', 'running')];
  const { swarm, sent } = swarmOf([
    { tasks: [task('a', 'starting')], state: 'updating' },
    { tasks: both, state: 'updating' },
    { tasks: both, state: 'completed' },
  ]);
  await rolling(swarm, service('shop', 'shop.example'));
  expect(sent).toEqual(['POST /services/id-shop/update?version=7']);
});

it('shows the last lines of a version that was rolled back', async () => {
  const crash = task('x', 'failed', {
    Status: { State: 'failed', Err: 'task: non-zero exit (3)', ContainerStatus: { ExitCode: 3 } },
  });
  const { swarm, sent } = swarmOf([
    { tasks: [crash], state: 'rollback_started' },
    { tasks: [crash], state: 'rollback_completed' },
  ]);
  await expect(rolling(swarm, service('shop', 'shop.example'))).rejects.toMatchObject({
    code: 'ApplicationFailed',
    exitCode: 1,
    message: 'shop does not come up: it ended with exit code 3\nits last lines:\nline of x',
    hint: expect.stringContaining('the old version goes on serving'),
  });
  expect(sent).toHaveLength(1);
});

it('removes a first version that does not come up', async () => {
  const { swarm, sent } = swarmOf([
    { tasks: [task('x', 'failed')] },
    { tasks: [task('x', 'failed'), task('y', 'failed')] },
  ]);
  await expect(rolling(swarm, undefined)).rejects.toMatchObject({
    hint: expect.stringContaining('it was removed again'),
  });
  expect(sent).toEqual(['POST /services/create', 'DELETE /services/shop']);
});

it('says of an unhealthy container what it should have done', () => {
  const unhealthy = { State: 'failed', Err: 'task: unhealthy container' };
  const none = serviceSpec({ ...release, healthcheck: undefined });
  const failed = [task('x', 'failed', { Status: unhealthy, Spec: { ContainerSpec: none.TaskTemplate.ContainerSpec } })];
  expect(applicationFailed(none, { running: 0, failed, waiting: undefined }, '', 'kept').message).toBe(
    'shop does not come up: nothing in it listens on port 8080 (on 0.0.0.0, not on 127.0.0.1 alone)\n(it printed nothing)',
  );
});

it('knows a route to this version with a container', () => {
  const route = { app: 'shop', version: 'v', backends: ['10.0.0.1:32768'] };
  expect(isRouted(JSON.stringify(route), 'shop', 'v')).toBe(true);
  expect(isRouted(JSON.stringify({ ...route, backends: [] }), 'shop', 'v')).toBe(false);
  expect(isRouted(JSON.stringify({ ...route, app: 'blog' }), 'shop', 'v')).toBe(false);
  expect(isRouted(JSON.stringify({ ...route, version: 'w' }), 'shop', 'v')).toBe(false);
  expect(isRouted('', 'shop', 'v')).toBe(false);
});

it('tells the answer of an application from that of the ingress', async () => {
  const server = createServer((request, response) => {
    response.statusCode = request.headers.host === 'shop.example' ? 404 : 503;
    response.end('the shop has no such page');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  expect(isApplications(await ask(endpoint, 'shop.example'))).toBe(true);
  expect(isApplications(await ask(endpoint, 'other.example'))).toBe(false);
  expect(isApplications({ status: 404, body: '<p>No application of this Cloudspace has this address.</p>' })).toBe(
    false,
  );
  await new Promise((resolve) => server.close(resolve));
  expect(await ask(endpoint, 'shop.example')).toEqual({ status: 0, body: '', problem: 'the connection was refused' });
});

it('lists applications with where their containers are', () => {
  const tasks = [
    task('b', 'running', { Status: { State: 'running', PortStatus: { Ports: [{ PublishedPort: 32768 }] } } }),
    task('a', 'starting'),
    task('c', 'failed'),
    task('z', 'running', { ServiceID: 'other' }),
  ];
  expect(appsOf([service('shop', 'shop.example,b.example')], tasks, [node('n1', 'runner-1', 'true')])).toEqual([
    {
      app: 'shop',
      version: 'aaaaaaaaaaaa',
      domains: ['shop.example', 'b.example'],
      http: 'serve',
      replicas: 2,
      running: 1,
      containers: [
        { id: 'a', host: 'runner-1', address: null, state: 'starting' },
        { id: 'b', host: 'runner-1', address: '10.1.128.4:32768', state: 'running' },
      ],
      update: null,
    },
  ]);
});

it('reads the lines of `docker service logs`', () => {
  expect(parseLine('hello.2.abc123def@runner-1    | a | b')).toEqual({
    container: 'hello.2',
    host: 'runner-1',
    line: 'a | b',
  });
  expect(parseLine('hello.1.abc@runner-2    | ')).toEqual({ container: 'hello.1', host: 'runner-2', line: '' });
  expect(parseLine('error from daemon')).toBeUndefined();
});

it('knows where the outside is reached', () => {
  const outputs = new Map([
    ['load-balancer', { id: 'arn', dnsName: 'lb.example' }],
    ['eip-services', { id: 'eipalloc', publicIp: '203.0.113.4' }],
  ]);
  expect(endpointsOf(outputs, false, () => undefined)).toEqual({
    loadBalancer: {
      '80': { host: 'lb.example', port: 80 },
      '443': { host: 'lb.example', port: 443 },
      '2222': { host: 'lb.example', port: 2222 },
    },
    services: { '443': { host: '203.0.113.4', port: 443 } },
  });
  const reach = (address: string, port: number) =>
    address === 'lb.example' && port === 80 ? { host: '127.0.0.1', port: 20080 } : undefined;
  expect(endpointsOf(outputs, true, reach)).toEqual({
    loadBalancer: { '80': { host: '127.0.0.1', port: 20080 } },
    services: {},
  });
  expect(urlOf('http', 'a.example', { host: 'x', port: 80 })).toBe('http://a.example/');
  expect(urlOf('https', 'a.example', { host: 'x', port: 80 })).toBe('https://a.example:80/');
});

it('writes words for a shell', async () => {
  for (const word of ["it's", '$(id)', '', 'a b', '"', '`x`', '*', '\\', 'plain-1.2_3'])
    expect((await execa('sh', ['-c', `printf %s ${quote(word)}`])).stdout).toBe(word);
  expect(lastLines('a\n\nb\r\nc  \n\n', 2)).toBe('b\nc');
});
