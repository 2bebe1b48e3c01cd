import { setTimeout as sleep } from 'node:timers/promises';
import { CloudspaceError, type Event } from '../../engine/types.ts';
import { lastLines } from '../hosts/remote.ts';
import type { Service, ServiceSpec, Swarm, Task } from './swarm.ts';

/** Seconds without any change after which a rollout is given up. Longer than a health check's usual start period. */
const STUCK_SECONDS = 120;
/** A first version that fails this often will not come up by waiting longer. */
const FIRST_FAILURES = 2;
const LOG_LINES = 15;

const FAILED = ['failed', 'rejected', 'complete', 'orphaned'];

export interface RolloutOptions {
  readonly swarm: Swarm;
  readonly spec: ServiceSpec;
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
  /** milliseconds between looks */
  readonly pace?: number;
}

/** What the tasks of a service say of the version that is being rolled out. */
export interface Progress {
  readonly running: number;
  readonly failed: readonly Task[];
  /** why a task waits: no suitable node */
  readonly waiting: string | undefined;
}

/** Sorts a service's tasks: those of this very image and environment, that were made since `since` (ISO time of the controller) where they failed. */
export function progressOf(tasks: readonly Task[], spec: ServiceSpec, since: string): Progress {
  const { Image, Env = [] } = spec.TaskTemplate.ContainerSpec;
  const mine = tasks.filter(
    ({ Spec: { ContainerSpec } }) => ContainerSpec?.Image === Image && same(ContainerSpec.Env ?? [], Env),
  );
  const waiting = mine.find(
    (task) => task.DesiredState === 'running' && task.Status.State === 'pending' && task.Status.Err,
  );
  return {
    running: mine.filter((task) => task.DesiredState === 'running' && task.Status.State === 'running').length,
    failed: mine.filter(
      (task) => FAILED.includes(task.Status.State) && Date.parse(task.CreatedAt) >= Date.parse(since),
    ),
    waiting: waiting?.Status.Err,
  };
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}

/**
 * Creates the service or updates it, and waits until all containers of the new version run and are healthy. A new version that fails is rolled back by the
 * Swarm, and a first one is removed. Throws `ApplicationFailed` with its last log lines.
 */
export async function rollOut(options: RolloutOptions, before: Service | undefined): Promise<void> {
  const { swarm, spec, notify } = options;
  const key = 'rollout';
  const name = spec.Name;
  const text = before ? `replacing the containers of ${name}` : `starting ${name}`;
  notify({ type: 'progress', key, text, status: 'started' });
  try {
    if (before) await swarm.send('POST', `/services/${before.ID}/update?version=${before.Version.Index}`, spec);
    else await swarm.send('POST', '/services/create', spec);
    await watch(options, before !== undefined, (now) =>
      notify({ type: 'progress', key, text: `${text}: ${now}`, status: 'going' }),
    );
    notify({
      type: 'progress',
      key,
      text: before ? `replaced the containers of ${name}` : `started ${name}`,
      status: 'done',
    });
  } catch (error) {
    notify({ type: 'progress', key, text, status: 'failed' });
    throw error;
  }
}

async function watch(options: RolloutOptions, hasBefore: boolean, tell: (text: string) => void): Promise<void> {
  const { swarm, spec, signal, pace = 500 } = options;
  const replicas = spec.Mode.Replicated?.Replicas ?? 1;
  const since = (await swarm.service(spec.Name))?.UpdatedAt ?? new Date(0).toISOString();
  let logs = '';
  let last = '';
  let changed = Date.now();
  for (;;) {
    const [service, tasks] = await Promise.all([swarm.service(spec.Name), swarm.tasks(spec.Name)]);
    if (!service) throw new CloudspaceError(`the application ${spec.Name} was removed meanwhile`, { code: 'Conflict' });
    const state = service.UpdateStatus?.State;
    const progress = progressOf(tasks, spec, since);
    const [failed] = progress.failed;
    // Now: the containers of a version that is rolled back are soon gone, and their output with them.
    if (failed && logs === '') logs = await swarm.logs(failed.ID, LOG_LINES);
    if (state === 'rollback_completed' || state === 'rollback_paused' || state === 'paused')
      throw applicationFailed(spec, progress, logs, state === 'rollback_completed' ? 'kept' : 'unknown');
    if (!hasBefore && progress.failed.length >= FIRST_FAILURES) {
      await swarm.send('DELETE', `/services/${spec.Name}`);
      throw applicationFailed(spec, progress, logs, 'none');
    }
    const rollingBack = state === 'rollback_started';
    if (!rollingBack && progress.running >= replicas && (state === undefined || state === 'completed')) return;
    const now = rollingBack ? 'it fails; the old version comes back' : `${progress.running} of ${replicas} run`;
    const mark = `${now} ${progress.failed.length}`;
    if (mark !== last) {
      tell(now);
      last = mark;
      changed = Date.now();
    }
    if (Date.now() - changed > STUCK_SECONDS * 1000) {
      if (hasBefore)
        await swarm.send(
          'POST',
          `/services/${spec.Name}/update?version=${service.Version.Index}&rollback=previous`,
          service.Spec,
        );
      else await swarm.send('DELETE', `/services/${spec.Name}`);
      throw applicationFailed(
        spec,
        progress,
        logs || (await swarm.logs(spec.Name, LOG_LINES)),
        hasBefore ? 'kept' : 'none',
      );
    }
    await sleep(pace, undefined, { signal });
  }
}

/** The error of a version that does not come up: why, its last lines, and what runs now. */
export function applicationFailed(
  spec: ServiceSpec,
  { failed, waiting }: Progress,
  logs: string,
  old: 'kept' | 'none' | 'unknown',
): CloudspaceError {
  const [task] = failed;
  const lines = lastLines(logs, LOG_LINES);
  const why = task ? reasonOf(task) : (waiting ?? 'its containers do not get ready');
  const outcome = {
    kept: 'the old version goes on serving',
    none: 'there was no version before it: it was removed again',
    unknown: `the Swarm stopped half way: look at cloudspace apps`,
  }[old];
  return new CloudspaceError(
    `${spec.Name} does not come up: ${why}\n${lines === '' ? '(it printed nothing)' : `its last lines:\n${lines}`}`,
    { code: 'ApplicationFailed', hint: `${outcome}. Correct it and deploy again` },
  );
}

function reasonOf({ Status, Spec }: Task): string {
  const err = Status.Err ?? '';
  const own = Spec.ContainerSpec?.Healthcheck !== undefined;
  const port = Spec.ContainerSpec?.Env?.find((line) => line.startsWith('PORT='))?.slice(5);
  const unhealthy = own
    ? `nothing in it listens on port ${port} (on 0.0.0.0, not on 127.0.0.1 alone)`
    : `its health check fails (it should listen on port ${port})`;
  if (/unhealthy/i.test(err)) return unhealthy;
  const code = Status.ContainerStatus?.ExitCode;
  // A program that ends properly when it is told to stop, because it was unhealthy, looks to Docker like one that was done.
  if (Status.State === 'complete') return `${unhealthy}; or it ended by itself, with exit code 0`;
  if (code !== undefined && code !== 0) return `it ended with exit code ${code}`;
  return err || Status.Message || `its container is ${Status.State}`;
}
