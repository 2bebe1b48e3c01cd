import { CloudspaceError, usageError } from '../engine/types.ts';
import { openServices } from './applications/servicesApi.ts';
import { at, type Backup, finished, makeBackup } from './applications/servicesOperations.ts';
import type { Context } from './context.ts';

type Command = (context: Context) => Promise<number>;

interface Instance {
  readonly id: string;
  readonly service_id: string;
  readonly plan_id: string;
  readonly name: string;
  readonly state: string;
  readonly bindings?: readonly string[];
}

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
  const made = await makeBackup(context, await openServices(context), id);
  return show(context, made, `Backup ${made.id}: ${made.bytes} bytes, SHA-256 ${made.sha256}`);
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
