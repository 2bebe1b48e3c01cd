import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine, Run } from './engine.ts';
import { ImageError, type Images, type Progress } from './image.ts';
import { inParallel, unless } from './latest.ts';
import {
  applyScript,
  type Container,
  contentOf,
  createArguments,
  fits,
  LABEL,
  type Machine,
  readContainers,
  superfluous,
} from './machine.ts';
import { createNetwork, networkName } from './network.ts';
import type { Ports } from './ports.ts';
import { tar } from './tar.ts';
import type { HostState } from './types.ts';

/** Hosts worked on at the same time: more do not get ready sooner on a laptop. */
const WIDTH = 4;
const TRIES = 3;
/** Seconds until a started machine must be ready. */
const READY_SECONDS = 90;

export interface DriverOptions {
  readonly engine: Engine;
  readonly run: Run;
  /** value of the label `cloudspace.practice` */
  readonly practice: string;
  readonly ports: Ports;
  readonly images: Images;
  readonly onProgress: (progress: Progress) => void;
  /** what to add to the reason of a host that did not come up: a likely cause on this machine */
  readonly hint?: () => Promise<string>;
}

export interface Wanted {
  readonly networks: readonly { readonly vpcId: string; readonly cidr: string }[];
  readonly machines: readonly Machine[];
  /** hosts that cannot be described, with the reason: what there is of them is left as it is */
  readonly broken: ReadonlyMap<string, string>;
}

/** What was done to a container last. `startedAt` is unknown until it has been looked at once after its start. */
interface Applied {
  readonly startedAt: string | undefined;
  readonly content: string;
  readonly output: string;
}

/** Makes the engine's containers and networks match what is wanted. All knowledge of them comes from the engine: it can be killed at any moment. */
export interface Driver {
  /** One pass; it ends early when `superseded` is aborted. Never throws: failures are in `states`. */
  reconcile(wanted: Wanted, superseded: AbortSignal): Promise<void>;
  readonly states: Map<string, HostState>;
  /** the container of a machine, once it is known */
  containerOf(id: string): string | undefined;
  /** what the machine's commands printed when it was last brought in line */
  outputOf(id: string): string | undefined;
}

