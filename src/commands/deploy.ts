import { CloudspaceError, type Event, usageError } from '../engine/types.ts';
import { versionOf, type Wanted, wanted } from './applications/application.ts';
import { buildAndPush, chooseBuilder, imageConfig, portOf, REGISTRY } from './applications/build.ts';
import { answering, routed } from './applications/deployReach.ts';
import { rollOut } from './applications/rollout.ts';
import {
  CONTROLLER,
  domainsOf,
  environmentOf,
  LABEL,
  type Service,
  serviceSpec,
  swarmOf,
} from './applications/swarm.ts';
import type { Context } from './context.ts';
import { readEndpoints } from './hosts/endpointsFile.ts';
import { lastLines, openRemote, quote, type Remote, remoteError } from './hosts/remote.ts';
import { locateExisting, type Place } from './session/places.ts';
import { domainOfApplications } from './systems/domains.ts';

const DEFAULT_REPLICAS = 2;
/** Seconds for moving containers to other runners. */
const SPREAD_SECONDS = 150;

/** Makes (or finds) an application's database and gives its address with user and password. */
export type ProvideDatabase = (app: string, notify: (event: Event) => void) => Promise<{ readonly uri: string }>;

export interface Deployment {
  readonly place: Place;
  readonly wanted: Wanted;
  readonly practice: boolean;
  readonly database: ProvideDatabase;
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
}

/** What runs after a deployment, and where it answers. */
export interface Deployed {
  readonly app: string;
  readonly version: string;
  readonly domains: readonly string[];
  readonly replicas: number;
  /** the first is for people; empty when there is no load balancer yet */
  readonly urls: readonly string[];
}

/** `cloudspace deploy DIR [--domain NAME]`. */
export async function run(context: Context): Promise<number> {
  const { options, ui, signal } = context;
  const request = await wanted(context.args[0] ?? '.', options, async () =>
    domainOfApplications(await locateExisting(context)),
  );
  const place = await locateExisting(context);
  const { provideDatabase } = await import('./applications/applicationDatabase.ts');
  const deployed = await deploy({
    place,
    wanted: request,
    practice: place.state.practice,
    database: provideDatabase(context),
    notify: (event) => ui.notify(event),
    signal,
  });
  ui.notify({ type: 'summary', text: describe(deployed, place), data: { ...deployed } });
  return 0;
}

/** What to tell of a deployment, with what to do next. */
export function describe(deployed: Deployed, place: Place): string {
  const [url, ...others] = deployed.urls;
  return [
    url === undefined
      ? `**${deployed.app}** runs (version ${deployed.version}); there is no load balancer yet to reach it through.`
      : `**${deployed.app}** answers at ${url} (version ${deployed.version}).`,
    '',
    ...(others.length > 0
      ? [`- also ${others.join(', ')}; the certificate's authority is \`${place.dir}/ca.crt\``]
      : []),
    `- \`cloudspace logs ${deployed.app} --follow\`: what it prints`,
    '- `cloudspace apps`: what runs where',
  ].join('\n');
}

/**
 * Builds a folder, runs it and waits until it answers from outside. Before anything changes, all that can be known to be wrong is refused. Throws `DomainTaken`,
 * `BuildFailed`, `ApplicationFailed` (the old version goes on serving), `NoAnswer`, `Unreachable`.
 */
