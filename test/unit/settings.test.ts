import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { closest } from '../../src/commands/closest.ts';
import { checkConfigFile, readConfigFile } from '../../src/commands/settings/configFile.ts';
import { SYSTEM_KEYS, settingsSchema } from '../../src/commands/settings/settings.ts';

const camel = (key: string) => key.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cloudspace-settings-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(text: string): string {
  const file = join(dir, 'cloudspace.yaml');
  writeFileSync(file, text);
  return file;
}
const problems = async (text: string) => (await checkConfigFile(write(text))).problems;
const said = async (text: string) =>
  (await problems(text)).map(({ line, column, key, message }) => `${line}:${column} ${key}: ${message}`);

const WHOLE = `
name: hackathon-07
region: eu-central-1
max-usd-per-hour: 0.8
aws:
  access-key-id: op://hackathon/aws/access key id
  secret-access-key: op://hackathon/aws/secret
vault:
  id: development
  password: op://hackathon/vault/password
dns:
  provider: dnsimple
  host-domain: hosts.example.com
  app-domain: apps.example.com
  token: env:DNSIMPLE_TOKEN
  sandbox: true
certificates: { server: https://acme.example.com/directory, ca-file: acme.crt, email: ops@example.com }
rabbitmq:
  management-url: https://rabbit.example.com:15671
  administrator: admin
  password: { command: [pass, show, "rabbit admin"] }
elasticsearch:
  url: https://search.example.com:9200
  username: op://hackathon/elastic/username
  password: file:elastic-password
onelogin:
  controller: { app-id: 123456, entity-id: "https://app.onelogin.com/saml/metadata/0a1b" }
`;

