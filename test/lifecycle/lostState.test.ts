import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeVpcsCommand } from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Aws } from '../../src/aws/clients.ts';
import { noteValues, readNote } from '../../src/dns/note.ts';
import { clients } from '../support/aws.ts';
import { ended, freePorts, RABBIT, startRabbit, until } from '../support/backends.ts';
import { cleanEnv, cli, folder, PUBLIC_KEY, type Server, serve } from '../support/cli.ts';
import { dnsimpleStandIn } from '../support/dnsimpleStandIn.ts';
import { named } from '../support/laptop.ts';
import { route53StandIn } from '../support/route53StandIn.ts';

/** A laptop is lost, with the state and cloudspace.yaml: what else has something of the Cloudspace is found by the tags of the VPC. */
const TOKEN = 'the-secret-token-of-dnsimple';
const dir = folder();
const key = join(dir, 'key.pub');
let server: Server;
let aws: Aws;
let dnsimple: Awaited<ReturnType<typeof dnsimpleStandIn>>;
let redirect: string;

/** A command on a machine that has never seen the Cloudspace, or on one with a state and a configuration. */
const on = async (words: readonly string[], env: Record<string, string> = {}, cwd = folder()) => {
  const all = { ...server.env, NODE_OPTIONS: `--import=${redirect}`, ...env };
  const result = await cli([...words, '--state-dir', join(cwd, 'state')], { env: cleanEnv(all), cwd });
  return { ...result, said: (result.stdout + result.stderr).replaceAll(/[\s│]+/g, ' ') };
};
async function build(
  name: string,
  yaml: string,
  env: Record<string, string> = {},
  until = 'services',
): Promise<string> {
  const cwd = folder();
  writeFileSync(join(cwd, 'cloudspace.yaml'), yaml);
  const words = ['start', '--yes', '--name', name, '--until', until, '--ssh-public-key', key, '--provision', 'skip'];
  const { code, said } = await on([...words, '--ssh-from', '198.51.100.7/32'], env, cwd);
  expect(code, said).toBe(0);
  return cwd;
}
const tagsOfVpc = async (name: string) => {
  const { Vpcs } = await aws.ec2.send(new DescribeVpcsCommand({ Filters: named(name) }));
  return Vpcs?.[0] && Object.fromEntries((Vpcs[0].Tags ?? []).map(({ Key, Value }) => [Key, Value]));
};

