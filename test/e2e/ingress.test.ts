import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import * as cloudspace from '../support/cloudspace.ts';
import { type Answer, type Asked, dir, on, ports, withApi } from '../support/cloudspace.ts';

// The ingress of a practice Cloudspace, from outside: through the load balancer.

const APP = 'echo';
const DOMAIN = 'echo.localhost';
const RUNNERS = ['runner-1', 'runner-2'] as const;

let work: string;

const ask = (asked: Partial<Asked> = {}): Promise<Answer> => cloudspace.ask({ host: DOMAIN, ...asked });
const container = (answer: Answer): string => JSON.parse(answer.body).container;

/** Asks until the answer is as wanted; gives the milliseconds it took. */
async function until(wanted: (answer: Answer) => boolean, asked: Partial<Asked> = {}, seconds = 30): Promise<number> {
  const started = performance.now();
  for (;;) {
    const answers = await Promise.all([ask(asked), ask(asked), ask(asked), ask(asked)]);
    const took = performance.now() - started;
    if (answers.every(wanted)) return took;
    if (took > seconds * 1000)
      throw new Error(`not within ${seconds} s; last: ${answers.map((one) => one.status).join(' ')}`);
    await sleep(50);
  }
}

function ssh(user: string, words: readonly string[], key = join(dir, 'id_ed25519')) {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=accept-new',
    `UserKnownHostsFile=${join(work, 'known')}`,
  ].flatMap((option) => ['-o', option]);
  const port = String(ports()['2222']);
  const all = ['-F', 'none', '-p', port, '-i', key, ...options, `${user}@127.0.0.1`, ...words];
  return execa('ssh', all, { reject: false, stdin: 'ignore', timeout: 40_000 });
}

const scale = (replicas: number) => on('controller', `docker service scale --detach ${APP}=${replicas}`);

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cloudspace-ingress-'));
  const program = await readFile(new URL('../support/echo.py', import.meta.url), 'base64');
  await on(
    'controller',
    `docker service rm ${APP} || true
    docker config rm ${APP} || true
    base64 -d <<<${program} | docker config create ${APP} -
    docker service create --detach --name ${APP} --replicas 2 --config source=${APP},target=/echo.py --stop-grace-period 1s \
      --publish mode=host,target=8000 --label cloudspace.app=${APP} --label cloudspace.domain=${DOMAIN} --label cloudspace.port=8000 \
      --label cloudspace.http=serve controller:5000/cloudspace/base:12 python3 /echo.py
    cloudspace-certificate ${DOMAIN}`,
  );
  const route = () => on('controller', `cloudspace-redis get route:${DOMAIN}`);
  await vi.waitFor(async () => expect(JSON.parse(await route()).backends).toHaveLength(2), {
    timeout: 60_000,
    interval: 500,
  });
  await until((answer) => answer.status === 200, {}, 60);
}, 1_200_000);

afterAll(async () => {
  await on('controller', `docker service rm ${APP}; docker config rm ${APP} || true`);
  await rm(work, { recursive: true, force: true });
}, 60_000);

test('requests reach all containers, over both runners, and say who asks and how', { timeout: 60_000 }, async () => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => ask({ headers: { 'x-forwarded-for': '203.0.113.99' } })),
  );
  expect(new Set(answers.map((one) => one.status))).toEqual(new Set([200]));
  const served = answers.map(container);
  expect(new Set(served).size).toBe(2);
  // In turn on each runner, and each runner gets half of the connections: far from all to one.
  for (const one of new Set(served)) expect(served.filter((other) => other === one).length).toBeGreaterThan(10);
  const { headers } = JSON.parse(answers[0]?.body ?? '{}');
  expect(headers).toMatchObject({ Host: DOMAIN, 'X-Forwarded-Proto': 'http', 'X-Forwarded-Host': DOMAIN });
  expect(headers['X-Forwarded-For']).toMatch(/^10\.\d+\.\d+\.\d+$/);
  for (const runner of RUNNERS)
    expect(await on(runner, 'sleep 3; tail -n 200 /var/log/nginx/access.log')).toContain(`"application":"${APP}"`);
});

