import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { decrypt } from '../../src/ansible/vaultFormat.ts';
import { writeProfile } from '../../src/aws/configFile.ts';
import { credentialProcess } from '../../src/commands/session/awsKey.ts';
import { CLI, cleanEnv, cli, folder, PUBLIC_KEY, type Server, serve } from '../support/cli.ts';
import { type StandInElasticsearch, standInElasticsearch } from '../support/standInElasticsearch.ts';
import { type StandInOp, standInOp } from '../support/standInOp.ts';

const hasAnsible = spawnSync('ansible-vault', ['--version']).status === 0;
const PRELOAD = fileURLToPath(new URL('../crash/preload.mjs', import.meta.url));
const VAULT_PASSWORD = 'the-password-of-the-vault';
const ES_PASSWORD = 'the-password-of-elasticsearch';
const dir = folder();
const state = join(dir, 'state');
let server: Server;
let op: StandInOp;
let es: StandInElasticsearch;
let env: NodeJS.ProcessEnv;
let secretKey: string;

beforeAll(async () => {
  writeFileSync(join(dir, 'key.pub'), `${PUBLIC_KEY}\n`);
  server = await serve(join(dir, 'server'));
  const { AWS_ENDPOINT_URL = '', AWS_REGION = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = server.env;
  secretKey = AWS_SECRET_ACCESS_KEY;
  op = standInOp({
    'op://team/aws/id': AWS_ACCESS_KEY_ID,
    'op://team/aws/secret': secretKey,
    'op://team/vault/password': VAULT_PASSWORD,
    'op://team/elastic/password': ES_PASSWORD,
    'op://team/elastic/old': 'wrong-password',
  });
  es = await standInElasticsearch({ password: ES_PASSWORD });
  env = cleanEnv({ PATH: `${op.bin}:${process.env.PATH}`, AWS_ENDPOINT_URL, AWS_REGION });
});
afterAll(async () => {
  await Promise.all([server.close(), es.close()]);
  op.remove();
});

function config(more = ''): string {
  const at = join(folder(), 'cloudspace.yaml');
  writeFileSync(
    at,
    `aws: {access-key-id: op://team/aws/id, secret-access-key: op://team/aws/secret}
vault: {password: op://team/vault/password}
${more}`,
  );
  return at;
}
const start = (file: string, ...more: string[]) =>
  cli(
    [
      'start',
      '--yes',
      '--state-dir',
      state,
      '--ssh-public-key',
      join(dir, 'key.pub'),
      '--provision',
      'skip',
      '--ssh-from',
      '198.51.100.7/32',
      '--config',
      file,
      ...more,
    ],
    { env },
  );
const flat = (text: string): string => text.replaceAll(/\s+/g, ' ');
const refused = async (file: string, ...more: string[]) => {
  const before = server.mutations().length;
  const { code, stdout, stderr } = await start(file, '--name', 'no-01', ...more);
  expect({ code, made: server.mutations().length - before }).toEqual({ code: 2, made: 0 });
  for (const secret of [secretKey, VAULT_PASSWORD, ES_PASSWORD, 'wrong-password'])
    expect(stdout + stderr).not.toContain(secret);
  return flat(stdout + stderr);
};
function everythingIn(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

describe('refused before anything is created', () => {
  it('1Password is not signed in', async () => {
    op.signOut();
    try {
      expect(await refused(config())).toMatch(/aws\.access-key-id: 1Password is not signed in.*op signin/);
    } finally {
      op.signIn();
    }
  });

  it('a reference that names nothing', async () => {
    const file = config();
    writeFileSync(file, readFileSync(file, 'utf8').replace('op://team/aws/secret', 'op://team/aws/secert'));
    expect(await refused(file)).toMatch(/aws\.secret-access-key: the item "aws" of 1Password has no field "secert"/);
  });

  it('a secret that would have to be asked: --yes guesses none', async () => {
    const file = config();
    writeFileSync(file, readFileSync(file, 'utf8').replace('op://team/aws/secret', 'prompt'));
    expect(await refused(file)).toMatch(/aws\.secret-access-key would have to be asked.*cloudspace\.yaml/);
  });

  it('Elasticsearch that refuses, that cannot be reached, or that is half described', async () => {
    const half = (url: string, item: string) =>
      config(`elasticsearch: {url: "${url}", username: shipper, password: op://team/elastic/${item}}\n`);
    expect(await refused(half(es.url, 'old'))).toMatch(
      /refuses the user "shipper" \(HTTP 401\).*elasticsearch\.password/,
    );
    expect(await refused(half('http://127.0.0.1:9', 'password'))).toMatch(/http:\/\/127\.0\.0\.1:9 cannot be reached/);
    expect(await refused(config(), '--elasticsearch', es.url)).toMatch(
      /the user for .* is missing.*--elasticsearch-user/,
    );
    expect(
      await refused(
        config(),
        '--elasticsearch',
        es.url,
        '--elasticsearch-user',
        'shipper',
        '--elasticsearch-password',
        'hunter2hunter2',
      ),
    ).not.toContain('hunter2');
  });

  it('a plan above the ceiling, and a team without a number', async () => {
    expect(await refused(config('max-usd-per-hour: 0.01\n'))).toMatch(
      /costs \d+\.\d+ USD an hour, and 0\.01 is the ceiling/,
    );
    const named = config('name: hackathon-{team}\n');
    const { code, stderr, stdout } = await start(named);
    expect([code, flat(stdout + stderr)]).toEqual([2, expect.stringMatching(/number of your team.*--team/)]);
  });

  it('an application of OneLogin that is none', async () => {
    expect(await refused(config(), '--onelogin-controller', 'abc')).toMatch(/"abc" is no application of OneLogin/);
  });
});

describe('a run whose secrets are all elsewhere', () => {
  let output = '';
  const place = join(state, 'hackathon-07');
  const file = () =>
    config(`name: hackathon-{team}
max-usd-per-hour: 5
elasticsearch: {url: "${es.url}", username: shipper, password: op://team/elastic/password}
onelogin: {controller: {app-id: 123456, entity-id: "https://app.onelogin.com/saml/metadata/0a1b"}}
`);

  it('goes through, named for its team', async () => {
    const { code, stdout, stderr } = await start(file(), '--team', '7', '--until', 'controller', '--json');
    output = stdout + stderr;
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
    expect(es.requests).toContain('GET /_security/_authenticate');
    const saved = JSON.parse(readFileSync(join(place, 'state.json'), 'utf8'));
    expect(JSON.stringify(saved)).toContain('"op://team/elastic/password"');
    expect(JSON.stringify(saved)).toContain('"appId":"123456"');
  });

  it('leaves no secret in state, vault, events, errors or arguments', () => {
    const generated = spawnSync(join(place, 'vault-password-client'), { env, encoding: 'utf8' }).stdout;
    expect(generated).toBe(VAULT_PASSWORD);
    for (const secret of [secretKey, VAULT_PASSWORD, ES_PASSWORD]) {
      expect(output).not.toContain(secret);
      expect(everythingIn(place)).not.toContain(secret);
      expect(op.calls().join('\n')).not.toContain(secret);
    }
    expect(existsSync(join(place, 'vault-password'))).toBe(false);
    expect(op.calls().every((call) => /^read --no-newline op:\/\//.test(call))).toBe(true);
  });

  it.skipIf(!hasAnsible)('leaves a vault that ansible-vault opens by itself', () => {
    const view = execFileSync(
      'ansible-vault',
      ['view', '--vault-id', `development@${join(place, 'vault-password-client')}`, join(place, 'vault.yml')],
      {
        env: { ...env, ANSIBLE_HOME: folder() },
        encoding: 'utf8',
      },
    );
    expect(view).toMatch(/^database_master_password: "[A-Za-z0-9]{64}"$/m);
    expect(view).toContain(`elasticsearch_password: "${ES_PASSWORD}"`);
  });

  it('is gone on with without the number, and changes nothing', async () => {
    const before = server.mutations().length;
    const { code } = await start(file(), '--until', 'controller');
    expect({ code, made: server.mutations().slice(before) }).toEqual({ code: 0, made: [] });
  });

  it('lists names, never values', async () => {
    const { code, stdout } = await cli(['secrets', '--state-dir', state, '--json', '--config', file()], { env });
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(document.keys.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['elasticsearch_password', 'database_master_password', 'redis_password']),
    );
    expect(document.references).toContainEqual({ name: 'aws.secret-access-key', reference: 'op://team/aws/secret' });
    expect(stdout).not.toContain(ES_PASSWORD);
  });

  it('shows a value to a terminal only', async () => {
    const shown = await cli(['secrets', 'show', 'redis_password', '--state-dir', state, '--config', file()], { env });
    expect([shown.code, shown.stdout + shown.stderr]).toEqual([2, expect.stringMatching(/at a terminal only/)]);
    const none = await cli(['secrets', 'show', 'redis_pasword', '--state-dir', state, '--config', file()], { env });
    expect([none.code, none.stdout + none.stderr]).toEqual([2, expect.stringMatching(/did you mean "redis_password"/)]);
  });

  it.skipIf(!hasAnsible)('rotates: the database takes its new password, comments and other keys stay', async () => {
    const vault = join(place, 'vault.yml');
    const id = `development@${join(place, 'vault-password-client')}`;
    const ansible = (...words: string[]) =>
      execFileSync('ansible-vault', words, { env: { ...env, ANSIBLE_HOME: folder() }, encoding: 'utf8' });
    const view = () => ansible('view', '--vault-id', id, vault);
    ansible('decrypt', '--vault-id', id, vault);
    writeFileSync(
      vault,
      `# ours\nteam_secret: hers # keep\n${readFileSync(vault, 'utf8')}services_fernet_key: "first-key"\n`,
    );
    ansible('encrypt', '--vault-id', id, '--encrypt-vault-id', 'development', vault);
    const before = view();
    const rotate = (...words: string[]) =>
      cli(['secrets', 'rotate', ...words, '--yes', '--state-dir', state, '--config', file()], { env });
    const made = server.mutations().length;
    expect((await rotate('database_master_password', '--later')).code).toBe(0);
    // Under the lease, which is a key pair.
    const changes = (await server.mutationsByNow()).slice(made);
    expect(changes).toEqual(['ImportKeyPair', 'ModifyDBInstance', 'DeleteKeyPair']);
    expect((await rotate('services_fernet_key', '--later')).code).toBe(0);
    const own = await rotate('team_secret');
    expect([own.code, flat(own.stdout + own.stderr)]).toEqual([
      2,
      expect.stringMatching(/not the wizard's own.*--from prompt/),
    ]);
    const from = await rotate('team_secret', '--from', 'op://team/elastic/old');
    expect(from.code).toBe(0);
    const after = view();
    const line = (text: string, key: string) => new RegExp(`^${key}: .*$`, 'm').exec(text)?.[0];
    expect(after).toMatch(/^# ours\nteam_secret: "wrong-password" # keep\n/);
    expect(line(after, 'database_master_password')).toMatch(/"[A-Za-z0-9]{64}"$/);
    expect(line(after, 'database_master_password')).not.toBe(line(before, 'database_master_password'));
    expect(line(after, 'redis_password')).toBe(line(before, 'redis_password'));
    expect(line(after, 'services_fernet_key')).toMatch(/"[A-Za-z0-9_-]{43}="$/);
    expect(after).toMatch(/^services_api_old_fernet_keys:\n\s*- "first-key"$/m);
    expect(after).not.toContain('_next');
  });
});

describe('a rotation that was killed', () => {
  const place = join(state, 'hackathon-07');
  const value = async (key: string): Promise<string | undefined> =>
    parse((await decrypt(readFileSync(join(place, 'vault.yml'), 'utf8'), VAULT_PASSWORD)) ?? '')?.[key];
  const killed = (at: object) =>
    cli(
      ['secrets', 'rotate', 'database_master_password', '--later', '--yes', '--state-dir', state, '--config', config()],
      {
        env: { ...env, NODE_OPTIONS: `--import ${PRELOAD}`, CRASH: JSON.stringify({ at: { mutation: 1, ...at } }) },
      },
    );

  // The database has the new password, and the vault has it only as the next one.
  it.each([
    ['before the answer is read', { moment: 'effect' }],
    ['before the vault is written', { moment: 'journal', file: 'vault.yml' }],
  ])('%s: the next start gives the database the same one again, and the vault has it', async (_when, at) => {
    const before = await value('database_master_password');
    expect((await killed(at)).code).toBe(null);
    const next = await value('database_master_password_next');
    expect([await value('database_master_password'), next]).toEqual([
      before,
      expect.stringMatching(/^[A-Za-z0-9]{64}$/),
    ]);
    const made = server.mutations().length;
    const { code, stdout, stderr } = await start(
      config('name: hackathon-{team}\n'),
      '--team',
      '7',
      '--until',
      'controller',
    );
    expect(code, stdout + stderr).toBe(0);
    expect(server.mutations().slice(made)).toContain('ModifyDBInstance');
    expect([await value('database_master_password'), await value('database_master_password_next')]).toEqual([
      next,
      undefined,
    ]);
  });
});

describe('doctor', () => {
  it('says by name which secrets are missing, and what to do', async () => {
    const file = config(
      'dns: {provider: dnsimple, host-domain: h.example, app-domain: a.example, token: env:NOT_SET}\n',
    );
    const { code, stdout } = await cli(
      ['doctor', '--hosts', 'none', '--provision', 'skip', '--json', '--config', file],
      { env },
    );
    const secrets = JSON.parse(stdout).prerequisites.filter(({ id }: { id: string }) => id.startsWith('secret:'));
    expect(code).toBe(1);
    expect(secrets.map(({ id, status }: { id: string; status: string }) => [id, status])).toEqual([
      ['secret:aws.access-key-id', 'ok'],
      ['secret:aws.secret-access-key', 'ok'],
      ['secret:vault.password', 'ok'],
      ['secret:dns.token', 'missing'],
    ]);
    expect(secrets.at(-1)).toMatchObject({
      found: 'the environment variable NOT_SET is not set',
      advice: expect.stringMatching(/read -rs NOT_SET/),
    });
    expect(stdout).not.toContain(secretKey);
  });
});

describe('an AWS profile without a key', () => {
  it('gets it from credential-process, as the AWS tools ask', async () => {
    const ask = (...words: string[]) => cli(['credential-process', ...words], { env });
    const { code, stdout } = await ask(
      '--access-key-id',
      'op://team/aws/id',
      '--secret-access-key',
      'op://team/aws/secret',
    );
    expect({ code, key: JSON.parse(stdout) }).toEqual({
      code: 0,
      key: { Version: 1, AccessKeyId: server.env.AWS_ACCESS_KEY_ID, SecretAccessKey: secretKey },
    });
    expect(await ask()).toMatchObject({
      code: 2,
      stdout: expect.stringMatching(/nothing says where the AWS access key is/),
    });
  });

  it('works for AWS tools through the profile that the walkthrough writes', async () => {
    const key = {
      accessKeyId: { kind: 'op', uri: 'op://team/aws/id' },
      secretAccessKey: { kind: 'op', uri: 'op://team/aws/secret' },
    } as const;
    const file = join(folder(), 'config');
    const region = server.env.AWS_REGION ?? '';
    await writeProfile(
      'team-07-key',
      { credential_process: credentialProcess(key, [process.execPath, CLI]), region },
      { file },
    );
    expect(readFileSync(file, 'utf8')).not.toContain(secretKey);
    const { code, stdout, stderr } = await cli(
      [
        'plan',
        '--name',
        'team-07',
        '--profile',
        'team-07-key',
        '--state-dir',
        folder(),
        '--ssh-from',
        '198.51.100.7/32',
        '--json',
      ],
      { env: { ...env, AWS_CONFIG_FILE: file } },
    );
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ name: 'team-07', region });
  });

  it('cannot be had from a question, or with what a shell would change', () => {
    const accessKeyId = { kind: 'plain', text: 'AKIAEXAMPLE' } as const;
    for (const secretAccessKey of [{ kind: 'prompt' }, { kind: 'command', words: ['show', '$HOME'] }] as const)
      expect(() => credentialProcess({ accessKeyId, secretAccessKey })).toThrow(
        expect.objectContaining({ exitCode: 2 }),
      );
  });
});

describe('cloudspace config', () => {
  it('works while cloudspace.yaml does not', async () => {
    const cwd = folder();
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, 'cloudspace.yaml'), 'regoin: x\n');
    const { code, stdout } = await cli(['config', 'check'], { cwd });
    expect([code, flat(stdout)]).toEqual([
      2,
      expect.stringMatching(/cloudspace\.yaml:1:1: regoin: .*did you mean "region"/),
    ]);
    const json = await cli(['config', 'check', '--json'], { cwd });
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, problems: [{ key: 'regoin', line: 1, column: 1 }] });
    const schema = await cli(['config', 'schema'], { cwd });
    expect(JSON.parse(schema.stdout).properties).toHaveProperty('max-usd-per-hour');
  });
});