beforeAll(async () => {
  writeFileSync(key, `${PUBLIC_KEY}\n`);
  server = await serve(join(dir, 'server'));
  aws = clients(server);
  dnsimple = await dnsimpleStandIn(['example.com', 'apps.example.com'], {
    [TOKEN]: { rights: 'all' },
    reader: { rights: 'read' },
  });
  // DNSimple's own address leads to the stand-in.
  redirect = join(dir, 'redirect.mjs');
  const body = `const real = globalThis.fetch;
globalThis.fetch = (url, more) => real(String(url).replace('https://api.dnsimple.com', '${dnsimple.url}'), more);
`;
  writeFileSync(redirect, body);
});
afterAll(async () => {
  aws.close();
  await server.close();
  await dnsimple.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('names at DNSimple (a stand-in)', () => {
  const yaml =
    'dns: {provider: dnsimple, host-domain: hosts.example.com, app-domain: apps.example.com, token: "env:DNSIMPLE_TOKEN", name-servers: ["127.0.0.1:9"]}\n';
  const destroy = ['destroy', '--yes', '--name', 'team-07'];
  afterEach(async () => {
    await on(destroy, { DNSIMPLE_TOKEN: TOKEN });
    expect(dnsimple.records()).toEqual([]);
  });

  it('are found by the tags of the VPC, and wait for the token: it is named, and nothing is deleted without it', async () => {
    await build('team-07', yaml, { DNSIMPLE_TOKEN: TOKEN });
    expect(await tagsOfVpc('team-07')).toMatchObject({
      'cloudspace:dns-hosts': 'dnsimple hosts.example.com',
      'cloudspace:dns-applications': 'dnsimple apps.example.com',
    });
    const before = server.mutations().length;
    const without = await on(destroy);
    expect(without.code, without.said).toBe(2);
    expect(without.said).toMatch(/names of team-07 are kept at DNSimple \(hosts\.example\.com, apps\.example\.com\)/);
    expect(without.said).toMatch(/--leave dns.*DNSIMPLE_TOKEN is not set/);
    expect(server.mutations().length).toBe(before);
    expect(dnsimple.records().length).toBe(8);
    const shown = await on([...destroy, '--dry-run', '--json'], { DNSIMPLE_TOKEN: TOKEN });
    const keys = JSON.parse(shown.stdout.slice(shown.stdout.indexOf('{\n'))).resources.map(
      (one: { key: string }) => one.key,
    );
    expect(keys).toEqual(expect.arrayContaining(['dns-bastion', 'dns-controller', 'dns-applications', 'dns-services']));

    const gone = await on(destroy, { DNSIMPLE_TOKEN: TOKEN });
    expect(gone.code, gone.said).toBe(0);
    expect(gone.said).toContain('Nothing is left');
    expect(gone.said).not.toContain(TOKEN);
    expect(dnsimple.records()).toEqual([]);
    expect(await tagsOfVpc('team-07')).toBeUndefined();
  }, 120_000);

  it('that cannot be removed keep the VPC, whose tags say where they are, for the next time', async () => {
    await build('team-07', yaml, { DNSIMPLE_TOKEN: TOKEN }, 'bastion');
    const refused = await on(destroy, { DNSIMPLE_TOKEN: 'reader' });
    expect(refused.code, refused.said).toBe(1);
    expect(refused.said).toMatch(/2 things are left/);
    expect(refused.said).toMatch(
      /DNS record `bastion\.team-07\.hosts\.example\.com`: the DNSimple token may not change/,
    );
    expect(refused.said).toMatch(/VPC `vpc-\w+`: its tags say where the names or queues are/);
    const again = await on(destroy, { DNSIMPLE_TOKEN: TOKEN });
    expect(again.code, again.said).toBe(0);
    expect(dnsimple.records()).toEqual([]);
    expect(await tagsOfVpc('team-07')).toBeUndefined();
  }, 120_000);

  it('are left with --leave dns, and listed one by one', async () => {
    const cwd = await build('team-07', yaml, { DNSIMPLE_TOKEN: TOKEN }, 'bastion');
    const left = await on([...destroy, '--leave', 'dns', '--json']);
    expect(left.code, left.said).toBe(1);
    const summary = left.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .findLast(({ type }) => type === 'summary');
    expect(summary.data.left.map(({ id, type }: { id: string; type: string }) => [id, type])).toEqual([
      ['bastion.team-07.hosts.example.com', 'dns-record'],
      ['control.team-07.hosts.example.com', 'dns-record'],
      ['services.team-07.hosts.example.com', 'dns-record'],
      ['*.team-07.apps.example.com', 'dns-record'],
    ]);
    expect(summary.text).toContain('`_cloudspace-wildcard.team-07.apps.example.com`');
    expect(await tagsOfVpc('team-07')).toBeUndefined();
    expect(dnsimple.records().length).toBe(2);
    // The machine that built it still knows.
    expect((await on(destroy, { DNSIMPLE_TOKEN: TOKEN }, cwd)).code).toBe(0);
    expect(dnsimple.records()).toEqual([]);
    const wrong = await on([...destroy, '--leave', 'dns,everything']);
    expect([wrong.code, wrong.said]).toEqual([
      2,
      expect.stringContaining('--leave everything: there is no such thing'),
    ]);
  }, 120_000);

  it('on another server than DNSimple’s: no tag says where a token would be sent', async () => {
    await build(
      'team-07',
      yaml.replace('token:', `sandbox: "${dnsimple.url}", token:`),
      { DNSIMPLE_TOKEN: TOKEN },
      'bastion',
    );
    const { code, said } = await on(destroy, { DNSIMPLE_TOKEN: TOKEN });
    expect([code, said]).toEqual([
      2,
      expect.stringMatching(/by another server than DNSimple itself.*sandbox:.*--leave dns/),
    ]);
    expect(Object.values((await tagsOfVpc('team-07')) ?? {}).join(' ')).not.toContain('127.0.0.1');
    const cwd = folder();
    writeFileSync(join(cwd, 'cloudspace.yaml'), yaml.replace('token:', `sandbox: "${dnsimple.url}", token:`));
    expect((await on(destroy, { DNSIMPLE_TOKEN: TOKEN }, cwd)).code).toBe(0);
  }, 120_000);
});

it('names at Route 53 (a stand-in) take no more than the credentials', async () => {
  const zones = await route53StandIn({ Z1: 'example.net', Z2: 'example.net' });
  try {
    const env = { AWS_ENDPOINT_URL_ROUTE_53: zones.url };
    const ids = 'host-zone-id: Z2, app-zone-id: Z2';
    const yaml = `dns: {provider: route53, host-domain: example.net, ${ids}, name-servers: ["127.0.0.1:9"]}\n`;
    await build('team-08', yaml.replace('provider', 'app-domain: example.net, provider'), env, 'bastion');
    expect((await tagsOfVpc('team-08'))?.['cloudspace:dns-hosts']).toBe('route53 example.net Z2');
    expect(zones.records().length).toBe(2);
    const gone = await on(['destroy', '--yes', '--name', 'team-08'], env);
    expect(gone.code, gone.said).toBe(0);
    expect(zones.records()).toEqual([]);
  } finally {
    await zones.close();
  }
}, 120_000);

const why = !existsSync(RABBIT)
  ? "Debian's package rabbitmq-server is not installed"
  : process.getuid?.() !== 0
    ? 'starting RabbitMQ needs root'
    : undefined;
describe.skipIf(why !== undefined)(`virtual hosts at RabbitMQ${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const PASSWORD = 'Administrator-Password';
  const place = join(dir, 'rabbit');
  let child: ChildProcess;
  let url: string;
  let epmd: number;
  const vhosts = async (): Promise<string[]> => {
    const authorization = `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}`;
    const answer = await fetch(`${url}/api/vhosts`, { headers: { authorization } });
    return ((await answer.json()) as { name: string }[]).map(({ name }) => name).filter((name) => name !== '/');
  };
  beforeAll(async () => {
    mkdirSync(place);
    const [amqp, management, dist, mapper] = (await freePorts(4)) as [number, number, number, number];
    epmd = mapper;
    url = `http://127.0.0.1:${management}`;
    child = startRabbit(place, { amqp, management, dist, epmd }, ['admin', PASSWORD]);
    await until(vhosts, 110);
  }, 120_000);
  afterAll(async () => {
    await ended(child, 'SIGTERM');
    spawnSync('epmd', ['-port', String(epmd), '-kill'], { stdio: 'ignore' });
  }, 60_000);

  it('are named with the server; its administrator is asked for, never guessed; left they are listed', async () => {
    const yaml = `rabbitmq: {management-url: "${url}", administrator: admin, password: "env:RABBIT"}\n`;
    await build('team-06', yaml, { RABBIT: PASSWORD }, 'controller');
    expect((await tagsOfVpc('team-06'))?.['cloudspace:rabbitmq']).toBe(url);
    const destroy = ['destroy', '--yes', '--name', 'team-06'];
    const without = await on(destroy);
    expect(without.code, without.said).toBe(2);
    expect(without.said).toContain(`team-06 has virtual hosts at RabbitMQ, ${url}.`);
    expect(without.said).toMatch(/--leave rabbitmq.*rabbitmq\.administrator would have to be asked/);
    expect(await vhosts()).toEqual(['team-06']);

    const cwd = folder();
    writeFileSync(join(cwd, 'cloudspace.yaml'), yaml);
    const gone = await on(destroy, { RABBIT: PASSWORD }, cwd);
    expect(gone.code, gone.said).toBe(0);
    expect(await vhosts()).toEqual([]);

    await build('team-06', yaml, { RABBIT: PASSWORD }, 'controller');
    const left = await on([...destroy, '--leave', 'rabbitmq']);
    expect(left.code, left.said).toBe(1);
    expect(left.said).toMatch(/virtual host `team-06`: left at http.*rabbitmqctl delete_vhost team-06-services/);
    expect(await tagsOfVpc('team-06')).toBeUndefined();
    expect(await vhosts()).toEqual(['team-06']);
  }, 180_000);
});

describe('what the tags say', () => {
  it.each([
    [{ provider: 'dnsimple', hostDomain: 'a.example', appDomain: 'b.example' }, 'dnsimple a.example'],
    [
      { provider: 'dnsimple', hostDomain: 'a.example', appDomain: 'b.example', at: 'sandbox' },
      'dnsimple-sandbox a.example',
    ],
    [
      { provider: 'route53', hostDomain: 'a.example', appDomain: 'b.example', hostZone: 'Z1', appZone: 'Z2' },
      'route53 a.example Z1',
    ],
  ] as const)('%j: %s', (dns, hosts) => {
    const values = noteValues({ hostZone: 'example', appZone: 'example', ...dns });
    expect(values.hosts).toBe(hosts);
    expect(readNote(values.hosts, values.applications)).toEqual(dns);
    expect(readNote(values.hosts, undefined)).toMatchObject({ hostDomain: 'a.example', appDomain: 'a.example' });
  });
  it('is nothing when it is no note of ours', () => {
    for (const text of [undefined, '', 'bind a.example', 'dnsimple', 'dnsimple ../x', 'constructor a.example'])
      expect(readNote(text, undefined)).toBeUndefined();
  });
});
