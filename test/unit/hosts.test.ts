import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { sourceUris, usefulSettings } from '../../src/practice/hosts/apt.ts';
import { databaseMachine, renderRoles } from '../../src/practice/hosts/database.ts';
import { contains, gatewayOf, overlaps, renderFirewall } from '../../src/practice/hosts/firewall.ts';
import { consoleText, instanceMachine } from '../../src/practice/hosts/instance.ts';
import {
  backendName,
  loadBalancerMachine,
  readStatistics,
  renderHaproxy,
  targetHealthOf,
} from '../../src/practice/hosts/loadbalancer.ts';
import {
  type Container,
  contentOf,
  createArguments,
  fits,
  readContainers,
  specOf,
  superfluous,
} from '../../src/practice/hosts/machine.ts';
import { openPorts } from '../../src/practice/hosts/ports.ts';
import { baseLayer, variantLayer } from '../../src/practice/hosts/recipe.ts';
import { tar } from '../../src/practice/hosts/tar.ts';
import type {
  DesiredInstance,
  DesiredLoadBalancer,
  FirewallRule,
  TargetHealth,
} from '../../src/practice/hosts/types.ts';

const GATEWAY = '10.7.0.1';
const tcp = (fromPort: number, toPort: number, ...sources: string[]): FirewallRule => ({
  protocol: 'tcp',
  fromPort,
  toPort,
  sources,
});
const chain = (ruleset: string, name: string) =>
  (new RegExp(`chain ${name} \\{\n([^}]*)\\}`).exec(ruleset)?.[1] ?? '').split('\n').map((line) => line.trim());

test('a rule for hosts of the VPC admits them and not the laptop, although the gateway has an address of the VPC', () => {
  const ruleset = renderFirewall([tcp(22, 22, '10.7.0.0/16')], { gateway: GATEWAY, public: true });
  expect(chain(ruleset, 'ingress')).toContain('ip saddr 10.7.0.0/16 tcp dport 22 accept');
  expect(chain(ruleset, 'ingress').indexOf(`ip saddr ${GATEWAY} goto laptop`)).toBeLessThan(
    chain(ruleset, 'ingress').indexOf('ip saddr 10.7.0.0/16 tcp dport 22 accept'),
  );
  expect(chain(ruleset, 'laptop').filter(Boolean)).toEqual(['drop']);
});

test('the laptop comes in by its own address, by a range that holds it, and by 0.0.0.0/0', () => {
  for (const source of ['198.51.100.7/32', '198.51.100.7', '198.51.100.0/24', '0.0.0.0/0']) {
    const ruleset = renderFirewall([tcp(22, 22, source)], { gateway: GATEWAY, public: true });
    expect(chain(ruleset, 'laptop').filter(Boolean)).toEqual(['tcp dport 22 accept', 'drop']);
    const closed = renderFirewall([tcp(22, 22, source)], { gateway: GATEWAY, public: false });
    expect(chain(closed, 'laptop').filter(Boolean)).toEqual(['drop']);
  }
  const only = renderFirewall([tcp(22, 22, '198.51.100.7/32')], { gateway: GATEWAY, public: true });
  expect(chain(only, 'ingress').filter((line) => line.includes('dport'))).toEqual([]);
});

test('protocols, port ranges and overlapping sources; the default is to drop', () => {
  const ruleset = renderFirewall(
    [
      { protocol: 'all', fromPort: 0, toPort: 0, sources: ['10.7.0.9/32'] },
      { protocol: 'icmp', fromPort: -1, toPort: -1, sources: ['10.7.0.0/16'] },
      { protocol: 'udp', fromPort: 4789, toPort: 4789, sources: ['10.7.0.0/16', '10.7.1.0/24'] },
      tcp(8000, 8100, '0.0.0.0/0'),
    ],
    { gateway: GATEWAY, public: false },
  );
  expect(chain(ruleset, 'ingress').slice(3)).toEqual([
    `ip saddr ${GATEWAY} goto laptop`,
    'ip saddr 10.7.0.9/32 accept',
    'ip saddr 10.7.0.0/16 meta l4proto icmp accept',
    'ip saddr 10.7.0.0/16 udp dport 4789 accept',
    'ip saddr 10.7.1.0/24 udp dport 4789 accept',
    'tcp dport 8000-8100 accept',
    '',
  ]);
  expect(ruleset).toContain('policy drop;');
  expect(ruleset).not.toContain('flush ruleset');
});

