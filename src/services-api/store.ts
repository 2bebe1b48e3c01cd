import pg from 'pg';
import type { ServiceName } from './catalog.ts';
import type { ServicesConfig } from './config.ts';
import { MIGRATIONS } from './migrations.ts';

export type Client = pg.PoolClient;
/** What has a query method: the pool, or one connection inside a transaction. */
export type Queries = Pick<pg.Pool, 'query'>;

/** `creating` and `deleting` say that the work behind may be half done: it is gone on with, never guessed at. */
export type Progress = 'creating' | 'ready' | 'deleting';

export interface Instance {
  readonly id: string;
  readonly service: ServiceName;
  readonly plan: string;
  readonly parameters: Record<string, number>;
  /** of the database, vhost or bucket */
  readonly name: string;
  readonly state: Progress;
  readonly created_at: Date;
}

export interface Binding {
  readonly instance_id: string;
  readonly id: string;
  /** of the role or user */
  readonly name: string;
  readonly state: Progress;
  /** a Fernet token; null until ready */
  readonly credentials: string | null;
  readonly created_at: Date;
}

export interface Backup {
  readonly id: string;
  readonly instance_id: string;
  readonly service: ServiceName;
  readonly state: 'in progress' | 'ready' | 'failed';
  /** size of the file; text, as bigint does not fit a number */
  readonly bytes: string | null;
  readonly sha256: string | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
}

export interface Operation {
  readonly id: string;
  readonly kind: 'backup' | 'restore';
  /** the instance that is read or written */
  readonly instance_id: string;
  readonly backup_id: string;
  readonly state: 'in progress' | 'succeeded' | 'failed';
  /** a restore's: `staging` while the target is untouched, `swapped` once the restored data has taken its place */
  readonly step: 'staging' | 'swapped';
  readonly description: string;
  readonly created_at: Date;
}

export type Pool = pg.Pool;

/** Connections to `database` on the server; encrypted. Its certificate is not checked: RDS's authorities are not among Debian's. */
export function connect(config: ServicesConfig['database'], database: string, max = 10): pg.Pool {
  const pool = new pg.Pool({
    host: config.host,
    port: config.port,
    user: config.user,
    password: config.password,
    database,
    max,
    ssl: { rejectUnauthorized: false },
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    application_name: 'services-api',
  });
  // An idle connection that the server ends is no reason to end too: the next query opens another.
  pool.on('error', () => {});
  return pool;
}

export async function inTransaction<T>(pool: pg.Pool, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // While it is in use the pool does not listen, and an unheard error would end the process.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((cause: Error) => {
      broken = cause;
    });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

/** Brings the API's own database to this version. Two processes at once are no harm. */
export async function migrate(pool: pg.Pool): Promise<void> {
  await inTransaction(pool, async (client) => {
    // Any number that is ours alone: it names the lock.
    await client.query('SELECT pg_advisory_xact_lock(728113)');
    await client.query(
      'CREATE TABLE IF NOT EXISTS migrations (id integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())',
    );
    const { rows } = await client.query<{ id: number }>('SELECT id FROM migrations');
    const done = new Set(rows.map(({ id }) => id));
    const unknown = [...done].filter((id) => id > MIGRATIONS.length);
    if (unknown.length > 0)
      throw new Error(`the database was written by a newer version of this API (migration ${unknown[0]})`);
    for (const [index, sql] of MIGRATIONS.entries()) {
      if (done.has(index + 1)) continue;
      await client.query(sql);
      await client.query('INSERT INTO migrations (id) VALUES ($1)', [index + 1]);
    }
  });
}

/** One row or undefined. */
export async function one<T extends pg.QueryResultRow>(
  queries: Queries,
  sql: string,
  values: readonly unknown[],
): Promise<T | undefined> {
  return (await queries.query<T>(sql, [...values])).rows[0];
}

export async function many<T extends pg.QueryResultRow>(
  queries: Queries,
  sql: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  return (await queries.query<T>(sql, [...values])).rows;
}
