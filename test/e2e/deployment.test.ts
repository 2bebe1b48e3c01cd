import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeConnections } from '../../src/ansible/connections.ts';
import { parseConsoleHostKeys } from '../../src/ansible/hostKeys.ts';
import { writeInventory } from '../../src/ansible/inventory.ts';
import { referenceDeployment } from '../../src/ansible/paths.ts';
import { type PlaybookResult, runPlaybook } from '../../src/ansible/run.ts';
import { makeControlDir, type SshFiles, writeSshFiles } from '../../src/ansible/sshConfig.ts';
import type { Host } from '../../src/ansible/types.ts';
import type { Event } from '../../src/engine/types.ts';
import { containerHosts, startDockerd } from '../../src/practice/hosts/index.ts';
import { type DesiredInstance, type FirewallRule, type Hosts, LAPTOP_ADDRESS } from '../../src/practice/hosts/types.ts';

// The reference deployment on real hosts, through the bastion. Needs a container engine, ansible-core and Debian's package mirror.

const VPC = 'vpc-0dep';
const NAME = 'deploy-14';
const BASTION = '10.214.0.10';
const ROLES: readonly { readonly name: string; readonly groups: readonly string[]; readonly privateIp: string }[] = [
  { name: 'bastion', groups: ['bastion'], privateIp: BASTION },
  { name: 'controller', groups: ['controller'], privateIp: '10.214.0.11' },
  { name: 'runner-1', groups: ['runners', 'builders'], privateIp: '10.214.10.11' },
  { name: 'runner-2', groups: ['runners'], privateIp: '10.214.10.12' },
];

const CONTROLLER = '10.214.0.11';
const RUNNERS = ROLES.filter(({ groups }) => groups.includes('runners')).map(({ privateIp }) => privateIp);

const open = (protocol: 'tcp' | 'udp', ports: readonly [number, number?], from: readonly string[]): FirewallRule => ({
  protocol,
  fromPort: ports[0],
  toPort: ports[1] ?? ports[0],
  sources: from.map((address) => `${address}/32`),
});

/** What the security groups of the walk let in, besides SSH. */
const swarm = (from: readonly string[]): FirewallRule[] => [
  open('tcp', [7946], from),
  open('udp', [7946], from),
  open('udp', [4789], from),
];
const MORE: Readonly<Record<string, readonly FirewallRule[]>> = {
  controller: [...swarm(RUNNERS), ...[2377, 5000, 6379].map((port) => open('tcp', [port], RUNNERS))],
  'runner-1': [...swarm([CONTROLLER, ...RUNNERS]), open('tcp', [32768, 60999], [CONTROLLER, ...RUNNERS])],
};

let dir: string;
let practice: Hosts;
let hosts: Host[];
let files: SshFiles;
let inventory: string;
let instances: DesiredInstance[];
let publicKey: string;
const events: Event[] = [];

const settle = async (instances: readonly DesiredInstance[]): Promise<void> => {
  const networks = instances.length > 0 ? [{ vpcId: VPC, cidr: '10.214.0.0/16' }] : [];
  practice.sync({ networks, instances, databases: [], loadBalancers: [] });
  await practice.settled();
};

const run = (
  playbook: string,
  more: { limit?: readonly string[]; deployment?: string } = {},
): Promise<PlaybookResult> =>
  runPlaybook({
    key: playbook.replace('.yml', ''),
    title: playbook,
    deployment: referenceDeployment(),
    playbook,
    inventory,
    extraVars: {
      cloudspace_name: NAME,
      base_authorized_keys: [publicKey],
      redis_password: 'of-no-other-use-than-this-test-0123456789',
      cloudspace_state_dir: dir,
      base_users: [{ name: 'ada', keys: [publicKey], sudo: true }],
    },
    sshConfig: files.sshConfig,
    home: join(dir, 'ansible'),
    logFile: join(dir, 'logs', `${playbook}.log`),
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
    ...more,
  });

