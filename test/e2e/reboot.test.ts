import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeConnections } from '../../src/ansible/connections.ts';
import { parseConsoleHostKeys } from '../../src/ansible/hostKeys.ts';
import { writeInventory } from '../../src/ansible/inventory.ts';
import { writeSshFiles } from '../../src/ansible/sshConfig.ts';
import type { Host } from '../../src/ansible/types.ts';
import { patientPlay } from '../../src/commands/walk/patientPlay.ts';
import type { Event } from '../../src/engine/types.ts';
import { containerHosts, startDockerd } from '../../src/practice/hosts/index.ts';
import { type DesiredHosts, type Hosts, LAPTOP_ADDRESS } from '../../src/practice/hosts/types.ts';

// One real host in a container, with systemd and sshd, that restarts in the middle of a play.

const ID = 'i-0reboot1';
let command: string;
let dir: string;
let hosts: Hosts;

const settle = async (desired: DesiredHosts): Promise<void> => {
  hosts.sync(desired);
  await hosts.settled();
};

beforeAll(async () => {
  const engine = await startDockerd();
  if (!engine.ok) throw new Error(engine.reason);
  command = engine.command;
  dir = await mkdtemp(join(tmpdir(), 'cloudspace-reboot-'));
  hosts = await containerHosts({ dir: join(dir, 'hosts'), name: 'practice-46', engine });
}, 120_000);

afterAll(async () => {
  if (!hosts) return;
  await settle({ networks: [], instances: [], databases: [], loadBalancers: [] });
  await hosts.close();
  await rm(dir, { recursive: true, force: true });
}, 120_000);

test('a host that restarts in the middle of a play gets the rest of it when it is back', {
  timeout: 600_000,
}, async () => {
  const identityFile = join(dir, 'id');
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'e2e', '-f', identityFile]);
  const publicKey = (await execa('cat', [`${identityFile}.pub`])).stdout;
  const ingress = [{ protocol: 'tcp' as const, fromPort: 22, toPort: 22, sources: [`${LAPTOP_ADDRESS}/32`] }];
  await settle({
    networks: [{ vpcId: 'vpc-0reboot', cidr: '10.246.0.0/16' }],
    instances: [
      {
        id: ID,
        name: 'e2e-reboot',
        vpcId: 'vpc-0reboot',
        privateIp: '10.246.0.10',
        public: true,
        state: 'running',
        publicKey,
        ingress,
      },
    ],
    databases: [],
    loadBalancers: [],
  });
  const reach = hosts.reach(ID, 22);
  const host: Host = {
    name: 'bastion',
    groups: ['bastion'],
    instanceId: ID,
    privateIp: '10.246.0.10',
    user: 'admin',
    hostKeys: parseConsoleHostKeys((await hosts.consoleOutput(ID)) ?? ''),
    ...(reach ? { reach } : {}),
  };
  const { sshConfig } = await writeSshFiles(dir, [host], { name: 'practice-46', useAgent: false, identityFile });
  await mkdir(join(dir, 'deployment/playbooks'), { recursive: true });
  await writeFile(
    join(dir, 'deployment/playbooks/test.yml'),
    `- hosts: bastion
  become: true
  gather_facts: false
  tasks:
    - ansible.builtin.shell: echo x >> /var/before
    - name: Work for a while
      ansible.builtin.shell: "[ -e /var/went ] || { touch /var/went; sync; sleep 600; }"
    - ansible.builtin.shell: echo x >> /var/after
`,
  );
  const events: Event[] = [];
  const running = patientPlay({
    key: 'test',
    title: 'The host',
    deployment: join(dir, 'deployment'),
    playbook: 'test.yml',
    inventory: await writeInventory(dir, [host], { sshConfig }),
    home: join(dir, 'ansible'),
    logFile: join(dir, 'test.log'),
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
    limit: ['bastion'],
    sshConfig,
    hosts: [host],
    pace: 1,
  });
  const container = (await execa(command, ['ps', '-q', '--filter', `label=cloudspace.id=${ID}`])).stdout.trim();
  const inside = (words: string) => execa(command, ['exec', container, 'sh', '-c', words], { reject: false });
  while ((await inside('test -e /var/went')).exitCode !== 0) await sleep(300);
  await execa(command, ['restart', '--time', '5', container]);
  const result = await running;
  expect(result.failures).toEqual([]);
  expect(result.ok).toBe(true);
  expect(events.filter((event) => event.type === 'progress').map((event) => event.status)).toEqual(['started', 'done']);
  expect((await inside('cat /var/after')).stdout).toBe('x');
  await closeConnections(sshConfig, [host]);
});
