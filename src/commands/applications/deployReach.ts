import { setTimeout as sleep } from 'node:timers/promises';
import { CloudspaceError } from '../../engine/types.ts';
import { ask, isApplications, readAuthority } from '../check/answer.ts';
import type { Deployment } from '../deploy.ts';
import { type Endpoints, urlOf } from '../hosts/endpointsFile.ts';
import { quote, type Remote } from '../hosts/remote.ts';
import type { SavedCertificates } from '../systems/certificates.ts';
import { CONTROLLER, type Swarm } from './swarm.ts';

/** Seconds from the last container's start until the application answers from outside. */
const ANSWER_SECONDS = 60;

/** Waits until the route store holds the version that runs, for each domain. */
export async function routed(
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
export async function answering(
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
