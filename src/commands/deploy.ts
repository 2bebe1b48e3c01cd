import { setTimeout as sleep } from 'node:timers/promises';
import { CloudspaceError, type Event, usageError } from '../engine/types.ts';
import { ask, isApplications, readAuthority } from './answer.ts';
import { versionOf, type Wanted, wanted } from './application.ts';
import { buildAndPush, chooseBuilder, imageConfig, portOf, REGISTRY } from './build.ts';
import type { SavedCertificates } from './certificates.ts';
import type { Context } from './context.ts';
import { domainOfApplications } from './domains.ts';
import { type Endpoints, readEndpoints, urlOf } from './endpointsFile.ts';
import { locateExisting, type Place } from './places.ts';
import { lastLines, openRemote, quote, type Remote, remoteError } from './remote.ts';
import { rollOut } from './rollout.ts';
import {
  CONTROLLER,
  domainsOf,
  environmentOf,
  LABEL,
  type Service,
  type Swarm,
  serviceSpec,
  swarmOf,
} from './swarm.ts';

const DEFAULT_REPLICAS = 2;
/** Seconds from the last container's start until the application answers from outside. */
const ANSWER_SECONDS = 60;
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
  const { provideDatabase } = await import('./applicationDatabase.ts');
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

/** Waits until the route store holds the version that runs, for each domain. */
async function routed(
  { wanted, signal, notify }: Deployment,
  remote: Remote,
  swarm: Swarm,
  version: string,
): Promise<void> {
  const key = 'route';
  const text = `route of ${wanted.domains.join(', ')}`;
  notify({ type: 'progress', key, text, status: 'started' });
  const until = Date.now() + ANSWER_SECONDS * 1000;
  const command = wanted.domains
    .map((domain) => `sudo cloudspace-redis --raw get ${quote(`route:${domain}`)}`)
    .join(' && ');
  for (;;) {
    const result = await remote.run(CONTROLLER, command, { timeout: 20 });
    const routes = result.stdout.split('\n').filter((line) => line.trim() !== '');
    if (
      result.exitCode === 0 &&
      routes.length === wanted.domains.length &&
      routes.every((route) => isRouted(route, wanted.app, version))
    ) {
      notify({ type: 'progress', key, text, status: 'done' });
      return;
    }
    if (Date.now() > until) {
      notify({ type: 'progress', key, text, status: 'failed' });
      const service = await swarm.service(wanted.app);
      throw new CloudspaceError(
        `the route of ${wanted.domains.join(', ')} did not appear within ${ANSWER_SECONDS} seconds${service ? '' : ': the application is gone'}`,
        {
          code: 'NoRoute',
          hint: 'its publisher says why: cloudspace ssh controller -- journalctl -u cloudspace-routes -n 20',
        },
      );
    }
    await sleep(200, undefined, { signal });
  }
}

/** Does this route (JSON of the store) lead to a container of this version? */
export function isRouted(text: string, app: string, version: string): boolean {
  try {
    const route = JSON.parse(text) as { app?: unknown; version?: unknown; backends?: unknown };
    return route.app === app && route.version === version && Array.isArray(route.backends) && route.backends.length > 0;
  } catch {
    return false;
  }
}

/** Asks for each domain until the application itself answers: through the load balancer, or at a runner's own ingress while there is none. Gives the URLs. */
async function answering(
  { place, wanted, signal, notify }: Deployment,
  remote: Remote,
  endpoints: Endpoints,
  http: 'serve' | 'redirect',
): Promise<string[]> {
  const { '80': plain, '443': tls } = endpoints.loadBalancer;
  const ca = await readAuthority(place.dir);
  // Nobody trusts the staging authority, on purpose.
  const anyAuthority = (place.state?.answers.certificates as SavedCertificates | undefined)?.staging === true;
  const key = 'answer';
  const urls: string[] = [];
  for (const domain of wanted.domains) {
    const text = `${domain} answers`;
    notify({ type: 'progress', key, text: `waiting until ${text}`, status: 'started' });
    const look = async (): Promise<string | undefined> => {
      if (!plain) return atRunner(remote, domain);
      const answer =
        http === 'redirect' && tls && ca !== undefined
          ? await ask(tls, domain, { ca, anyAuthority })
          : await ask(plain, domain);
      return isApplications(answer) ? undefined : (answer.problem ?? `status ${answer.status}`);
    };
    const problem = await patiently(look, signal);
    notify({
      type: 'progress',
      key,
      text: problem === undefined ? text : `${domain}: ${problem}`,
      status: problem === undefined ? 'done' : 'failed',
    });
    if (problem !== undefined)
      throw new CloudspaceError(
        `${wanted.app} runs, and ${domain} does not answer through the load balancer: ${problem}`,
        {
          code: 'NoAnswer',
          hint: 'cloudspace check names the broken layer',
        },
      );
    if (plain && http === 'serve') urls.push(urlOf('http', domain, plain));
    if (tls && ca !== undefined) urls.push(urlOf('https', domain, tls));
  }
  return urls;
}

/** undefined once it answers; else what the last look saw. */
async function patiently(look: () => Promise<string | undefined>, signal: AbortSignal): Promise<string | undefined> {
  const until = Date.now() + ANSWER_SECONDS * 1000;
  for (;;) {
    const problem = await look();
    if (problem === undefined || Date.now() > until) return problem;
    await sleep(300, undefined, { signal });
  }
}

async function atRunner(remote: Remote, domain: string): Promise<string | undefined> {
  const runner = remote.hosts.find((host) => /^runner-\d+$/.test(host.name));
  if (!runner) return 'there is no runner';
  const command = `curl --silent --output /dev/null --max-time 5 --write-out '%{http_code}' --header ${quote(`Host: ${domain}`)} http://127.0.0.1/`;
  const { stdout, stderr } = await remote.run(runner.name, command, { timeout: 20 });
  const status = Number(stdout.trim());
  if (status > 0 && ![404, 502, 503, 504].includes(status)) return undefined;
  return status > 0 ? `status ${status} on ${runner.name}` : stderr.trim() || 'no answer';
}
