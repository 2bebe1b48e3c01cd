import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli } from '../support/cli.ts';

// The services API on its host, with the database and RabbitMQ of a practice Cloudspace, asked by the command and used from a runner. Makes a
// Cloudspace and destroys it; with CLOUDSPACE_TEST_SERVICES=<state folder>/<name> one that is there is used and left.

const given = process.env.CLOUDSPACE_TEST_SERVICES;
const NAME = given?.split('/').at(-1) ?? 'services-87';
const DATABASE = `e2e-db-${process.pid}`;
const QUEUES = `e2e-queues-${process.pid}`;

let stateDir: string;
let dir: string;

/** A script as root on a host, through the bastion; secrets in it are on its standard input. */
async function on(host: string, script: string): Promise<string> {
  const { stdout } = await execa(
    'ssh',
    ['-F', join(dir, 'ssh_config'), '-o', 'BatchMode=yes', host, 'sudo bash -e -s'],
    { input: script, timeout: 180_000 },
  );
  return stdout.trim();
}

const command = (words: readonly string[]) =>
  cli([...words, '--name', NAME, '--state-dir', stateDir], {
    env: { ...process.env, SSH_AUTH_SOCK: '', AWS_PROFILE: '', FORCE_COLOR: '0' },
  });

/** `cloudspace services …` as a program sees it. */
async function services(...words: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await command(['services', ...words, '--json']);
  if (code !== 0) throw new Error(`services ${words.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function uriOf(instance: string, binding: string): Promise<string> {
  return ((await services('bind', instance, binding)).credentials as { uri: string }).uri;
}

const sql = (uri: string, text: string) =>
  on('runner-1', `psql '${uri}' -v ON_ERROR_STOP=1 -qAt <<'END'\n${text}\nEND`);

beforeAll(async () => {
  stateDir = given ? join(given, '..') : await mkdtemp(join(tmpdir(), 'cloudspace-services-'));
  dir = join(stateDir, NAME);
  if (!given) {
    const made = await command(['practice', '--yes']);
    if (made.code !== 0) throw new Error(`the walk ended with ${made.code}: ${made.stderr.slice(-2000)}`);
  }
  await on('runner-1', 'DEBIAN_FRONTEND=noninteractive apt-get install -qy postgresql-client amqp-tools >/dev/null');
}, 900_000);

afterAll(async () => {
  if (!given) {
    await command(['destroy', '--yes']);
    await rm(stateDir, { recursive: true, force: true });
    return;
  }
  for (const [instance, binding] of [
    [DATABASE, 'web'],
    [QUEUES, 'worker'],
  ] as const) {
    await command(['services', 'unbind', instance, binding]);
    await command(['services', 'delete', instance, '--yes']);
  }
}, 180_000);

test('a row that was deleted comes back from a backup; a damaged one changes nothing', {
  timeout: 180_000,
}, async () => {
  await services('create', DATABASE, '--service', 'postgresql');
  const uri = await uriOf(DATABASE, 'web');
  await sql(uri, "CREATE TABLE rows (id serial, text text); INSERT INTO rows (text) VALUES ('kept');");
  const { id, sha256 } = (await services('backup', DATABASE)) as { id: string; sha256: string };
  await sql(uri, 'DELETE FROM rows;');
  expect((await services('restore', DATABASE, id)).state).toBe('succeeded');
  expect(await sql(uri, 'SELECT * FROM rows;')).toBe('1|kept');

  await on(
    'services',
    `printf x | dd of=/var/lib/services-api/backups/${id}.backup bs=1 seek=50 conv=notrunc status=none`,
  );
  await sql(uri, "INSERT INTO rows (text) VALUES ('later');");
  const { code, stdout } = await command(['services', 'restore', DATABASE, id]);
  expect(code).toBe(1);
  expect(stdout.replaceAll(/\s+/g, '')).toContain(sha256);
  expect(await sql(uri, 'SELECT count(*) FROM rows;')).toBe('2');
});

test('a real client uses a virtual host from a runner, over TLS only', { timeout: 120_000 }, async () => {
  await services('create', QUEUES, '--service', 'rabbitmq');
  const uri = await uriOf(QUEUES, 'worker');
  const tls = `--url '${uri}' --ssl --cacert /etc/cloudspace/ca.crt`;
  const script = `amqp-declare-queue ${tls} -q mail -d; amqp-publish ${tls} -r mail -b hello; amqp-get ${tls} -q mail`;
  expect(await on('runner-1', script)).toBe('mail\nhello');
  expect(await on('runner-1', 'timeout 3 bash -c "</dev/tcp/services/5672" 2>&1 || echo closed')).toContain('closed');
  expect(await on('runner-1', 'timeout 3 bash -c "</dev/tcp/services/15672" 2>&1 || echo closed')).toContain('closed');
});

test('what is asked wrongly gets a clear answer, and nobody gets in without the token', {
  timeout: 120_000,
}, async () => {
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['create', 'x', '--service', 'mysql'], /no service "mysql"/],
    [['create', 'x', '--service', 's3'], /no object store/],
    [['bind', 'nobody', 'web'], /no instance nobody/],
    [['restore', DATABASE, 'nothing'], /no backup "nothing"/],
  ];
  for (const [words, said] of refused) {
    const { code, stdout } = await command(['services', ...words]);
    expect(code).toBe(1);
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(said);
  }
  const ask = `curl -s -o /dev/null -w '%{http_code}' --cacert /etc/cloudspace/ca.crt`;
  expect(await on('runner-1', `${ask} -H 'Authorization: Bearer wrong' https://services/v2/catalog`)).toBe('401');
  const junk = 'head -c 10000000 /dev/urandom | timeout 10 bash -c "cat >/dev/tcp/services/PORT" 2>/dev/null || true';
  await on('runner-1', ['443', '5671'].map((port) => junk.replace('PORT', port)).join('\n'));
  expect(await on('runner-1', `${ask} https://services/healthz`)).toBe('200');
});

test('killed, it comes back by itself and knows what it knew; its secrets are its own', {
  timeout: 120_000,
}, async () => {
  const uri = await uriOf(DATABASE, 'web');
  await on('services', 'systemctl kill --signal=KILL services-api');
  const health =
    'curl -s --retry 30 --retry-delay 1 --retry-all-errors --cacert /etc/cloudspace/ca.crt https://services/healthz';
  expect(JSON.parse(await on('runner-1', health))).toEqual({ ok: true, trouble: [] });
  expect(await uriOf(DATABASE, 'web')).toBe(uri);
  const password = new URL(uri).password;
  const seen = await on('services', 'cat /var/log/services-api/audit.jsonl; journalctl -u services-api; ps -eo args');
  expect(seen).not.toContain(password);
  expect(await on('services', 'stat -c %a /etc/cloudspace/services-api.json /var/log/services-api/audit.jsonl')).toBe(
    '600\n600',
  );
});