test('a source that is no range is refused: nothing of it may reach nft as commands', () => {
  for (const source of ['10.7.0.0/33', 'sg-1', '10.7.0.1; flush ruleset', '::/0', '']) {
    expect(() => renderFirewall([tcp(1, 1, source)], { gateway: GATEWAY, public: true })).toThrow(/no IPv4 range/);
  }
});

test('address arithmetic', () => {
  expect(gatewayOf('10.7.0.0/16')).toBe('10.7.0.1');
  expect(gatewayOf('172.31.255.0/24')).toBe('172.31.255.1');
  expect(contains('10.7.0.0/16', '10.7.255.255')).toBe(true);
  expect(contains('10.7.0.0/16', '10.8.0.0')).toBe(false);
  expect(contains('200.0.0.0/8', '200.1.2.3')).toBe(true);
  expect(overlaps('10.0.0.0/8', '10.7.0.0/16')).toBe(true);
  expect(overlaps('10.7.0.0/17', '10.7.128.0/17')).toBe(false);
});

const instance: DesiredInstance = {
  id: 'i-0abc',
  vpcId: 'vpc-1',
  name: 'hackathon-07-bastion',
  privateIp: '10.7.1.5',
  public: true,
  state: 'running',
  publicKey: 'ssh-ed25519 AAAA me',
  ingress: [],
};
const docker = { command: 'docker', ok: true } as const;

test('the words of docker create: address, labels, loopback only, no secret', () => {
  const machine = instanceMachine(instance, GATEWAY);
  const options = { engine: docker, practice: 'p'.repeat(16), network: 'net', image: 'img', published: { 22: 20022 } };
  const words = createArguments(machine, options);
  const text = words.join(' ');
  expect(text).toContain('--hostname ip-10-7-1-5');
  expect(text).toContain('--network net --ip 10.7.1.5');
  expect(text).toContain('-p 127.0.0.1:20022:22');
  expect(text).toContain('--label cloudspace.practice=pppppppppppppppp --label cloudspace.id=i-0abc');
  expect(words.slice(-2)).toEqual(['img', '/usr/local/sbin/cloudspace-boot']);
  expect(words).not.toContain('--privileged');
  expect(text).not.toContain('AAAA');
  expect(text).toContain('--cgroupns=private');
  expect(text).not.toContain('/sys/fs/cgroup');
  const podman = createArguments(machine, { ...options, engine: { ...docker, command: 'podman' } });
  expect(podman).toContain('--systemd=always');
});

const database = {
  id: 'db',
  vpcId: 'vpc-1',
  privateIp: '10.7.20.5',
  endpoint: 'db.x.us-east-1.rds.amazonaws.com',
  port: 5432,
  user: `o'brien"`,
  verifier: 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy',
  database: 'services',
  state: 'running',
  ingress: [],
} as const;

test('the verifier goes into a file that only root reads, never into arguments', () => {
  const machine = databaseMachine(database, GATEWAY);
  const options = { engine: docker, practice: 'p', network: 'net', image: 'img', published: {} };
  const argv = [...createArguments(machine, options), ...machine.apply].join(' ');
  expect(argv).not.toContain('SCRAM');
  expect(machine.files.filter((file) => file.text.includes('SCRAM-SHA-256$')).map((file) => file.mode)).toEqual([
    0o600,
  ]);
  expect(argv).toContain(`--network-alias ${database.endpoint}`);
  expect(argv).not.toContain(' -p 127');
});

test('names are quoted in SQL; a plain password is not taken for a verifier', () => {
  const sql = renderRoles(database);
  expect(sql).toContain(`ALTER ROLE "o'brien""" LOGIN`);
  expect(sql).toContain(`'o''brien"'`);
  expect(() => renderRoles({ ...database, verifier: 'secret' })).toThrow(/SCRAM-SHA-256 verifier/);
  expect(() => renderRoles({ ...database, verifier: 'secret' })).not.toThrow(/secret/);
});

const balancer: DesiredLoadBalancer = {
  arn: 'arn:lb',
  vpcId: 'vpc-1',
  name: 'hackathon-07',
  privateIp: '10.7.0.20',
  dnsName: 'lb.elb.amazonaws.com',
  ingress: [],
  listeners: [{ port: 80, targetGroupArn: 'arn:tg/web' }],
  targetGroups: [
    {
      arn: 'arn:tg/web',
      port: 80,
      health: { port: 79, intervalSeconds: 10, healthyThreshold: 3, unhealthyThreshold: 2 },
      targets: [
        { id: 'i-1', address: '10.7.10.1', port: 80 },
        { id: 'i-2', address: '10.7.10.2', port: 80 },
      ],
    },
    {
      arn: 'arn:tg/ssh',
      port: 2222,
      health: { port: 79, intervalSeconds: 10, healthyThreshold: 3, unhealthyThreshold: 3 },
      targets: [{ id: 'i-1', address: '10.7.10.1', port: 2222 }],
    },
  ],
};

