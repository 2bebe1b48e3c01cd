import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { inventory, literal, writeInventory } from '../../src/ansible/inventory.ts';
import { runPlaybook } from '../../src/ansible/run.ts';
import { renderSshConfig, writeSshFiles } from '../../src/ansible/sshConfig.ts';
import type { Host } from '../../src/ansible/types.ts';
import { writeProfile } from '../../src/aws/configFile.ts';
import { checkApp, checkDomains } from '../../src/commands/applications/application.ts';
import { curlConfig } from '../../src/commands/applications/servicesApi.ts';
import { quote, remoteOver } from '../../src/commands/hosts/remote.ts';
import { equalCommand } from '../../src/engine/render.ts';
import { type Kind, type Output, resource } from '../../src/engine/types.ts';
import { backingName, checkId } from '../../src/services-api/names.ts';
import { checkName, checkPublicKey, checkSshFrom, checkVpcCidr } from '../../src/steps/config.ts';
import { PUBLIC_KEY } from '../support/cli.ts';
import { NASTY } from './nasty.ts';

/** What a POSIX shell makes of a line: its words, separated by NUL. */
function shellWords(line: string, dir: string): string[] {
  const out = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], {
    cwd: dir,
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  return out.split('\0').slice(0, -1);
}

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
/** NUL ends a string for every program: it cannot be a word at all. */
const WORDS = NASTY.filter((text) => !text.includes('\u0000'));

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'cs-inject-'));
});
afterAll(() => {
  // Nothing of all this was run.
  expect(readdirSync(dir, { recursive: true }).filter((name) => basename(String(name)) === 'PWNED')).toEqual([]);
  rmSync(dir, { recursive: true, force: true });
});

const host = (more: Partial<Host> = {}): Host => ({
  name: 'runner-1',
  groups: ['runners'],
  instanceId: 'i-0001',
  privateIp: '10.7.10.1',
  user: 'admin',
  hostKeys: [],
  ...more,
});

describe('a name that a person gives', () => {
  it.each(NASTY)('%j is no Cloudspace, application, domain, network or public key', (text) => {
    for (const check of [
      checkName,
      checkApp,
      checkVpcCidr,
      (value: string) => checkPublicKey(value, 'key'),
      (value: string) => checkSshFrom(value, true),
    ])
      expect(() => check(text), check.name).toThrow();
    // International names become their ASCII form; every other text is refused.
    const domains = ((): readonly string[] => {
      try {
        return checkDomains(`${text}.example`);
      } catch {
        return [];
      }
    })();
    for (const domain of domains) expect(domain).toMatch(/^[a-z0-9.-]+$/);
  });

  it.each(NASTY)('%j is refused wherever a host is described', (text) => {
    const options = { name: 'team-07', useAgent: true, configFile: '/c', knownHostsFile: '/k' };
    const bad: Partial<Host>[] = [
      { name: text },
      { instanceId: text },
      { user: text },
      { privateIp: text },
      { publicIp: text },
      { groups: [text] },
      { hostKeys: [`ssh-ed25519 ${text}`] },
      { reach: { host: text, port: 22 } },
    ];
    for (const one of bad) {
      expect(() => renderSshConfig([host(one)], options), JSON.stringify(one)).toThrow();
      expect(() => inventory([host(one)], { sshConfig: '/c' }), JSON.stringify(one)).toThrow();
    }
    expect(() => renderSshConfig([host()], { ...options, name: text })).toThrow();
  });

  it('a public key brings its comment, and nothing before it', () => {
    const [type, blob] = PUBLIC_KEY.split(' ');
    expect(() => checkPublicKey(`command="touch PWNED" ${type} ${blob}`, 'key')).toThrow();
    for (const text of WORDS) expect(checkPublicKey(`${type} ${blob} ${text}`, 'key')).not.toContain('\n');
  });
});

