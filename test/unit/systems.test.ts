import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVault } from '../../src/ansible/vault.ts';
import { checkCost, costCeiling } from '../../src/commands/answers/costCeiling.ts';
import type { Context, Options } from '../../src/commands/context.ts';
import { openOwnVault } from '../../src/commands/session/ownVault.ts';
import type { Session } from '../../src/commands/session/session.ts';
import { forTeam } from '../../src/commands/session/teamName.ts';
import { checkElasticsearch } from '../../src/commands/systems/elasticsearch.ts';
import { askOnelogin, oneloginOf } from '../../src/commands/systems/onelogin.ts';
import { prepareSystems, withSystems } from '../../src/commands/systems/systems.ts';
import { newState } from '../../src/engine/journal.ts';
import type { Question, Ui } from '../../src/engine/types.ts';
import { secretSource } from '../../src/secrets/source.ts';
import type { Config } from '../../src/steps/config.ts';
import { type StandInElasticsearch, standInElasticsearch } from '../support/standInElasticsearch.ts';

/** Neither a DNS nor an existing RabbitMQ server. */
const CONFIG = { name: 'team-07' } as Config;

let dir: string;
let es: StandInElasticsearch | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cloudspace-systems-'));
});
afterEach(async () => {
  await es?.close();
  es = undefined;
  rmSync(dir, { recursive: true, force: true });
});

/** Answers by the question's id; what has no answer takes its default. Remembers what was asked. */
function person(answers: Readonly<Record<string, string | boolean>>): { ui: Ui; asked: string[] } {
  const asked: string[] = [];
  const ask = async (question: Question) => {
    asked.push(question.id);
    return answers[question.id] ?? question.default;
  };
  return { ui: { ask: ask as Ui['ask'], notify() {}, close() {} }, asked };
}

function setting(options: Options, ui: Ui, answers: Record<string, unknown> = {}) {
  const context: Context = {
    options,
    args: [],
    ui,
    signal: new AbortController().signal,
    print() {},
    secrets: secretSource({ ask: ui.ask, env: {} }),
  };
  const state = { ...newState({ name: 'team-07', account: '1', region: 'r', practice: false }), answers };
  const vault = openVault({ dir, vaultId: 'development' });
  return { context, session: { vault, name: 'team-07', state } as unknown as Session, vault };
}

