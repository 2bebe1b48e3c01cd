import { setTimeout as sleep } from 'node:timers/promises';
import { CloudspaceError, usageError } from '../engine/types.ts';
import { checkApp } from './applications/application.ts';
import { databaseOf } from './applications/applicationDatabase.ts';
import { type AskServices, openServices } from './applications/servicesApi.ts';
import { at, makeBackup } from './applications/servicesOperations.ts';
import {
  CONTROLLER,
  domainsOf,
  environmentOf,
  needApp,
  type Service,
  type Swarm,
  swarmOf,
} from './applications/swarm.ts';
import type { Context } from './context.ts';
import { openRemote, quote, type Remote, remoteError } from './hosts/remote.ts';
import { locateExisting } from './session/places.ts';

/** Seconds until the route store has forgotten it: the publisher hears of it at once, unless something is wrong there. */
const ROUTE_SECONDS = 30;

/** What was removed, and what was not: the document of `--json`. */
export interface Removed {
  readonly app: string;
  readonly domains: readonly string[];
  /** by domain; `kept`: somebody else's authority signed it, so it is not ours to throw away */
  readonly certificates: Readonly<Record<string, 'removed' | 'kept'>>;
  /** null: it had none */
  readonly database: {
    readonly instance: string;
    readonly status: 'kept' | 'deleted';
    /** made just before */
    readonly backup?: string;
  } | null;
}

/** What `cloudspace apps remove` works with; arguments, so that it can be tested. */
export interface RemovalParts {
  readonly context: Context;
  readonly swarm: Swarm;
  readonly remote: Pick<Remote, 'run'>;
  /** opened only when its database is to go too */
  readonly services: () => Promise<AskServices>;
  /** milliseconds between looks at the route store */
  readonly pace?: number;
}

/** `cloudspace apps remove APP`. */
export async function run(context: Context): Promise<number> {
  checkApp(context.args[0] ?? '');
  const remote = await openRemote(await locateExisting(context), context.signal);
  const removed = await remove({ context, swarm: swarmOf(remote), remote, services: () => openServices(context) });
  if (context.options.json) context.print(`${JSON.stringify(removed, null, 2)}\n`);
  else context.ui.notify({ type: 'summary', text: describe(removed), data: { ...removed } });
  return 0;
}

/**
 * Removes one application: a backup of its database if that goes too, then its Swarm service, its routes and its certificate, then the database. All that can be
 * known to be wrong is refused before. Throws `NoSuchApp`, `ServiceInUse`, `Declined`, `NoRoute`, and what Docker and the services API refuse.
 */
export async function remove({ context, swarm, remote, services, pace = 300 }: RemovalParts): Promise<Removed> {
  const { options, signal } = context;
  const app = checkApp(context.args[0] ?? '');
  const service = await needApp(swarm, app);
  const domains = domainsOf(service);
  const ask = options.services ? await services() : undefined;
  const found = ask ? await databaseFound(ask, app) : undefined;
  const database = found?.id ?? (!ask && hasDatabase(service) ? databaseOf(app).instance : undefined);
  await confirm(context, app, domains, database);
  const backup =
    ask && database && (await wantsBackup(context, database))
      ? (await makeBackup(context, ask, database)).id
      : undefined;

  await swarm.send('DELETE', `/services/${encodeURIComponent(app)}`);
  await unrouted(remote, app, domains, { signal, pace });
  const others = new Set((await swarm.services()).flatMap(domainsOf));
  const certificates = await withoutCertificates(
    remote,
    domains.filter((domain) => !others.has(domain)),
  );
  if (ask && database) {
    for (const binding of found?.bindings ?? []) await ask('DELETE', at(database, 'service_bindings', binding));
    await ask('DELETE', at(database));
  }
  const status = ask ? 'deleted' : 'kept';
  return {
    app,
    domains,
    certificates,
    database: database === undefined ? null : { instance: database, status, ...(backup ? { backup } : {}) },
  };
}

const hasDatabase = (service: Service): boolean => environmentOf(service).DATABASE_URL !== undefined;

/** The application's own database, if there is one. Throws `ServiceInUse` when somebody else has a login there too. */
async function databaseFound(
  ask: AskServices,
  app: string,
): Promise<{ readonly id: string; readonly bindings?: readonly string[] } | undefined> {
  const { instance, binding } = databaseOf(app);
  const { body } = await ask('GET', at());
  const found = (body.instances as { id: string; bindings?: string[] }[]).find(({ id }) => id === instance);
  const others = (found?.bindings ?? []).filter((other) => other !== binding);
  if (others.length > 0)
    throw usageError(
      `${instance} is used by others too: ${others.join(', ')}; nothing was changed`,
      `leave --services out, or take them their access first: cloudspace services unbind ${instance} ${others[0]}`,
      'ServiceInUse',
    );
  return found;
}