describe('a path', () => {
  it('is one word of ssh_config, or is refused', () => {
    for (const text of WORDS) {
      const folder = join(dir, 'state', text.replaceAll('/', '_') || 'empty');
      let config: string;
      try {
        config = renderSshConfig([host({ name: 'bastion', groups: ['bastion'] }), host()], {
          name: 'team-07',
          useAgent: false,
          identityFile: `${folder}/id`,
          configFile: `${folder}/ssh_config`,
          knownHostsFile: `${folder}/known_hosts`,
        });
      } catch (error) {
        expect(error).toMatchObject({ code: 'BadPath', exitCode: 2 });
        continue;
      }
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'ssh_config'), config);
      const said = execFileSync('ssh', ['-G', '-F', join(folder, 'ssh_config'), 'runner-1'], { encoding: 'utf8' });
      const value = (key: string): string => new RegExp(`^${key} (.*)$`, 'm').exec(said)?.[1] ?? '';
      // What ssh expands before it prints differs between its versions.
      const path = (key: string): string[] => {
        const text = value(key).replaceAll('"', '');
        return [text, text.replaceAll('%%', '%')];
      };
      expect(path('userknownhostsfile')).toContain(`${folder}/known_hosts`);
      expect(path('identityfile')).toContain(`${folder}/id`);
      // ssh expands percent signs of the command, then gives it to a shell.
      const command = value('proxycommand').replaceAll('%%', '%');
      expect(shellWords(command, dir)).toEqual(['ssh', '-F', `${folder}/ssh_config`, '-W', '[%h]:%p', 'bastion']);
    }
  });

  it('is one word of Ansible’s ssh arguments', () => {
    for (const text of WORDS) {
      const common = inventory([host()], { sshConfig: `/state/${text}/ssh_config` }).all as {
        vars: Record<string, unknown>;
      };
      const args = common.vars.ansible_ssh_common_args as string | { __ansible_unsafe: string };
      const line = typeof args === 'string' ? args : args.__ansible_unsafe;
      expect(shellWords(line, dir)).toEqual(['-F', `/state/${text}/ssh_config`]);
    }
  });
});

describe('a text', () => {
  it('is one word of a remote command', () => {
    expect(shellWords(WORDS.map(quote).join(' '), dir)).toEqual(WORDS);
  });

  it('is one word of the equal aws command; only names of variables stay live', () => {
    const kind: Kind<{ text: string }, Output, unknown> = {
      type: 'toy',
      label: 'toy',
      list: async () => [],
      create: async () => ({ id: '1' }),
      delete: async () => {},
      cli: ({ text }) => ['aws', 'toy', '--text', text],
    };
    for (const text of WORDS) {
      const line = equalCommand(resource(kind, 'toy', { text }), new Map(), {});
      const expected = text === '$HOME' ? '' : text;
      expect(shellWords(line, dir), line).toEqual(['aws', 'toy', '--text', expected]);
    }
  });

  it('is one value of curl’s configuration', () => {
    for (const text of WORDS) {
      const lines = curlConfig('token', 'PUT', '/v2/x', { text }).split('\n');
      const data = lines.filter((line) => line.startsWith('data-raw'));
      expect(data).toHaveLength(1);
      const value = /^data-raw = "(.*)"$/.exec(data[0] ?? '')?.[1]?.replaceAll(/\\(.)/g, '$1');
      expect(JSON.parse(value ?? '')).toEqual({ text });
      expect(
        lines.filter((line) => line !== '' && !/^(?:silent|show-error|path-as-is|[a-z-]+ = ".*")$/.test(line)),
      ).toEqual([]);
    }
  });

  it('is an id or role of the services API only when it is a plain one', () => {
    for (const text of NASTY) {
      expect(() => checkId('instance', text)).toThrow();
      expect(backingName(text)).toMatch(/^s_[a-z0-9_]+$/);
    }
  });

  it('makes no line of its own in an AWS profile', async () => {
    const file = join(dir, 'config');
    for (const text of NASTY) {
      const settings = { role_arn: 'arn:aws:iam::123456789012:role/x', source_profile: text, region: 'eu-central-1' };
      const written = await writeProfile('team', settings, { file, replace: true }).catch(() => undefined);
      if (!written) continue;
      const lines = readFileSync(file, 'utf8').trim().split('\n');
      expect(lines).toHaveLength(4);
    }
    await expect(
      writeProfile('a]\n[b', { role_arn: 'x', source_profile: 'y', region: 'z' }, { file }),
    ).rejects.toThrow();
  });
});