describe('systems beside AWS', () => {
  it('nothing configured: nothing asked, nothing passed, nothing kept', async () => {
    const { ui, asked } = person({});
    const { context, session, vault } = setting({}, ui);
    const systems = await prepareSystems(context, session, false, CONFIG);
    expect([systems.extraVars, asked]).toEqual([{}, []]);
    const mapping = {};
    expect(withSystems(mapping, systems)).toBe(mapping);
    await systems.keep();
    expect(await vault.names()).toEqual([]);
  });

  it('Elasticsearch, asked for: once; its password is in the vault afterwards, and asked no more', async () => {
    es = await standInElasticsearch({ password: 'a-good-password' });
    const first = person({
      elasticsearch: es.url,
      'elasticsearch.user': 'shipper',
      'secret.elasticsearch.password': 'a-good-password',
    });
    const one = setting({ elasticsearch: 'ask' }, first.ui);
    const systems = await prepareSystems(one.context, one.session, false, CONFIG);
    await systems.keep();
    expect(first.asked).toEqual(['elasticsearch', 'elasticsearch.user', 'secret.elasticsearch.password']);
    expect(systems.extraVars).toEqual({
      cloudspace_elasticsearch: { url: es.url, username: 'shipper', index: 'cloudspace-team-07' },
    });
    expect(await one.vault.peek('elasticsearch_password')).toBe('a-good-password');
    expect(JSON.stringify(systems.saved)).not.toContain('a-good-password');

    const second = person({});
    const two = setting({}, second.ui, systems.saved as Record<string, unknown>);
    expect((await prepareSystems(two.context, two.session, false, CONFIG)).extraVars).toEqual(systems.extraVars);
    expect(second.asked).toEqual([]);
    const later = setting({ elasticsearch: 'later' }, second.ui, systems.saved as Record<string, unknown>);
    expect((await prepareSystems(later.context, later.session, false, CONFIG)).extraVars).toEqual({});
  });

  it('Elasticsearch, taken out of the file: nothing is passed any more; without a file it stays', async () => {
    es = await standInElasticsearch({ password: 'p4ssword' });
    const there = {
      url: es.url,
      username: { kind: 'plain', text: 'shipper' },
      password: { kind: 'command', words: ['/usr/bin/printf', '%s', 'p4ssword'] },
    };
    const file = { configFile: 'cloudspace.yaml' };
    const look = async (options: Options, answers: Readonly<Record<string, unknown>> = {}) => {
      const { context, session } = setting(options, person({}).ui, answers);
      return prepareSystems(context, session, false, CONFIG);
    };
    const first = await look({ ...file, settings: { elasticsearch: there } as Options['settings'] & object });
    expect(Object.keys(first.extraVars)).toEqual(['cloudspace_elasticsearch']);
    expect((await look({}, first.saved)).extraVars).toEqual(first.extraVars);
    const gone = await look(file, first.saved);
    expect([gone.extraVars, gone.saved.elasticsearch]).toEqual([{}, null]);
    // A flag's is not in the file, and stays.
    const flags = {
      elasticsearch: es.url,
      elasticsearchUser: 'shipper',
      elasticsearchPassword: 'command: /usr/bin/printf %s p4ssword',
    };
    const byFlag = await look({ ...file, ...flags });
    expect((await look(file, byFlag.saved)).extraVars).toEqual(byFlag.extraVars);
  });

  it('Elasticsearch with a new password: the plays that use it are due before the vault changes', async () => {
    es = await standInElasticsearch({ password: 'the-new-password' });
    const { context, session, vault } = setting(
      {
        settings: {
          elasticsearch: {
            url: es.url,
            username: { kind: 'plain', text: 'shipper' },
            password: { kind: 'command', words: ['/usr/bin/printf', '%s', 'the-new-password'] },
          },
        } as Options['settings'] & object,
      },
      person({}).ui,
    );
    await vault.set({ elasticsearch_password: 'the-old-password' });
    const systems = await prepareSystems(context, session, false, CONFIG);
    const play = { fingerprint: 'x', at: 'y', status: 'done' } as const;
    const state = {
      ...newState({ name: 'a', account: '1', region: 'r', practice: false }),
      plays: { 'play-bastion': play, 'play-connect': play },
    };
    systems.change(state);
    expect(state.plays).toMatchObject({ 'play-bastion': { status: 'due' }, 'play-connect': { status: 'done' } });
    expect(await vault.peek('elasticsearch_password')).toBe('the-old-password');
    await systems.keep();
    expect(await vault.peek('elasticsearch_password')).toBe('the-new-password');
  });

  it('Elasticsearch: a user that may not write, another server, an API key for the reference playbooks', async () => {
    const settings = { username: 'shipper', password: 'p4ssword', index: 'logs' };
    es = await standInElasticsearch({ password: 'p4ssword', mayWrite: false });
    await expect(checkElasticsearch({ url: es.url, ...settings })).rejects.toMatchObject({
      code: 'ElasticsearchRefused',
      message: expect.stringMatching(/shipper may not write the indices logs-\*/),
    });
    await es.close();
    es = await standInElasticsearch({ password: 'p4ssword', openSearch: true });
    expect(await checkElasticsearch({ url: es.url, ...settings })).toMatch(/lets you in, version 2\.19/);
    const { context, session } = setting(
      { settings: { elasticsearch: { url: es.url, apiKey: { kind: 'prompt' } } } as Options['settings'] & object },
      person({ 'secret.elasticsearch.api-key': 'k' }).ui,
    );
    await expect(prepareSystems(context, session, false, CONFIG)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/api-key/),
    });
  });

  it('OneLogin: flags, questions, later', async () => {
    const entity = 'https://app.onelogin.com/saml/metadata/0a1b';
    expect(oneloginOf({ oneloginServices: `12,${entity}` })).toEqual({ services: { appId: '12', entityId: entity } });
    for (const bad of ['12', 'x,https://a.b', '12,not an id', `12,https://a/${'x'.repeat(1024)}`])
      expect(() => oneloginOf({ oneloginController: bad })).toThrow(expect.objectContaining({ exitCode: 2 }));
    const { ui, asked } = person({ 'onelogin.services': '34', 'onelogin.services.entity': entity });
    expect(await askOnelogin(ui, {})).toEqual({ services: { appId: '34', entityId: entity } });
    expect(asked).toEqual(['onelogin.controller', 'onelogin.services', 'onelogin.services.entity']);
    const { context, session } = setting({ oneloginController: `12,${entity}` }, ui);
    expect((await prepareSystems(context, session, true, CONFIG)).extraVars).toEqual({
      cloudspace_onelogin: { controller: { app_id: '12', entity_id: entity } },
    });
  });
});

