import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Broker, BrokerParts } from './broker.ts';
import type { BackupDriver } from './drivers/types.ts';
import { ApiError, messageOf } from './errors.ts';
import { checkId } from './names.ts';
import { type Backup, type Instance, inTransaction, many, type Operation, one, type Queries } from './store.ts';

export interface BackupParts extends BrokerParts {
  readonly broker: Pick<Broker, 'instance'>;
  /** folder of the files, `<backup id>.backup` */
  readonly dir: string;
  /** cuts off what is under way when the process is told to stop */
  readonly signal: AbortSignal;
  readonly onError: (what: string, error: unknown) => void;
}

/** Backups are made and restored behind the request: it is answered with the operation, which is asked after with `last_operation`. */
export interface Backups {
  create(instanceId: string): Promise<Operation>;
  list(instanceId: string): Promise<Backup[]>;
  get(instanceId: string, id: string): Promise<Backup>;
  remove(instanceId: string, id: string): Promise<void>;
  /** `into`: another instance of the same service; left out: the one that was backed up */
  restore(instanceId: string, id: string, into?: string): Promise<Operation>;
  /** the operation, or the instance's newest; undefined when there never was one */
  operation(instanceId: string, id?: string): Promise<Operation | undefined>;
  /** At start: what a process that died left under way is rolled back, or finished where the restored data was in place already. */
  recover(): Promise<void>;
  /** resolves when nothing is under way */
  idle(): Promise<void>;
}

