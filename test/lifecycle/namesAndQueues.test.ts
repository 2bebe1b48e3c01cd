import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePorts, selfSigned } from '../support/backends.ts';
import { cleanEnv, cli, folder, type Server, serve } from '../support/cli.ts';
import { dnsimpleStandIn } from '../support/dnsimpleStandIn.ts';
import { dnsStandIn } from '../support/dnsStandIn.ts';
import { laptop } from '../support/laptop.ts';
import { route53StandIn } from '../support/route53StandIn.ts';

/** The whole walk with names: the built command line, the practice API as a process of its own, and stand-ins for the DNS providers and for a name server. */
let server: Server;
let dnsimple: Awaited<ReturnType<typeof dnsimpleStandIn>>;
let names: Awaited<ReturnType<typeof dnsStandIn>>;
/** a name that the name server does not know yet */
let hidden = '';
const dir = folder();
const file = join(dir, 'cloudspace.yaml');
const TOKEN = 'the-secret-token-of-dnsimple';
const place = ['--state-dir', join(dir, 'state')];
const base = ['--name', 'team-07', ...place];
const { answers, walk } = laptop(dir, () => server);
const start = ['start', ...base, ...walk];
const on = async (words: readonly string[], env: Record<string, string> = {}) => {
  const result = await cli(words, { env: cleanEnv({ ...server.env, DNSIMPLE_TOKEN: TOKEN, ...env }), cwd: dir });
  return { ...result, said: result.stdout + result.stderr };
};
const state = () => readFileSync(join(dir, 'state/team-07/state.json'), 'utf8');
const yaml = (more = '') =>
  writeFileSync(
    file,
    `dns:
  provider: dnsimple
  host-domain: hosts.example.com
  app-domain: apps.example.com
  token: env:DNSIMPLE_TOKEN
  sandbox: ${dnsimple.url}
  name-servers: ["${names.address}"]
${more}`,
  );