test("unknown hosts get the ingress's 404, an application's own 404 passes", { timeout: 30_000 }, async () => {
  const unknown = await ask({ host: 'nobody.localhost' });
  expect(unknown).toMatchObject({ status: 404, headers: { 'content-type': 'text/html; charset=utf-8' } });
  expect(unknown.body).toContain('No application of this Cloudspace has this address');
  expect((await ask({ host: '<script>.localhost' })).body).not.toContain('<script>');
  const own = await ask({ path: '/missing' });
  expect(own.status).toBe(404);
  expect(container(own)).not.toBe('');
});

test("HTTPS has the application's certificate, of the Cloudspace's authority", { timeout: 30_000 }, async () => {
  const answer = await ask({ secure: true });
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body).headers['X-Forwarded-Proto']).toBe('https');
  // A name without a certificate of its own: the authority's all the same, but not for this name.
  expect((await ask({ secure: true, host: 'nobody.example.org' })).body).toMatch(/altnames|does not match/i);
});

test('WebSocket messages and large bodies pass', { timeout: 120_000 }, async () => {
  const socket = connect(ports()['80'], '127.0.0.1');
  const head = `GET / HTTP/1.1\r\nHost: ${DOMAIN}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n`;
  socket.write(`${head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  const text = () => Buffer.concat(received).toString('latin1');
  while (!text().includes('\r\n\r\n')) await sleep(20);
  expect(text()).toMatch(/^HTTP\/1.1 101 /);
  expect(text()).toContain('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  // A text frame, masked with zeros (RFC 6455, 5.2).
  socket.write(Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from('hello')]));
  while (!text().endsWith('hello')) await sleep(20);
  socket.destroy();

  const body = randomBytes(64 * 1024 * 1024);
  const answer = await ask({ path: '/upload', body });
  expect(JSON.parse(answer.body)).toEqual({
    bytes: body.length,
    sha256: createHash('sha256').update(body).digest('hex'),
  });
});

test('a change of a route is live within a second', { timeout: 120_000 }, async () => {
  const times: number[] = [];
  for (const http of ['redirect', 'serve', 'redirect', 'serve']) {
    await on('controller', `docker service update --detach --label-add cloudspace.http=${http} ${APP}`);
    times.push(await until((answer) => answer.status === (http === 'redirect' ? 308 : 200), { path: '/a?b=c' }));
    if (http === 'redirect') expect((await ask({ path: '/a?b=c' })).headers.location).toBe(`https://${DOMAIN}/a?b=c`);
  }
  expect(Math.max(...times)).toBeLessThan(1000);
});

test('a container that dies fails no request', { timeout: 120_000 }, async () => {
  let failed = 0;
  let asked = 0;
  let going = true;
  const visitors = Array.from({ length: 4 }, async () => {
    while (going) {
      asked += 1;
      if ((await ask()).status !== 200) failed += 1;
    }
  });
  await on('runner-1', `docker kill $(docker ps -q --filter label=com.docker.swarm.service.name=${APP})`);
  await sleep(8000);
  going = false;
  await Promise.all(visitors);
  expect(asked).toBeGreaterThan(100);
  expect(failed).toBe(0);
});

test('without Redis the last known routes work, also after a restart; without either the runner is red', {
  timeout: 240_000,
}, async () => {
  const health = 'curl -s -m 3 http://127.0.0.1:79/ || echo closed';
  await on('controller', 'systemctl stop redis-server');
  try {
    expect((await ask()).status).toBe(200);
    for (const runner of RUNNERS) await on(runner, 'systemctl restart nginx');
    await until((answer) => answer.status === 200);
    expect((await ask({ secure: true })).status).toBe(200);
    for (const runner of RUNNERS) expect(await on(runner, `sleep 4; ${health}`)).toBe('ok');
    await on('runner-1', 'mv /var/lib/cloudspace-ingress/routes.json /var/tmp/; systemctl restart nginx; sleep 6');
    expect(await on('runner-1', health)).toBe('closed');
    expect(
      await on('runner-1', 'curl -s -o /dev/null -w "%{http_code}" -H "Host: echo.localhost" http://127.0.0.1/'),
    ).toBe('503');
  } finally {
    await on('controller', 'systemctl start redis-server');
  }
  await on('runner-1', `for try in $(seq 30); do curl -s -m 3 http://127.0.0.1:79/ && exit; sleep 1; done; exit 1`);
  await until((answer) => answer.status === 200);
});

