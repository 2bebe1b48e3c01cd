import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditLog } from './audit.ts';
import { createBackups } from './backups.ts';
import { createBroker } from './broker.ts';
import type { ServiceName } from './catalog.ts';
import type { ServicesConfig } from './config.ts';
import { objectStore } from './drivers/objectStore.ts';
import { postgresql } from './drivers/postgresql.ts';
import { rabbitmq } from './drivers/rabbitmq.ts';
import type { Driver } from './drivers/types.ts';
import { ApiError, messageOf } from './errors.ts';
import { fernet } from './fernet.ts';
import { locks } from './locks.ts';
import { routes } from './routes.ts';
import { createApiServer } from './server.ts';
import { connect, migrate, type Pool } from './store.ts';

/** Milliseconds between two looks at what could not be finished. */
const SETTLE_MS = 60_000;

export interface RunningService {
  readonly port: number;
  /** reads the certificate again */
  reload(): void;
  /** Cuts off backups and restores, answers what was asked, ends. */
  close(): Promise<void>;
}

/** Starts the API: waits for the database, migrates, settles what an earlier process left half done, listens. */
export async function startService(
  config: ServicesConfig,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<RunningService> {
  const stopping = new AbortController();
  const onError = (what: string, error: unknown): void => log(`${what}: ${messageOf(error)}`);
  const pool = connect(config.database, config.database.name);
  await reachDatabase(pool, log, signal);
  await migrate(pool);
  await mkdir(config.backups, { recursive: true, mode: 0o700 });

  const drivers: Partial<Record<ServiceName, Driver>> = {
    postgresql: postgresql(config.database, pool),
    rabbitmq: rabbitmq(config.rabbitmq),
    ...(config.objectStore ? { s3: objectStore(config.objectStore) } : {}),
  };
  const driver = (service: ServiceName): Driver => {
    const found = drivers[service];
    if (found) return found;
    throw new ApiError(
      501,
      'NoObjectStore',
      `this Cloudspace has no ${service}: the practice cloud simulates no object store; on AWS there is one`,
    );
  };
  const parts = { pool, fernet: fernet(config.fernetKeys), locks: locks(), driver };
  const broker = createBroker(parts);
  const backups = createBackups({ ...parts, broker, dir: config.backups, signal: stopping.signal, onError });
  const settle = async (): Promise<void> => {
    await backups.recover();
    const left = await broker.settle(onError);
    if (left > 0) log(`${left} half-done instances or bindings are left for another try in ${SETTLE_MS / 1000} s`);
  };
  await settle();
  const again = setInterval(() => {
    settle().catch((error: unknown) => onError('settle', error));
  }, SETTLE_MS);

  const readTls = () => ({ cert: readFileSync(config.tls.certificate), key: readFileSync(config.tls.key) });
  const server = createApiServer({
    tls: readTls(),
    token: config.token,
    // Not the object store: AWS is asked for a person's request, not for every look.
    routes: routes({ broker, backups, trouble: () => trouble({ ...drivers, s3: undefined }) }),
    audit: auditLog(config.auditLog),
    onError,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.listen.port, config.listen.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  log(`listening on ${config.listen.host}:${port}`);

  return {
    port,
    reload() {
      try {
        server.setSecureContext(readTls());
        log('the certificate was read again');
      } catch (error) {
        onError('the certificate cannot be read: the old one stays', error);
      }
    },
    async close() {
      clearInterval(again);
      stopping.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await Promise.race([closed, sleep(5000, undefined, { ref: false })]);
      server.closeAllConnections();
      await backups.idle();
      await pool.end();
    },
  };
}

/** The database may be made after this host, or restart: there is no giving up on it. */
async function reachDatabase(pool: Pool, log: (line: string) => void, signal: AbortSignal): Promise<void> {
  for (let wait = 1000, said = ''; ; wait = Math.min(wait * 2, 15_000)) {
    try {
      await pool.query('SELECT 1');
      return;
    } catch (error) {
      const why = messageOf(error) || String((error as { code?: string }).code);
      if (why !== said) log(`waiting for the database: ${why}`);
      said = why;
    }
    await sleep(wait, undefined, { signal });
  }
}

async function trouble(drivers: { readonly [name in ServiceName]?: Driver | undefined }): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(drivers).map(async ([name, driver]) => {
      try {
        await driver?.ping();
        return [];
      } catch {
        return [name];
      }
    }),
  );
  return found.flat();
}
