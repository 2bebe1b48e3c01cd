import { createHash } from 'node:crypto';
import type { Engine } from './engine.ts';
import { SETTINGS_DIR } from './paths.ts';
import type { Variant } from './recipe.ts';
import type { ContainerFile } from './tar.ts';

export const LABEL = {
  practice: 'cloudspace.practice',
  id: 'cloudspace.id',
  kind: 'cloudspace.kind',
  /** what cannot be changed in a container that exists; another value means it is made anew */
  spec: 'cloudspace.spec',
} as const;

/** What an instance, a database or a load balancer needs of the engine: the three differ in data only. */
export interface Machine {
  readonly id: string;
  readonly kind: 'instance' | 'database' | 'loadbalancer';
  /** for people, in the container's name */
  readonly name: string;
  readonly vpcId: string;
  readonly address: string;
  readonly running: boolean;
  readonly variant: Variant;
  readonly hostname: string;
  /** names that every host of the VPC resolves to it */
  readonly aliases: readonly string[];
  /** published on this machine's loopback */
  readonly ports: readonly number[];
  /** systemd is PID 1 */
  readonly systemd: boolean;
  /** anonymous volumes: they live and go with the container */
  readonly volumes: readonly string[];
  readonly stopSignal: string;
  readonly command: readonly string[];
  /** put into the container before each start and on each change */
  readonly files: readonly ContainerFile[];
  /**
   * Shell commands that bring a running machine in line with its files and wait until it is ready; `wait_a_little` sleeps and gives up in
   * the end. They can be repeated. What they print on standard output is kept.
   */
  readonly apply: readonly string[];
}

/** A container as the engine shows it. */
export interface Container {
  readonly containerId: string;
  readonly id: string;
  readonly kind: string;
  readonly spec: string;
  /** published port → port on this machine's loopback */
  readonly published: Readonly<Record<string, number>>;
  /** created, running, paused, exited, dead, removing */
  readonly status: string;
  /** changes with each start */
  readonly startedAt: string;
}

/** Reads the answer of `docker inspect` or `podman inspect` for containers. Entries without our labels are left out. */
export function readContainers(json: string): Container[] {
  const entries = JSON.parse(json) as {
    Id: string;
    Config?: { Labels?: Record<string, string> | null };
    State?: { Status?: string; StartedAt?: string };
    HostConfig?: { PortBindings?: Record<string, { HostPort?: string }[] | null> | null };
  }[];
  return entries.flatMap((entry) => {
    const labels = entry.Config?.Labels ?? {};
    if (!labels[LABEL.practice]) return [];
    return {
      containerId: entry.Id,
      id: labels[LABEL.id] ?? '',
      kind: labels[LABEL.kind] ?? '',
      spec: labels[LABEL.spec] ?? '',
      published: Object.fromEntries(
        Object.entries(entry.HostConfig?.PortBindings ?? {}).flatMap(([port, bindings]) => {
          const local = Number(bindings?.[0]?.HostPort);
          return local > 0 ? [[port.replace(/\/tcp$/, ''), local]] : [];
        }),
      ),
      status: entry.State?.Status ?? '',
      startedAt: entry.State?.StartedAt ?? '',
    };
  });
}

export function specOf(machine: Machine): string {
  return hash([machine.kind, machine.vpcId, machine.address].join(' '));
}

/** Names the state of a machine's files and commands: equal means there is nothing to apply. */
export function contentOf(machine: Machine): string {
  return hash(JSON.stringify([machine.files, machine.apply]));
}

export function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Does the container serve the machine as it is, or has it to be made anew? More published ports than needed are fine. */
export function fits(machine: Machine, container: Container): boolean {
  return (
    container.spec === specOf(machine) &&
    machine.ports.every((port) => container.published[port] !== undefined) &&
    container.status !== 'dead' &&
    container.status !== 'removing'
  );
}

