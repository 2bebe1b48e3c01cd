import { type Context, LISTED_SECONDS, longGone } from '../operation.ts';
import type { Instance } from './records.ts';

/** Typical seconds of the transitions. */
const SECONDS = { pending: 15, failing: 10, stopping: 30, shuttingDown: 30 };

export const STATE_CODES = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
} as const;
export type InstanceState = keyof typeof STATE_CODES;

type Surroundings = Pick<Context, 'clock' | 'hosts'>;

/** An instance's state now: the time's share, and where there are hosts, theirs. */
export function instanceState(instance: Instance, { clock, hosts }: Surroundings): InstanceState {
  const host = hosts?.state(instance.id).state;
  if (instance.terminatedAt !== undefined) {
    const gone = host === undefined || host === 'absent' || host === 'failed';
    return gone && clock.passed(instance.terminatedAt, SECONDS.shuttingDown) ? 'terminated' : 'shutting-down';
  }
  if (instance.stoppedAt !== undefined) {
    const off = host === undefined || host === 'stopped' || host === 'absent';
    return off && clock.passed(instance.stoppedAt, SECONDS.stopping) ? 'stopped' : 'stopping';
  }
  const up = (host === undefined || host === 'running') && !instance.doomed;
  return up && clock.passed(instance.startedAt, SECONDS.pending) ? 'running' : 'pending';
}

/** The state in the API's form, with its numeric code. */
export function stateOf(instance: Instance, surroundings: Surroundings) {
  const Name = instanceState(instance, surroundings);
  return { Code: STATE_CODES[Name], Name };
}

/** Ends an instance: it gives its public address back at once, its network interface and volumes when it is terminated. */
export function terminate(
  context: Pick<Context, 'region' | 'clock'>,
  instance: Instance,
  reason: Instance['reason'],
): void {
  if (instance.terminatedAt !== undefined) return;
  instance.terminatedAt = context.clock.now();
  if (reason) instance.reason = reason;
  delete instance.publicIp;
  for (const address of Object.values(context.region.addresses)) {
    if (address.association?.networkInterfaceId === instance.interface.id) delete address.association;
  }
}

/**
 * Brings the instances up to date: a host that never came up ends its instance, as AWS ends one that cannot start; a terminated
 * instance lets go of its volumes, and some time later is no longer listed.
 */
export function sweepInstances(context: Pick<Context, 'region' | 'clock' | 'hosts'>): void {
  const { region, hosts, clock } = context;
  for (const instance of Object.values(region.instances)) {
    const host = instance.booted || instance.terminatedAt !== undefined ? undefined : hosts?.state(instance.id);
    if (host?.state === 'running') instance.booted = true;
    if (host?.state === 'failed') {
      const message = `Server.InternalError: the practice host did not start: ${host.reason}`;
      terminate(context, instance, { code: 'Server.InternalError', message });
    }
    if (instance.doomed && instance.terminatedAt === undefined && clock.passed(instance.startedAt, SECONDS.failing)) {
      terminate(context, instance, {
        code: 'Server.InternalError',
        message: 'Server.InternalError: Internal error on launch',
      });
    }
    if (instanceState(instance, context) !== 'terminated') continue;
    for (const volume of Object.values(region.volumes)) {
      if (volume.attachment?.instanceId !== instance.id) continue;
      if (volume.attachment.deleteOnTermination) {
        delete region.volumes[volume.id];
        delete region.tags[volume.id];
      } else delete volume.attachment;
    }
    delete region.tags[instance.interface.id];
    if (longGone(clock, instance.terminatedAt ?? 0, LISTED_SECONDS)) {
      delete region.instances[instance.id];
      delete region.tags[instance.id];
    }
  }
}