export function driver(options: DriverOptions): Driver {
  const { engine, run, practice, ports, hint = async () => '' } = options;
  const states = new Map<string, HostState>();
  const places = new Map<string, string>();
  const applied = new Map<string, Applied>();
  const ours = ['--filter', `label=${LABEL.practice}=${practice}`];

  const observe = async () => {
    const [ids, networks] = await Promise.all([
      run(['ps', '-aq', '--no-trunc', ...ours]),
      run(['network', 'ls', ...ours, '--format', '{{.Name}}']),
    ]);
    const list = ids.split('\n').filter(Boolean);
    return { containers: list.length > 0 ? await inspect(list) : [], networks: networks.split('\n').filter(Boolean) };
  };
  const inspect = async (ids: readonly string[]) =>
    readContainers(await run(['inspect', '--type', 'container', ...ids]));

  const remove = async (container: Container) => {
    await run(['rm', '-f', '-v', container.containerId]);
    applied.delete(container.containerId);
    if (places.get(container.id) === container.containerId) places.delete(container.id);
  };

  const create = async (machine: Machine, superseded: AbortSignal): Promise<Container> => {
    const image = await unless(superseded, options.images.get(machine.variant));
    const published = machine.ports.length > 0 ? await ports.allocate(machine.id, machine.ports) : {};
    const network = networkName(practice, machine.vpcId);
    const containerId = await run(createArguments(machine, { engine, practice, network, image, published }));
    const [container] = await inspect([containerId]);
    if (!container) throw new Error(`the container of ${machine.name} is gone right after it was made`);
    return container;
  };

  const start = async (machine: Machine, container: Container) => {
    if (container.status === 'paused') {
      await run(['unpause', container.containerId]);
      return;
    }
    await run(['cp', '-', `${container.containerId}:/`], { input: tar(machine.files) });
    try {
      await run(['start', container.containerId]);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!/address already in use|port is already allocated|ports are not available/i.test(message)) throw error;
      if (container.status !== 'created') {
        throw new Error(
          `a loopback port of ${machine.name} was taken by another program while it was stopped: ${message}`,
        );
      }
      // Nothing has run in it yet: other ports cost nothing.
      await remove(container);
      await ports.forget([machine.id]);
      throw error;
    }
    applied.delete(container.containerId);
  };

  const apply = async (machine: Machine, container: Container) => {
    const content = contentOf(machine);
    const last = applied.get(container.containerId);
    const same = last?.startedAt === undefined || last.startedAt === container.startedAt;
    if (last && same && last.content === content) {
      applied.set(container.containerId, { ...last, startedAt: container.startedAt });
      return;
    }
    const output = await run(
      ['exec', '-i', container.containerId, '/bin/sh', '-c', applyScript(machine, READY_SECONDS)],
      { input: tar(machine.files), timeout: (READY_SECONDS + 30) * 1000 },
    );
    applied.set(container.containerId, { startedAt: undefined, content, output });
  };

  const ensure = async (machine: Machine, existing: Container | undefined, superseded: AbortSignal) => {
    const container = existing ?? (await create(machine, superseded));
    places.set(machine.id, container.containerId);
    await ports.adopt(machine.id, container.published);
    if (!machine.running) {
      if (container.status === 'running') await run(['stop', '-t', '10', container.containerId]);
      states.set(machine.id, { state: 'stopped' });
      return;
    }
    if (container.status !== 'running') {
      states.set(machine.id, { state: 'starting' });
      await start(machine, container);
    }
    await apply(machine, container);
    states.set(machine.id, { state: 'running' });
  };

  const ensureWithRetries = async (machine: Machine, first: Container | undefined, superseded: AbortSignal) => {
    let existing = first;
    if (states.get(machine.id)?.state === 'failed') states.set(machine.id, { state: 'starting' });
    for (let attempt = 1; ; attempt++) {
      if (superseded.aborted) return;
      try {
        await ensure(machine, existing, superseded);
        return;
      } catch (error) {
        if (superseded.aborted) return;
        if (attempt >= TRIES || error instanceof ImageError) {
          const reason = `${error instanceof Error ? error.message : String(error)}${await hint()}`;
          states.set(machine.id, { state: 'failed', reason });
          options.onProgress({ key: machine.id, text: `${machine.name}: ${reason}`, status: 'failed' });
          return;
        }
        await sleep(500 * attempt);
        const { containers } = await observe().catch(() => ({ containers: [] as Container[] }));
        existing = containers.find((container) => container.id === machine.id && fits(machine, container));
      }
    }
  };

  const reconcile = async (wanted: Wanted, superseded: AbortSignal) => {
    const { containers, networks } = await observe();
    const { machines } = wanted;
    const gone = superfluous(machines, containers).filter(({ id }) => !wanted.broken.has(id));
    await inParallel(WIDTH, gone, remove);
    for (const [id, reason] of wanted.broken) states.set(id, { state: 'failed', reason });
    const ids = new Set([...machines.map((machine) => machine.id), ...wanted.broken.keys()]);
    for (const id of states.keys()) if (!ids.has(id)) states.delete(id);
    await ports.forget(ports.ids.filter((id) => !ids.has(id)));

    const names = new Set(wanted.networks.map(({ vpcId }) => networkName(practice, vpcId)));
    const unreachable = new Map<string, string>();
    await inParallel(
      WIDTH,
      networks.filter((name) => !names.has(name)),
      async (name) => {
        await run(['network', 'rm', name]);
      },
    ).catch((error: Error) => options.onProgress({ key: 'network', text: error.message, status: 'failed' }));
    await inParallel(WIDTH, wanted.networks, async (network) => {
      if (networks.includes(networkName(practice, network.vpcId))) return;
      await createNetwork(engine, run, practice, network).catch((error: Error) => {
        unreachable.set(network.vpcId, error.message);
        options.onProgress({ key: network.vpcId, text: error.message, status: 'failed' });
      });
    });

    const left = containers.filter((container) => !gone.includes(container));
    await inParallel(WIDTH, machines, async (machine) => {
      const reason = unreachable.get(machine.vpcId);
      if (reason !== undefined) states.set(machine.id, { state: 'failed', reason });
      else
        await ensureWithRetries(
          machine,
          left.find((container) => container.id === machine.id),
          superseded,
        );
    });
  };

  return {
    states,
    containerOf: (id) => places.get(id),
    outputOf: (id) => applied.get(places.get(id) ?? '')?.output,
    reconcile: (wanted, superseded) =>
      reconcile(wanted, superseded).catch((error: unknown) => {
        if (superseded.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        for (const { id } of wanted.machines) states.set(id, { state: 'failed', reason });
        options.onProgress({ key: 'hosts', text: reason, status: 'failed' });
      }),
  };
}
