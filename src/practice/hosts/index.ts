import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { databaseMachine } from './database.ts';
import { driver } from './driver.ts';
import { detectEngine, type Engine, runner } from './engine.ts';
import { gatewayOf } from './firewall.ts';
import { images, type Progress } from './image.ts';
import { inotifyHint } from './inotify.ts';
import { consoleText, instanceMachine } from './instance.ts';
import { latest } from './latest.ts';
import { loadBalancerMachine, readStatistics, SHOW_STAT, targetHealthOf } from './loadbalancer.ts';
import { hash, LABEL, type Machine } from './machine.ts';
import { openPorts } from './ports.ts';
import type { DesiredHosts, HostState, Hosts, TargetHealth } from './types.ts';

export { type Engine, startDockerd } from './engine.ts';

export interface ContainerHostsOptions {
  /** the practice's folder; its absolute path is the identity of everything that is made */
  readonly dir: string;
  /** the Cloudspace's name, for messages */
  readonly name: string;
  /** detected when left out */
  readonly engine?: Engine;
  readonly onProgress?: (progress: Progress) => void;
}

const NOTHING: DesiredHosts = { networks: [], instances: [], databases: [], loadBalancers: [] };

/**
 * Practice hosts as containers of Docker or Podman. Containers and networks carry the label `cloudspace.practice` with a hash of the
 * folder's path, so that they are found again after a crash; what is no longer desired is removed, with its volumes. The images stay: a
 * cache that the next practice starts from (`docker image rm` of the `cloudspace-practice` images frees about 700 MB).
 * Throws an Error with the reason when there is no engine that answers.
 */
export async function containerHosts(options: ContainerHostsOptions): Promise<Hosts> {
  const engine = options.engine ?? (await detectEngine());
  if (!engine.ok)
    throw new Error(`no container engine for the hosts of ${options.name}: ${engine.reason ?? 'none answers'}`);
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const run = runner(engine);
  const practice = hash(dir);
  const onProgress = options.onProgress ?? (() => {});
  const closing = new AbortController();
  await removeBuilds(run, practice);
  const ports = await openPorts(dir);
  const library = images({
    engine,
    run,
    dir,
    label: `${LABEL.practice}=${practice}`,
    onProgress,
    signal: closing.signal,
  });
  const made = driver({ engine, run, practice, ports, images: library, onProgress, hint: inotifyHint });
  const health = new Map<string, Map<string, TargetHealth>>();
  let desired = NOTHING;

  // Built while the person still reads about the network.
  library.get('base').catch(() => {});
  let prefetched = false;
  const prefetch = () => {
    if (prefetched) return;
    prefetched = true;
    library
      .get('postgres')
      .then(() => library.get('haproxy'))
      .catch(() => {});
  };

  const work = latest<DesiredHosts>(async (value, superseded) => {
    const broken = new Map<string, string>();
    const machines = machinesOf(value, broken);
    await made.reconcile({ networks: value.networks, machines, broken }, superseded);
  });

  return {
    sync(value) {
      desired = value;
      for (const { id, state } of everyHost(value)) {
        if (!made.states.has(id)) made.states.set(id, { state: state === 'running' ? 'starting' : 'stopped' });
      }
      if (value.instances.length > 0) prefetch();
      work.set(value);
    },
    settled: () => work.idle(),
    state: (id): HostState => made.states.get(id) ?? { state: 'absent' },
    async consoleOutput(instanceId) {
      const container = made.containerOf(instanceId);
      const hostKeys = made.outputOf(instanceId);
      const instance = desired.instances.find(({ id }) => id === instanceId);
      if (!container || !hostKeys || !instance) return undefined;
      const log = await run(['logs', '--tail', '200', container]).catch(() => '');
      return consoleText(log, hostKeys, `ip-${instance.privateIp.replaceAll('.', '-')}`);
    },
    async targetHealth(targetGroupArn) {
      const holders = desired.loadBalancers.filter((one) => one.targetGroups.some(({ arn }) => arn === targetGroupArn));
      const user = holders.find((one) => one.listeners.some((listener) => listener.targetGroupArn === targetGroupArn));
      const group = (user ?? holders[0])?.targetGroups.find(({ arn }) => arn === targetGroupArn);
      if (!group) return [];
      if (!user) {
        health.delete(targetGroupArn);
        return group.targets.map(({ id }) => ({ id, state: 'unused', reason: 'no listener uses the target group' }));
      }
      const container = made.containerOf(user.arn);
      const csv = container
        ? await run(['exec', container, '/bin/sh', '-c', SHOW_STAT], { timeout: 10_000 }).catch(() => '')
        : '';
      const before = health.get(targetGroupArn) ?? new Map<string, TargetHealth>();
      health.set(targetGroupArn, before);
      for (const key of before.keys()) {
        if (!group.targets.some(({ id, port }) => key === `${id}:${port}`)) before.delete(key);
      }
      return targetHealthOf(group, readStatistics(csv), before);
    },
    reach(id, port) {
      const instance = desired.instances.find((one) => one.id === id);
      const balancer = desired.loadBalancers.find((one) => one.arn === id);
      if (!balancer && !instance?.public) return undefined;
      const local = ports.of(id)[port];
      return local === undefined ? undefined : { host: '127.0.0.1', port: local };
    },
    async close() {
      closing.abort();
      await work.close();
      await library.close();
    },
  };
}

/** Containers of image builds that were killed half way. */
async function removeBuilds(run: ReturnType<typeof runner>, practice: string): Promise<void> {
  const filters = ['--filter', `label=${LABEL.practice}=${practice}`, '--filter', `label=${LABEL.kind}=build`];
  const ids = (await run(['ps', '-aq', ...filters])).split('\n').filter(Boolean);
  if (ids.length > 0) await run(['rm', '-f', '-v', ...ids]);
}

function everyHost(desired: DesiredHosts): { id: string; state: 'running' | 'stopped' }[] {
  return [
    ...desired.instances,
    ...desired.databases,
    ...desired.loadBalancers.map(({ arn }) => ({ id: arn, state: 'running' as const })),
  ];
}

/** What the engine has to run, in the order of need: instances first. A host that cannot be described goes to `broken`. */
function machinesOf(desired: DesiredHosts, broken: Map<string, string>): Machine[] {
  const gateways = new Map(desired.networks.map(({ vpcId, cidr }) => [vpcId, gatewayOf(cidr)]));
  const describe = <T extends { readonly vpcId: string }>(
    hosts: readonly T[],
    id: (host: T) => string,
    machine: (host: T, gateway: string) => Machine,
  ): Machine[] =>
    hosts.flatMap((host) => {
      const gateway = gateways.get(host.vpcId);
      try {
        if (gateway === undefined) throw new Error(`its network ${host.vpcId} does not exist`);
        return [machine(host, gateway)];
      } catch (error) {
        broken.set(id(host), error instanceof Error ? error.message : String(error));
        return [];
      }
    });
  return [
    ...describe(desired.instances, ({ id }) => id, instanceMachine),
    ...describe(desired.loadBalancers, ({ arn }) => arn, loadBalancerMachine),
    ...describe(desired.databases, ({ id }) => id, databaseMachine),
  ];
}
