import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { decrypt } from '../../src/ansible/vaultFormat.ts';
import { hash, LABEL } from '../../src/practice/hosts/machine.ts';
import { until } from '../support/backends.ts';
import { cli, folder, type Result } from '../support/cli.ts';
import { otherSystems, whyNoSystems } from '../support/otherSystems.ts';

/**
 * The guide's other systems, all in one cloudspace.yaml, on the hosts of a practice Cloudspace: names at DNSimple, certificates by DNS-01, logs to Elasticsearch, an
 * existing RabbitMQ server, secrets from 1Password. What of them is real and what a stand-in: test/support/otherSystems.ts. The tests go on from one another, in
 * this order.
 */
const NAME = 'e2e-73';
const DOMAIN = `${NAME}.apps.example.com`;
const HELLO = `hello.${DOMAIN}`;
const HOSTS = ['bastion', 'controller', 'runner-1', 'runner-2', 'services'];
const PRELOAD = fileURLToPath(new URL('../crash/preload.mjs', import.meta.url));
const DEPLOYMENT = fileURLToPath(new URL('../../deployment', import.meta.url));

const why = whyNoSystems();

const dir = folder();
const state = join(dir, 'state', NAME);
const file = join(dir, 'cloudspace.yaml');
const base = ['--name', NAME, '--state-dir', join(dir, 'state'), '--config', file];
const PLANTED = 'planted-service-account-token-of-1Password';
/** Every secret there ever was, by what it is. */
const secrets = new Map<string, string>([['OP_SERVICE_ACCOUNT_TOKEN', PLANTED]]);

let env: NodeJS.ProcessEnv;
let systems: Awaited<ReturnType<typeof otherSystems>>;
let sampler: ChildProcess;
let output = '';