async function confirm(
  { options, ui }: Context,
  app: string,
  domains: readonly string[],
  database: string | undefined,
): Promise<void> {
  if (options.yes) return;
  const what = domains.length > 0 ? ` It will not answer at ${domains.join(', ')} any more.` : '';
  const data = !database
    ? ''
    : options.services
      ? ` Its database ${database} goes with its data.`
      : ` Its database ${database} stays.`;
  const sure = await ui.ask({
    kind: 'confirm',
    id: 'apps.remove',
    flag: '--yes',
    message: `Remove ${app}?${what}${data}`,
    default: false,
  });
  if (!sure)
    throw new CloudspaceError(`${app} stays as it is`, { code: 'Declined', hint: 'nothing was changed', exitCode: 1 });
}

async function wantsBackup({ options, ui }: Context, database: string): Promise<boolean> {
  if (options.yes) return true;
  return ui.ask({
    kind: 'confirm',
    id: 'apps.backup',
    flag: '--yes',
    message: `Make a last backup of ${database} first?`,
    help: 'Backups outlive their instance: cloudspace services restore brings the data into another one.',
    default: true,
  });
}

/** Waits until no domain of it is routed to it any more. */
async function unrouted(
  remote: RemovalParts['remote'],
  app: string,
  domains: readonly string[],
  { signal, pace }: { signal: AbortSignal; pace: number },
): Promise<void> {
  const command = domains.map((domain) => `sudo cloudspace-redis --raw get ${quote(`route:${domain}`)}`).join(' && ');
  const end = Date.now() + ROUTE_SECONDS * 1000;
  while (domains.length > 0) {
    const result = await remote.run(CONTROLLER, command, { timeout: 20 });
    if (result.exitCode !== 0) throw remoteError(CONTROLLER, `looking for the routes of ${app}`, result);
    if (!result.stdout.includes(`"app":${JSON.stringify(app)}`)) return;
    if (Date.now() > end)
      throw new CloudspaceError(`${app} is gone, and ${domains.join(', ')} are still routed to it`, {
        code: 'NoRoute',
        hint: 'the publisher of routes says why: cloudspace ssh controller -- sudo journalctl -u cloudspace-routes -n 20',
      });
    await sleep(pace, undefined, { signal });
  }
}

/** What `cloudspace-certificate --remove` says of each domain. */
async function withoutCertificates(
  remote: RemovalParts['remote'],
  domains: readonly string[],
): Promise<Removed['certificates']> {
  if (domains.length === 0) return {};
  const command = `sudo /usr/local/sbin/cloudspace-certificate --remove ${domains.map(quote).join(' ')}`;
  const result = await remote.run(CONTROLLER, command);
  if (result.exitCode !== 0) throw remoteError(CONTROLLER, `removing the certificate of ${domains.join(', ')}`, result);
  const lines = [...result.stdout.matchAll(/^(\S+): (removed|kept)$/gm)];
  return Object.fromEntries(lines.map(([, domain = '', what]) => [domain, what === 'kept' ? 'kept' : 'removed']));
}

/** For people: what is gone, what stays, and how that goes too. */
export function describe({ app, domains, certificates, database }: Removed): string {
  const kept = Object.keys(certificates).filter((domain) => certificates[domain] === 'kept');
  const gone = ['its containers', ...(domains.length > 0 ? [`its routes (${domains.join(', ')})`] : [])];
  if (Object.values(certificates).includes('removed')) gone.push('its certificate');
  if (database?.status === 'deleted') gone.push(`its database ${database.instance}`);
  return [
    `**${app}** is removed: ${gone.slice(0, -1).join(', ')}${gone.length > 1 ? ' and ' : ''}${gone.at(-1)}.`,
    '',
    ...(database?.status === 'kept'
      ? [
          `- its database \`${database.instance}\` stays, with its data: deploy \`${app}\` again to use it, or \`cloudspace services delete ${database.instance}\``,
        ]
      : []),
    ...(database?.backup === undefined
      ? []
      : [
          `- the last backup of its database is \`${database.backup}\`: \`cloudspace services backups ${database.instance}\``,
        ]),
    ...kept.map((domain) => `- the certificate of ${domain} stays: the Cloudspace's own authority did not sign it`),
    '- its images stay in the registry: deploying the same folder again builds nothing',
  ].join('\n');
}
