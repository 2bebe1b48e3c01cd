import { expect, test } from 'vitest';
import { databaseMachine, renderRoles } from '../../src/practice/hosts/database.ts';
import { consoleText, instanceMachine } from '../../src/practice/hosts/instance.ts';
import {
  type Container,
  contentOf,
  createArguments,
  fits,
  readContainers,
  specOf,
  superfluous,
} from '../../src/practice/hosts/machine.ts';
import type { DesiredInstance, FirewallRule } from '../../src/practice/hosts/types.ts';

const GATEWAY = '10.7.0.1';
const tcp = (fromPort: number, toPort: number, ...sources: string[]): FirewallRule => ({
  protocol: 'tcp',
  fromPort,
  toPort,
  sources,
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
