import { describe, expect, it } from 'vitest';
import type { Node, Service, Swarm, Task } from '../../src/commands/applications/swarm.ts';
import { moveApplications, nodeAt, removeNode } from '../../src/commands/cycle/moveApplications.ts';
import { choose, cycleOrder } from '../../src/commands/cycle.ts';

/** A Swarm with two workers that renews a service as Docker does: a new container first, then an old one goes. */
function toySwarm(more: { broken?: boolean } = {}) {
  const task = (id: string, NodeID: string): Task =>
    ({ ID: id, NodeID, ServiceID: 's1', DesiredState: 'running', Status: { State: 'running' } }) as unknown as Task;
  let tasks = [task('t1', 'old'), task('t2', 'new')];
  const availability: Record<string, string> = { old: 'active', new: 'active' };
  const fewest: number[] = [];
  const log: string[] = [];
  let state: string | undefined;
  let counter = 0;
  const service = (): Service =>
    ({
      ID: 's1',
      Version: { Index: 7 },
      Spec: {
        Name: 'hello',
        Labels: {},
        TaskTemplate: { ForceUpdate: counter, ContainerSpec: {} },
        Mode: { Replicated: { Replicas: 2 } },
      },
      ...(state === undefined ? {} : { UpdateStatus: { State: state } }),
    }) as unknown as Service;
  const step = (): void => {
    fewest.push(tasks.filter(({ Status }) => Status.State === 'running').length);
    if (state !== 'updating') return;
    if (more.broken) {
      state = 'rollback_completed';
      return;
    }
    const stale = tasks.find(({ ID }) => !ID.startsWith('n'));
    if (!stale) {
      state = 'completed';
      return;
    }
    const target = availability.old === 'active' ? 'old' : 'new';
    tasks = [...tasks, task(`n${stale.ID}`, target)];
    fewest.push(tasks.length);
    tasks = tasks.filter(({ ID }) => ID !== stale.ID);
  };
  const swarm = {
    get: async (path: string) => {
      const id = path.split('/').at(-1) ?? '';
      return { ID: id, Version: { Index: 3 }, Spec: { Availability: availability[id], Role: 'worker' } };
    },
    send: async (
      method: string,
      path: string,
      body?: { Availability?: string; TaskTemplate?: { ForceUpdate: number } },
    ) => {
      const node = /^\/nodes\/(\w+)/.exec(path)?.[1];
      log.push(`${method} ${path}`);
      if (method === 'DELETE') delete availability[node ?? ''];
      else if (node !== undefined && body?.Availability !== undefined) availability[node] = body.Availability;
      else if (body?.TaskTemplate) {
        expect(body.TaskTemplate.ForceUpdate).toBe(counter + 1);
        counter++;
        state = 'updating';
      }
    },
    services: async () => [service()],
    service: async () => {
      step();
      return service();
    },
    tasks: async () => tasks,
    nodes: async () =>
      Object.keys(availability).map(
        (ID) => ({ ID, Status: { Addr: ID === 'old' ? '10.7.128.4' : '10.7.128.9' } }) as Node,
      ),
  } as unknown as Swarm;
  return { swarm, availability, fewest, log, tasks: () => tasks };
}
const signal = new AbortController().signal;

describe('the order', () => {
  it('is runners by number, then services and controller, the bastion last', () => {
    expect(cycleOrder(['bastion', 'controller', 'runner-10', 'runner-2', 'services'])).toEqual([
      'runner-2',
      'runner-10',
      'services',
      'controller',
      'bastion',
    ]);
  });

  it('goes on first where an earlier cycle stopped, also at a host whose successor is not there yet', () => {
    const order = ['runner-1', 'services'];
    expect(choose(order, 'all', ['services'])).toEqual(['services', 'runner-1']);
    expect(choose(order, 'runner-1', ['runner-2'])).toEqual(['runner-2', 'runner-1']);
    expect(choose(order, 'services', ['services'])).toEqual(['services']);
    expect(() => choose(order, 'runner-9', [])).toThrow(/there is no host "runner-9"/);
  });
});

describe('moving applications', () => {
  it('never has fewer containers than wanted, and leaves the worker drained', async () => {
    const { swarm, availability, fewest, tasks } = toySwarm();
    await moveApplications({ swarm, nodeId: 'old', signal, tell: () => {}, pace: 1 });
    expect(Math.min(...fewest)).toBe(2);
    expect(tasks().every(({ NodeID }) => NodeID === 'new')).toBe(true);
    expect(availability.old).toBe('drain');
  });

  it('puts the worker back to work when an application does not come up elsewhere', async () => {
    const { swarm, availability, tasks } = toySwarm({ broken: true });
    const moving = moveApplications({ swarm, nodeId: 'old', signal, tell: () => {}, pace: 1 });
    await expect(moving).rejects.toThrow(/hello does not come up on another runner/);
    expect(availability.old).toBe('active');
    expect(tasks().map(({ ID }) => ID)).toEqual(['t1', 't2']);
  });

  it('finds a worker by its address, and removes it once', async () => {
    const { swarm, log } = toySwarm();
    expect((await nodeAt(swarm, '10.7.128.4'))?.ID).toBe('old');
    expect(await nodeAt(swarm, '10.7.1.1')).toBeUndefined();
    await removeNode(swarm, 'old');
    await removeNode(swarm, 'old');
    expect(log).toEqual(['DELETE /nodes/old?force=true']);
  });
});