export async function deploy(deployment: Deployment): Promise<Deployed> {
  const { place, wanted, notify, signal } = deployment;
  const remote = await openRemote(place, signal);
  const swarm = swarmOf(remote);
  const [services, before, nodes, endpoints] = await Promise.all([
    swarm.services(),
    swarm.service(wanted.app),
    swarm.nodes(),
    readEndpoints(place.dir),
  ]);
  refuseTaken(wanted, services, before);
  const runners = nodes.filter((node) => node.Spec.Role === 'worker' && node.Status.State === 'ready');
  if (runners.length === 0)
    throw new CloudspaceError('no runner is ready to run it', {
      code: 'NoRunner',
      hint: 'see: cloudspace check runners',
    });

  const version = await versionOf(wanted.folder);
  const image = `${REGISTRY}/${wanted.app}:${version}`;
  const known = await imageConfig(remote, wanted.app, version);
  if (!known) await buildAndPush(remote, await chooseBuilder(remote, nodes), wanted.folder, image, notify);
  else notify({ type: 'info', text: `\`${image}\` is built already: the folder has not changed since.` });
  const config = known ?? (await imageConfig(remote, wanted.app, version));
  if (!config)
    throw new CloudspaceError(`${image} was pushed and is not in the registry`, {
      code: 'NoImage',
      hint: 'see: cloudspace check controller',
    });
  const port = portOf(config, wanted.port);

  await certificates(remote, wanted.domains, notify);
  const environment = await ownEnvironment(deployment, before);
  const replicas = wanted.replicas ?? before?.Spec.Mode.Replicated?.Replicas ?? DEFAULT_REPLICAS;
  const http = wanted.http ?? httpOf(before) ?? (deployment.practice ? 'serve' : 'redirect');
  const { app, domains } = wanted;
  const spec = serviceSpec({
    app,
    version,
    image,
    domains,
    port,
    http,
    httpsPort: deployment.practice ? endpoints.loadBalancer['443']?.port : undefined,
    replicas,
    healthcheck: config.healthcheck,
    environment,
  });
  await rollOut({ swarm, spec, notify, signal }, before);
  await spread(remote, app, notify);
  await routed(deployment, remote, swarm, version);
  const urls = await answering(deployment, remote, endpoints, http);
  return { app, version, domains, replicas, urls };
}

/**
 * An update may leave all containers on one runner: Swarm counts the old ones when it looks for a place for the new. What spreads applications over new runners
 * spreads these; it does nothing where they are spread. A team's own deployment repository may not have it.
 */
async function spread(remote: Remote, app: string, notify: (event: Event) => void): Promise<void> {
  const program = '/usr/local/lib/cloudspace/cloudspace_balance.py';
  const result = await remote.run(CONTROLLER, `test ! -e ${program} || sudo python3 -B ${program}`, {
    timeout: SPREAD_SECONDS,
  });
  if (result.exitCode !== 0)
    notify({
      type: 'warning',
      text: `${app} runs, and it could not be seen to that its containers are on different runners: ${lastLines(result.stderr, 1)}`,
    });
}

/** Throws a usage error when one of the domains belongs to another application, or the name to a service that is no application. */
export function refuseTaken(
  wanted: Pick<Wanted, 'app' | 'domains'>,
  services: readonly Service[],
  before: Service | undefined,
): void {
  if (before && before.Spec.Labels[LABEL.app] === undefined)
    throw usageError(
      `the name "${wanted.app}" belongs to a Swarm service that is no application`,
      'choose another: --app NAME',
      'AppTaken',
    );
  for (const service of services) {
    if (service.Spec.Name === wanted.app) continue;
    const taken = domainsOf(service).find((domain) => wanted.domains.includes(domain));
    if (taken !== undefined)
      throw usageError(
        `${taken} is routed to the application "${service.Spec.Name}" already; nothing was changed`,
        `choose another domain, or deploy that application anew without it: cloudspace deploy DIR --app ${service.Spec.Name} --domain OTHER`,
        'DomainTaken',
      );
  }
}

function httpOf(service: Service | undefined): 'serve' | 'redirect' | undefined {
  const label = service?.Spec.Labels[LABEL.http];
  return label === 'serve' || label === 'redirect' ? label : undefined;
}

/** The database's address: of the service that is asked for now, else as the application had it. */
async function ownEnvironment(
  { wanted, database, notify }: Deployment,
  before: Service | undefined,
): Promise<Record<string, string>> {
  if (wanted.service === 'postgres') return { DATABASE_URL: (await database(wanted.app, notify)).uri };
  const { DATABASE_URL } = environmentOf(before);
  return DATABASE_URL === undefined ? {} : { DATABASE_URL };
}

/** Has the controller make what certificates are missing; the ingress hears of them through the route store. */
async function certificates(remote: Remote, domains: readonly string[], notify: (event: Event) => void): Promise<void> {
  const text = `certificate for ${domains.join(', ')}`;
  notify({ type: 'progress', key: 'certificate', text, status: 'started' });
  const command = `sudo /usr/local/sbin/cloudspace-certificate ${domains.map(quote).join(' ')}`;
  const result = await remote.run(CONTROLLER, command);
  notify({ type: 'progress', key: 'certificate', text, status: result.exitCode === 0 ? 'done' : 'failed' });
  if (result.exitCode !== 0) throw remoteError(CONTROLLER, text, result);
}