test('haproxy.cfg: listeners, health checks on their own port, groups without a listener left out', () => {
  const text = renderHaproxy(balancer);
  expect(text).toContain(`frontend listener-80\n  bind :80\n  default_backend ${backendName('arn:tg/web')}`);
  expect(text).toContain(
    [
      `backend ${backendName('arn:tg/web')}`,
      '  default-server check port 79 inter 10s rise 3 fall 2',
      '  server i-1:80 10.7.10.1:80',
      '  server i-2:80 10.7.10.2:80',
    ].join('\n'),
  );
  expect(text).not.toContain(backendName('arn:tg/ssh'));
  expect(loadBalancerMachine(balancer, GATEWAY).ports).toEqual([80, 443, 2222]);
  const more = { ...balancer, listeners: [...balancer.listeners, { port: 8443, targetGroupArn: 'arn:tg/web' }] };
  expect(loadBalancerMachine(more, GATEWAY).ports).toEqual([80, 443, 2222, 8443]);
});

test('target health comes from the statistics; a reload in between does not make it unknown', () => {
  const [group] = balancer.targetGroups;
  if (!group) throw new Error('no group');
  const name = backendName(group.arn);
  const csv = (one: string, two: string) =>
    `# pxname,svname,status,last_chk,check_status,\n${name},i-1:80,${one},\n${name},i-2:80,${two},\n`;
  const known = new Map<string, TargetHealth>();
  const read = (one: string, two: string) => targetHealthOf(group, readStatistics(csv(one, two)), known);
  expect(read('UP,,INI', 'UP,,* INI').map(({ state }) => state)).toEqual(['initial', 'initial']);
  expect(read('UP 2/3,"Layer4, check ""passed""",L4OK', 'DOWN,,* L4CON')).toEqual([
    { id: 'i-1', state: 'healthy' },
    {
      id: 'i-2',
      state: 'unhealthy',
      reason: 'health check on port 79: the connection was refused (nothing listens on the port)',
    },
  ]);
  expect(read('UP,,INI', 'UP,,INI').map(({ state }) => state)).toEqual(['healthy', 'unhealthy']);
  expect(targetHealthOf(group, [], new Map()).map(({ state }) => state)).toEqual(['initial', 'initial']);
});

test('desired against actual: what fits stays, what is gone, moved or double goes', () => {
  const machine = instanceMachine(instance, GATEWAY);
  const published = { 22: 1, 80: 2, 443: 3, 8443: 4 };
  const container = (change: Partial<Container>): Container => ({
    containerId: 'c1',
    id: machine.id,
    kind: 'instance',
    spec: specOf(machine),
    published,
    status: 'exited',
    startedAt: '',
    ...change,
  });
  const fit = container({});
  expect(fits(machine, fit)).toBe(true);
  expect(fits(machine, container({ status: 'dead' }))).toBe(false);
  expect(fits(machine, container({ published: { 22: 1 } }))).toBe(false);
  const moved = instanceMachine({ ...instance, privateIp: '10.7.1.6' }, GATEWAY);
  expect(superfluous([machine], [fit])).toEqual([]);
  expect(superfluous([moved], [fit])).toEqual([fit]);
  const twin = container({ containerId: 'c2' });
  const stranger = container({ containerId: 'c3', id: 'i-gone' });
  const build = container({ containerId: 'c4', id: '', kind: 'build' });
  expect(superfluous([machine], [fit, twin, stranger, build])).toEqual([twin, stranger]);
  const closed = instanceMachine({ ...instance, ingress: [tcp(22, 22, '0.0.0.0/0')] }, GATEWAY);
  expect(contentOf(closed)).not.toBe(contentOf(machine));
  expect(specOf(closed)).toBe(specOf(machine));
});

test('inspect is read for our containers only', () => {
  const entry = (labels: object | null) => ({
    Id: 'c1',
    Config: { Labels: labels },
    State: { Status: 'running', StartedAt: 't1' },
    HostConfig: { PortBindings: { '22/tcp': [{ HostIp: '127.0.0.1', HostPort: '20022' }], '80/tcp': null } },
  });
  const labels = { 'cloudspace.practice': 'p', 'cloudspace.id': 'i-1', 'cloudspace.kind': 'instance' };
  expect(readContainers(JSON.stringify([entry(null), entry(labels)]))).toEqual([
    {
      containerId: 'c1',
      id: 'i-1',
      kind: 'instance',
      spec: '',
      published: { 22: 20022 },
      status: 'running',
      startedAt: 't1',
    },
  ]);
});

