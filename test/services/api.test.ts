import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Backends, startBackends, whyNoBackends } from '../support/backends.ts';
import { type Answer, type Api, servicesApi, TOKEN } from '../support/servicesApi.ts';

// The built services API against a real PostgreSQL and a real RabbitMQ.

const missing = whyNoBackends();
const POSTGRES = { service_id: 'postgresql', plan_id: 'small' };
const RABBITMQ = { service_id: 'rabbitmq', plan_id: 'small' };
const at = (id: string, ...more: string[]): string => ['/v2/service_instances', id, ...more].join('/');

describe.skipIf(missing)(`services API${missing ? ` (skipped: ${missing})` : ''}`, { timeout: 60_000 }, () => {
  let backends: Backends;
  let api: Api;

  beforeAll(async () => {
    backends = await startBackends();
    api = await servicesApi(backends);
  }, 120_000);
  afterAll(async () => {
    await api?.close();
    await backends?.close();
  }, 60_000);

  async function sql(uri: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: uri.replace('sslmode=require', 'sslmode=no-verify') });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  }
  const databases = async (): Promise<string[]> => {
    const client = backends.admin();
    await client.connect();
    const { rows } = await client.query("SELECT datname FROM pg_database WHERE datname ~ '^(s|restore)_'");
    await client.end();
    return rows.map(({ datname }) => datname as string);
  };
  const roles = async (): Promise<string[]> => {
    const client = backends.admin();
    await client.connect();
    const { rows } = await client.query("SELECT rolname FROM pg_roles WHERE rolname ~ '^s_'");
    await client.end();
    return rows.map(({ rolname }) => rolname as string);
  };
  const rabbit = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const { user, password, management } = api.config.rabbitmq;
    const answer = await fetch(`${management}/api/${path}`, {
      method,
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  };
  const provisioned = async (id: string, what: object = POSTGRES): Promise<Answer> => {
    const answer = await api.call('PUT', at(id), what);
    expect(answer.status).toBe(201);
    return answer;
  };
  const bound = async (id: string, binding: string): Promise<Record<string, string>> => {
    const answer = await api.call('PUT', at(id, 'service_bindings', binding), {});
    expect([200, 201]).toContain(answer.status);
    return answer.body.credentials;
  };
  const backedUp = async (id: string): Promise<string> => {
    const begun = await api.call('POST', at(id, 'backups'));
    expect(begun.status).toBe(202);
    expect((await api.finished(begun)).body).toMatchObject({ state: 'succeeded' });
    return begun.body.backup;
  };

  it('shows its catalog, its document and its health', async () => {
    const catalog = (await api.call('GET', '/v2/catalog')).body.services;
    expect(catalog.map((one: { id: string }) => one.id)).toEqual(['postgresql', 'rabbitmq', 's3']);
    expect((await api.call('GET', '/openapi.json')).body.openapi).toBe('3.1.0');
    expect(await api.call('GET', '/healthz')).toEqual({ status: 200, body: { ok: true, trouble: [] } });
  });

  it('provisions once, however often it is asked', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => api.call('PUT', at('twice'), POSTGRES)));
    expect(all.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
    const other = await api.call('PUT', at('twice'), { ...POSTGRES, parameters: { connection_limit: 3 } });
    expect(other).toMatchObject({ status: 409, body: { error: 'Conflict' } });
    expect((await api.call('PUT', at('twice'), RABBITMQ)).status).toBe(409);
    expect(await databases()).toContain(all[0]?.body.name);
  });

  it('gives each binding a login of its own, and the same one again', async () => {
    await provisioned('shop');
    const one = await bound('shop', 'web');
    const two = await bound('shop', 'worker');
    expect(await bound('shop', 'web')).toEqual(one);
    expect((await api.call('GET', at('shop', 'service_bindings', 'web'))).body.credentials).toEqual(one);
    expect(one.username).not.toBe(two.username);
    await sql(one.uri as string, 'CREATE TABLE orders (id int)');
    await sql(two.uri as string, 'INSERT INTO orders VALUES (7); ALTER TABLE orders ADD note text');

    // What a binding made under its own name stays when it goes, and its sessions end.
    await sql(one.uri as string, 'SET ROLE NONE; CREATE SCHEMA mine; CREATE TABLE mine.t (id int)');
    const open = new pg.Client({ connectionString: (one.uri as string).replace('require', 'no-verify') });
    const cut = new Promise((resolve) => open.on('error', resolve));
    await open.connect();
    expect((await api.call('DELETE', at('shop', 'service_bindings', 'web'))).status).toBe(200);
    await cut;
    expect((await api.call('DELETE', at('shop', 'service_bindings', 'web'))).status).toBe(410);
    await expect(sql(one.uri as string, 'SELECT 1')).rejects.toThrow(/password authentication failed|no.*role/);
    expect(await sql(two.uri as string, 'SELECT id FROM orders')).toEqual([{ id: 7 }]);
  });

  it('keeps the databases of applications apart', async () => {
    await provisioned('ours');
    const theirs = (await provisioned('theirs')).body.name;
    const ours = await bound('ours', 'app');
    const peek = (ours.uri as string).replace(`/${ours.database}?`, `/${theirs}?`);
    await expect(sql(peek, 'SELECT 1')).rejects.toThrow(/permission denied for database/);
    const own = (ours.uri as string).replace(`/${ours.database}?`, '/services?');
    await expect(sql(own, 'SELECT * FROM bindings')).rejects.toThrow(/permission denied/);
  });

  it('deprovisions what nobody uses', async () => {
    const { name } = (await provisioned('short')).body;
    await bound('short', 'app');
    expect(await api.call('DELETE', at('short'))).toMatchObject({ status: 422, body: { error: 'BindingsExist' } });
    await api.call('DELETE', at('short', 'service_bindings', 'app'));
    expect((await api.call('DELETE', at('short'))).status).toBe(200);
    expect((await api.call('DELETE', at('short'))).status).toBe(410);
    expect(await databases()).not.toContain(name);
    expect((await roles()).filter((role) => role.startsWith('s_short'))).toEqual([]);
  });

  it('restores what was deleted, while the application is connected', async () => {
    await provisioned('blog');
    const { uri } = (await bound('blog', 'app')) as { uri: string };
    await sql(uri, "CREATE TABLE posts (id serial PRIMARY KEY, text text); INSERT INTO posts (text) VALUES ('first')");
    await sql(uri, 'CREATE EXTENSION pgcrypto; CREATE VIEW titles AS SELECT text FROM posts');
    const backup = await backedUp('blog');
    const shown = (await api.call('GET', at('blog', 'backups'))).body.backups;
    expect(shown).toMatchObject([{ id: backup, state: 'ready', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }]);

    await sql(uri, "DELETE FROM posts; INSERT INTO posts (text) VALUES ('later')");
    const open = new pg.Client({ connectionString: uri.replace('require', 'no-verify') });
    open.on('error', () => {});
    await open.connect();
    const done = await api.finished(await api.call('POST', at('blog', 'backups', backup, 'restore')));
    expect(done.body).toMatchObject({ state: 'succeeded', kind: 'restore' });
    expect(await sql(uri, 'SELECT * FROM titles')).toEqual([{ text: 'first' }]);
    expect(await sql(uri, "INSERT INTO posts (text) VALUES ('again') RETURNING id")).toEqual([{ id: 2 }]);
    expect((await databases()).filter((name) => name.startsWith('restore'))).toEqual([]);
  });

  it('restores into another instance, also from one that is gone', async () => {
    await provisioned('old');
    const { uri } = (await bound('old', 'app')) as { uri: string };
    await sql(uri, 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS n');
    const backup = await backedUp('old');
    await api.call('DELETE', at('old', 'service_bindings', 'app'));
    await api.call('DELETE', at('old'));
    await provisioned('new');
    const into = (target: string) => api.call('POST', at('old', 'backups', backup, 'restore'), { into: target });
    expect((await into('nowhere')).status).toBe(404);
    expect((await api.call('POST', at('old', 'backups', backup, 'restore'))).status).toBe(404);
    expect((await api.finished(await into('new'))).body.state).toBe('succeeded');
    const restored = (await bound('new', 'app')) as { uri: string };
    expect(await sql(restored.uri, 'SELECT sum(n)::int AS sum FROM t')).toEqual([{ sum: 500_500 }]);
    await provisioned('queue-of-new', RABBITMQ);
    expect(await into('queue-of-new')).toMatchObject({ status: 400 });
  });

  it('names the checksum of a damaged backup, and touches nothing', async () => {
    await provisioned('safe');
    const { uri } = (await bound('safe', 'app')) as { uri: string };
    await sql(uri, 'CREATE TABLE t AS SELECT 1 AS n');
    const backup = await backedUp('safe');
    const { sha256 } = (await api.call('GET', at('safe', 'backups', backup))).body;
    const file = join(api.config.backups, `${backup}.backup`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const bytes = readFileSync(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    await sql(uri, 'UPDATE t SET n = 2');
    const done = await api.finished(await api.call('POST', at('safe', 'backups', backup, 'restore')));
    expect(done.body.state).toBe('failed');
    expect(done.body.description).toContain(sha256);
    expect(await sql(uri, 'SELECT n FROM t')).toEqual([{ n: 2 }]);
  });

  it('serves a virtual host that a client can use, and restores its definitions', async () => {
    const { name } = (await provisioned('jobs', RABBITMQ)).body;
    const credentials = (await bound('jobs', 'app')) as { uri: string; username: string };
    const url = credentials.uri.replace('amqps:', 'amqp:');
    const client = (command: string, args: string[], input = ''): string =>
      spawnSync(command, ['--url', url, ...args], { input, encoding: 'utf8' }).stdout;
    expect(client('amqp-declare-queue', ['-q', 'mail', '-d']).trim()).toBe('mail');
    client('amqp-publish', ['-r', 'mail', '-b', 'hello']);
    expect(client('amqp-get', ['-q', 'mail'])).toBe('hello');

    const backup = await backedUp('jobs');
    await rabbit('DELETE', `queues/${name}/mail`);
    const restore = () => api.call('POST', at('jobs', 'backups', backup, 'restore'));
    expect((await api.finished(await restore())).body.state).toBe('succeeded');
    expect((await rabbit('GET', `queues/${name}/mail`)).body).toMatchObject({ durable: true });
    const vhosts = (await rabbit('GET', 'vhosts')).body.map((one: { name: string }) => one.name);
    expect(vhosts.filter((vhost: string) => vhost.startsWith('restore'))).toEqual([]);

    await api.call('DELETE', at('jobs', 'service_bindings', 'app'));
    expect((await rabbit('GET', `users/${credentials.username}`)).status).toBe(404);
    expect((await api.call('DELETE', at('jobs'))).status).toBe(200);
    expect((await rabbit('GET', `vhosts/${name}`)).status).toBe(404);
  });

  it.each([
    ['PUT', at('x'), { service_id: 'mysql', plan_id: 'small' }, 400, /no service "mysql".*postgresql/],
    ['PUT', at('x'), { service_id: 'postgresql', plan_id: 'huge' }, 400, /no plan "huge".*small/],
    ['PUT', at('x'), { ...POSTGRES, parameters: { size: 1 } }, 400, /no parameter "size"/],
    ['PUT', at('x'), { ...POSTGRES, parameters: { connection_limit: 1e9 } }, 400, /from 1 to 50/],
    ['PUT', at('x'), { service_id: 's3', plan_id: 'bucket' }, 501, /practice cloud simulates no object store/],
    ['PUT', at('x'), '{"service_id":', 400, /no JSON/],
    ['PUT', at('x'), '[]', 400, /JSON object/],
    ['PUT', at('x'), `"${'['.repeat(70_000)}"`, 413, /64 KiB/],
    ['PUT', at('a%20b'), POSTGRES, 400, /does not fit/],
    ['PUT', at('%ff'), POSTGRES, 404, /nothing at this path/],
    ['GET', at('nobody'), undefined, 404, /no instance nobody/],
    ['POST', at('nobody', 'backups'), undefined, 404, /no instance nobody/],
    ['PUT', at('nobody', 'service_bindings', 'b'), {}, 404, /no instance nobody/],
    ['POST', at('nobody', 'backups', 'b', 'restore'), {}, 404, /no backup "b"/],
    ['PATCH', at('x'), {}, 405, /PUT, GET, DELETE/],
    ['GET', '/v3', undefined, 404, /openapi/],
  ] as const)('%s %s is refused', async (method, path, body, status, said) => {
    const answer = await api.call(method, path, body);
    expect(answer.status).toBe(status);
    expect(answer.body.description).toMatch(said);
  });

  it('lets nobody in without the token, and tells them nothing', async () => {
    for (const authorization of ['', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`])
      for (const path of ['/v2/catalog', '/v2/nothing'])
        expect((await api.call('GET', path, undefined, { authorization })).status).toBe(401);
  });

  it('goes on serving under ten megabytes of junk', async () => {
    const junk = Buffer.alloc(10_000_000, 'junk');
    await new Promise<void>((resolve) => {
      const socket = connect(api.port, '127.0.0.1', () => socket.end(junk));
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
    });
    await api.call('PUT', at('x'), junk.toString()).catch(() => {});
    expect((await api.call('GET', '/healthz')).status).toBe(200);
  });

  it('keeps secrets encrypted at rest and out of its logs', async () => {
    const { password } = (await bound('ours', 'app')) as { password: string };
    const client = backends.admin('services');
    await client.connect();
    const { rows } = await client.query("SELECT credentials FROM bindings WHERE instance_id = 'ours'");
    await client.end();
    expect(rows[0].credentials).toMatch(/^gAAAA/);
    expect(JSON.stringify(rows)).not.toContain(password);
    const audit = readFileSync(api.config.auditLog, 'utf8');
    expect(statSync(api.config.auditLog).mode & 0o777).toBe(0o600);
    for (const secret of [password, TOKEN, api.config.database.password]) {
      expect(audit).not.toContain(secret);
      expect(api.said()).not.toContain(secret);
    }
    const lines = audit
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({ method: 'PUT', path: at('shop'), status: 201, authenticated: true }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ status: 401, authenticated: false, error: 'Unauthorized' }));
  });

  it('loses nothing when it is killed at any moment', { timeout: 180_000 }, async () => {
    await provisioned('rock');
    const { uri } = (await bound('rock', 'app')) as { uri: string };
    await sql(uri, "CREATE TABLE t AS SELECT n, repeat('x', 500) AS text FROM generate_series(1, 20000) AS n");
    const backup = await backedUp('rock');
    const quiet = (work: Promise<unknown>) => work.catch(() => undefined);
    for (let round = 0; round < 16; round++) {
      const id = `kill-${round}`;
      const asked = [
        quiet(api.call('PUT', at(id), round % 2 === 0 ? POSTGRES : RABBITMQ).then(() => bound(id, 'app'))),
        quiet(api.call('POST', at('rock', 'backups', ...(round % 3 === 0 ? [] : [backup, 'restore'])))),
        quiet(api.call('PUT', at('rock', 'service_bindings', `b${round}`), {})),
      ];
      await sleep(round * 40);
      await api.stop('SIGKILL');
      await Promise.all(asked);
      await api.start();
      // Whatever was begun: asked again it is there, once.
      expect([200, 201]).toContain((await api.call('PUT', at(id), round % 2 === 0 ? POSTGRES : RABBITMQ)).status);
      await bound(id, 'app');
      expect(await sql(uri, 'SELECT count(*)::int AS n FROM t')).toEqual([{ n: 20_000 }]);
      expect((await api.call('GET', at('rock', 'last_operation'))).body.state).not.toBe('in progress');
    }
    const { instances } = (await api.call('GET', '/v2/service_instances')).body;
    expect(instances.filter((one: { state: string }) => one.state !== 'ready')).toEqual([]);
    expect((await databases()).filter((name) => name.startsWith('restore'))).toEqual([]);
    const { backups } = (await api.call('GET', at('rock', 'backups'))).body;
    expect(backups.filter((one: { state: string }) => one.state === 'in progress')).toEqual([]);
    for (const one of instances as { id: string; bindings: string[] }[]) {
      for (const binding of one.bindings) await api.call('DELETE', at(one.id, 'service_bindings', binding));
      expect((await api.call('DELETE', at(one.id))).status).toBe(200);
    }
    expect(await databases()).toEqual([]);
    expect(await roles()).toEqual([]);
  });
});
