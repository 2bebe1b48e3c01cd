import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ended, freePorts, selfSigned, until } from '../support/backends.ts';
import { dnsimpleStandIn } from '../support/dnsimpleStandIn.ts';
import { dnsStandIn } from '../support/dnsStandIn.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const role = join(root, 'deployment/roles/wildcard_certificate');
const DOMAIN = 'hackathon-07.apps.example.com';
const PLUGIN = '/usr/lib/python3/dist-packages/certbot_dns_dnsimple';

function missing(): string | undefined {
  for (const program of ['certbot', 'pebble', 'redis-server', 'ansible', 'openssl'])
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `there is no ${program}`;
  if (!existsSync(PLUGIN)) return "Debian's package python3-certbot-dns-dnsimple is not installed";
  if (spawnSync('/usr/bin/python3', ['-c', 'import redis']).status !== 0)
    return "Debian's package python3-redis is not installed";
  return undefined;
}
const why = missing();

/**
 * Debian's certbot with its DNSimple plugin, asked as the role asks it, against Pebble (Let's Encrypt's own small ACME server), which really looks the challenge
 * up. Stand-ins: DNSimple's API, and the name server that answers from it.
 */
describe.skipIf(why !== undefined)(`the wildcard certificate${why ? ` (skipped: ${why})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'cloudspace-acme-'));
  const letsencrypt = join(dir, 'letsencrypt');
  const domains = join(dir, 'domains');
  const running: ChildProcess[] = [];
  let dnsimple: Awaited<ReturnType<typeof dnsimpleStandIn>>;
  let names: Awaited<ReturnType<typeof dnsStandIn>>;
  let redisPort: number;
  let environment: Record<string, string>;

  const redis = async (...words: string[]) =>
    (await execa('redis-cli', ['-p', String(redisPort), '--raw', ...words])).stdout;
  const certificate = (...words: string[]) =>
    execa('/usr/bin/python3', ['-B', join(root, 'test/support/runCertificate.py'), dir, String(redisPort), ...words]);
  const certbot = (...words: string[]) =>
    execa(
      'certbot',
      [...words, '--config-dir', letsencrypt, '--work-dir', join(dir, 'work'), '--logs-dir', join(dir, 'logs')],
      { env: environment, reject: false, all: true },
    );
  const published = async (name: string) => {
    const text = await redis('get', `certificate:${name}`);
    return text === '' ? undefined : (JSON.parse(text) as { key: string; crt: string });
  };

  beforeAll(async () => {
    for (const folder of [letsencrypt, domains]) mkdirSync(folder, { recursive: true });
    dnsimple = await dnsimpleStandIn(['example.com']);
    names = await dnsStandIn(() => dnsimple.records());
    const [listen, management, redisAt] = (await freePorts(3)) as [number, number, number];
    redisPort = redisAt;
    selfSigned(dir, 'pebble');
    writeFileSync(
      join(dir, 'pebble.json'),
      JSON.stringify({
        pebble: {
          listenAddress: `127.0.0.1:${listen}`,
          managementListenAddress: `127.0.0.1:${management}`,
          certificate: join(dir, 'pebble.crt'),
          privateKey: join(dir, 'pebble.key'),
          httpPort: 1,
          tlsPort: 1,
        },
      }),
    );
    running.push(
      spawn('pebble', ['-config', join(dir, 'pebble.json'), '-dnsserver', names.address], {
        stdio: 'ignore',
        // Left to itself it accepts half of the names without asking again.
        env: {
          PATH: process.env.PATH,
          PEBBLE_VA_NOSLEEP: '1',
          PEBBLE_WFE_NONCEREJECT: '0',
          PEBBLE_AUTHZREUSE: '0',
        },
      }),
      spawn('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', dir], {
        stdio: 'ignore',
      }),
    );
    environment = {
      REQUESTS_CA_BUNDLE: join(dir, 'pebble.crt'),
      // The plugin's library can be sent to another server; certbot 2.1 writes its name with a double s.
      LEXICON_DNSSIMPLE_API_ENDPOINT: `${dnsimple.url}/v2`,
      LEXICON_DNSIMPLE_API_ENDPOINT: `${dnsimple.url}/v2`,
    };
    const hook = join(dir, 'hook');
    writeFileSync(
      hook,
      `#!/bin/sh\nexec /usr/bin/python3 -B ${root}/test/support/runCertificate.py ${dir} ${redisPort} --renewed\n`,
    );
    chmodSync(hook, 0o755);
    // The role's own template, filled in by Ansible.
    const vars = {
      wildcard_certificate_domain: DOMAIN,
      wildcard_certificate_server: `https://127.0.0.1:${listen}/dir`,
      wildcard_certificate_provider: 'dnsimple',
      wildcard_certificate_email: 'ops@example.com',
      wildcard_certificate_propagation_seconds: 0,
      wildcard_certificate_dir: letsencrypt,
      wildcard_certificate_hook: hook,
      wildcard_certificate_name: 'cloudspace',
    };
    await execa(
      'ansible',
      [
        'localhost',
        '-c',
        'local',
        '-i',
        'localhost,',
        '-m',
        'ansible.builtin.template',
        '-e',
        JSON.stringify(vars),
        '-a',
        `src=${role}/templates/cloudspace.ini.j2 dest=${letsencrypt}/cloudspace.ini mode=0600`,
      ],
      { env: { HOME: dir, ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3' } },
    );
    writeFileSync(join(letsencrypt, 'dnsimple.ini'), 'dns_dnsimple_token = good-token\n', { mode: 0o600 });
    // The Cloudspace's own authority, and its program that signs, as on the controller.
    const authority = join(dir, 'authority');
    mkdirSync(authority);
    await execa(
      'openssl',
      [
        ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 9 -subj /O=Cloudspace/CN=Test -keyout ca.key -out ca.crt'.split(
          ' ',
        ),
      ],
      { cwd: authority },
    );
    writeFileSync(join(dir, 'ca.crt'), readFileSync(join(authority, 'ca.crt')));
    const sign = readFileSync(
      join(root, 'deployment/roles/certificate_authority/templates/cloudspace-sign.j2'),
      'utf8',
    );
    writeFileSync(
      join(dir, 'cloudspace-sign'),
      sign.replaceAll('{{ certificate_authority_dir }}', authority).replace('{{ ansible_managed }}', ''),
      { mode: 0o755 },
    );
    await until(async () => {
      await redis('ping');
      const answer = await execa('curl', [
        '--silent',
        '--fail',
        '--cacert',
        join(dir, 'pebble.crt'),
        `https://127.0.0.1:${listen}/dir`,
      ]);
      expect(answer.stdout).toContain('newOrder');
    });
  }, 120_000);

  afterAll(async () => {
    await Promise.all(running.map((child) => ended(child, 'SIGTERM')));
    await dnsimple?.close();
    await names?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is got by DNS-01 for all names of the applications, and given to the ingress', async () => {
    // An application that was deployed before has a certificate of the Cloudspace's own.
    expect((await certificate(`hello.${DOMAIN}`)).stdout).toBe(`hello.${DOMAIN}: made`);
    expect(new X509Certificate((await published(`hello.${DOMAIN}`))?.crt ?? '').issuer).toContain('O=Cloudspace');

    const { exitCode, all } = await certbot('certonly', '--config', join(letsencrypt, 'cloudspace.ini'));
    expect(all).toContain('Successfully received certificate');
    expect(exitCode).toBe(0);
    const pair = await published(`*.${DOMAIN}`);
    const x509 = new X509Certificate(pair?.crt ?? '');
    expect(x509.subjectAltName).toBe(`DNS:*.${DOMAIN}`);
    expect(x509.issuer).toContain('Pebble');
    expect(x509.checkHost(`hello.${DOMAIN}`)).toBe(`*.${DOMAIN}`);
    // The whole chain is there, and the key is the certificate's.
    expect(pair?.crt.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(1);
    expect(statSync(join(domains, `*.${DOMAIN}.key`)).mode & 0o777).toBe(0o600);
    // The challenge was looked up, and its record is gone again.
    expect(names.asked).toContain(`_acme-challenge.${DOMAIN} TXT`);
    expect(dnsimple.records()).toEqual([]);
    // The wildcard covers the application now: its own certificate is withdrawn, on disk and in the store.
    expect(await published(`hello.${DOMAIN}`)).toBeUndefined();
    expect(readdirSync(domains).sort()).toEqual([`*.${DOMAIN}.crt`, `*.${DOMAIN}.key`]);
  }, 120_000);

  it('is kept while it is good, and covers what is deployed under it; other domains get their own', async () => {
    const { all } = await certbot('certonly', '--config', join(letsencrypt, 'cloudspace.ini'));
    expect(all).toContain('not yet due for renewal');
    const { stdout } = await certificate('--from', join(letsencrypt, 'live/cloudspace'), `*.${DOMAIN}`);
    expect(stdout).toBe(`*.${DOMAIN}: kept`);
    expect((await certificate(`shop.${DOMAIN}`, 'shop.example.org')).stdout).toBe(
      `shop.${DOMAIN}: covered by *.${DOMAIN}\nshop.example.org: made`,
    );
    expect(await published(`shop.${DOMAIN}`)).toBeUndefined();
    expect(await published('shop.example.org')).toBeDefined();
    // A wildcard is good for one label only.
    expect((await certificate(`a.b.${DOMAIN}`)).stdout).toBe(`a.b.${DOMAIN}: made`);
  }, 120_000);

  it('is renewed by what the timer runs, and the ingress is told', async () => {
    const before = await published(`*.${DOMAIN}`);
    const told = execa('redis-cli', ['-p', String(redisPort), '--raw', 'subscribe', 'routes'], { reject: false });
    let heard = '';
    told.stdout?.on('data', (chunk) => {
      heard += chunk;
    });
    await until(async () => expect(heard).toContain('subscribe'));
    // As certbot.service does, but at once.
    const { exitCode, all } = await certbot('-q', 'renew', '--force-renewal', '--no-random-sleep-on-renew');
    expect(all).toBe('');
    expect(exitCode).toBe(0);
    const after = await published(`*.${DOMAIN}`);
    expect(new X509Certificate(after?.crt ?? '').serialNumber).not.toBe(
      new X509Certificate(before?.crt ?? '').serialNumber,
    );
    await until(async () => expect(heard.split('\n')).toContain(`*.${DOMAIN}`), 10);
    told.kill();
    await told;
  }, 120_000);

  it('leaves a certificate that somebody put there for one domain', async () => {
    const name = `own.${DOMAIN}`;
    await execa('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-noenc',
      '-days',
      '90',
      '-subj',
      '/CN=theirs',
      '-keyout',
      join(domains, `${name}.key`),
      '-out',
      join(domains, `${name}.crt`),
    ]);
    expect((await certificate(name)).stdout).toBe(`${name}: kept`);
    expect(new X509Certificate((await published(name))?.crt ?? '').subject).toBe('CN=theirs');
    expect((await certificate('--remove', name, 'shop.example.org')).stdout).toBe(
      `${name}: kept\nshop.example.org: removed`,
    );
    expect(await published('shop.example.org')).toBeUndefined();
  });

  it('says what is wrong with the token', async () => {
    writeFileSync(join(letsencrypt, 'dnsimple.ini'), 'dns_dnsimple_token = wrong\n', { mode: 0o600 });
    const { exitCode, all } = await certbot('renew', '--force-renewal', '--no-random-sleep-on-renew');
    expect(exitCode).toBe(1);
    expect(all).toContain('Is your API token value correct?');
  }, 120_000);
});