/** The containers that have no machine any more, or a machine that they cannot serve. Two of one machine: all but the first go. */
export function superfluous(machines: readonly Machine[], containers: readonly Container[]): Container[] {
  const wanted = new Map(machines.map((machine) => [machine.id, machine]));
  const taken = new Set<string>();
  return containers.filter((container) => {
    if (container.kind === 'build') return false;
    const machine = wanted.get(container.id);
    if (!machine || !fits(machine, container) || taken.has(machine.id)) return true;
    taken.add(machine.id);
    return false;
  });
}

export interface CreateOptions {
  readonly engine: Engine;
  readonly practice: string;
  readonly network: string;
  readonly image: string;
  /** published port → port on this machine's loopback */
  readonly published: Readonly<Record<string, number>>;
}

/**
 * The words of `docker create` for a machine. Nothing secret is among them: files are copied into the container afterwards.
 * systemd needs SYS_ADMIN, its mount and key calls (seccomp), fresh /run and /tmp, and control groups of its own: a private namespace,
 * made writable at boot, keeps what a host's own containers leave behind inside the host's group. /var/lib/docker is a volume so that
 * overlay2 works for those. With SYS_PTRACE the host's root may look into processes of other users, as root may on a machine: without it neither health
 * checks nor `docker exec` work for containers that do not run as root. CAP_SYS_RESOURCE and with it --privileged are left out: not every machine has it.
 */
export function createArguments(machine: Machine, options: CreateOptions): string[] {
  const { engine, practice } = options;
  const label = (name: string, value: string) => ['--label', `${name}=${value}`];
  const cgroup = engine.command === 'podman' ? '--systemd=always' : '--cgroupns=private';
  return [
    'create',
    ...['--name', containerName(machine, practice)],
    ...label(LABEL.practice, practice),
    ...label(LABEL.id, machine.id),
    ...label(LABEL.kind, machine.kind),
    ...label(LABEL.spec, specOf(machine)),
    ...['--hostname', machine.hostname],
    ...['--network', options.network, '--ip', machine.address],
    ...machine.aliases.flatMap((alias) => ['--network-alias', alias]),
    ...Object.entries(options.published).flatMap(([port, local]) => ['-p', `127.0.0.1:${local}:${port}`]),
    ...machine.volumes.flatMap((volume) => ['-v', volume]),
    ...['--stop-signal', machine.stopSignal, '--restart', 'no', '--cap-add', 'NET_ADMIN'],
    ...(machine.systemd
      ? [
          ...['-t', '-e', 'container=docker', '--cap-add', 'SYS_ADMIN', '--cap-add', 'SYS_PTRACE'],
          ...['--security-opt', 'seccomp=unconfined', '--security-opt', 'apparmor=unconfined'],
          ...['--tmpfs', '/run', '--tmpfs', '/tmp:exec,mode=1777', cgroup],
        ]
      : []),
    options.image,
    ...machine.command,
  ];
}

function containerName(machine: Machine, practice: string): string {
  const safe = (text: string) => text.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return `${safe(machine.name) || 'host'}-${hash(machine.id).slice(0, 4)}-${practice.slice(0, 6)}`;
}

/**
 * Unpacks the files from standard input and runs the machine's commands; ends with an error after `seconds`. Each file is replaced in one
 * step: the host may be reading it, and a script whose caller was killed may still be at work.
 */
export function applyScript(machine: Machine, seconds: number): string {
  const staging = `${SETTINGS_DIR}/.new.$$`;
  return [
    'set -eu',
    `mkdir -m 0700 ${staging}`,
    `trap 'rm -rf ${staging}' EXIT`,
    `tar -xf - -C ${staging}`,
    ...machine.files.map(({ path }) => `mv -f ${staging}${path} ${path}`),
    `tries=${seconds * 5}`,
    'wait_a_little() { tries=$((tries - 1)); [ "$tries" -gt 0 ] || { echo "not ready after waiting" >&2; exit 1; }; sleep 0.2; }',
    ...machine.apply,
  ].join('\n');
}
