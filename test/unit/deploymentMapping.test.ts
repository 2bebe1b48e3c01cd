import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { referenceDeployment } from '../../src/ansible/paths.ts';
import { openVault } from '../../src/ansible/vault.ts';
import type { Aws } from '../../src/aws/clients.ts';
import type { Context } from '../../src/commands/context.ts';
import { run as eject } from '../../src/commands/deploymentEject.ts';
import { checkConfigFile, readConfigFile } from '../../src/commands/settings/configFile.ts';
import {
  mapGroups,
  mapPlay,
  OWN_VAULT,
  ROLES,
  vaultPasswordFile,
} from '../../src/commands/settings/deploymentMapping.ts';
import { provisioner } from '../../src/commands/walk/provision.ts';
import { newState, openJournal } from '../../src/engine/journal.ts';
import type { Event, Output, Play } from '../../src/engine/types.ts';
import type { Config } from '../../src/steps/config.ts';
import { walk } from '../../src/steps/index.ts';
import { PUBLIC_KEY } from '../support/cli.ts';

const TEAM = fileURLToPath(new URL('../fixtures/team-deployment', import.meta.url));
const hasAnsible = spawnSync('ansible-playbook', ['--version']).status === 0;
const config = {
  name: 'team-07',
  team: 7,
  region: 'eu-central-1',
  account: '100000000107',
  cidr: '10.7.0.0/16',
  zones: ['eu-central-1a', 'eu-central-1b'],
  runners: 2,
  sshFrom: '198.51.100.7/32',
  publicKey: 'ssh-ed25519 AAAA test',
} as unknown as Config;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cloudspace-mapping-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("a team's own repository", () => {
  it('is described in cloudspace.yaml, with paths from where that is', async () => {
    const { deployment, mapping, name } = await readConfigFile(join(TEAM, 'cloudspace.yaml'));
    expect(name).toBe('team-07');
    expect(deployment).toBe(TEAM);
    expect(mapping).toEqual({
      playbooks: { bastion: 'gate.yml', controller: false, runners: 'app-servers.yml' },
      groups: { runners: ['app_servers'], builders: ['app_servers'] },
      extraVars: { team_greeting: 'hello {{ not a template }}', team_ports: [80, 443] },
      vaultIds: { team: join(TEAM, 'team-password') },
      vaultPasswordCommand: ['printf', '%s', "the wizard's own password"],
    });
  });

  it.each([
    [{ playbooks: [] }, /playbooks: is no mapping/],
    [{ playbooks: { runner: 'a.yml' } }, /"runner" is no setting; did you mean "runners"/],
    [{ playbooks: { runners: '../a.yml' } }, /no playbook inside the repository/],
    [{ playbooks: { runners: 'a.sh' } }, /no playbook inside the repository/],
    [{ playbooks: { runners: true } }, /no playbook inside the repository/],
    [{ groups: { workers: 'a' } }, /"workers" is no setting/],
    [{ groups: { runners: [] } }, /names no inventory groups/],
    [{ groups: { runners: ['a-b'] } }, /names no inventory groups/],
    [{ groups: { runners: [7] } }, /names no inventory groups/],
    [{ extra_vars: 'a=b' }, /extra_vars: is no mapping/],
    [{ extra_vars: { 'a-b': 1 } }, /"a-b" is no name of a variable/],
    [{ extra_vars: { cloudspace_name: 'x' } }, /"cloudspace_name" is the wizard's own/],
    [{ vault_ids: { team: 'missing' } }, /there is no file .*\/missing/],
    [{ vault_ids: { development: '/dev/null' } }, /"development" cannot be used/],
    [{ vault_ids: { team: 3 } }, /vault_ids.team: is no path/],
    [{ vault_password_command: '' }, /is no command/],
    [{ vault_password_command: [1] }, /is no command/],
  ])('refuses %j', async (content, message) => {
    const file = join(dir, 'my.yaml');
    writeFileSync(file, stringify(content));
    const { problems } = await checkConfigFile(file);
    expect(problems.map(({ key, message }) => `${key}: ${message}`)).toEqual([expect.stringMatching(message)]);
    await expect(readConfigFile(file)).rejects.toMatchObject({
      message: expect.stringMatching(/^.*my\.yaml:\d+:\d+: /),
      exitCode: 2,
    });
  });

  it('says which settings there are when one is misspelt', async () => {
    const file = join(dir, 'cloudspace.yaml');
    writeFileSync(file, 'playbook:\n  runners: a.yml\n');
    await expect(readConfigFile(file)).rejects.toMatchObject({
      message: expect.stringMatching(/did you mean "playbooks"/),
      hint: expect.stringMatching(/playbooks, groups, extra_vars/),
    });
  });

  it('has a role for each play of the walk', () => {
    const { plays } = walk(config);
    expect(new Set(plays.map((play) => play.playbook))).toEqual(new Set(ROLES.map((role) => `${role}.yml`)));
    const nothing = { playbooks: Object.fromEntries(ROLES.map((role) => [role, false])) };
    expect(plays.map((play) => mapPlay(play, nothing))).toEqual(plays.map(() => undefined));
  });

  it('keeps the bastion findable whatever its groups are called', () => {
    const mapping = { groups: { bastion: ['gates'], runners: ['apps', 'web'] } };
    expect(mapGroups({ groups: ['bastion'] }, mapping).groups).toEqual(['bastion', 'gates']);
    expect(mapGroups({ groups: ['runners', 'builders'] }, mapping).groups).toEqual(['apps', 'web', 'builders']);
  });

  it('opens the vault with what a command prints', async () => {
    const passwordFile = await vaultPasswordFile(dir, { vaultPasswordCommand: ['printf', '%s', "it's $HOME"] });
    expect(statSync(passwordFile as string).mode & 0o777).toBe(0o700);
    const vault = openVault({ dir, vaultId: OWN_VAULT, ...(passwordFile ? { passwordFile } : {}) });
    const secret = await vault.secret('a_secret');
    writeFileSync(join(dir, 'plain'), "it's $HOME");
    const again = openVault({ dir, vaultId: OWN_VAULT, passwordFile: join(dir, 'plain') });
    expect(await again.secret('a_secret')).toBe(secret);
  });

  it.skipIf(!hasAnsible)('is run: its playbooks, groups, variables and vaults', { timeout: 60_000 }, async () => {
    const { mapping = {}, deployment = '' } = await readConfigFile(join(TEAM, 'cloudspace.yaml'));
    const { name, account, region } = config;
    const state = {
      ...newState({ name, account, region, practice: true }),
      hostKeys: Object.fromEntries(['b', '1', '2'].map((id) => [`i-${id}`, [PUBLIC_KEY.replace(' test', '')]])),
    };
    const journal = openJournal(dir, state);
    const passwordFile = (await vaultPasswordFile(dir, mapping)) as string;
    const vault = openVault({ dir, vaultId: OWN_VAULT, passwordFile });
    await vault.ensure({ own_secret: () => 'from the own vault' });
    const instance = (id: string, privateIp: string): Output => ({ id, privateIp }) as Output;
    const outputs = new Map([
      ['bastion', instance('i-b', '10.7.0.4')],
      ['runner-1', instance('i-1', '10.7.128.4')],
      ['runner-2', instance('i-2', '10.7.144.4')],
    ]);
    const events: Event[] = [];
    const out = join(dir, 'out');
    mkdirSync(out);
    const provision = provisioner({
      config,
      dir,
      deployment,
      mapping: { ...mapping, extraVars: { ...mapping.extraVars, team_out: out } },
      aws: {} as Aws,
      journal,
      vault,
      outputs,
      practice: true,
      reach: () => undefined,
      pace: 1,
      notify: (event) => events.push(event),
      signal: new AbortController().signal,
      hold: async () => {},
    });
    const play = (playbook: string, hosts: readonly string[]): Play => ({
      key: `play-${playbook}`,
      title: playbook,
      playbook,
      hosts,
      after: [],
    });
    await provision(play('controller.yml', ['controller']));
    expect(events).toMatchObject([{ type: 'play', status: 'skipped' }]);
    await provision(play('runners.yml', ['runner-1', 'runner-2']));
    for (const host of ['runner-1', 'runner-2'])
      expect(JSON.parse(readFileSync(join(out, `${host}.json`), 'utf8'))).toEqual({
        greeting: 'hello {{ not a template }}',
        ports: [80, 443],
        groups: ['app_servers'],
        cloudspace: 'team-07',
        secret: 'from the team vault',
        own: 'from the own vault',
      });
    // Other variables are another run; the same are none.
    const lastStatus = () => events.findLast((event) => event.type === 'play')?.status;
    await provision(play('runners.yml', ['runner-1', 'runner-2']));
    expect(lastStatus()).toBe('kept');
  });
});

describe('deployment eject', () => {
  const context = (target: string, events: Event[] = []) =>
    ({ args: [target], options: {}, ui: { notify: (event: Event) => events.push(event) } }) as unknown as Context;

  it("copies the reference repository, without what is the wizard's own", async () => {
    const target = join(dir, 'ours');
    const events: Event[] = [];
    expect(await eject(context(target, events))).toBe(0);
    for (const file of ['ansible.cfg', 'playbooks/controller.yml', 'roles/base/tasks/main.yml', 'README.md'])
      expect(readFileSync(join(target, file))).toEqual(readFileSync(join(referenceDeployment(), file)));
    expect(statSync(join(target, 'callback_plugins'), { throwIfNoEntry: false })).toBeUndefined();
    expect(events).toMatchObject([{ type: 'summary', data: { directory: target } }]);
    await expect(eject(context(target))).rejects.toThrow(/is not empty/);
  });

  it('never writes over anything', async () => {
    writeFileSync(join(dir, 'file'), '');
    await expect(eject(context(join(dir, 'file')))).rejects.toThrow(/is a file/);
    await expect(eject(context(join(referenceDeployment(), 'copy')))).rejects.toThrow(
      /inside the reference repository/,
    );
  });

  it.skipIf(!hasAnsible)('gives a repository whose playbooks Ansible understands', { timeout: 60_000 }, async () => {
    const target = join(dir, 'ours');
    await eject(context(target));
    const inventory = join(dir, 'inventory.json');
    writeFileSync(
      inventory,
      JSON.stringify({
        all: {
          children: Object.fromEntries(
            ['bastion', 'controller', 'runners', 'builders', 'services'].map((group) => [
              group,
              { hosts: { [`${group}-1`]: {} } },
            ]),
          ),
        },
      }),
    );
    const checked = spawnSync('ansible-playbook', ['-i', inventory, '--syntax-check', 'playbooks/site.yml'], {
      cwd: target,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    expect(checked.stderr + checked.stdout).toContain('playbook: playbooks/site.yml');
    expect(checked.status).toBe(0);
  });
});