it.skipIf(!has('ansible-playbook'))(
  'Ansible takes every text as data: extra variables and host variables',
  async () => {
    const home = join(dir, 'with spaces and "quotes"');
    mkdirSync(join(home, 'deployment/playbooks'), { recursive: true });
    const texts = Object.fromEntries(WORDS.map((text, index) => [`text_${index}`, text]));
    const nested = { list: WORDS, map: { deep: '{{ 7 * 7 }}' } };
    writeFileSync(
      join(home, 'deployment/playbooks/test.yml'),
      `- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        dest: ${JSON.stringify(join(home, 'said.json'))}
        content: "{{ {'extra': everything, 'host': of_host, 'nested': nested} | to_json }}"
    - ansible.builtin.command:
        argv: ["printf", "%s", "{{ item }}"]
      loop: "{{ everything.values() | list }}"
`,
    );
    const one = host({ vars: { ansible_connection: 'local', of_host: texts } });
    const result = await runPlaybook({
      key: 'test',
      title: 'test',
      deployment: join(home, 'deployment'),
      playbook: 'test.yml',
      inventory: await writeInventory(home, [one], { sshConfig: join(home, 'ssh_config') }),
      home: join(home, 'ansible'),
      logFile: join(home, 'test.log'),
      extraVars: { everything: texts, nested },
      signal: new AbortController().signal,
      onEvent: () => {},
    });
    expect(result.failures).toEqual([]);
    expect(JSON.parse(readFileSync(join(home, 'said.json'), 'utf8'))).toEqual({ extra: texts, host: texts, nested });
    expect(existsSync(join(home, 'deployment/PWNED'))).toBe(false);
  },
);

it('inventory and variables are read back as they were, by YAML too', async () => {
  const vars = Object.fromEntries(NASTY.map((text, index) => [`text_${index}`, text]));
  const file = await writeInventory(dir, [host({ vars })], { sshConfig: '/c' });
  const text = readFileSync(file, 'utf8');
  expect(parse(text)).toEqual(JSON.parse(text));
  const unwrap = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && '__ansible_unsafe' in value ? value.__ansible_unsafe : value;
  const read = JSON.parse(text).all.hosts['runner-1'] as Record<string, unknown>;
  for (const [name, value] of Object.entries(vars)) {
    expect(unwrap(read[name])).toBe(value);
    if (/\{[{%#]/.test(value)) expect(read[name]).toEqual({ __ansible_unsafe: value });
  }
  expect(literal(['{{ x }}', { y: '{% z %}' }])).toEqual([
    { __ansible_unsafe: '{{ x }}' },
    { y: { __ansible_unsafe: '{% z %}' } },
  ]);
});

it('a folder and the files in it travel as they are called', async () => {
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  // ssh as the far end sees it: the last word is what the login shell there is given.
  writeFileSync(join(bin, 'ssh'), '#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n');
  chmodSync(join(bin, 'ssh'), 0o755);
  const names = WORDS.filter((text) => text !== '' && text !== '..' && !text.includes('/'));
  const source = join(dir, 'from', "a folder; 'quoted' $(touch PWNED)");
  const target = join(dir, 'to');
  mkdirSync(source, { recursive: true });
  mkdirSync(target);
  for (const name of names) writeFileSync(join(source, name), name);
  const { sshConfig } = await writeSshFiles(dir, [host()], { name: 'team-07', useAgent: false });
  const path = process.env.PATH;
  process.env.PATH = `${bin}:${path}`;
  try {
    const remote = remoteOver(sshConfig, [host()], new AbortController().signal);
    const sent = await remote.sendFolder('runner-1', source, `tar -xf - -C ${quote(target)}`);
    expect(sent).toMatchObject({ exitCode: 0 });
  } finally {
    process.env.PATH = path;
  }
  expect(readdirSync(target).sort()).toEqual([...names].sort());
});

it('the route store takes what labels say as text, and only good names', () => {
  const script = `
import json, sys
sys.path.insert(0, sys.argv[1])
from cloudspace_routes import keys_of
texts = json.load(sys.stdin)
services = [
    {"ID": f"s{i}", "CreatedAt": f"2026-01-01T00:00:{i:02}Z", "Spec": {"Labels": {"cloudspace.app": app, "cloudspace.port": port, "cloudspace.domain": domain, "cloudspace.http": http, "cloudspace.version": version}}}
    for i, (app, port, domain, http, version) in enumerate(
        [(t, "80", "a.example", "serve", "1") for t in texts] + [("shop" + str(n), t if n == 0 else "80", t + "," + t + ".example", t, t) for t in texts for n in (0, 1)])]
print(json.dumps(keys_of(services, [], [])))
`;
  const folder = new URL('../../deployment/roles/app_controller/files', import.meta.url).pathname;
  const said = execFileSync('python3', ['-B', '-c', script, folder], {
    input: JSON.stringify(NASTY),
    encoding: 'utf8',
  });
  const keys = JSON.parse(said) as Record<string, string>;
  for (const [key, value] of Object.entries(keys)) {
    expect(key).toMatch(/^(?:route|app|conflict):[a-z0-9.-]+$/);
    const { http } = JSON.parse(value) as { http?: string };
    expect(['serve', 'redirect', undefined]).toContain(http);
  }
  expect(Object.keys(keys)).toContain('app:shop1');
});
