import { domainsOf, LABEL, type Node, type Service, swarmOf, type Task } from './applications/swarm.ts';
import type { Context } from './context.ts';
import { openRemote } from './hosts/remote.ts';
import { locateExisting } from './session/places.ts';

export interface App {
  readonly app: string;
  readonly version: string;
  readonly domains: readonly string[];
  readonly http: string;
  readonly replicas: number;
  readonly running: number;
  readonly containers: readonly {
    readonly id: string;
    readonly host: string;
    readonly address: string | null;
    readonly state: string;
  }[];
  /** of the last update: completed, rollback_completed, updating …; null when there was none */
  readonly update: string | null;
}

/** `cloudspace apps`: the applications as the Swarm has them. */
export async function run(context: Context): Promise<number> {
  const remote = await openRemote(await locateExisting(context), context.signal);
  const swarm = swarmOf(remote);
  const [services, tasks, nodes] = await Promise.all([swarm.services(), swarm.get<Task[]>('/tasks'), swarm.nodes()]);
  const apps = appsOf(services, tasks, nodes);
  context.print(context.options.json ? `${JSON.stringify(apps, null, 2)}\n` : text(apps));
  return 0;
}

/** What Docker says of services, tasks and nodes, as applications; sorted by name. Containers that are to go are left out. */
export function appsOf(services: readonly Service[], tasks: readonly Task[], nodes: readonly Node[]): App[] {
  const byId = new Map(nodes.map((node) => [node.ID, node]));
  return services
    .map((service): App => {
      const { Labels, Mode, Name } = service.Spec;
      const mine = tasks.filter((task) => task.ServiceID === service.ID && task.DesiredState === 'running');
      const containers = mine
        .map((task) => {
          const node = byId.get(task.NodeID ?? '');
          const port = task.Status.PortStatus?.Ports?.[0]?.PublishedPort;
          const address = node?.Status.Addr;
          return {
            id: task.ID,
            host: node?.Description.Hostname ?? '-',
            address: address === undefined || port === undefined ? null : `${address}:${port}`,
            state: task.Status.State,
          };
        })
        .sort((a, b) => (a.host === b.host ? (a.id < b.id ? -1 : 1) : a.host < b.host ? -1 : 1));
      return {
        app: Name,
        version: Labels[LABEL.version] ?? '',
        domains: domainsOf(service),
        http: Labels[LABEL.http] ?? '',
        replicas: Mode.Replicated?.Replicas ?? containers.length,
        running: containers.filter(({ state }) => state === 'running').length,
        containers,
        update: service.UpdateStatus?.State ?? null,
      };
    })
    .sort((a, b) => (a.app < b.app ? -1 : 1));
}

function text(apps: readonly App[]): string {
  if (apps.length === 0)
    return 'No application runs yet.\n\nDeploy one: cloudspace deploy examples/hello --domain hello.localhost --service postgres\n';
  return `${apps
    .map((app) =>
      [
        `${app.app}  ${app.running} of ${app.replicas} run, version ${app.version}${app.update?.startsWith('rollback') ? ' (the newer one failed)' : ''}`,
        ...app.domains.map((domain) => `  ${domain}`),
        ...app.containers.map(
          ({ host, address, state }) => `    ${host.padEnd(14)}${(address ?? '-').padEnd(22)}${state}`,
        ),
      ].join('\n'),
    )
    .join('\n\n')}\n`;
}