beforeAll(async () => {
  server = await serve(join(dir, 'server'));
  dnsimple = await dnsimpleStandIn(['example.com', 'apps.example.com'], {
    [TOKEN]: { rights: 'all' },
    other: { rights: 'read' },
  });
  names = await dnsStandIn(() => dnsimple.records().filter(({ name }) => name !== hidden));
});
afterAll(async () => {
  await server.close();
  await dnsimple.close();
  await names.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => yaml());

/** What `check` says of the names, by chapter; without hosts other layers are broken, and that keeps it from nothing. */
async function namesChecked(...words: string[]) {
  const { stdout, said } = await on(['check', ...words, ...base, '--json']);
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const found = events.filter(
    ({ type, key, status }) => type === 'check' && /\.dns\./.test(key) && status !== 'started',
  );
  expect(said).not.toContain(TOKEN);
  return {
    names: Object.fromEntries(found.map(({ key, status, detail }) => [key, `${status}: ${detail}`])),
    summary: String(events.at(-1).text),
    broken: events.at(-1).data.results.find(({ status }: { status: string }) => status === 'failed'),
  };
}

/** The names of a whole Cloudspace, as `check` sees them: whole, and broken in each way. */
async function looked(): Promise<void> {
  const good = await namesChecked();
  expect(Object.keys(good.names)).toEqual([
    'bastion.dns.name',
    'controller.dns.name',
    'ingress.dns.name',
    'services.dns.name',
  ]);
  for (const seen of Object.values(good.names)) expect(seen).toMatch(/^passed: /);

  const zone = dnsimple.zones.get('example.com') ?? [];
  const record = zone.find(({ name, type }) => name === 'control.team-07.hosts' && type === 'A');
  if (!record) throw new Error('there is no record to break');
  const was = record.content;
  record.content = '192.0.2.99';
  const elsewhere = await namesChecked('controller');
  expect(elsewhere.names).toEqual({
    'controller.dns.name': `failed: control.team-07.hosts.example.com leads to 192.0.2.99, and the controller host is ${was}`,
  });
  expect(elsewhere.broken).toMatchObject({ layer: 'dns', hint: expect.stringMatching(/start --repair/) });
  expect(elsewhere.summary).toMatch(/Broken first.*leads to 192\.0\.2\.99/);
  record.content = was;

  zone.splice(zone.indexOf(record), 1);
  expect((await namesChecked('controller')).names['controller.dns.name']).toMatch(
    /^failed: there is no record control\./,
  );
  zone.push(record);

  // The provider has it, and its name servers do not know yet.
  hidden = 'control.team-07.hosts.example.com';
  expect((await namesChecked('controller')).names['controller.dns.name']).toMatch(
    /^failed: not yet propagated: DNSimple has control\..*answers with nothing/,
  );
  hidden = '';
}

describe('names at DNSimple (a stand-in)', () => {
  it('are planned, made, shown, kept by a second run, and gone after destroy, with the token nowhere', async () => {
    const plan = await on(['plan', ...base, ...answers, '--json']);
    expect(plan.code, plan.said).toBe(0);
    const planned = JSON.parse(plan.stdout).resources.filter(
      (one: { type: string }) => one.type === 'dnsimple_zone_record',
    );
    expect(planned.map((one: { key: string; action: string }) => `${one.key} ${one.action}`)).toEqual([
      'dns-bastion create',
      'dns-controller create',
      'dns-applications create',
      'dns-services create',
    ]);
    expect(dnsimple.records()).toEqual([]);

    const first = await on([...start, '--json']);
    expect(first.code, first.said).toBe(0);
    const outputs = JSON.parse(state()).state?.resources ?? JSON.parse(state()).resources;
    const content = (name: string) =>
      dnsimple.records().find((one) => one.name === name && one.type !== 'TXT')?.content;
    expect(content('bastion.team-07.hosts.example.com')).toBe(outputs['eip-bastion'].out.publicIp);
    expect(content('control.team-07.hosts.example.com')).toBe(outputs['eip-controller'].out.publicIp);
    expect(content('services.team-07.hosts.example.com')).toBe(outputs['eip-services'].out.publicIp);
    expect(content('*.team-07.apps.example.com')).toBe(outputs['load-balancer'].out.dnsName.toLowerCase());
    expect(dnsimple.records().length).toBe(8);
    // The authoritative server was asked, not a resolver in between.
    expect(names.asked).toContain('bastion.team-07.hosts.example.com A');
    expect(names.asked).toContain('cloudspace-probe.team-07.apps.example.com CNAME');
    for (const text of [first.stdout, first.stderr, state()]) expect(text).not.toContain(TOKEN);

    const before = [server.mutations().length, dnsimple.requests.filter((one) => one.startsWith('POST')).length];
    expect((await on(start)).code).toBe(0);
    expect([server.mutations().length, dnsimple.requests.filter((one) => one.startsWith('POST')).length]).toEqual(
      before,
    );

    await looked();

    // The file is not needed any more: the state knows where the token is kept. Without the token nothing is deleted.
    rmSync(file);
    const without = await on(['destroy', '--yes', ...base], { DNSIMPLE_TOKEN: '' });
    expect(without.code).toBe(2);
    expect(without.said).toMatch(/dns\.token/);
    expect(dnsimple.records().length).toBe(8);
    const gone = await on(['destroy', '--yes', ...base]);
    expect(gone.code, gone.said).toBe(0);
    expect(dnsimple.records()).toEqual([]);
  }, 120_000);

  it('stay where they are: another domain is refused while they are there', async () => {
    expect((await on([...start, '--until', 'bastion'])).code).toBe(0);
    const { code, said } = await on([...start, '--host-domain', 'example.com']);
    expect([code, said]).toEqual([2, expect.stringContaining('the names are kept at dnsimple (hosts.example.com')]);
    const none = await on([...start, '--dns-provider', 'none']);
    expect([none.code, none.said]).toEqual([2, expect.stringContaining('cloudspace destroy --to vpc')]);
    // A record that was changed by hand is put right.
    const zone = dnsimple.zones.get('example.com') ?? [];
    const record = zone.find((one) => one.name === 'bastion.team-07.hosts');
    if (record) record.content = '192.0.2.99';
    const plan = await on(['plan', ...base, '--json']);
    expect(JSON.parse(plan.stdout).resources).toContainEqual(
      expect.objectContaining({ key: 'dns-bastion', action: 'change' }),
    );
    expect((await on(['destroy', '--yes', ...base])).code).toBe(0);
    expect(dnsimple.records()).toEqual([]);
  }, 120_000);
});

it('a practice that is to use these systems has names too: checked, and found again by the tags alone', async () => {
  yaml('practice-systems: true\n');
  const here = ['--name', 'practice-05', '--state-dir', join(dir, 'practice')];
  const practice = ['practice', '--yes', '--hosts', 'none', '--speed', '1000', '--until', 'bastion', ...here];
  const made = await on([...practice, ...answers]);
  expect(made.code, made.said).toBe(0);
  const checked = await on(['check', 'bastion', '--json', ...here]);
  expect(checked.said).toMatch(/"key":"bastion\.dns\.name"[^\n]*"status":"passed"/);
  rmSync(join(dir, 'practice/practice-05/state.json'));
  rmSync(join(dir, 'practice/practice-05/state.json.bak'), { force: true });
  rmSync(file);
  const away = await on(['destroy', '--practice', '--yes', '--hosts', 'none', ...here]);
  expect([away.code, away.said.replaceAll(/\s+/g, ' ')]).toEqual([
    2,
    expect.stringMatching(/kept by another server than DNSimple/),
  ]);
  yaml('practice-systems: true\n');
  const gone = await on(['destroy', '--practice', '--yes', '--hosts', 'none', ...here]);
  expect(gone.code, gone.said).toBe(0);
  expect(dnsimple.records()).toEqual([]);
}, 120_000);

describe('refused before anything is created', () => {
  const refused = async (words: readonly string[], env: Record<string, string>, expected: RegExp) => {
    const before = server.mutations().length;
    const { code, said } = await on([...start, ...words], env);
    expect(code, said).toBe(2);
    expect(said).toMatch(expected);
    expect(server.mutations().length).toBe(before);
    expect(dnsimple.records().filter((one) => one.type === 'TXT')).toEqual([]);
    expect(said).not.toContain(TOKEN);
  };

  it.each([
    [[], { DNSIMPLE_TOKEN: 'wrong' }, /DNSimple does not know the token.*dns\.token/s],
    [
      ['--host-domain', 'example.org'],
      {},
      /no zone for example\.org \(host-domain\).*example\.com, apps\.example\.com/s,
    ],
    [['--app-domain', 'nothing'], {}, /"nothing" is no domain/],
    [['--dns-provider', 'bind'], {}, /no DNS provider "bind".*dnsimple, route53, none/s],
  ] as const)('%j %j', (words, env, expected) => refused(words, env, expected), 60_000);

  it('a name that somebody else has', async () => {
    dnsimple.add('apps.example.com', '*.team-07', 'CNAME', 'elsewhere.example.net');
    await refused([], {}, /did not make:\s+- \*\.team-07\.apps\.example\.com CNAME elsewhere\.example\.net/);
    dnsimple.zones.get('apps.example.com')?.pop();
  }, 60_000);

  it('a RabbitMQ server that is not there, or lets the administrator not in', async () => {
    const rabbit = (url: string) =>
      yaml(`rabbitmq: {management-url: "${url}", administrator: admin, password: "env:RABBIT"}\n`);
    const [nobody] = (await freePorts(1)) as [number];
    rabbit(`http://127.0.0.1:${nobody}`);
    await refused(
      [],
      { RABBIT: 'x' },
      /cannot reach RabbitMQ at http:\/\/127\.0\.0\.1:\d+: ECONNREFUSED.*rabbitmq\.management-url/s,
    );
    // As a RabbitMQ answers to a wrong password (tried with the real one in rabbitmq.test.ts).
    const wrong = createServer((_, response) => {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end('{"error":"not_authorised","reason":"Login failed"}');
    });
    await new Promise<void>((resolve) => wrong.listen(0, '127.0.0.1', resolve));
    rabbit(`http://127.0.0.1:${(wrong.address() as AddressInfo).port}`);
    await refused([], { RABBIT: 'x' }, /does not let "admin" in with this password.*rabbitmq\.password/s);
    wrong.close();
  }, 60_000);
});

it('Route 53 (a stand-in): the wildcard is an alias of the load balancer', async () => {
  const zones = await route53StandIn({ Z1: 'example.net' });
  writeFileSync(
    file,
    `dns: {provider: route53, host-domain: example.net, app-domain: example.net, name-servers: ["127.0.0.1:9"]}\n`,
  );
  const words = ['start', '--name', 'team-09', ...place, ...walk];
  const env = { AWS_ENDPOINT_URL_ROUTE_53: zones.url };
  const { code, said } = await on(words, env);
  expect(code, said).toBe(0);
  const balancer = zones.records().find((one) => one.name === '*.team-09.example.net');
  expect(balancer).toMatchObject({ type: 'A', content: expect.stringMatching(/^team-09-load-balancer-.*\.elb\./) });
  expect(zones.records().length).toBe(8);
  const gone = await on(['destroy', '--yes', '--name', 'team-09', ...place], env);
  expect(gone.code, gone.said).toBe(0);
  expect(zones.records()).toEqual([]);
  await zones.close();
}, 120_000);

it('prints the authority, and how to trust it', async () => {
  rmSync(file, { force: true });
  expect((await on([...start, '--until', 'login'])).code).toBe(0);
  const early = await on(['ca', ...base]);
  expect([early.code, early.said]).toEqual([2, expect.stringMatching(/no authority yet.*go on with the walkthrough/s)]);
  const home = join(dir, 'state/team-07');
  mkdirSync(home, { recursive: true });
  selfSigned(home, 'ca');
  const pem = readFileSync(join(home, 'ca.crt'), 'utf8');
  const { code, stdout, stderr } = await on(['ca', ...base]);
  expect(code, stderr).toBe(0);
  expect(stdout).toBe(pem);
  for (const word of ['curl --cacert', 'Firefox', 'update-ca-certificates', 'add-trusted-cert', 'certutil -user'])
    expect(stderr).toContain(word);
  const json = JSON.parse((await on(['ca', ...base, '--json'])).stdout);
  const openssl = spawnSync('openssl', ['x509', '-in', join(home, 'ca.crt'), '-noout', '-fingerprint', '-sha256'], {
    encoding: 'utf8',
  });
  expect(openssl.stdout).toContain(json.fingerprint256);
  expect(json).toMatchObject({ name: 'team-07', pem });
});
