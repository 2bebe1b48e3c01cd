import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { containerHosts, startDockerd } from '../../src/practice/hosts/index.ts';
import {
  type DesiredHosts,
  type DesiredInstance,
  type FirewallRule,
  type Hosts,
  LAPTOP_ADDRESS,
} from '../../src/practice/hosts/types.ts';

// Real containers: needs an engine (started here where it is installed) and Debian's package mirror or a registry.

const VPC = 'vpc-0e2e';
const CIDR = '10.213.0.0/16';
const BASTION = '10.213.0.10';
const RUNNER = '10.213.10.10';
const LOAD_BALANCER = '10.213.0.20';
const GROUP = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/1';
const BALANCER = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/e2e/1';
const DB_HOST = 'e2e.abc.us-east-1.rds.amazonaws.com';
const PASSWORD = randomBytes(12).toString('hex');

const tcp = (port: number, ...sources: string[]): FirewallRule => ({
  protocol: 'tcp',
  fromPort: port,
  toPort: port,
  sources,
});

/** PostgreSQL's verifier of a password, as RFC 5803 lays it out. */
function verifierOf(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$4096:${salt.toString('base64')}$${stored}:${hmac('Server Key').toString('base64')}`;
}

let command: string;
let dir: string;
let hosts: Hosts;
let before: string[];
let bastion: DesiredInstance;
let runner: DesiredInstance;
let desired: DesiredHosts;
const verifier = verifierOf(PASSWORD);

async function engineHas(): Promise<string[]> {
  const lists = [
    ['ps', '-aq', '--filter', 'label=cloudspace.practice', '--no-trunc'],
    ['network', 'ls', '-q', '--filter', 'label=cloudspace.practice'],
    ['volume', 'ls', '-q'],
  ];
  const all = await Promise.all(lists.map(async (words) => (await execa(command, words)).stdout));
  return all.join('\n').split('\n').filter(Boolean).sort();
}

/** What this practice alone has in the engine: other practices may run beside it. */
async function ours(): Promise<string> {
  const label = createHash('sha256').update(dir).digest('hex').slice(0, 16);
  const filter = ['--filter', `label=cloudspace.practice=${label}`];
  const containers = await execa(command, ['ps', '-a', ...filter, '--format', '{{.ID}} {{.Names}}']);
  const networks = await execa(command, ['network', 'ls', ...filter, '--format', '{{.Name}}']);
  return `${containers.stdout}${networks.stdout}`;
}

async function volumesOf(id: string): Promise<string[]> {
  const container = await execa(command, ['ps', '-aq', '--filter', `label=cloudspace.id=${id}`]);
  const format = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}\n{{end}}{{end}}';
  return (await execa(command, ['inspect', '-f', format, container.stdout])).stdout.split('\n').filter(Boolean);
}

async function settle(next: DesiredHosts): Promise<void> {
  desired = next;
  hosts.sync(next);
  await hosts.settled();
}

/** Pins the host keys of the consoles and writes an ssh_config as the wizard does. */
async function writeSshConfig(): Promise<void> {
  const reached = hosts.reach(bastion.id, 22);
  const known = await Promise.all(
    [bastion, runner].map(async ({ id, privateIp }) => {
      const text = (await hosts.consoleOutput(id)) ?? '';
      const block = /-----BEGIN SSH HOST KEY KEYS-----\n([\s\S]*?)-----END SSH HOST KEY KEYS-----/.exec(text);
      return (block?.[1] ?? '')
        .trim()
        .split('\n')
        .map((key) => `${privateIp} ${key}`);
    }),
  );
  await writeFile(join(dir, 'known_hosts'), `${known.flat().join('\n')}\n`);
  const common = `  User admin
  IdentityFile ${dir}/id
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking yes
  UserKnownHostsFile ${dir}/known_hosts
  ConnectTimeout 4
`;
  await writeFile(
    join(dir, 'ssh_config'),
    `Host bastion\n  HostName ${reached?.host}\n  Port ${reached?.port}\n  HostKeyAlias ${BASTION}\n${common}
Host runner\n  HostName ${RUNNER}\n  ProxyJump bastion\n${common}`,
  );
}

const ssh = (host: string, script: string) =>
  execa('ssh', ['-F', join(dir, 'ssh_config'), host, script], { reject: false, stdin: 'ignore', timeout: 60_000 });

/** What a TCP connection brings within two seconds: a published port is accepted by the engine itself, so only an answer tells. */
function greeting(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (text: string) => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(2000, () => end(''));
    socket.once('error', () => end(''));
    socket.once('close', () => end(''));
    socket.once('data', (data) => end(data.toString()));
  });
}

async function eventually<T>(seconds: number, read: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let value = await read();
  while (!good(value) && Date.now() < end) {
    await sleep(300);
    value = await read();
  }
  return value;
}

beforeAll(async () => {
  const engine = await startDockerd();
  if (!engine.ok) throw new Error(engine.reason);
  command = engine.command;
  before = await engineHas();
  dir = await mkdtemp(join(tmpdir(), 'cloudspace-hosts-'));
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'e2e', '-f', join(dir, 'id')]);
  const publicKey = (await execa('cat', [join(dir, 'id.pub')])).stdout;
  const common = { vpcId: VPC, state: 'running' as const, publicKey };
  bastion = {
    ...common,
    id: 'i-0e2e0001',
    name: 'e2e-bastion',
    privateIp: BASTION,
    public: true,
    ingress: [tcp(22, `${LAPTOP_ADDRESS}/32`)],
  };
  runner = {
    ...common,
    id: 'i-0e2e0002',
    name: 'e2e-runner-1',
    privateIp: RUNNER,
    public: false,
    ingress: [tcp(22, `${BASTION}/32`), tcp(8000, `${LOAD_BALANCER}/32`)],
  };
  hosts = await containerHosts({ dir, name: 'e2e', engine });
  desired = { networks: [{ vpcId: VPC, cidr: CIDR }], instances: [bastion, runner], databases: [], loadBalancers: [] };
}, 60_000);

afterAll(async () => {
  if (!hosts) return;
  await settle({ networks: [], instances: [], databases: [], loadBalancers: [] });
  await hosts.close();
  await rm(dir, { recursive: true, force: true });
}, 120_000);

test('two hosts boot and are reached as on AWS: pinned keys, the private one through the bastion', {
  timeout: 400_000,
}, async () => {
  await settle(desired);
  expect(hosts.state(bastion.id)).toEqual({ state: 'running' });
  expect(hosts.state(runner.id)).toEqual({ state: 'running' });
  expect(hosts.reach(runner.id, 22)).toBeUndefined();
  await writeSshConfig();
  const first = await ssh('bastion', 'hostname; sudo -n whoami; systemctl is-system-running');
  expect(first.stderr).toBe('');
  expect(first.stdout.split('\n')).toEqual(['ip-10-213-0-10', 'root', 'running']);
  const second = await ssh('runner', 'hostname; hostname -i');
  expect(second.stdout.split('\n')).toEqual(['ip-10-213-10-10', RUNNER]);
  const keys = await Promise.all([bastion, runner].map(({ id }) => hosts.consoleOutput(id)));
  expect(keys[0]).not.toBe(keys[1]);
});

test('a security group is enforced, and a change of it too', { timeout: 60_000 }, async () => {
  const port = hosts.reach(bastion.id, 22)?.port ?? 0;
  expect(await greeting(port)).toMatch(/^SSH-2.0-OpenSSH/);
  const elsewhere = { ...bastion, ingress: [tcp(22, '192.0.2.1/32', CIDR)] };
  await settle({ ...desired, instances: [elsewhere, runner] });
  expect(await greeting(port)).toBe('');
  await settle({ ...desired, instances: [bastion, runner] });
  expect(await greeting(port)).toMatch(/^SSH-2.0-OpenSSH/);
  // The bastion may speak to the runner's 22 and to nothing else of it.
  const probe = `for port in 22 8000; do nc -z -w 2 ${RUNNER} $port && echo $port open || echo $port closed; done`;
  await ssh('runner', 'sudo systemd-run --quiet --unit web python3 -m http.server 8000');
  expect(
    (
      await eventually(
        5,
        () => ssh('runner', 'nc -z 127.0.0.1 8000'),
        ({ exitCode }) => exitCode === 0,
      )
    ).exitCode,
  ).toBe(0);
  expect((await ssh('bastion', probe)).stdout).toBe('22 open\n8000 closed');
});

test('the database answers to the allowed host and the right password only', { timeout: 300_000 }, async () => {
  const database = {
    id: 'e2e',
    vpcId: VPC,
    privateIp: '10.213.20.10',
    endpoint: DB_HOST,
    port: 5432,
    user: 'cloudspace',
    verifier,
    database: 'services',
    state: 'running' as const,
    ingress: [tcp(5432, `${BASTION}/32`)],
  };
  await settle({ ...desired, databases: [database] });
  expect(hosts.state('e2e')).toEqual({ state: 'running' });
  const install =
    'sudo apt-get -qq update && sudo DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install postgresql-client >/dev/null';
  expect((await ssh('bastion', install)).exitCode).toBe(0);
  const psql = (password: string, sql: string, options = '') =>
    ssh(
      'bastion',
      `PGPASSWORD=${password} psql -X -At "host=${DB_HOST} user=cloudspace dbname=services ${options}" -c "${sql}"`,
    );
  const encrypted = 'select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()';
  expect((await psql(PASSWORD, encrypted)).stdout).toBe('cloudspace|t');
  expect((await psql('wrong', 'select 1')).stderr).toMatch(/password authentication failed/);
  expect((await psql(PASSWORD, 'select 1', 'sslmode=disable')).exitCode).not.toBe(0);
  expect((await psql(PASSWORD, 'create table kept (x int); insert into kept values (7)')).exitCode).toBe(0);
  expect((await ssh('runner', `nc -z -w 2 ${DB_HOST} 5432`)).exitCode).not.toBe(0);
  expect((await ssh('runner', `getent hosts ${DB_HOST}`)).stdout).toContain('10.213.20.10');

  await settle({ ...desired, databases: [{ ...database, state: 'stopped' }] });
  expect(hosts.state('e2e')).toEqual({ state: 'stopped' });
  const another = verifierOf('another-password');
  await settle({ ...desired, databases: [{ ...database, port: 5433, ingress: [tcp(5433, CIDR)], verifier: another }] });
  expect(hosts.state('e2e')).toEqual({ state: 'running' });
  expect((await psql('another-password', 'select x from kept', 'port=5433')).stdout).toBe('7');
  expect((await psql(PASSWORD, 'select 1', 'port=5433')).stderr).toMatch(/password authentication failed/);
  const volumes = await volumesOf('e2e');
  expect(volumes.length).toBe(1);
  await settle({ ...desired, databases: [] });
  expect(hosts.state('e2e')).toEqual({ state: 'absent' });
  expect((await execa(command, ['volume', 'ls', '-q'])).stdout).not.toContain(volumes[0]);
});

test('the load balancer tells the truth about its targets', { timeout: 200_000 }, async () => {
  const balancer = {
    arn: BALANCER,
    vpcId: VPC,
    name: 'e2e',
    privateIp: LOAD_BALANCER,
    dnsName: 'e2e-1.elb.us-east-1.amazonaws.com',
    ingress: [tcp(80, '0.0.0.0/0'), tcp(443, '0.0.0.0/0')],
    listeners: [] as { port: number; targetGroupArn: string }[],
    targetGroups: [
      {
        arn: GROUP,
        port: 8000,
        health: { port: 8000, intervalSeconds: 1, healthyThreshold: 2, unhealthyThreshold: 2 },
        targets: [{ id: runner.id, address: RUNNER, port: 8000 }],
      },
    ],
  };
  const health = async () => (await hosts.targetHealth(GROUP)).map(({ state }) => state);
  await settle({ ...desired, loadBalancers: [balancer] });
  expect(hosts.state(BALANCER)).toEqual({ state: 'running' });
  expect(await health()).toEqual(['unused']);
  const used = { ...balancer, listeners: [{ port: 80, targetGroupArn: GROUP }] };
  await settle({ ...desired, loadBalancers: [used] });
  expect(await eventually(15, health, ([state]) => state === 'healthy')).toEqual(['healthy']);
  const url = `http://127.0.0.1:${hosts.reach(BALANCER, 80)?.port}/`;
  expect((await fetch(url)).status).toBe(200);

  // A connection that is open while the proxy is reloaded goes on, and health is known throughout.
  const socket = connect(hosts.reach(BALANCER, 80)?.port ?? 0, '127.0.0.1');
  socket.write('GET / HTTP/1.0\r\n');
  const answer = new Promise<string>((resolve) => {
    socket.once('data', (data) => resolve(data.toString()));
    socket.once('error', (error) => resolve(error.message));
    socket.once('close', () => resolve('closed'));
  });
  await sleep(300);
  const more = { ...used, listeners: [...used.listeners, { port: 443, targetGroupArn: GROUP }] };
  await settle({ ...desired, loadBalancers: [more] });
  expect(await health()).toEqual(['healthy']);
  expect((await fetch(`http://127.0.0.1:${hosts.reach(BALANCER, 443)?.port}/`)).status).toBe(200);
  socket.write('\r\n');
  expect(await answer).toMatch(/^HTTP\/1.0 200 OK/);
  socket.destroy();

  // A target that is new gets no request before it is known to be healthy.
  const [group] = more.targetGroups;
  const targets = [...(group?.targets ?? []), { id: bastion.id, address: BASTION, port: 8000 }];
  await settle({ ...desired, loadBalancers: [{ ...more, targetGroups: group ? [{ ...group, targets }] : [] }] });
  const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await fetch(url)).status));
  expect(statuses).toEqual(statuses.map(() => 200));
  expect(await eventually(15, health, ([, state]) => state === 'unhealthy')).toEqual(['healthy', 'unhealthy']);
  await settle({ ...desired, loadBalancers: [more] });

  await ssh('runner', 'sudo systemctl stop web');
  expect(await eventually(15, health, ([state]) => state === 'unhealthy')).toEqual(['unhealthy']);
  const [one] = await hosts.targetHealth(GROUP);
  expect(one?.reason).toMatch(/port 8000: the connection was refused/);
  await settle({ ...desired, loadBalancers: [] });
});