async function run(words: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Result> {
  const result = await cli([...words, ...base], { env: { ...env, ...more }, cwd: dir });
  output += result.stdout + result.stderr;
  return result;
}

async function must(...words: string[]): Promise<Result> {
  const result = await run(words);
  if (result.code === 0) return result;
  throw new Error(`${words.join(' ')} ended with ${result.code}:\n${result.stdout.slice(-4000)}\n${result.stderr}`);
}

/** A script as root on a host. Secrets in it are on its standard input. */
async function on(host: string, script: string): Promise<string> {
  const words = ['-F', join(state, 'ssh_config'), '-o', 'BatchMode=yes', host, 'sudo bash -e -s'];
  const { stdout } = await execa('ssh', words, { input: script, timeout: 180_000 });
  return stdout.trim();
}

/** Lines of a shell's here-document: they are in no argument. */
const here = (text: string): string => `<<'END_OF_TEXT'\n${text}\nEND_OF_TEXT`;

async function vault(): Promise<Record<string, string>> {
  const plain = await decrypt(
    readFileSync(join(state, 'vault.yml'), 'utf8'),
    systems.items['op://team/vault/password'],
  );
  const all = parse(plain ?? '') as Record<string, string | string[]>;
  for (const [key, value] of Object.entries(all))
    for (const one of [value].flat()) secrets.set(`${key} (${one.slice(0, 4)}…)`, one);
  return all as Record<string, string>;
}

/** Where the load balancer's ports are, on loopback. */
function port(of: '80' | '443'): number {
  return JSON.parse(readFileSync(join(state, 'endpoints.json'), 'utf8')).loadBalancer[of].port;
}

/** One request to the sample application, on a connection of its own; 200, or what came instead. */
function visit(path = '/whoami', secure = false): Promise<number | string> {
  return new Promise((resolve) => {
    const options = {
      ...{ host: '127.0.0.1', port: port(secure ? '443' : '80'), path, headers: { host: HELLO } },
      ...{ agent: false as const, timeout: 20_000 },
      ...(secure ? { servername: HELLO, ca: systems.pebbleRoot } : {}),
    };
    const sent = (secure ? secureRequest : request)(options, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
      answer.once('error', ({ message }) => resolve(message));
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer within 20 seconds')));
    sent.once('error', ({ message }) => resolve(message));
    sent.end();
  });
}

/** Visitors that ask all the while. `stop` gives what was no 200, and fails when nobody asked. */
function visitors(): { stop(): Promise<(number | string)[]> } {
  let going = true;
  let count = 0;
  const bad: (number | string)[] = [];
  const all = [false, true].map(async (secure) => {
    while (going) {
      const answer = await visit('/whoami', secure);
      count += 1;
      if (answer !== 200) bad.push(`${secure ? 'https' : 'http'}: ${answer}`);
      await sleep(20);
    }
  });
  return {
    async stop() {
      going = false;
      await Promise.all(all);
      expect(count).toBeGreaterThan(10);
      return bad;
    },
  };
}

/** The certificate that the ingress shows for the application, checked against Pebble's root. */
function served(): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: port('443'), servername: HELLO, ca: systems.pebbleRoot }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

/** The playbook of all, as the wizard runs it: with the variables that it passed last. Gives the recap's lines. */
async function site(): Promise<string[]> {
  const words = [
    '-i',
    join(state, 'inventory.json'),
    '--vault-id',
    `development@${join(state, 'vault-password-client')}`,
  ];
  const { stdout } = await execa(
    'ansible-playbook',
    [...words, '-e', `@${join(state, 'vault.yml')}`, '-e', `@${join(dir, 'passed.json')}`, 'playbooks/site.yml'],
    {
      cwd: DEPLOYMENT,
      env: {
        ...env,
        OP_SERVICE_ACCOUNT_TOKEN: '',
        LC_ALL: 'C.UTF-8',
        ANSIBLE_HOME: join(dir, 'ansible'),
        ANSIBLE_PIPELINING: 'True',
        ANSIBLE_FORKS: '20',
      },
      reject: false,
    },
  );
  const recap = stdout.slice(stdout.indexOf('PLAY RECAP')).split('\n');
  const changed = [...stdout.matchAll(/^TASK \[(.*)\] \*+\n(?:(?!TASK ).*\n)*?(?:changed|fatal): .*/gm)].map(
    (match) => match[0],
  );
  return [...recap.filter((line) => line.includes('ok=')), ...changed].map((line) =>
    line.replaceAll(/ +/g, ' ').trim(),
  );
}

async function unchanged(): Promise<void> {
  const lines = await site();
  const recap = lines.filter((line) => line.includes('ok='));
  expect(recap.map((line) => line.split(' ')[0]).sort(), lines.join('\n')).toEqual(HOSTS);
  for (const line of recap) expect(line, lines.join('\n')).toMatch(/changed=0 unreachable=0 failed=0/);
}

const shipped = (message: string) =>
  systems.es.documents.find(({ document }) => document.message === message)?.document;
async function docker(...args: string[]): Promise<string[]> {
  return (await execa('docker', args)).stdout.split('\n').filter(Boolean);
}

describe.skipIf(why !== undefined)(`the other systems${why ? ` (skipped: ${why})` : ''}`, () => {
  beforeAll(async () => {
    const doctor = await cli(['doctor', '--fix', '--yes'], {
      env: { ...process.env, HOME: dir, SSH_AUTH_SOCK: '' },
      cwd: dir,
    });
    expect(doctor.code, doctor.stdout + doctor.stderr).toBe(0);
    systems = await otherSystems(dir);
    for (const [name, value] of Object.entries(systems.items)) secrets.set(name, value);
    // What the wizard tells the playbooks is kept, for running them again.
    const real = spawnSync('sh', ['-c', 'command -v ansible-playbook'], { encoding: 'utf8' }).stdout.trim();
    const wrapper = `#!/bin/sh\nfor word; do case $word in @*/vars-*.json) cp "\${word#@}" ${join(dir, 'passed.json')};; esac; done\nexec ${real} "$@"\n`;
    writeFileSync(join(systems.op.bin, 'ansible-playbook'), wrapper);
    chmodSync(join(systems.op.bin, 'ansible-playbook'), 0o755);
    env = {
      ...process.env,
      ...{
        PATH: `${systems.op.bin}:${process.env.PATH}`,
        HOME: join(dir, 'home'),
        SSH_AUTH_SOCK: '',
        AWS_PROFILE: '',
        FORCE_COLOR: '0',
      },
      OP_SERVICE_ACCOUNT_TOKEN: PLANTED,
    };
    mkdirSync(join(dir, 'home'));

    systems.dnsimple.add('example.com', 'www.apps', 'A', '192.0.2.80');
    writeFileSync(file, systems.yaml({ logs: true }));
    sampler = spawn(
      process.execPath,
      [fileURLToPath(new URL('../support/sampleProcesses.mjs', import.meta.url)), join(dir, 'samples')],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
  }, 900_000);

  afterAll(async () => {
    await run(['destroy', '--yes']);
    sampler?.stdin?.end();
    await systems?.close();
    rmSync(dir, { recursive: true, force: true });
  }, 180_000);

  it('the walk goes through, with every system in its place', async () => {
    await must('practice', '--yes', '--json');
    await vault();
    expect(await visit('/rows')).toBe(200);
    expect(
      systems.dnsimple
        .records()
        .map(({ name, type }) => `${type} ${name}`)
        .filter((line) => !line.startsWith('TXT'))
        .sort(),
    ).toEqual([
      `A bastion.${NAME}.hosts.example.com`,
      `A control.${NAME}.hosts.example.com`,
      `A services.${NAME}.hosts.example.com`,
      'A www.apps.example.com',
      `CNAME *.${DOMAIN}`,
    ]);
    expect((await systems.rabbit<{ name: string }[]>('vhosts')).map(({ name }) => name).sort()).toEqual([
      '/',
      NAME,
      `${NAME}-services`,
    ]);
  }, 1_500_000);

  it('logs: a line of a host arrives, with the name of the host; the file with the password is for root alone', async () => {
    await on('runner-1', 'logger -t shop "a line from runner-1"');
    await until(async () => expect(shipped('a line from runner-1')).toBeDefined(), 60);
    expect(shipped('a line from runner-1')).toMatchObject({
      'host.name': 'runner-1',
      'process.name': 'shop',
      'service.environment': NAME,
    });
    for (const host of HOSTS)
      expect(await on(host, 'stat -c "%a %U" /etc/rsyslog.d/60-cloudspace-elasticsearch.conf'), host).toBe('600 root');
  }, 120_000);

  it('RabbitMQ: a host gets in with what the vault says, and sees its own virtual host only', async () => {
    const { rabbitmq_controller_password: password } = await vault();
    const answer = await on(
      'controller',
      `curl -s -K - ${systems.rabbitUrl}/api/whoami ${here(`user = "${NAME}:${password}"`)}`,
    );
    // The right password of a user who may not administer; another text comes for a wrong one.
    expect(answer).toContain('Not management user');
  }, 60_000);

  it('the wildcard certificate: issued by the ACME server, renewed while visitors ask, served without a restart', async () => {
    const before = await served();
    expect(before.issuer).toContain('Pebble');
    expect(before.subjectAltName).toBe(`DNS:*.${DOMAIN}`);
    expect(systems.dnsimple.records().filter(({ name }) => name.startsWith('_acme-challenge'))).toEqual([]);
    const started = await on('runner-1', 'systemctl show --property=ActiveEnterTimestamp,NRestarts nginx');
    const asking = visitors();
    await renew();
    expect(await asking.stop()).toEqual([]);
    expect(await on('runner-1', 'systemctl show --property=ActiveEnterTimestamp,NRestarts nginx')).toBe(started);
  }, 120_000);

  it('all plays, run a second time, change nothing and ask for no new certificate', async () => {
    const asked = () => systems.dnsimple.requests.filter((line) => line.startsWith('POST')).length;
    const before = [asked(), (await served()).serialNumber];
    await unchanged();
    expect([asked(), (await served()).serialNumber]).toEqual(before);
  }, 300_000);

  it('rotated, Redis and its clients change over while visitors ask', async () => {
    const { redis_password: before = '' } = await vault();
    const asking = visitors();
    await must('secrets', 'rotate', 'redis_password', '--yes');
    expect(await asking.stop()).toEqual([]);
    const { redis_password: after = '' } = await vault();
    const ask = (password: string) =>
      on(
        'controller',
        `redis-cli --tls --cacert /etc/cloudspace/ca.crt -h 127.0.0.1 --sni controller 2>&1 ${here(`AUTH ${password}\nPING`)}`,
      );
    expect(await ask(before)).toMatch(/WRONGPASS/);
    expect(await ask(after)).toMatch(/PONG/);
  }, 300_000);

  it('rotated, every other secret opens what it opened, and the former one nothing', async () => {
    const before = await vault();
    systems.renewSecrets();
    for (const [name, value] of Object.entries(systems.items)) secrets.set(`${name} (${value.slice(-1)})`, value);
    const asking = visitors();
    const ours = Object.keys(before).filter((key) => /^(services|rabbitmq)_/.test(key));
    expect(ours.sort()).toEqual([
      ...[
        'rabbitmq_controller_password',
        'rabbitmq_services_password',
        'services_api_token',
        'services_database_password',
      ],
      ...['services_fernet_key', 'services_rabbitmq_password', 'services_redis_password', 'services_secret_key'],
    ]);
    for (const key of ours) await must('secrets', 'rotate', key, '--yes', '--later');
    await must('secrets', 'rotate', 'dnsimple_token', '--from', 'op://team/dnsimple/token', '--yes', '--later');
    // The plays of all of them. The sample application is deployed again at the end: its credentials were encrypted with the former Fernet key.
    await must('secrets', 'rotate', 'elasticsearch_password', '--from', 'op://team/elastic/password', '--yes');
    expect(await asking.stop()).toEqual([]);
    expect(await visit('/rows')).toBe(200);
    const after = await vault();
    for (const key of ours) expect(after[key], key).not.toBe(before[key]);

    const works: Readonly<Record<string, (secret: string) => Promise<boolean>>> = {
      services_api_token: async (token) => {
        const call =
          "curl -s -o /dev/null -w '%{http_code}' --cacert /etc/cloudspace/ca.crt -K - https://services/v2/catalog";
        return (await on('services', `${call} ${here(`header = "Authorization: Bearer ${token}"`)}`)) !== '401';
      },
      services_database_password: (password) => opensDatabase('services', 'user=services dbname=services', password),
      services_rabbitmq_password: async (password) =>
        (await on(
          'services',
          `if rabbitmqctl --quiet authenticate_user services >/dev/null 2>&1 ${here(password)}\nthen echo yes; else echo no; fi`,
        )) === 'yes',
      rabbitmq_controller_password: (password) => opensRabbitmq(NAME, password),
      rabbitmq_services_password: (password) => opensRabbitmq(`${NAME}-services`, password),
    };
    for (const [key, open] of Object.entries(works))
      expect([key, await open(before[key] ?? ''), await open(after[key] ?? '')]).toEqual([key, false, true]);

    await on('runner-2', 'logger -t shop "with the new password"');
    await until(async () => expect(shipped('with the new password')).toBeDefined(), 60);
    // The controller renews with the new token, as the former one is worth nothing any more.
    await renew();
  }, 600_000);

  it.each([
    ['the database has taken it and nobody has read the answer', { moment: 'effect' }, ['practice', '--yes']],
    [
      'the answer is read and the vault not yet written',
      { moment: 'journal', file: 'vault.yml' },
      ['secrets', 'rotate', 'database_master_password', '--yes'],
    ],
  ])(
    'killed when %s, the change of the master password ends well',
    async (_when, at, again) => {
      const { database_master_password: before = '' } = await vault();
      const killed = await run(['secrets', 'rotate', 'database_master_password', '--yes', '--later'], {
        NODE_OPTIONS: `--import ${PRELOAD}`,
        CRASH: JSON.stringify({ at: { mutation: 1, ...at } }),
      });
      expect(killed.code, killed.stdout + killed.stderr).toBe(null);
      expect((await vault()).database_master_password_next).toMatch(/^[A-Za-z0-9]{64}$/);
      await must(...again);
      const { database_master_password: after = '', ...rest } = await vault();
      expect(rest).not.toHaveProperty('database_master_password_next');
      expect(after).not.toBe(before);
      expect(await opensDatabase('controller', '', after)).toBe(true);
      expect(await opensDatabase('controller', '', before)).toBe(false);
      // As a person on the controller does it.
      expect(await on('controller', "sudo -u admin psql service=cloudspace -Atc 'select 40+2'")).toBe('42');
      expect(await visit('/rows')).toBe(200);
    },
    400_000,
  );

  it('logs go nowhere when the setting is taken out of the file, and then nothing is left to change', async () => {
    writeFileSync(file, systems.yaml({ logs: false }));
    await must('practice', '--yes');
    for (const host of HOSTS)
      expect(await on(host, 'ls /etc/rsyslog.d /etc/cloudspace | grep -i elastic || true'), host).toBe('');
    await on('runner-1', 'logger -t shop "a line for nobody"');
    await unchanged();
    expect(await on('runner-1', 'journalctl -t shop -o cat -n 1')).toBe('a line for nobody');
    expect(shipped('a line for nobody')).toBeUndefined();
  }, 600_000);

  it('no secret is in a log of a host, or was shipped', async () => {
    await vault();
    const patterns = [...secrets.values()].join('\n');
    const look = `cd /run; umask 077; cat > patterns ${here(patterns)}
journalctl --no-pager | grep -F -f patterns | cut -c 1-300 | head -n 3 || true
grep -r -l -F -f patterns /var/log || true
rm patterns`;
    for (const host of HOSTS) expect(await on(host, look), host).toBe('');
    expect(found(JSON.stringify(systems.es.documents))).toEqual([]);
    expect(systems.es.documents.length).toBeGreaterThan(100);
  }, 120_000);

  it('destroy leaves nothing of ours anywhere, and all of the others', async () => {
    await must('destroy', '--yes');
    const label = `label=${LABEL.practice}=${hash(join(state, 'practice', 'hosts'))}`;
    expect([
      await docker('ps', '-aq', '--filter', label),
      await docker('network', 'ls', '-q', '--filter', label),
    ]).toEqual([[], []]);
    expect(systems.dnsimple.records()).toEqual([{ name: 'www.apps.example.com', type: 'A', content: '192.0.2.80' }]);
    const there = async (what: string) => (await systems.rabbit<{ name: string }[]>(what)).map(({ name }) => name);
    expect([await there('vhosts'), await there('users')]).toEqual([['/'], ['admin']]);
  }, 180_000);

  it('in all of this no secret was printed, kept in a file, an argument or an environment', async () => {
    let said = '';
    sampler.stdout?.on('data', (chunk) => {
      said += chunk;
    });
    sampler.stdin?.end();
    await new Promise((resolve) => sampler.once('close', resolve));
    expect(JSON.parse(said).rounds).toBeGreaterThan(500);
    expect(secrets.size).toBeGreaterThan(25);
    for (const [name, secret] of secrets) expect(secret.length, name).toBeGreaterThanOrEqual(16);

    expect(found(output)).toEqual([]);
    expect(found(systems.op.calls().join('\n'))).toEqual([]);
    const files = readdirSync(join(dir, 'state'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(files.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['state.json', 'vault.yml', 'play-services.log']),
    );
    for (const { parentPath, name } of files)
      expect([name, found(readFileSync(join(parentPath, name), 'latin1'))]).toEqual([name, []]);

    const samples = readFileSync(join(dir, 'samples'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Sample);
    // The services API's own program and those that it starts were seen, inside the container of its host.
    expect(samples.some(({ text }) => text.includes('services-api.mjs'))).toBe(true);
    expect(samples.some(({ what, text }) => what === 'environ' && text.includes('PGPASSFILE='))).toBe(true);
    const bad = samples.flatMap(({ what, command, text }) => {
      const names = found(text).filter((name) => name !== 'OP_SERVICE_ACCOUNT_TOKEN' || !mayKnowToken(what, command));
      return names.map((name) => `${name}: ${what} of ${command.replaceAll('\0', ' ').slice(0, 200)}`);
    });
    expect(bad).toEqual([]);
  }, 120_000);
});

interface Sample {
  readonly what: 'cmdline' | 'environ';
  readonly command: string;
  readonly text: string;
}

/** Names of the secrets that a text holds. */
const found = (text: string): string[] =>
  [...secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => name);

/** 1Password's own token is in the environment of who starts the wizard (docs/configuration.md); `op` needs it, and nothing else gets it. */
const mayKnowToken = (what: string, command: string): boolean =>
  what === 'environ' && (command.includes('dist/cli.js') || command.includes(`${systems.op.bin}/op\0read`));

/** Does the password let in at the database, from this host? */
async function opensDatabase(host: string, more: string, password: string): Promise<boolean> {
  const script = `cd /run; umask 077; cat > password ${here(`*:*:*:*:${password}`)}
PGPASSFILE=/run/password psql --no-psqlrc --no-password 'service=cloudspace ${more}' -Atc 'select 40+2' 2>&1 || true
rm password`;
  const answer = await on(host, script);
  if (answer !== '42') expect(answer).toMatch(/password authentication failed/);
  return answer === '42';
}

/** Does the existing RabbitMQ server know this password? The users may not administer: it says so to the right one, and something else to a wrong one. */
async function opensRabbitmq(user: string, password: string): Promise<boolean> {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return (await (await fetch(`${systems.rabbitUrl}/api/whoami`, { headers: { authorization } })).text()).includes(
    'Not management user',
  );
}

/** As certbot.service does it, but at once; a new certificate is served afterwards, by both runners. */
async function renew(): Promise<void> {
  const { serialNumber } = await served();
  await on(
    'controller',
    'env $(systemctl show --property=Environment --value certbot.service) certbot -q renew --force-renewal --no-random-sleep-on-renew',
  );
  await until(async () => {
    // The load balancer chooses who answers.
    const answers = await Promise.all(Array.from({ length: 12 }, served));
    const seen = [...new Set(answers.map((one) => one.serialNumber))];
    expect(seen).toHaveLength(1);
    expect(seen).not.toContain(serialNumber);
  }, 30);
}
