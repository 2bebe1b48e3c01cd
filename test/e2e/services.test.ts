import { afterAll, beforeAll, expect, test } from 'vitest';
import { must, on, run, words } from '../support/cloudspace.ts';

// The services API on its host, with the database and RabbitMQ of a practice Cloudspace, asked by the command and used from a runner.

const DATABASE = `e2e-db-${process.pid}`;
const QUEUES = `e2e-queues-${process.pid}`;

/** `cloudspace services …` as a program sees it. */
const services = async (...more: readonly string[]): Promise<Record<string, unknown>> =>
  JSON.parse((await must('services', ...more, '--json')).stdout);

async function uriOf(instance: string, binding: string): Promise<string> {
  return ((await services('bind', instance, binding)).credentials as { uri: string }).uri;
}

const sql = (uri: string, text: string) =>
  on('runner-1', `psql '${uri}' -v ON_ERROR_STOP=1 -qAt <<'END'\n${text}\nEND`);

beforeAll(async () => {
  await on('runner-1', 'DEBIAN_FRONTEND=noninteractive apt-get install -qy postgresql-client amqp-tools >/dev/null');
}, 300_000);

afterAll(async () => {
  for (const [instance, binding] of [
    [DATABASE, 'web'],
    [QUEUES, 'worker'],
  ] as const) {
    await run('services', 'unbind', instance, binding);
    await run('services', 'delete', instance, '--yes');
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

  // A copy that is taken away over SSH, as the documentation says, is the file itself.
  const file = `/var/lib/services-api/backups/${id}.backup`;
  const copied = await run('ssh', 'services', '--', 'sudo', 'sha256sum', file);
  expect(copied.stdout.split(' ')[0]).toBe(sha256);

  await on(
    'services',
    `printf x | dd of=/var/lib/services-api/backups/${id}.backup bs=1 seek=50 conv=notrunc status=none`,
  );
  await sql(uri, "INSERT INTO rows (text) VALUES ('later');");
  const refused = await run('services', 'restore', DATABASE, id);
  expect(refused.code).toBe(1);
  expect(words(refused).replaceAll(' ', '')).toContain(sha256);
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
    [['create', 'x', '--service', 'postgresql', '--plan', 'huge'], /plan.*huge/],
    [['bind', 'nobody', 'web'], /no instance nobody/],
    [['restore', DATABASE, 'nothing'], /no backup "nothing"/],
  ];
  for (const [asked, said] of refused) {
    const result = await run('services', ...asked);
    expect(result.code).toBe(1);
    expect(words(result)).toMatch(said);
  }
  const ask = `curl -s -o /dev/null -w '%{http_code}' --cacert /etc/cloudspace/ca.crt`;
  expect(await on('runner-1', `${ask} -H 'Authorization: Bearer wrong' https://services/v2/catalog`)).toBe('401');
  const junk = 'head -c 10000000 /dev/urandom | timeout 10 bash -c "cat >/dev/tcp/services/PORT" 2>/dev/null || true';
  await on('runner-1', ['443', '5671', '5432', '22'].map((port) => junk.replace('PORT', port)).join('\n'));
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