test('a second sync of the same state changes nothing', { timeout: 60_000 }, async () => {
  const there = await ours();
  const restart = await containerHosts({ dir, name: 'e2e' });
  restart.sync(desired);
  await restart.settled();
  expect(restart.state(bastion.id)).toEqual({ state: 'running' });
  expect(restart.reach(bastion.id, 22)).toEqual(hosts.reach(bastion.id, 22));
  expect(await restart.consoleOutput(runner.id)).toBe(await hosts.consoleOutput(runner.id));
  await restart.close();
  expect(await ours()).toBe(there);
});

test('stop and start keep the disk, the keys and the way in', { timeout: 60_000 }, async () => {
  await ssh('bastion', 'echo kept > note');
  const port = hosts.reach(bastion.id, 22);
  await settle({ ...desired, instances: [{ ...bastion, state: 'stopped' }, runner] });
  expect(hosts.state(bastion.id)).toEqual({ state: 'stopped' });
  expect((await ssh('bastion', 'true')).exitCode).toBe(255);
  await settle({ ...desired, instances: [bastion, runner] });
  expect(hosts.state(bastion.id)).toEqual({ state: 'running' });
  expect(hosts.reach(bastion.id, 22)).toEqual(port);
  expect((await ssh('bastion', 'cat note')).stdout).toBe('kept');
});

