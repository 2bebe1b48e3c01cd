import { CloudspaceError, usageError } from '../../engine/types.ts';
import { quote, type Remote, remoteError } from '../hosts/remote.ts';

/** The parts of Docker's API (version 1.41, `/services`, `/tasks`, `/nodes`) that are used here. */
export interface ServiceSpec {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly TaskTemplate: {
    readonly ContainerSpec: {
      readonly Image: string;
      readonly Env?: readonly string[];
      readonly Healthcheck?: Healthcheck;
      readonly [more: string]: unknown;
    };
    readonly [more: string]: unknown;
  };
  readonly Mode: { readonly Replicated?: { readonly Replicas: number } };
  readonly [more: string]: unknown;
}

export interface Healthcheck {
  readonly Test: readonly string[];
  /** nanoseconds, as all durations of this API */
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly Retries?: number;
}

export interface Service {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly CreatedAt: string;
  readonly UpdatedAt: string;
  readonly Spec: ServiceSpec;
  readonly UpdateStatus?: { readonly State?: string; readonly Message?: string };
}

export interface Task {
  readonly ID: string;
  readonly CreatedAt: string;
  readonly NodeID?: string;
  readonly ServiceID: string;
  readonly DesiredState: string;
  readonly Spec: { readonly ContainerSpec?: ServiceSpec['TaskTemplate']['ContainerSpec'] };
  readonly Status: {
    readonly State: string;
    readonly Err?: string;
    readonly Message?: string;
    readonly ContainerStatus?: { readonly ContainerID?: string; readonly ExitCode?: number };
    readonly PortStatus?: { readonly Ports?: readonly { readonly PublishedPort?: number }[] };
  };
}

export interface Node {
  readonly ID: string;
  readonly Spec: {
    readonly Availability: string;
    readonly Role: string;
    readonly Labels?: Readonly<Record<string, string>>;
  };
  readonly Description: { readonly Hostname: string };
  readonly Status: { readonly State: string; readonly Addr?: string };
}

/** The Swarm manager's API, asked on the controller itself over SSH: nothing of it is open to the network. */
export interface Swarm {
  get<T>(path: string): Promise<T>;
  /** With a body: it travels over standard input, so secrets in it are in no list of processes. Throws `SwarmRefused` with Docker's words. */
  send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T>;
  services(): Promise<readonly Service[]>;
  service(name: string): Promise<Service | undefined>;
  tasks(name: string): Promise<readonly Task[]>;
  nodes(): Promise<readonly Node[]>;
  /** the last lines that one task or all tasks of a service printed; empty when they cannot be had any more */
  logs(of: string, lines: number): Promise<string>;
}

export const CONTROLLER = 'controller';

/** Applications are the services with this label; its value is the application's name. */
export const LABEL = {
  app: 'cloudspace.app',
  domain: 'cloudspace.domain',
  port: 'cloudspace.port',
  http: 'cloudspace.http',
  httpsPort: 'cloudspace.https-port',
  version: 'cloudspace.version',
} as const;

export function swarmOf(remote: Remote): Swarm {
  async function call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const words = [
      'sudo',
      'curl',
      '--silent',
      '--show-error',
      '--max-time',
      '60',
      '--unix-socket',
      '/run/docker.sock',
      '--request',
      method,
      '--write-out',
      '\\n%{http_code}',
      ...(body === undefined ? [] : ['--header', 'Content-Type: application/json', '--data-binary', '@-']),
      `http://docker${path}`,
    ];
    const result = await remote.run(
      CONTROLLER,
      words.map(quote).join(' '),
      body === undefined ? {} : { input: JSON.stringify(body) },
    );
    if (result.exitCode !== 0) throw remoteError(CONTROLLER, 'asking Docker', result);
    const end = result.stdout.lastIndexOf('\n');
    const status = Number(result.stdout.slice(end + 1));
    const text = result.stdout.slice(0, Math.max(0, end));
    return { status, body: (text.trim() === '' ? undefined : parse(text)) as T };
  }

  async function good<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await call<T & { message?: string }>(method, path, body);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw refused(answer.status, answer.body?.message ?? `status ${answer.status}`);
  }

  const filter = (filters: Record<string, readonly string[]>): string =>
    `filters=${encodeURIComponent(JSON.stringify(filters))}`;
  return {
    get: (path) => good('GET', path),
    send: (method, path, body) => good(method, path, body),
    services: () => good('GET', `/services?${filter({ label: [LABEL.app] })}`),
    tasks: (name) => good('GET', `/tasks?${filter({ service: [name] })}`),
    nodes: () => good('GET', '/nodes'),
    async service(name) {
      const answer = await call<Service & { message?: string }>('GET', `/services/${encodeURIComponent(name)}`);
      if (answer.status === 404) return undefined;
      if (answer.status === 200) return answer.body;
      throw refused(answer.status, answer.body?.message ?? `status ${answer.status}`);
    },
    async logs(of, lines) {
      // Docker's own client sorts the two streams of several tasks; it may wait for a node that has gone.
      const command = `timeout 15 sudo docker service logs --raw --tail ${lines} ${quote(of)} 2>&1`;
      const { exitCode, stdout } = await remote.run(CONTROLLER, command);
      return exitCode === 0 || exitCode === 124 ? stdout : '';
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.trim() };
  }
}

