import type { Context } from '../operation.ts';
import type { LoadBalancer } from './records.ts';

type Surroundings = Pick<Context, 'clock' | 'hosts'>;

/** Typical seconds until active, and after a deletion until the network interfaces are gone. */
const SECONDS = { provisioning: 120, interfaces: 60 };

/** Does it still hold its network interfaces? */
export function holdsInterfaces(balancer: LoadBalancer, { clock, hosts }: Surroundings): boolean {
  if (balancer.deletedAt === undefined) return true;
  const host = hosts?.state(balancer.arn).state;
  const gone = host === undefined || host === 'absent' || host === 'failed';
  return !(gone && clock.passed(balancer.deletedAt, SECONDS.interfaces));
}

export function loadBalancerState({ clock, hosts }: Surroundings, balancer: LoadBalancer) {
  const host = hosts?.state(balancer.arn);
  if (host?.state === 'failed') return { Code: 'failed' as const, Reason: host.reason };
  const up = host === undefined || host.state === 'running';
  const active = up && clock.passed(balancer.createdAt, SECONDS.provisioning);
  return active ? { Code: 'active' as const } : { Code: 'provisioning' as const };
}

/** A deleted load balancer is forgotten when its network interfaces are gone. */
export function sweepLoadBalancers(context: Pick<Context, 'region' | 'clock' | 'hosts'>): void {
  const { region } = context;
  for (const balancer of Object.values(region.loadBalancers)) {
    if (holdsInterfaces(balancer, context)) continue;
    for (const { allocationId } of balancer.zones) {
      const address = allocationId === undefined ? undefined : region.addresses[allocationId];
      if (address) delete address.association;
    }
    delete region.loadBalancers[balancer.arn];
  }
}

/** Identifies a load balancer in its network interfaces' descriptions: `ELB net/NAME/ID`. */
export function shortName(balancer: LoadBalancer): string {
  return balancer.arn.slice(balancer.arn.indexOf('net/'));
}
