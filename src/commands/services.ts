import { setTimeout as sleep } from 'node:timers/promises';
import { CloudspaceError, usageError } from '../engine/types.ts';
import type { Context } from './index.ts';
import { type AskServices, openServices } from './servicesApi.ts';

type Command = (context: Context) => Promise<number>;

interface Instance {
  readonly id: string;
  readonly service_id: string;
  readonly plan_id: string;
  readonly name: string;
  readonly state: string;
  readonly bindings?: readonly string[];
}

interface Backup {
  readonly id: string;
  readonly state: string;
  readonly bytes: number | null;
  readonly sha256: string | null;
}

/** Milliseconds between two looks at a backup or restore, at first and at most. */
const FIRST_LOOK = 300;
const LAST_LOOK = 5000;

const at = (...words: readonly string[]): string =>
  ['/v2/service_instances', ...words.map(encodeURIComponent)].join('/');

/** With `--json` the API's own document, else text for people. */
function show(context: Context, document: unknown, text: string): number {
  context.print(context.options.json ? `${JSON.stringify(document, null, 2)}\n` : `${text}\n`);
  return 0;
}

/** `cloudspace services list`, also without a word. */
export const list: Command = async (context) => {
  const { body } = await (await openServices(context))('GET', at());
  const instances = body.instances as Instance[];
  return show(
    context,
    body,
    instances.length === 0
      ? 'There are no instances yet.\n\nMake one: cloudspace services create shop-db --service postgresql'
      : table([
          ['INSTANCE', 'PLAN', 'STATE', 'BINDINGS'],
          ...instances.map(({ id, plan_id, state, bindings = [] }) => [id, plan_id, state, bindings.join(', ') || '-']),
        ]),
  );
};

export const catalog: Command = async (context) => {
  const { body } = await (await openServices(context))('GET', '/v2/catalog');
  const services = body.services as {
    name: string;
    description: string;
    plans: { name: string; description: string }[];
  }[];
  return show(
    context,
    body,
    table([
      ['SERVICE', 'PLAN', ''],
      ...services.flatMap(({ name, plans }) => plans.map((plan) => [name, plan.name, plan.description])),
    ]),
  );
};

export const create: Command = async (context) => {
  const [id = ''] = context.args;
  const { service, plan, parameters } = context.options;
  if (service === undefined)
    throw usageError('which service is it to be?', 'give --service; cloudspace services catalog lists them');
  const { status, body } = await (await openServices(context))('PUT', at(id), {
    // What `cloudspace deploy` calls it.
    service_id: service === 'postgres' ? 'postgresql' : service,
    plan_id: plan ?? (service === 's3' ? 'bucket' : 'small'),
    ...(parameters === undefined ? {} : { parameters: parsed(parameters) }),
  });
  return show(
    context,
    body,
    `${id} ${status === 201 ? 'is made' : 'was there already'}.\n\nGive an application a login: cloudspace services bind ${id} web`,
  );
};

export const bind: Command = async (context) => {
  const [id = '', binding = ''] = context.args;
  const { body } = await (await openServices(context))('PUT', at(id, 'service_bindings', binding), {});
  const credentials = Object.entries(body.credentials as Record<string, unknown>);
  return show(context, body, table(credentials.map(([key, value]) => [key, String(value)])));
};

export const unbind: Command = async (context) => {
  const [id = '', binding = ''] = context.args;
  const { body } = await (await openServices(context))('DELETE', at(id, 'service_bindings', binding));
  return show(context, body, `${binding} has no access to ${id} any more.`);
};

/** Its data is gone afterwards, so it asks. */
export const remove: Command = async (context) => {
  const [id = ''] = context.args;
  const ask = await openServices(context);
  const { body } = await ask('GET', at(id, 'backups'));
  const good = (body.backups as Backup[]).filter(({ state }) => state === 'ready');
  const yes = await context.ui.ask({
    kind: 'confirm',
    id: 'services.delete',
    flag: '--yes',
    message: `Delete ${id} and all its data? (backups that stay: ${good.length})`,
    default: context.options.yes === true,
  });
  if (!yes) throw new CloudspaceError(`${id} stays as it is`, { code: 'Declined', exitCode: 1 });
  await ask('DELETE', at(id));
  return show(
    context,
    { deleted: id, backups: good.map((one) => one.id) },
    `${id} is deleted. Its ${good.length} backups are kept.`,
  );
};

export const backup: Command = async (context) => {
  const [id = ''] = context.args;
  const ask = await openServices(context);
  const begun = (await ask('POST', at(id, 'backups'))).body;
  await finished(context, ask, begun, `backup of ${id}`);
  const { body } = await ask('GET', at(id, 'backups', String(begun.backup)));
  const made = body as unknown as Backup;
  return show(context, body, `Backup ${made.id}: ${made.bytes} bytes, SHA-256 ${made.sha256}`);
};

export const backups: Command = async (context) => {
  const [id = ''] = context.args;
  const { body } = await (await openServices(context))('GET', at(id, 'backups'));
  const found = body.backups as Backup[];
  return show(
    context,
    body,
    found.length === 0
      ? `${id} has no backups.\n\nMake one: cloudspace services backup ${id}`
      : table([
          ['BACKUP', 'STATE', 'BYTES', 'SHA-256'],
          ...found.map((one) => [one.id, one.state, String(one.bytes ?? '-'), one.sha256 ?? '-']),
        ]),
  );
};

export const restore: Command = async (context) => {
  const [id = '', which = ''] = context.args;
  const { into } = context.options;
  const ask = await openServices(context);
  const begun = (await ask('POST', at(id, 'backups', which, 'restore'), into === undefined ? {} : { into })).body;
  const done = await finished(context, ask, begun, `restore of ${which} into ${into ?? id}`);
  return show(context, done, `${String(done.description)}.`);
};

/** Waits for a backup or restore; its failure is ours. */
async function finished(context: Context, ask: AskServices, begun: Readonly<Record<string, unknown>>, text: string) {
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(`--parameters ${text} is no JSON`, `write it like '{"connection_limit": 10}'`);
  }
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