/** A connection of its own each time: shared ones would outlive a changed sshd. */
const ssh = (words: readonly string[]) =>
  execa('ssh', ['-F', files.sshConfig, '-o', 'BatchMode=yes', '-o', 'ControlPath=none', ...words], {
    reject: false,
    stdin: 'ignore',
    timeout: 30_000,
  });

beforeAll(async () => {
  const engine = await startDockerd();
  if (!engine.ok) throw new Error(engine.reason);
  dir = await mkdtemp(join(tmpdir(), 'cloudspace deploy-'));
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'a {{ comment }}', '-f', join(dir, 'id')]);
  publicKey = (await readFile(join(dir, 'id.pub'), 'utf8')).trim();
  practice = await containerHosts({ dir: join(dir, 'practice'), name: NAME, engine });
  instances = ROLES.map(
    ({ name, privateIp }, index): DesiredInstance => ({
      id: `i-0dep000${index}`,
      vpcId: VPC,
      name: `${NAME}-${name}`,
      privateIp,
      public: name === 'bastion',
      state: 'running',
      publicKey,
      ingress: [
        open('tcp', [22], [name === 'bastion' ? LAPTOP_ADDRESS : BASTION]),
        ...(MORE[name.replace('runner-2', 'runner-1')] ?? []),
      ],
    }),
  );
  await settle(instances);
  hosts = await Promise.all(
    instances.map(async ({ id }, index): Promise<Host> => {
      const reach = index === 0 ? practice.reach(id, 22) : undefined;
      const hostKeys = parseConsoleHostKeys((await practice.consoleOutput(id)) ?? '');
      return {
        ...(ROLES[index] as (typeof ROLES)[number]),
        instanceId: id,
        user: 'admin',
        hostKeys,
        ...(reach ? { reach } : {}),
      };
    }),
  );
  files = await writeSshFiles(dir, hosts, { name: NAME, identityFile: join(dir, 'id'), useAgent: false });
  inventory = await writeInventory(dir, hosts, { sshConfig: files.sshConfig });
}, 600_000);

