import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { ServicesConfig } from '../config.ts';
import { ApiError } from '../errors.ts';
import { connect, type Instance, inTransaction, one, type Pool, type Queries } from '../store.ts';
import { runProgram } from './program.ts';
import { randomPassword, scramVerifier } from './scram.ts';
import type { Driver } from './types.ts';

const { escapeIdentifier: name, escapeLiteral: text } = pg;

/** Milliseconds; a dump that cannot get its locks in this time fails, rather than hold up the application's migrations behind it. */
const LOCK_WAIT_MS = 60_000;

/**
 * Databases on the Cloudspace's PostgreSQL server. An instance is a database and a role of the same name that owns it and cannot log in. A binding
 * is a login role, a member of the owner, that works as the owner (`ALTER ROLE … SET role`): what one binding makes, every other can use, and
 * nothing is left of a binding that goes. The API's own role needs CREATEDB and CREATEROLE, no superuser, which RDS gives to nobody.
 */
export function postgresql(server: ServicesConfig['database'], pool: Pool): Driver {
  const env = {
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: server.user,
    PGPASSWORD: server.password,
    PGSSLMODE: 'require',
    PGCONNECT_TIMEOUT: '10',
    PGAPPNAME: 'services-api',
  };

  async function createDatabase(database: string, owner: string, connectionLimit: number): Promise<void> {
    const found = await one<{ state: number }>(pool, 'SELECT 1 AS state FROM pg_database WHERE datname = $1', [
      database,
    ]);
    if (!found)
      await pool.query(
        `CREATE DATABASE ${name(database)} OWNER ${name(owner)} TEMPLATE template0 ENCODING 'UTF8' CONNECTION LIMIT ${connectionLimit}`,
      );
    // As the owner, whose right it is: the API's role is a member, and grants in its name.
    await pool.query(`REVOKE ALL ON DATABASE ${name(database)} FROM PUBLIC`);
  }

  /** Sessions of this API's own role end too, but the one that asks. */
  const endSessions = (queries: Queries, column: 'datname' | 'usename', value: string): Promise<unknown> =>
    queries.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${column} = $1 AND pid <> pg_backend_pid()`,
      [value],
    );

  async function dropDatabase(database: string): Promise<void> {
    await pool.query(`DROP DATABASE IF EXISTS ${name(database)} WITH (FORCE)`);
  }

  async function dropRole(instance: Instance, role: string): Promise<void> {
    if (!(await roleExists(pool, role))) return;
    await pool.query(`ALTER ROLE ${name(role)} NOLOGIN`);
    await endSessions(pool, 'usename', role);
    const found = await one(pool, 'SELECT 1 FROM pg_database WHERE datname = $1', [instance.name]);
    if (found) {
      const inside = connect(server, instance.name, 1);
      try {
        // Only what it made under its own name, after RESET ROLE; it goes to the owner, the application keeps it.
        await inside.query(`REASSIGN OWNED BY ${name(role)} TO ${name(instance.name)}`);
        await inside.query(`DROP OWNED BY ${name(role)}`);
      } finally {
        await inside.end();
      }
    }
    await pool.query(`DROP ROLE IF EXISTS ${name(role)}`);
  }

  return {
    async create(instance) {
      const { name: database } = instance;
      await inTransaction(pool, async (client) => {
        if (!(await roleExists(client, database))) await client.query(`CREATE ROLE ${name(database)} NOLOGIN`);
        await client.query(`GRANT ${name(database)} TO CURRENT_USER`);
      });
      await createDatabase(database, database, limitOf(instance));
    },

    async delete(instance) {
      await dropDatabase(instance.name);
      await pool.query(`DROP ROLE IF EXISTS ${name(instance.name)}`);
    },

    async bind(instance, role) {
      const password = randomPassword();
      await inTransaction(pool, async (client) => {
        if (!(await roleExists(client, role))) await client.query(`CREATE ROLE ${name(role)}`);
        await client.query(`ALTER ROLE ${name(role)} LOGIN PASSWORD ${text(scramVerifier(password))}`);
        await client.query(`ALTER ROLE ${name(role)} SET role = ${text(instance.name)}`);
        await client.query(`GRANT ${name(instance.name)} TO ${name(role)}`);
        await client.query(`GRANT ${name(role)} TO CURRENT_USER`);
      });
      const { host, port } = server.applications ?? server;
      const uri = `postgresql://${role}:${password}@${host}:${port}/${instance.name}?sslmode=require`;
      return { uri, host, port, database: instance.name, username: role, password, sslmode: 'require' };
    },

    unbind: dropRole,

    async ping() {
      await pool.query('SELECT 1');
    },

    backups: {
      async dump(instance, file, signal) {
        await checkClient(pool, signal);
        const args = ['--format=custom', `--lock-wait-timeout=${LOCK_WAIT_MS}`, '--no-password'];
        await runProgram('pg_dump', args, {
          env: { ...env, PGDATABASE: instance.name },
          signal,
          outputFile: file,
        });
      },

      async stage(instance, file, stage, signal) {
        await createDatabase(stage, instance.name, limitOf(instance));
        const args = ['--exit-on-error', '--no-owner', '--no-privileges', '--no-password'];
        await runProgram('pg_restore', [...args, `--role=${instance.name}`, `--dbname=${stage}`, file], {
          env,
          signal,
        });
      },

      /** Both renames and the note are one transaction: after a kill it has happened whole or not at all. */
      async swap(instance, _file, stage, mark) {
        for (let attempt = 1; ; attempt++) {
          const stop = new AbortController();
          // A rename keeps new sessions out and waits five seconds for those that are there: they are ended meanwhile.
          const ending = (async () => {
            while (!stop.signal.aborted) {
              await endSessions(pool, 'datname', instance.name);
              await sleep(200, undefined, { signal: stop.signal });
            }
          })().catch(() => {});
          try {
            await inTransaction(pool, async (client) => {
              await client.query(`ALTER DATABASE ${name(instance.name)} RENAME TO ${name(replaced(stage))}`);
              await client.query(`ALTER DATABASE ${name(stage)} RENAME TO ${name(instance.name)}`);
              await mark(client);
            });
            return;
          } catch (error) {
            // 55006: object_in_use
            if ((error as { code?: string }).code !== '55006' || attempt === 3) throw error;
          } finally {
            stop.abort();
            await ending;
          }
        }
      },

      async discard(stage) {
        await dropDatabase(stage);
        await dropDatabase(replaced(stage));
      },
    },
  };
}

const replaced = (stage: string): string => `${stage}_replaced`;

const limitOf = (instance: Instance): number => instance.parameters.connection_limit ?? 20;

async function roleExists(queries: Queries, role: string): Promise<boolean> {
  return (await one(queries, 'SELECT 1 FROM pg_roles WHERE rolname = $1', [role])) !== undefined;
}

/** pg_dump refuses servers newer than itself: said here with what to do about it. */
async function checkClient(pool: Pool, signal: AbortSignal): Promise<void> {
  const said = await runProgram('pg_dump', ['--version'], { env: {}, signal });
  const client = Number(/\(PostgreSQL\) (\d+)/.exec(said)?.[1]);
  const found = await one<{ version: number }>(
    pool,
    "SELECT current_setting('server_version_num')::int / 10000 AS version",
    [],
  );
  if (found && found.version > client)
    throw new ApiError(
      501,
      'ServerTooNew',
      `this host's pg_dump is of PostgreSQL ${client} and cannot back up a server of PostgreSQL ${found.version}: install the package postgresql-client-${found.version} on it`,
    );
}
