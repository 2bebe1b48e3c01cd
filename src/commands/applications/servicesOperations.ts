import { setTimeout as sleep } from 'node:timers/promises';
import { CloudspaceError } from '../../engine/types.ts';
import type { Context } from '../context.ts';
import type { AskServices } from './servicesApi.ts';

export interface Backup {
  readonly id: string;
  readonly state: string;
  readonly bytes: number | null;
  readonly sha256: string | null;
}

/** Milliseconds between two looks at a backup or restore, at first and at most. */
const FIRST_LOOK = 300;
const LAST_LOOK = 5000;

/** The services API's path of an instance, and of what is below it. */
export const at = (...words: readonly string[]): string =>
  ['/v2/service_instances', ...words.map(encodeURIComponent)].join('/');

/** Makes a backup and waits for it. Throws `OperationFailed` with the API's words. */
export async function makeBackup(context: Context, ask: AskServices, instance: string): Promise<Backup> {
  const begun = (await ask('POST', at(instance, 'backups'))).body;
  await finished(context, ask, begun, `backup of ${instance}`);
  const { body } = await ask('GET', at(instance, 'backups', String(begun.backup)));
  return body as unknown as Backup;
}

/** Waits for a backup or restore and gives its last document; its failure is ours. */
export async function finished(
  context: Context,
  ask: AskServices,
  begun: Readonly<Record<string, unknown>>,
  text: string,
): Promise<Readonly<Record<string, unknown>>> {
  const key = String(begun.operation);
  const path = `${at(String(begun.instance), 'last_operation')}?operation=${encodeURIComponent(key)}`;
  // With --json there is one document, and nothing beside it.
  const tell = (status: 'started' | 'done' | 'failed'): void => {
    if (!context.options.json) context.ui.notify({ type: 'progress', key, text, status });
  };
  tell('started');
  for (let wait = FIRST_LOOK; ; wait = Math.min(LAST_LOOK, wait * 1.5)) {
    const { body } = await ask('GET', path);
    if (body.state !== 'in progress') {
      const good = body.state === 'succeeded';
      tell(good ? 'done' : 'failed');
      if (good) return body;
      throw new CloudspaceError(`${text} failed: ${String(body.description)}`, { code: 'OperationFailed' });
    }
    await sleep(wait, undefined, { signal: context.signal });
  }
}