afterAll(async () => {
  if (!practice) return;
  if (files) await closeConnections(files.sshConfig, hosts);
  await settle([]);
  await practice.close();
  const control = await makeControlDir(dir);
  if (control) await rm(control, { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
}, 120_000);

test('every host is set up through the bastion, with progress', { timeout: 1_800_000 }, async () => {
  for (const playbook of ['bastion.yml', 'controller.yml', 'runners.yml', 'connect.yml']) {
    const result = await run(playbook);
    expect(result.failures).toEqual([]);
    expect(result.ok).toBe(true);
    expect(result.changed).toBeGreaterThan(1);
  }
  const last = events.findLast((event) => event.type === 'task');
  expect(last).toMatchObject({ play: 'connect' });
  expect(await readFile(join(dir, 'ca.crt'), 'utf8')).toContain('BEGIN CERTIFICATE');
  expect(last?.type === 'task' && last.done === last.of).toBe(true);
});

test('hosts are what the roles say', { timeout: 120_000 }, async () => {
  const facts = await ssh([
    'runner-1',
    'hostname; getent hosts controller; cat /etc/motd; command -v psql; sudo sshd -T',
  ]);
  expect(facts.stdout.split('\n')[0]).toBe('runner-1');
  expect(facts.stdout).toContain(`10.214.0.11     controller.${NAME} controller`);
  expect(facts.stdout).toContain(`runner-1 of the Cloudspace ${NAME}`);
  expect(facts.stdout).toContain('Roles: builders, runners');
  expect(facts.stdout).toContain('/usr/bin/psql');
  for (const line of ['permitrootlogin no', 'passwordauthentication no', 'allowtcpforwarding no', 'x11forwarding no'])
    expect(facts.stdout.split('\n')).toContain(line);
  const labels = await ssh([
    'controller',
    "sudo docker node inspect runner-1 runner-2 -f '{{.Description.Hostname}} {{.Status.State}} {{.Spec.Labels.builder}}'",
  ]);
  expect(labels.stdout).toBe('runner-1 ready true\nrunner-2 ready false');
  expect((await ssh(['controller', 'sudo -n apt-config dump | grep -c Debian-Security'])).stdout).not.toBe('0');
  expect((await ssh(['-l', 'ada', 'controller', 'sudo -n id -un'])).stdout).toBe('root');
});

test('sshd refuses what it should, and the bastion passes to port 22 only', { timeout: 120_000 }, async () => {
  for (const host of ['bastion', 'controller']) {
    expect((await ssh(['-l', 'root', host, 'true'])).stderr).toContain('Permission denied (publickey)');
  }
  expect((await ssh(['-W', '10.214.10.11:22', 'bastion'])).stdout).toMatch(/^SSH-2.0-/);
  expect((await ssh(['-W', '10.214.10.11:80', 'bastion'])).stderr).toContain('administratively prohibited');
  expect((await ssh(['-W', '10.214.10.12:22', 'runner-1'])).stderr).toContain('administratively prohibited');
});

test('a failing task is named with its host and message, and a retry runs only there', {
  timeout: 120_000,
}, async () => {
  const deployment = join(dir, 'own deployment');
  await mkdir(join(deployment, 'playbooks'), { recursive: true });
  await cp(join(referenceDeployment(), 'ansible.cfg'), join(deployment, 'ansible.cfg'));
  const playbook = `- hosts: runners
  gather_facts: false
  tasks:
    - name: Read the note
      ansible.builtin.command: cat /home/admin/note
      changed_when: false
`;
  await writeFile(join(deployment, 'playbooks/note.yml'), playbook);
  await ssh(['runner-1', 'touch note']);
  const result = await run('note.yml', { deployment });
  expect(result).toMatchObject({ ok: false, failedHosts: ['runner-2'] });
  expect(result.failures[0]).toMatchObject({ host: 'runner-2', task: 'Read the note' });
  expect(result.failures[0]?.message).toContain('No such file');
  await ssh(['runner-2', 'touch note']);
  const again = await run('note.yml', { deployment, limit: result.failedHosts });
  expect(Object.keys(again.recap)).toEqual(['runner-2']);
  expect(again.ok).toBe(true);
});

test('a host with another key is not talked to', { timeout: 120_000 }, async () => {
  await closeConnections(files.sshConfig, hosts);
  const keys = await readFile(files.knownHosts, 'utf8');
  const [bastion, , runner] = hosts as [Host, Host, Host];
  // The bastion's key under the runner's name: what an address taken over by another machine looks like.
  const swapped = `${bastion.hostKeys.map((key) => `${bastion.instanceId} ${key}\n${runner.instanceId} ${key}\n`).join('')}`;
  await writeFile(files.knownHosts, swapped);
  try {
    const result = await run('runners.yml', { limit: ['runner-1'], deployment: await impatient() });
    expect(result).toMatchObject({ ok: false, failedHosts: ['runner-1'] });
    expect(result.failures[0]?.message).toContain('another host key than the pinned one');
  } finally {
    await writeFile(files.knownHosts, keys);
  }
});

test('a runner that was taken away for good is no node of the Swarm any more', { timeout: 300_000 }, async () => {
  const nodes = async () =>
    (await ssh(['controller', "sudo docker node ls --format '{{.Hostname}} {{.Status}}'"])).stdout.split('\n').sort();
  const [bastion, controller, runner] = instances as [DesiredInstance, DesiredInstance, DesiredInstance];
  await settle([bastion, controller, runner]);
  await expect.poll(nodes, { timeout: 90_000, interval: 1000 }).toContain('runner-2 Down');
  inventory = await writeInventory(dir, hosts.slice(0, 3), { sshConfig: files.sshConfig });
  expect((await run('runners.yml')).failures).toEqual([]);
  expect(await nodes()).toEqual(['controller Ready', 'runner-1 Ready']);
});

/** A repository whose playbook does not wait for the host. */
async function impatient(): Promise<string> {
  const deployment = join(dir, 'impatient');
  await mkdir(join(deployment, 'playbooks'), { recursive: true });
  await writeFile(
    join(deployment, 'playbooks/runners.yml'),
    '- hosts: runners\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: {}}]\n',
  );
  return deployment;
}