test('a range that is taken is an error with the name of who has it', { timeout: 60_000 }, async () => {
  const second = { ...bastion, id: 'i-0e2e0003', vpcId: 'vpc-0other', name: 'e2e-other' };
  await settle({
    ...desired,
    networks: [...desired.networks, { vpcId: 'vpc-0other', cidr: CIDR }],
    instances: [bastion, runner, second],
  });
  const state = hosts.state(second.id);
  expect(state.state).toBe('failed');
  expect(state.state === 'failed' ? state.reason : '').toMatch(
    /10\.213\.0\.0\/16 is taken by the network "cloudspace-.*vpc-0e2e"/,
  );
  expect(hosts.state(bastion.id)).toEqual({ state: 'running' });
});

test('what is terminated leaves nothing behind', { timeout: 60_000 }, async () => {
  const volumes = await volumesOf(runner.id);
  await settle({ ...desired, networks: [{ vpcId: VPC, cidr: CIDR }], instances: [bastion] });
  expect(hosts.state(runner.id)).toEqual({ state: 'absent' });
  expect(volumes.length).toBe(1);
  expect((await execa(command, ['volume', 'ls', '-q'])).stdout).not.toContain(volumes[0]);
  await settle({ networks: [], instances: [], databases: [], loadBalancers: [] });
  expect(await ours()).toBe('');
  const after = await engineHas();
  expect(after.filter((id) => !before.includes(id))).toEqual([]);
});