describe('for all teams', () => {
  it('the name waits for the number', () => {
    expect(forTeam({ name: 'hackathon-{team}', team: '7' })).toEqual({ name: 'hackathon-07', team: '7' });
    expect(forTeam({ name: 'hackathon-{team}' })).toEqual({ nameTemplate: 'hackathon-{team}' });
    expect(forTeam({ name: 'mine-01' })).toEqual({ name: 'mine-01' });
    expect(() => forTeam({ name: 'hackathon-{team}', team: '400' })).toThrow(/not between 0 and 99/);
  });

  it('the ceiling: below it nothing is asked, above it a person may agree, nobody else', async () => {
    expect(costCeiling({ maxUsdPerHour: '0.5' })).toBe(0.5);
    expect(() => costCeiling({ maxUsdPerHour: 'much' })).toThrow(expect.objectContaining({ exitCode: 2 }));
    const yes = person({ cost: true });
    await checkCost(0.4, 0.5, yes.ui, true);
    expect(yes.asked).toEqual([]);
    await checkCost(0.6, 0.5, yes.ui, true);
    await expect(checkCost(0.6, 0.5, person({}).ui, true)).rejects.toMatchObject({ code: 'CostCeiling', exitCode: 1 });
    await expect(checkCost(0.6, 0.5, yes.ui, false)).rejects.toMatchObject({ code: 'CostCeiling', exitCode: 2 });
  });
});

describe('a vault whose password was asked', () => {
  it('is opened by ansible-vault during the run, which asks nobody again', { timeout: 60_000 }, async (test) => {
    const run = promisify(execFile);
    if (!(await run('ansible-vault', ['--version']).catch(() => undefined)))
      test.skip('ansible-vault is not installed');
    const { ui, asked } = person({ 'secret.vault.password': 'asked-once' });
    const { context } = setting(
      { settings: { vault: { password: { kind: 'prompt' } } } as Options['settings'] & object },
      ui,
    );
    const vault = await openOwnVault(context, dir);
    try {
      await vault.ensure({ one: () => 'value' });
      const { stdout } = await run(
        'ansible-vault',
        ['view', '--vault-id', `${vault.vaultId}@${vault.passwordFile}`, vault.file],
        {
          env: {
            PATH: process.env.PATH,
            LC_ALL: 'C.UTF-8',
            ANSIBLE_HOME: join(dir, 'ansible'),
            HOME: dir,
            ...vault.env,
          },
        },
      );
      expect(stdout).toBe('one: "value"\n');
      expect(asked).toEqual(['secret.vault.password']);
      expect(JSON.stringify(vault.env)).not.toContain('asked-once');
    } finally {
      await vault.close();
    }
  });
});
