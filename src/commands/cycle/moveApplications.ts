import { setTimeout as sleep } from 'node:timers/promises';
import { CloudspaceError } from '../../engine/types.ts';
import { domainsOf, type Node, type Service, type Swarm, type Task } from '../applications/swarm.ts';

/** Seconds without a change after which an application counts as stuck. */
const STUCK_SECONDS = 180;

interface SwarmNode extends Node {
  readonly Version: { readonly Index: number };
}

/** The Swarm's number of the worker with this private address; undefined when it has none. */
export async function nodeAt(swarm: Pick<Swarm, 'nodes'>, privateIp: string): Promise<Node | undefined> {
  return (await swarm.nodes()).find((node) => node.Status.Addr === privateIp);
}

async function setAvailability(swarm: Swarm, id: string, availability: 'active' | 'pause' | 'drain'): Promise<void> {
  const node = await swarm.get<SwarmNode>(`/nodes/${id}`);
  if (node.Spec.Availability === availability) return;
  await swarm.send('POST', `/nodes/${id}/update?version=${node.Version.Index}`, {
    ...node.Spec,
    Availability: availability,
  });
}

/**
 * Moves every application off a worker without a moment in which fewer containers of it run than it wants: the worker takes nothing new
 * (`pause`), and each service is renewed, a new container first. (`drain` alone stops containers before their successors run.)
 * Throws CloudspaceError `ApplicationFailed` when one does not come up elsewhere; the worker is then active again.
 */
export async function moveApplications(of: {
  readonly swarm: Swarm;
  readonly nodeId: string;
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
  /** milliseconds between looks */
  readonly pace?: number;
}): Promise<void> {
  const { swarm, nodeId, signal, tell, pace = 500 } = of;
  await setAvailability(swarm, nodeId, 'pause');
  try {
    for (const service of await swarm.services()) {
      if (!(await swarm.tasks(service.Spec.Name)).some((task) => isOn(task, nodeId))) continue;
      tell(`moving ${service.Spec.Name}`);
      await renew(swarm, service);
      await moved(service.Spec.Name);
    }
  } catch (error) {
    await setAvailability(swarm, nodeId, 'active').catch(() => {});
    throw error;
  }
  await setAvailability(swarm, nodeId, 'drain');

  async function moved(name: string): Promise<void> {
    let last = '';
    let changed = Date.now();
    for (;;) {
      const [service, tasks] = await Promise.all([swarm.service(name), swarm.tasks(name)]);
      if (!service) return;
      const state = service.UpdateStatus?.State;
      const wanted = service.Spec.Mode.Replicated?.Replicas ?? 1;
      const elsewhere = tasks.filter((task) => isRunning(task) && task.NodeID !== nodeId).length;
      const here = tasks.filter((task) => isOn(task, nodeId)).length;
      if (here === 0 && elsewhere >= wanted && state !== 'updating') return;
      if (state?.startsWith('rollback') || state === 'paused' || Date.now() - changed > STUCK_SECONDS * 1000)
        throw new CloudspaceError(`${name} does not come up on another runner`, {
          code: 'ApplicationFailed',
          hint: `it goes on where it was; see why with: cloudspace logs ${name}`,
        });
      const mark = `${here} ${elsewhere} ${state}`;
      if (mark !== last) {
        last = mark;
        changed = Date.now();
      }
      await sleep(pace, undefined, { signal });
    }
  }
}

/** The Swarm's way to restart the same version: a counter in the specification. Its update order is the service's: new containers first. */
async function renew(swarm: Swarm, service: Service): Promise<void> {
  const { TaskTemplate } = service.Spec;
  const before = Number((TaskTemplate as { ForceUpdate?: number }).ForceUpdate ?? 0);
  await swarm.send('POST', `/services/${service.ID}/update?version=${service.Version.Index}`, {
    ...service.Spec,
    TaskTemplate: { ...TaskTemplate, ForceUpdate: before + 1 },
  });
}

function isRunning(task: Task): boolean {
  return task.DesiredState === 'running' && task.Status.State === 'running';
}

/** Its container is on that worker, still serving or on its way out. */
function isOn(task: Task, nodeId: string): boolean {
  return task.NodeID === nodeId && task.Status.State === 'running';
}

/** Takes a node out of the Swarm for good; one that is not there any more is fine. */
export async function removeNode(swarm: Swarm, id: string): Promise<void> {
  if ((await swarm.nodes()).some((node) => node.ID === id)) await swarm.send('DELETE', `/nodes/${id}?force=true`);
}

/** All domains that applications have. */
export async function domainsInUse(swarm: Swarm): Promise<string[]> {
  return (await swarm.services()).flatMap(domainsOf);
}
