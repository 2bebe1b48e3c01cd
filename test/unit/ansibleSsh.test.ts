import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyUnreachable } from '../../src/ansible/connections.ts';
import { knownHosts, parseConsoleHostKeys } from '../../src/ansible/hostKeys.ts';
import { makeControlDir, renderSshConfig, writeSshFiles } from '../../src/ansible/sshConfig.ts';
import type { Host } from '../../src/ansible/types.ts';

const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJlTwzTiUv2xw1ZLgbNPU5J8B0BpXp3WJHP4x4sAcZQz';
const ECDSA =
  'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJxA4ohf9cUkRYHsEUoLNdd1/nUqAm7gBcaY3iuN2fHEE2IkTfVMvEkhBrPoCFKeTbMh2ynbKvoTCKAJTP4U1Gw=';
const OTHER = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f';

const bastion: Host = {
  name: 'bastion',
  groups: ['bastion'],
  instanceId: 'i-0aaa',
  privateIp: '10.7.0.10',
  publicIp: '203.0.113.9',
  user: 'admin',
  hostKeys: [ED25519],
};
const runner: Host = {
  name: 'runner-1',
  groups: ['runners'],
  instanceId: 'i-0bbb',
  privateIp: '10.7.1.20',
  user: 'admin',
  hostKeys: [OTHER, ECDSA],
};

describe('host keys on the console', () => {
  const block = (lines: string[], prefix = '') =>
    [
      'Debian GNU/Linux 12',
      `${prefix}-----BEGIN SSH HOST KEY KEYS-----`,
      ...lines.map((line) => `${prefix}${line}`),
      `${prefix}-----END SSH HOST KEY KEYS-----`,
      'login:',
    ].join('\r\n');

  it.each([
    ['plain', ''],
    ['prefixed with "ec2: "', 'ec2: '],
    ['stamped', '[   24.511234] cloud-init[601]: '],
  ])('are read: %s', (_, prefix) => {
    expect(parseConsoleHostKeys(block([`${ED25519} root@ip-10-7-0-10`, ECDSA, ED25519], prefix))).toEqual([
      ED25519,
      ECDSA,
    ]);
  });

  it('are those of the last whole block', () => {
    expect(parseConsoleHostKeys(`${block([ED25519])}\n${block([OTHER])}`)).toEqual([OTHER]);
    expect(parseConsoleHostKeys(`${block([ED25519])}\n-----BEGIN SSH HOST KEY KEYS-----\n${OTHER}\n`)).toEqual([
      ED25519,
    ]);
  });

  it('are none outside a block, and none that the console cut', () => {
    expect(parseConsoleHostKeys(`${ED25519}\n`)).toEqual([]);
    expect(parseConsoleHostKeys(block(['ssh-ed25519 AAAAC3NzaC1yc2EAAAAIJlT', 'ssh-rsa garbage']))).toEqual([]);
    expect(parseConsoleHostKeys('')).toEqual([]);
  });

  it('are known under the instance id', () => {
    expect(knownHosts([bastion, runner])).toBe(`i-0aaa ${ED25519}\ni-0bbb ${OTHER}\ni-0bbb ${ECDSA}\n`);
  });
});

const hasSsh = spawnSync('ssh', ['-V']).status === 0;

describe.skipIf(!hasSsh)('ssh_config, read by ssh', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "cs ssh 100% it's-"));
  });
  afterAll(async () => {
    const control = await makeControlDir(dir);
    if (control) rmSync(control, { recursive: true, force: true });
    rmSync(dir, { recursive: true, force: true });
  });

  const settings = (config: string, name: string): Map<string, string> =>
    new Map(
      execFileSync('ssh', ['-G', '-F', config, name], { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
    );

  it('pins keys, and reaches private hosts through the bastion, whatever the path', async () => {
    const identityFile = join(dir, 'my key.pub');
    const { sshConfig, knownHosts: known } = await writeSshFiles(dir, [bastion, runner], {
      name: 'hackathon-07',
      identityFile,
      useAgent: true,
    });
    expect(statSync(sshConfig).mode & 0o777).toBe(0o600);
    expect(statSync(known).mode & 0o777).toBe(0o600);
    for (const name of ['runner-1', 'runner-1.hackathon-07', '10.7.1.20']) {
      const ssh = settings(sshConfig, name);
      expect(ssh.get('hostname')).toBe('10.7.1.20');
      expect(ssh.get('hostkeyalias')).toBe('i-0bbb');
      expect(ssh.get('stricthostkeychecking')).toBe('true');
      expect(ssh.get('globalknownhostsfile')).toBe('/dev/null');
      expect(ssh.get('identitiesonly')).toBe('yes');
      expect(ssh.get('forwardagent')).toBe('no');
      expect(ssh.get('passwordauthentication')).toBe('no');
      expect(ssh.get('proxycommand')).toContain('bastion');
      expect(ssh.get('user')).toBe('admin');
      expect(Buffer.byteLength(ssh.get('controlpath') ?? '')).toBeLessThan(104 - 17);
    }
    const direct = settings(sshConfig, 'bastion');
    expect(direct.get('hostname')).toBe('203.0.113.9');
    expect(direct.get('port')).toBe('22');
    expect(direct.has('proxycommand')).toBe(false);
    expect(settings(sshConfig, '203.0.113.9').get('hostkeyalias')).toBe('i-0aaa');
    expect(settings(sshConfig, 'runner-1').get('controlpath')).not.toBe(direct.get('controlpath'));
  });

  it('makes the way through the bastion with the same file: ssh starts, reads it, and fails at the address only', async () => {
    // Nothing listens on the discard port of loopback.
    const unreachable = { ...bastion, reach: { host: '127.0.0.1', port: 9 } };
    const { sshConfig } = await writeSshFiles(dir, [unreachable, runner], { name: 'hackathon-07', useAgent: false });
    expect(await whyUnreachable(sshConfig, 'runner-1')).toContain(
      'connect to host 127.0.0.1 port 9: Connection refused',
    );
  });

  it('takes the address that the host is reached at', () => {
    const text = renderSshConfig([{ ...bastion, reach: { host: '127.0.0.1', port: 32_768 } }], {
      name: 'x',
      useAgent: false,
      configFile: '/c',
      knownHostsFile: '/k',
    });
    expect(text).toContain('HostName 127.0.0.1\n  Port 32768\n');
    expect(text).toContain('IdentityAgent none');
    expect(text).not.toContain('ControlMaster');
  });

  it.each(['relative', '/a"b', '/a\nProxyCommand evil', `/$${'{HOME}'}/x`, '/a\\b'])('refuses the path %j', (path) => {
    const options = { name: 'x', useAgent: true, configFile: '/c', knownHostsFile: '/k', identityFile: path };
    expect(() => renderSshConfig([bastion], options)).toThrow(/cannot be written into an ssh_config/);
  });

  it('shares no connection through a folder that others can enter', async () => {
    const control = (await makeControlDir(dir)) as string;
    expect(statSync(control).mode & 0o777).toBe(0o700);
    rmSync(control, { recursive: true });
    mkdirSync(control);
    chmodSync(control, 0o777);
    expect(await makeControlDir(dir)).not.toBe(control);
    rmSync(control, { recursive: true });
  });

  it('replaces its files as a whole', async () => {
    const first = await writeSshFiles(dir, [bastion, runner], { name: 'x', useAgent: true });
    await writeSshFiles(dir, [bastion], { name: 'x', useAgent: true });
    expect(readFileSync(first.sshConfig, 'utf8')).not.toContain('runner-1');
    expect(readFileSync(first.knownHosts, 'utf8')).not.toContain('i-0bbb');
  });
});