export function createBackups(parts: BackupParts): Backups {
  const { pool, locks, driver, broker, dir, signal, onError } = parts;
  const running = new Map<string, Promise<void>>();
  const file = (id: string): string => join(dir, `${id}.backup`);
  const stageOf = (operation: Operation): string => `restore_${operation.id}`;

  function backupDriver(instance: Pick<Instance, 'service'>): BackupDriver {
    const { backups } = driver(instance.service);
    if (backups) return backups;
    throw new ApiError(
      400,
      'NotSupported',
      `the service ${instance.service} has no backups here: its buckets keep versions`,
    );
  }

  async function begin(kind: Operation['kind'], instanceId: string, backupId: string, queries: Queries) {
    try {
      return (await one<Operation>(
        queries,
        `INSERT INTO operations (id, kind, instance_id, backup_id, state, description)
         VALUES ($1, $2, $3, $4, 'in progress', $5) RETURNING *`,
        [newId(), kind, instanceId, backupId, `the ${kind} is under way`],
      )) as Operation;
    } catch (error) {
      // 23505: unique_violation, of one_operation_at_a_time
      if ((error as { code?: string }).code !== '23505') throw error;
      throw new ApiError(422, 'ConcurrencyError', `another backup or restore of ${instanceId} is under way`);
    }
  }

  const finish = (operation: Operation, state: 'succeeded' | 'failed', description: string, queries: Queries = pool) =>
    queries.query('UPDATE operations SET state = $2, description = $3, finished_at = now() WHERE id = $1', [
      operation.id,
      state,
      description,
    ]);

  /** Runs on after the request. Nothing it throws is lost: it becomes the operation's description. */
  function run(operation: Operation, work: () => Promise<string>): void {
    const done = work()
      .then((description) => finish(operation, 'succeeded', description))
      .catch(async (error: unknown) => {
        onError(`${operation.kind} ${operation.id} of ${operation.instance_id}`, error);
        const why = signal.aborted ? `the ${operation.kind} was cut off: the services API was stopped` : said(error);
        await finish(operation, 'failed', why);
      })
      // The database is away: the next start finds the operation in progress and settles it.
      .catch((error: unknown) => onError(`note the end of ${operation.kind} ${operation.id}`, error))
      .then(() => {
        running.delete(operation.id);
      });
    running.set(operation.id, done);
  }

  async function dump(instance: Instance, operation: Operation): Promise<string> {
    const id = operation.backup_id;
    const part = `${file(id)}.part`;
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await backupDriver(instance).dump(instance, part, signal);
      const sha256 = await checksum(part);
      const { size } = await stat(part);
      await rename(part, file(id));
      await syncFolder(dir);
      await pool.query(
        "UPDATE backups SET state = 'ready', bytes = $2, sha256 = $3, finished_at = now() WHERE id = $1",
        [id, size, sha256],
      );
      return `backup ${id}: ${size} bytes, SHA-256 ${sha256}`;
    } catch (error) {
      await giveUp(id);
      throw error;
    }
  }

  async function giveUp(backupId: string): Promise<void> {
    await rm(`${file(backupId)}.part`, { force: true });
    await rm(file(backupId), { force: true });
    await pool.query("UPDATE backups SET state = 'failed', finished_at = now() WHERE id = $1", [backupId]);
  }

  async function restore(target: Instance, backup: Backup, operation: Operation): Promise<string> {
    const backups = backupDriver(target);
    const source = file(backup.id);
    await verify(backup, source);
    const stage = stageOf(operation);
    try {
      await backups.stage(target, source, stage, signal);
      await backups.swap(target, source, stage, async (inside = pool) => {
        await inside.query("UPDATE operations SET step = 'swapped' WHERE id = $1", [operation.id]);
      });
    } catch (error) {
      // The connection may have gone while the swap was committed: what is noted says whether it was.
      const now = await one<Operation>(pool, 'SELECT * FROM operations WHERE id = $1', [operation.id]);
      await backups.discard(stage).catch((cause: unknown) => onError(`tidy up after restore ${operation.id}`, cause));
      if (now?.step !== 'swapped') throw error;
    }
    // What was replaced is in nobody's way; that it could not be removed must not make the restore a failure.
    await backups.discard(stage).catch((cause: unknown) => onError(`tidy up after restore ${operation.id}`, cause));
    return `backup ${backup.id} of ${backup.created_at.toISOString()} is restored into ${target.id}`;
  }

  async function row(instanceId: string, id: string): Promise<Backup> {
    checkId('the instance id', instanceId);
    const found = await one<Backup>(pool, 'SELECT * FROM backups WHERE instance_id = $1 AND id = $2', [instanceId, id]);
    if (found) return found;
    throw new ApiError(404, 'NotFound', `${instanceId} has no backup ${JSON.stringify(id.slice(0, 100))}`);
  }

  return {
    create: (instanceId) =>
      locks(instanceId, async () => {
        const instance = await broker.instance(instanceId);
        backupDriver(instance);
        const operation = await inTransaction(pool, async (client) => {
          const id = `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}-${newId().slice(0, 6)}`;
          await client.query(
            "INSERT INTO backups (id, instance_id, service, state) VALUES ($1, $2, $3, 'in progress')",
            [id, instance.id, instance.service],
          );
          return begin('backup', instance.id, id, client);
        });
        run(operation, () => dump(instance, operation));
        return operation;
      }),

    list: (instanceId) =>
      many<Backup>(pool, 'SELECT * FROM backups WHERE instance_id = $1 ORDER BY created_at, id', [
        checkId('the instance id', instanceId),
      ]),

    get: row,

    remove: (instanceId, id) =>
      locks(instanceId, async () => {
        const backup = await row(instanceId, id);
        const inUse = await one<Operation>(
          pool,
          "SELECT * FROM operations WHERE backup_id = $1 AND state = 'in progress'",
          [id],
        );
        if (inUse) throw new ApiError(422, 'ConcurrencyError', `a ${inUse.kind} with the backup ${id} is under way`);
        // The file first: a row without a file can be removed again, a file without a row would be found by nobody.
        await rm(file(backup.id), { force: true });
        await pool.query('DELETE FROM backups WHERE id = $1', [id]);
      }),

    async restore(instanceId, id, into = instanceId) {
      const backup = await row(instanceId, id);
      if (backup.state !== 'ready')
        throw new ApiError(422, 'BackupNotReady', `the backup ${id} is ${backup.state}: it cannot be restored`);
      return locks(into, async () => {
        const target = await broker.instance(into);
        if (target.service !== backup.service)
          throw new ApiError(
            400,
            'BadRequest',
            `a backup of ${backup.service} cannot be restored into ${into}, which is ${target.service}`,
          );
        backupDriver(target);
        const operation = await begin('restore', target.id, backup.id, pool);
        run(operation, () => restore(target, backup, operation));
        return operation;
      });
    },

    operation: (instanceId, id) =>
      id === undefined
        ? one<Operation>(pool, 'SELECT * FROM operations WHERE instance_id = $1 ORDER BY created_at DESC LIMIT 1', [
            instanceId,
          ])
        : one<Operation>(pool, 'SELECT * FROM operations WHERE instance_id = $1 AND id = $2', [instanceId, id]),

    async recover() {
      for (const operation of await many<Operation>(pool, "SELECT * FROM operations WHERE state = 'in progress'")) {
        if (running.has(operation.id)) continue;
        try {
          await settle(operation);
        } catch (error) {
          onError(`settle ${operation.kind} ${operation.id} of ${operation.instance_id}`, error);
        }
      }
      await removeStrays();
    },

    async idle() {
      await Promise.all(running.values());
    },
  };

  async function settle(operation: Operation): Promise<void> {
    const cut = `the ${operation.kind} was cut off: the services API ended half way`;
    if (operation.kind === 'backup') {
      await giveUp(operation.backup_id);
      await finish(operation, 'failed', `${cut}. Make another`);
      return;
    }
    const target = await broker.instance(operation.instance_id);
    await backupDriver(target).discard(stageOf(operation));
    if (operation.step === 'swapped')
      await finish(operation, 'succeeded', `backup ${operation.backup_id} is restored into ${target.id}`);
    else await finish(operation, 'failed', `${cut}. ${target.id} is as it was; restore again`);
  }

  /** Files of no backup: their process died before it could note or remove them. */
  async function removeStrays(): Promise<void> {
    const files = await readdir(dir).catch(() => []);
    const rows = await many<Backup>(pool, 'SELECT * FROM backups');
    const known = new Set(rows.flatMap(({ id }) => [`${id}.backup`, `${id}.backup.part`]));
    for (const name of files) if (/\.backup(\.part)?$/.test(name) && !known.has(name)) await rm(join(dir, name));
  }
}

/** Throws ApiError that names the checksum, before anything is touched. */
async function verify(backup: Backup, path: string): Promise<void> {
  let found: string;
  try {
    found = await checksum(path);
  } catch (error) {
    throw new ApiError(
      422,
      'BackupMissing',
      `the file of backup ${backup.id} cannot be read (${messageOf(error)}): nothing was restored`,
    );
  }
  if (found !== backup.sha256)
    throw new ApiError(
      422,
      'BackupDamaged',
      `the backup ${backup.id} is damaged: its SHA-256 checksum is ${found}, and was ${backup.sha256} when it was made. Nothing was restored`,
    );
}

async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A rename is on the disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const newId = (): string => randomBytes(6).toString('hex');

/** What people are told: a driver's own words, cut to a line's length. */
const said = (error: unknown): string => messageOf(error).slice(0, 600);
