import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const PG_BIN = '/usr/lib/postgresql/15/bin';
export const RABBIT = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/** Why the real services cannot be started here; undefined when they can. */
export function whyNoBackends(): string | undefined {
  if (!existsSync(`${PG_BIN}/initdb`)) return "Debian's package postgresql-15 is not installed";
  if (!existsSync(RABBIT)) return "Debian's package rabbitmq-server is not installed";
  if (process.getuid?.() !== 0) return 'starting PostgreSQL as its own user needs root';
  return undefined;
}

export interface Backends {
  readonly postgres: { readonly port: number };
  readonly rabbitmq: { readonly management: string; readonly port: number };
  /** the superuser's connection, for looking behind the API */
  admin(database?: string): pg.Client;
  close(): Promise<void>;
}

export const PASSWORDS = { services: 'Services-Database-Password', rabbitmq: 'Services-RabbitMQ-Password' };

/** A PostgreSQL server with TLS and the roles and database that the deployment makes, and a RabbitMQ server; both on loopback, in a folder of their own. */
export async function startBackends(): Promise<Backends> {
  const dir = mkdtempSync(join(tmpdir(), 'cloudspace-backends-'));
  chmodSync(dir, 0o755);
  const [pgPort, amqp, management, dist, epmd] = (await freePorts(5)) as [number, number, number, number, number];
  const postgres = await startPostgres(dir, pgPort);
  const admin = (database = 'postgres') =>
    new pg.Client({
      host: '127.0.0.1',
      port: pgPort,
      user: 'root',
      password: 'x',
      database,
      ssl: { rejectUnauthorized: false },
    });
  const rabbit = startRabbit(dir, { amqp, management, dist, epmd }, ['services', PASSWORDS.rabbitmq]);
  await until(async () => {
    const client = admin();
    await client.connect();
    await client.query(`CREATE ROLE services LOGIN CREATEDB CREATEROLE PASSWORD '${PASSWORDS.services}'`);
    await client.query('CREATE DATABASE services OWNER services');
    await client.end();
  });
  await until(async () => {
    const authorization = `Basic ${Buffer.from(`services:${PASSWORDS.rabbitmq}`).toString('base64')}`;
    const answer = await fetch(`http://127.0.0.1:${management}/api/overview`, { headers: { authorization } });
    if (!answer.ok) throw new Error(`RabbitMQ: ${answer.status}`);
  });
  return {
    postgres: { port: pgPort },
    rabbitmq: { management: `http://127.0.0.1:${management}`, port: amqp },
    admin,
    async close() {
      await Promise.all([ended(postgres, 'SIGINT'), ended(rabbit, 'SIGTERM')]);
      spawnSync('epmd', ['-port', String(epmd), '-kill'], { stdio: 'ignore' });
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function startPostgres(dir: string, port: number): Promise<ChildProcess> {
  const data = join(dir, 'postgres');
  const id = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
  const as = { uid: id('-u'), gid: id('-g') };
  const made = spawnSync('install', ['-d', '-o', 'postgres', '-g', 'postgres', '-m', '0700', data]);
  if (made.status !== 0) throw new Error(String(made.stderr));
  run(`${PG_BIN}/initdb`, ['-D', data, '-U', 'root', '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N'], as);
  // Superusers come without a password here; every other role has to show its own.
  writeFileSync(
    join(data, 'pg_hba.conf'),
    'hostssl all root 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n',
  );
  selfSigned(data, 'server');
  for (const file of ['server.key', 'server.crt']) chownSync(join(data, file), as.uid, as.gid);
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ssl: 'on',
    fsync: 'off',
    max_connections: 60,
  };
  return spawn(
    `${PG_BIN}/postgres`,
    ['-D', data, ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])],
    {
      ...as,
      stdio: 'ignore',
    },
  );
}

/** Debian's RabbitMQ, on loopback unless another address is given, with its management plugin, with a home, a name and ports of its own, and one administrator. */
export function startRabbit(
  dir: string,
  ports: { amqp: number; management: number; dist: number; epmd: number },
  [user, password]: readonly [string, string],
  address = '127.0.0.1',
): ChildProcess {
  writeFileSync(
    join(dir, 'rabbitmq.conf'),
    [
      `listeners.tcp.1 = ${address}:${ports.amqp}`,
      `management.tcp.ip = ${address}`,
      `management.tcp.port = ${ports.management}`,
      `default_user = ${user}`,
      `default_pass = ${password}`,
      '',
    ].join('\n'),
  );
  writeFileSync(join(dir, 'enabled_plugins'), '[rabbitmq_management].\n');
  return spawn(RABBIT, [], {
    stdio: 'ignore',
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: dir,
      RABBITMQ_NODENAME: `cloudspace-test-${ports.amqp}@localhost`,
      RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
      RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
      RABBITMQ_LOG_BASE: join(dir, 'log'),
      RABBITMQ_PID_FILE: join(dir, 'rabbit.pid'),
      RABBITMQ_DIST_PORT: String(ports.dist),
      ERL_EPMD_PORT: String(ports.epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
    },
  });
}

/** `<dir>/<name>.crt` and `.key` for localhost and an address, its own authority. */
export function selfSigned(dir: string, name: string, address = '127.0.0.1'): void {
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test'.split(' ');
  const names = ['-addext', `subjectAltName=DNS:localhost,DNS:services,IP:${address}`];
  run('openssl', [...words, ...names, '-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.crt`)]);
  chmodSync(join(dir, `${name}.key`), 0o600);
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Tries until it does not throw; after `seconds` the last error is thrown. */
export async function until<T>(work: () => Promise<T>, seconds = 60): Promise<T> {
  for (const end = Date.now() + seconds * 1000; ; ) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await sleep(100);
  }
}

function run(command: string, args: readonly string[], as: { uid?: number; gid?: number } = {}): void {
  const { status, stderr } = spawnSync(command, args, { ...as, encoding: 'utf8', cwd: '/' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

export function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}