describe('cloudspace.yaml', () => {
  it('is read whole: answers as flags, systems with references', async () => {
    const options = await readConfigFile(write(WHOLE));
    expect(options).toMatchObject({ name: 'hackathon-07', region: 'eu-central-1' });
    expect(options.settings).toEqual({
      maxUsdPerHour: 0.8,
      aws: {
        accessKeyId: { kind: 'op', uri: 'op://hackathon/aws/access key id' },
        secretAccessKey: { kind: 'op', uri: 'op://hackathon/aws/secret' },
      },
      vault: { id: 'development', password: { kind: 'op', uri: 'op://hackathon/vault/password' } },
      dns: {
        provider: 'dnsimple',
        hostDomain: 'hosts.example.com',
        appDomain: 'apps.example.com',
        token: { kind: 'env', name: 'DNSIMPLE_TOKEN' },
        sandbox: true,
      },
      certificates: {
        server: 'https://acme.example.com/directory',
        caFile: join(dir, 'acme.crt'),
        email: 'ops@example.com',
      },
      rabbitmq: {
        managementUrl: 'https://rabbit.example.com:15671',
        administrator: { kind: 'plain', text: 'admin' },
        password: { kind: 'command', words: ['pass', 'show', 'rabbit admin'] },
      },
      elasticsearch: {
        url: 'https://search.example.com:9200',
        username: { kind: 'op', uri: 'op://hackathon/elastic/username' },
        password: { kind: 'file', path: join(dir, 'elastic-password') },
      },
      onelogin: { controller: { appId: '123456', entityId: 'https://app.onelogin.com/saml/metadata/0a1b' } },
    });
  });

  it.each(['', '# nothing yet\n', '{}\n'])('may be empty: %j', async (text) => {
    const file = write(text);
    expect(await readConfigFile(file)).toEqual({ configFile: file });
  });

  it('names everything that is wrong at once, in order, with line and column', async () => {
    expect(
      await said(
        [
          '# what an organiser wrote', // 1
          'regoin: eu-central-1', // 2
          'region: Frankfurt', // 3
          'runners: 0', // 4
          'cidr: 10.7.0.0', // 5
          'account: 12345', // 6
          'dns:', // 7
          '  provider: dnsimple', // 8
          '  host-domain: hosts.example.com', // 9
          '  app-domain: "-apps"', // 10
          '  sandbox: perhaps', // 11
          'certificates:', // 12
          '  staging: maybe', // 13
          'rabbitmq: [1]', // 14
          'onelogin:', // 15
          '  controller: {app-id: abc, entity-id: "not an id"}', // 16
        ].join('\n'),
      ),
    ).toEqual([
      '2:1 regoin: "regoin" is no setting; did you mean "region"?',
      '3:9 region: "Frankfurt" is no AWS region',
      '4:10 runners: "0" is not a number of runners',
      '5:7 cidr: "10.7.0.0" is not a CIDR',
      '6:10 account: 12345 is no AWS account id: it has 12 digits',
      '7:1 dns.token: is missing: a reference to the API token of DNSimple',
      '10:15 dns.app-domain: "-apps" is no domain',
      '11:12 dns.sandbox: "perhaps" is no http or https address',
      '13:12 certificates.staging: is neither true nor false',
      '14:11 rabbitmq: is no mapping: write lines below it',
      '16:24 onelogin.controller.app-id: "abc" is no app id of OneLogin',
      '16:40 onelogin.controller.entity-id: "not an id" is no entity id',
    ]);
  });

  it.each([
    ['dns: {provider: dnsimple, host-domain: a.example, app-domain: b.example}', '1:1 dns.token: is missing'],
    ['dns: {provider: route53, app-domain: b.example}', '1:1 dns.host-domain: is missing'],
    ['dns: {host-domain: a.example}', '1:1 dns.provider: is missing'],
    ['rabbitmq: {management-url: "http://r:1", administrator: a}', '1:1 rabbitmq.password: is missing'],
    ['elasticsearch: {url: "http://e:9200"}', '1:1 elasticsearch.username: is missing'],
    ['elasticsearch: {url: "http://e:9200", username: a}', '1:1 elasticsearch.password: is missing'],
    [
      'elasticsearch: {url: "http://e:9200", username: a, password: prompt, api-key: prompt}',
      '1:79 elasticsearch.api-key: stands beside',
    ],
    ['elasticsearch: {url: "ftp://e", username: a, password: prompt}', '1:22 elasticsearch.url: "ftp://e" is no http'],
    ['name: Hackathon', '1:7 name: the name "Hackathon" does not fit'],
    ['max-usd-per-hour: lots', '1:19 max-usd-per-hour: is no number'],
    ['max-usd-per-hour: 0', '1:19 max-usd-per-hour: is not above 0'],
    ['- a', '1:1 : holds no keys'],
    ['name: [a', '1:9 : is no YAML'],
    ['name: a-01\nname: b-01', '2:1 : is no YAML'],
  ])('%s', async (text, expected) => {
    expect((await said(text))[0]).toContain(expected);
  });

  it.each([
    ['dns: {provider: dnsimple, host-domain: a.example, app-domain: b.example, token: SECRET}', 'dns.token'],
    ['rabbitmq: {management-url: "http://r:1", administrator: a, password: SECRET}', 'rabbitmq.password'],
    ['vault: {password: SECRET}', 'vault.password'],
    ['aws: {access-key-id: AKIAEXAMPLE, secret-access-key: SECRET}', 'aws.secret-access-key'],
  ])('refuses a secret in clear and does not repeat it: %s', async (text, key) => {
    const [problem, ...more] = await problems(text.replace('SECRET', 'hunter2-hunter2'));
    expect(more).toEqual([]);
    expect(problem).toMatchObject({
      key,
      code: 'SecretInClear',
      message: expect.stringMatching(/never written here in clear/),
      hint: expect.stringMatching(/op:\/\/vault\/item\/field.*change it/),
    });
    await expect(readConfigFile(join(dir, 'cloudspace.yaml'))).rejects.toMatchObject({
      code: 'SecretInClear',
      exitCode: 2,
    });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it('quotes nothing of a file that is no YAML: the line may hold a secret', async () => {
    const found = await problems('password: "hunter2\nname: x\n');
    expect(found.length).toBeGreaterThan(0);
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });
});

describe('the documentation', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));

  it('has an example that is good', async () => {
    const read = await checkConfigFile(join(root, 'examples', 'cloudspace.yaml'));
    expect(read.problems).toEqual([]);
    expect('options' in read && Object.keys(read.options.settings ?? {}).sort()).toEqual(
      [...SYSTEM_KEYS.map(camel)].sort(),
    );
  });

  it('names every key', () => {
    const text = readFileSync(join(root, 'docs', 'configuration.md'), 'utf8');
    const keys = (schema: { properties?: Record<string, unknown> }): string[] =>
      Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => [key, ...keys(inner as typeof schema)]);
    const all = keys(
      z.toJSONSchema(settingsSchema('.').omit({ playbooks: true, groups: true }), {
        io: 'input',
        unrepresentable: 'any',
      }) as object,
    );
    expect(all.length).toBeGreaterThan(40);
    expect([...new Set(all)].filter((key) => !text.includes(`\`${key}\``) && key !== 'command')).toEqual([]);
  });
});

describe('the name that was probably meant', () => {
  it.each([
    ['regoin', 'region'],
    ['max_usd_per_hour', 'max-usd-per-hour'],
    ['elastic-search', 'elasticsearch'],
    ['zzz', undefined],
  ])('%s → %s', (name, expected) => {
    expect(closest(name, ['region', 'max-usd-per-hour', 'elasticsearch', 'name'])).toBe(expected);
  });
});
