import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inventory, writeInventory } from '../../src/ansible/inventory.ts';
import type { Host } from '../../src/ansible/types.ts';

const host = (name: string, groups: string[], more: Partial<Host> = {}): Host => ({
  name,
  groups,
  instanceId: `i-${name}`,
  privateIp: '10.7.0.4',
  user: 'admin',
  hostKeys: [],
  ...more,
});
const hosts = [
  host('bastion', ['bastion'], { publicIp: '203.0.113.9' }),
  host('runner-1', ['runners', 'builders'], { privateIp: '10.7.1.4', vars: { note: 'not a {{ template }}', size: 2 } }),
  host('runner-2', ['runners'], { privateIp: '10.7.1.5' }),
];
const options = { sshConfig: "/tmp/it's here/ssh config", vars: { region: 'eu-central-1' } };

describe('inventory', () => {
  it('is what Ansible takes from `--list`', () => {
    const list = inventory(hosts, options);
    expect(list).toMatchObject({
      _meta: {
        hostvars: {
          bastion: {
            ansible_host: '10.7.0.4',
            ansible_user: 'admin',
            instance_id: 'i-bastion',
            public_ip: '203.0.113.9',
          },
          'runner-1': { private_ip: '10.7.1.4', size: 2 },
        },
      },
      bastion: { hosts: ['bastion'] },
      runners: { hosts: ['runner-1', 'runner-2'] },
      builders: { hosts: ['runner-1'] },
      controller: { hosts: [] },
      all: { vars: { region: 'eu-central-1', ansible_python_interpreter: '/usr/bin/python3' } },
    });
  });

  it.each([
    ['name', { name: 'a b' }],
    ['name', { name: 'x\n  ProxyCommand evil' }],
    ['instance id', { instanceId: 'i-1 *' }],
    ['private address', { privateIp: '10.7.0.4 evil' }],
    ['public address', { publicIp: 'example.com' }],
    ['user', { user: '-oProxyCommand=evil' }],
    ['group', { groups: ['all:!x'] }],
    ['host key', { hostKeys: ['@cert-authority * ssh-ed25519 AAAA'] }],
    ['address', { reach: { host: '127.0.0.1\nx', port: 22 } }],
    ['port', { reach: { host: '127.0.0.1', port: 70_000 } }],
  ])('refuses a bad %s', (what, bad) => {
    expect(() => inventory([host('ok', [], bad as Partial<Host>)], options)).toThrow(new RegExp(`^${what} `));
  });

  it('refuses the same name twice', () => {
    expect(() => inventory([host('a', []), host('a', [])], options)).toThrow('two hosts are called "a"');
  });
});

const hasAnsible = spawnSync('ansible-inventory', ['--version']).status === 0;

describe.skipIf(!hasAnsible)('the written inventory, read by ansible', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'cs inventory-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const ansible = (command: string, args: string[]): string =>
    execFileSync(command, args, { encoding: 'utf8', env: { ...process.env, ANSIBLE_HOME: dir, LC_ALL: 'C.UTF-8' } });

  it('has the same hosts, groups and variables, and no template is run', async () => {
    const path = await writeInventory(dir, hosts, options);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).not.toContain('"not a {{ template }}",');
    const list = JSON.parse(ansible('ansible-inventory', ['-i', path, '--list']));
    expect(list.runners.hosts).toEqual(['runner-1', 'runner-2']);
    expect(list._meta.hostvars.bastion).toMatchObject({ ansible_host: '10.7.0.4', region: 'eu-central-1' });
    const shown = ansible('ansible', ['-i', path, 'runner-1', '-c', 'local', '-m', 'debug', '-a', 'var=note']);
    expect(shown).toContain('not a {{ template }}');
  }, 60_000);
});