function refused(status: number, message: string): CloudspaceError {
  if (status === 503 || /not a swarm manager/i.test(message))
    return new CloudspaceError('the controller is not a Swarm manager', {
      code: 'NoSwarm',
      hint: 'provision it: run the walkthrough again without --provision skip',
    });
  if (/update out of sequence/.test(message))
    return new CloudspaceError('somebody else changed this application in the same moment', {
      code: 'Conflict',
      hint: 'look at it with cloudspace apps, then deploy again',
    });
  return new CloudspaceError(`the Swarm refused: ${message}`, { code: 'SwarmRefused' });
}

/** The service of an application. Throws a usage error `NoSuchApp` that names those that there are. */
export async function needApp(swarm: Swarm, app: string): Promise<Service> {
  const services = await swarm.services();
  const found = services.find((service) => service.Spec.Labels[LABEL.app] === app);
  if (found) return found;
  const names = services.map((service) => service.Spec.Name).join(', ');
  throw usageError(
    `there is no application "${app}"`,
    names === '' ? 'none runs yet: cloudspace deploy' : `there are: ${names}`,
    'NoSuchApp',
  );
}

/** Domains of a service, from its label. */
export function domainsOf(service: Pick<Service, 'Spec'>): string[] {
  return (service.Spec.Labels[LABEL.domain] ?? '').split(',').filter((name) => name !== '');
}

export interface Release {
  readonly app: string;
  readonly version: string;
  readonly image: string;
  readonly domains: readonly string[];
  readonly port: number;
  readonly http: 'serve' | 'redirect';
  /** practice only: where this machine publishes the load balancer's 443, so that a redirect leads there */
  readonly httpsPort?: number | undefined;
  readonly replicas: number;
  /** of the image; undefined: it has none, and listening on the port is what counts */
  readonly healthcheck: Healthcheck | undefined;
  /** the application's own environment: DATABASE_URL */
  readonly environment: Readonly<Record<string, string>>;
}

const SECOND = 1_000_000_000;
/** After this time every failure of a new task counts for the rollback no more. */
const MONITOR = 3 * SECOND;

/**
 * The Swarm service of an application. One container after another is replaced, the new one first; a new one that fails brings the old version back.
 * Ports are published in host mode, each on a port that Docker chooses: that needs no IPVS, and the ingress knows where each container is.
 */
export function serviceSpec(release: Release): ServiceSpec {
  const { app, version, image, port, replicas } = release;
  const environment = {
    PORT: String(port),
    CLOUDSPACE_APP: app,
    CLOUDSPACE_VERSION: version,
    // Swarm fills it in, for each task.
    CLOUDSPACE_HOST: '{{.Node.Hostname}}',
    ...release.environment,
  };
  const update = { Parallelism: 1, Delay: 0, Monitor: MONITOR, MaxFailureRatio: 0, Order: 'start-first' };
  return {
    Name: app,
    Labels: {
      [LABEL.app]: app,
      [LABEL.domain]: release.domains.join(','),
      [LABEL.port]: String(port),
      [LABEL.http]: release.http,
      ...(release.httpsPort === undefined ? {} : { [LABEL.httpsPort]: String(release.httpsPort) }),
      [LABEL.version]: version,
    },
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
        Labels: { [LABEL.app]: app, [LABEL.version]: version },
        Init: true,
        // A container that is to go gets this long to finish what it answers.
        StopGracePeriod: 15 * SECOND,
        ...(release.healthcheck === undefined ? { Healthcheck: listening(port) } : {}),
      },
      RestartPolicy: { Condition: 'any', Delay: 2 * SECOND },
      Placement: { Constraints: ['node.role==worker'] },
    },
    Mode: { Replicated: { Replicas: replicas } },
    UpdateConfig: { ...update, FailureAction: 'rollback' },
    RollbackConfig: { ...update, FailureAction: 'pause' },
    EndpointSpec: { Mode: 'dnsrr', Ports: [{ Protocol: 'tcp', TargetPort: port, PublishMode: 'host' }] },
  };
}

/**
 * For images that bring no health check: something listens on the port, on more than loopback (/proc/net/tcp: state 0A, proc(5)). Needs a shell and grep in the
 * image; `HEALTHCHECK NONE` in a Dockerfile switches it off.
 */
export function listening(port: number): Healthcheck {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = `cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -E ':${hex} 0+:0000 0A'`;
  return {
    Test: ['CMD-SHELL', `${sockets} | grep -qvE ' (0100007F|0{24}01000000):'`],
    Interval: 2 * SECOND,
    // A host that is busy may need seconds to start the check; a check that hangs is rare.
    Timeout: 10 * SECOND,
    StartPeriod: 30 * SECOND,
    Retries: 3,
  };
}

/** A service's environment, by name. */
export function environmentOf(service: Service | undefined): Record<string, string> {
  return Object.fromEntries(
    (service?.Spec.TaskTemplate.ContainerSpec.Env ?? []).map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}