test('console text has the block of host keys, without colours', () => {
  const log = '\u001b[0;32m  OK  \u001b[0m] Reached target\r\n\r\n';
  const text = consoleText(log, 'ssh-ed25519 AAAA root@x\nssh-rsa BBBB root@x\n', 'ip-10-7-1-5');
  expect(text).toContain(
    '-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA root@ip-10-7-1-5\nssh-rsa BBBB root@ip-10-7-1-5\n-----END SSH HOST KEY KEYS-----\n',
  );
  expect(text.startsWith('  OK  ] Reached target\n-----')).toBe(true);
});

test('apt sources in both formats; of the configuration only what downloads need', () => {
  const deb822 =
    'Types: deb\n# http://old/debian\nURIs: http://mirror/debian/\nSuites: bookworm\n\nEnabled: no\nURIs: http://off/debian\n';
  expect(sourceUris(deb822)).toEqual(['http://mirror/debian']);
  expect(sourceUris('# deb http://no/debian x\ndeb [signed-by=/k] https://m/debian bookworm main\n')).toEqual([
    'https://m/debian',
  ]);
  const dump =
    'Acquire::http::Proxy "http://p:3128";\nAcquire::https::Proxy "";\nDir "/";\nAcquire::Check-Date "false";\n';
  expect(usefulSettings(dump)).toEqual(['Acquire::http::Proxy "http://p:3128";', 'Acquire::Check-Date "false";']);
});

test('an image is named by everything that goes into it', () => {
  const apt = { mirror: 'http://m/debian', security: 'http://m/debian-security', conf: '', authorities: [] };
  const base = baseLayer(apt, 'x64');
  expect(baseLayer({ ...apt }, 'x64').hash).toBe(base.hash);
  expect(baseLayer(apt, 'arm64').hash).not.toBe(base.hash);
  expect(baseLayer({ ...apt, conf: 'Acquire::http::Proxy "x";' }, 'x64').hash).not.toBe(base.hash);
  expect(variantLayer('haproxy', base).hash).not.toBe(variantLayer('haproxy', baseLayer(apt, 'arm64')).hash);
});

test('the archive is one that tar reads, with mode and owner', async () => {
  const text = 'ü'.repeat(700);
  const data = tar([
    { path: '/etc/cloudspace/a', text, mode: 0o600 },
    { path: '/b', text: '', mode: 0o755 },
  ]);
  const list = await execa('tar', ['-tvf', '-', '--numeric-owner'], { input: data });
  expect(list.stdout).toMatch(/^-rw------- 0\/0 +1400 .* etc\/cloudspace\/a\n-rwxr-xr-x 0\/0 +0 .* b$/);
  const content = await execa('tar', ['-xOf', '-', 'etc/cloudspace/a'], { input: data });
  expect(content.stdout).toBe(text);
  expect(() => tar([{ path: `/${'x'.repeat(100)}`, text: '' }])).toThrow(/too long/);
});

test('loopback ports stay the same, are never given twice, and a damaged book is no obstacle', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cloudspace-ports-'));
  try {
    const ports = await openPorts(dir);
    const given = await Promise.all(['a', 'b', 'c', 'd'].map((id) => ports.allocate(id, [22, 80])));
    const all = given.flatMap((one) => Object.values(one));
    expect(new Set(all).size).toBe(8);
    const server = createServer().listen(given[0]?.[22], '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const again = await openPorts(dir);
    expect(await again.allocate('a', [22])).toEqual({ 22: given[0]?.[22] });
    server.close();
    await again.forget(['a']);
    await again.adopt('b', { 22: 12345 });
    expect((await openPorts(dir)).of('a')).toEqual({});
    expect((await openPorts(dir)).of('b')).toEqual({ ...given[1], 22: 12345 });
    expect((await stat(join(dir, 'ports.json'))).mode & 0o777).toBe(0o600);
    await writeFile(join(dir, 'ports.json'), '{');
    const anew = await openPorts(dir);
    expect(anew.ids).toEqual([]);
    await anew.allocate('e', [22]);
    expect(JSON.parse(await readFile(join(dir, 'ports.json'), 'utf8'))).toHaveProperty('e');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