test('SSH opens a shell in a container, wherever it is, and nothing else', { timeout: 180_000 }, async () => {
  await scale(1);
  await until((answer) => answer.status === 200);
  // The last of the two may take a moment to leave.
  await sleep(4000);
  const wanted = container(await ask());
  // Four connections: the load balancer gives each runner two, and one of them has no container.
  for (let i = 0; i < 4; i++) {
    const result = await ssh(APP, ['hostname; exit 7']);
    expect(result).toMatchObject({ stdout: wanted, exitCode: 7 });
  }
  const terminal = await ssh(APP, ['-tt', 'tty']);
  expect(terminal.stdout).toContain('/dev/pts/');

  for (const user of ['root', 'admin', 'cloudspace-ssh', 'nobody', 'unknown'])
    expect((await ssh(user, ['true'])).stderr).toContain('Permission denied');
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(work, 'other')]);
  expect((await ssh(APP, ['true'], join(work, 'other'))).stderr).toContain('Permission denied');
  expect((await ssh(APP, ['-W', '127.0.0.1:80'])).stderr).toContain('administratively prohibited');
  expect((await ssh(APP, ['-s', 'sftp'])).exitCode).not.toBe(0);
  // One key for all runners: who comes again meets the same host.
  expect((await ssh(APP, ['true'])).stderr).not.toContain('WARNING');
});

test('an application without containers is 503, and back as soon as it has some', { timeout: 120_000 }, async () => {
  await scale(0);
  await until((answer) => answer.status === 503);
  expect((await ask()).headers['retry-after']).toBe('5');
  // A container may still be on its way out.
  const entering = async () => (await ssh(APP, ['true'])).stderr;
  await expect
    .poll(entering, { timeout: 30_000 })
    .toContain('no container of this application is running on any runner');
  await scale(2);
  await until((answer) => answer.status === 200, {}, 60);
});

test('ten megabytes of junk on any port disturb nobody', { timeout: 120_000 }, async () => {
  const junk = randomBytes(10 * 1024 * 1024);
  const throwAt = (port: number) =>
    new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', () => {});
      socket.once('close', () => resolve());
      socket.setTimeout(15_000, () => socket.destroy());
      socket.resume();
      socket.end(junk);
    });
  let going = true;
  let worst = 0;
  const statuses = new Set<number>();
  const visitor = (async () => {
    while (going) {
      const started = performance.now();
      statuses.add((await ask()).status);
      worst = Math.max(worst, performance.now() - started);
    }
  })();
  const each = Object.values(ports());
  await Promise.all([...each, ...each].map(throwAt));
  for (const port of [79, 80, 443, 2222])
    await on('runner-1', `head -c 10000000 /dev/urandom | timeout 10 nc -N -w 2 127.0.0.1 ${port} >/dev/null || true`);
  going = false;
  await visitor;
  expect([...statuses]).toEqual([200]);
  expect(worst).toBeLessThan(5000);
  expect((await ssh(APP, ['echo fine'])).stdout).toBe('fine');
  expect(await on('runner-1', 'curl -s -m 3 http://127.0.0.1:79/')).toBe('ok');
  expect(
    await on(
      'runner-1',
      'systemctl show -p NRestarts --value nginx cloudspace-ingress-agent cloudspace-application-ssh | sort -u | xargs',
    ),
  ).toBe('0');
});

test('the load balancer calls all targets healthy', { timeout: 120_000 }, async () => {
  const { ElasticLoadBalancingV2Client, DescribeTargetGroupsCommand, DescribeTargetHealthCommand } = await import(
    '@aws-sdk/client-elastic-load-balancing-v2'
  );
  await withApi(async (client) => {
    const elb = new ElasticLoadBalancingV2Client(client);
    const { TargetGroups } = await elb.send(new DescribeTargetGroupsCommand({}));
    expect(TargetGroups).toHaveLength(3);
    for (const { TargetGroupArn } of TargetGroups ?? []) {
      const states = async () => {
        const { TargetHealthDescriptions } = await elb.send(new DescribeTargetHealthCommand({ TargetGroupArn }));
        return TargetHealthDescriptions?.map(({ TargetHealth }) => TargetHealth?.State);
      };
      await expect.poll(states, { timeout: 60_000, interval: 2000 }).toEqual(['healthy', 'healthy']);
    }
    elb.destroy();
  });
});
