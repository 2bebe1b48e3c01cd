/** From the world to the hosts: everything that should run, with security groups resolved to addresses. */
import type {
  DesiredDatabase,
  DesiredHosts,
  DesiredInstance,
  DesiredLoadBalancer,
  FirewallRule,
  Hosts,
} from '../hosts/types.ts';
import { networkInterfaces } from './ec2/interfaces.ts';
import type { Instance } from './ec2/records.ts';
import { isPublicSubnet } from './ec2/routeTables.ts';
import { rulesOf } from './ec2/securityGroups.ts';
import { liveLoadBalancers } from './elbv2/common.ts';
import { listenersOf } from './elbv2/listeners.ts';
import type { LoadBalancer } from './elbv2/records.ts';
import type { Context } from './operation.ts';
import type { DbInstance } from './rds/records.ts';
import type { RegionWorld, World } from './world.ts';

type Surroundings = Pick<Context, 'clock' | 'hosts'>;

/** Addresses of a group's members, as /32 ranges. */
type Members = (groupId: string) => readonly string[];

const PROTOCOLS: Readonly<Record<string, FirewallRule['protocol']>> = {
  tcp: 'tcp',
  udp: 'udp',
  icmp: 'icmp',
  '-1': 'all',
};

/** What the groups let in. IPv6 and protocols that hosts do not have are left out: nothing there could use them. */
function ingressOf(region: RegionWorld, groups: readonly string[], members: Members): FirewallRule[] {
  return groups.flatMap((groupId) =>
    rulesOf(region, groupId).flatMap((rule): FirewallRule[] => {
      const protocol = PROTOCOLS[rule.protocol];
      const sources = rule.cidr4 ? [rule.cidr4] : rule.peerGroupId ? members(rule.peerGroupId) : [];
      if (rule.egress || !protocol || !sources.length) return [];
      const ports = protocol === 'tcp' || protocol === 'udp';
      return [{ protocol, fromPort: ports ? rule.fromPort : 0, toPort: ports ? rule.toPort : 0, sources }];
    }),
  );
}

function instance(region: RegionWorld, one: Instance, members: Members, down: readonly string[]): DesiredInstance {
  const tags = region.tags[one.id] ?? {};
  const isDown = down.some(
    (name) => name === one.id || Object.values(tags).includes(name) || tags.Name?.endsWith(`-${name}`),
  );
  return {
    id: one.id,
    vpcId: one.vpcId,
    name: region.tags[one.id]?.Name ?? one.id,
    privateIp: one.interface.privateIp,
    public: isPublicSubnet(region, one.interface.subnetId),
    state: one.stoppedAt === undefined ? 'running' : 'stopped',
    ...(one.publicKey ? { publicKey: one.publicKey } : {}),
    ingress: ingressOf(region, one.interface.groups, members),
    ...(isDown ? { network: 'down' as const } : {}),
  };
}

function database(region: RegionWorld, one: DbInstance, members: Members): DesiredDatabase {
  return {
    id: one.resourceId,
    vpcId: one.vpcId,
    privateIp: one.interface.privateIp,
    endpoint: one.endpoint,
    port: one.port,
    user: one.username,
    verifier: one.verifier,
    ...(one.database ? { database: one.database } : {}),
    state: one.stoppedAt === undefined ? 'running' : 'stopped',
    ingress: ingressOf(region, one.interface.groups, members),
  };
}

const OPEN: FirewallRule = { protocol: 'all', fromPort: 0, toPort: 0, sources: ['0.0.0.0/0'] };

/** One address for the whole load balancer, that of its first zone. */
function loadBalancer(region: RegionWorld, one: LoadBalancer, members: Members): DesiredLoadBalancer {
  const listeners = listenersOf(region, one.arn).map(({ port, targetGroupArn }) => ({ port, targetGroupArn }));
  const groups = [...new Set(listeners.map((listener) => listener.targetGroupArn))];
  return {
    arn: one.arn,
    vpcId: one.vpcId,
    name: one.name,
    privateIp: one.zones[0]?.interface.privateIp ?? '',
    dnsName: one.dnsName,
    // Without security groups a Network Load Balancer lets everything in.
    ingress: one.groups.length ? ingressOf(region, one.groups, members) : [OPEN],
    listeners,
    targetGroups: groups.flatMap((arn) => {
      const group = region.targetGroups[arn];
      if (!group) return [];
      const { health, port } = group;
      return [
        {
          arn,
          port,
          health: {
            port: health.port === 'traffic-port' ? port : Number(health.port),
            intervalSeconds: health.intervalSeconds,
            healthyThreshold: health.healthyThreshold,
            unhealthyThreshold: health.unhealthyThreshold,
          },
          targets: group.targets.flatMap((target) => {
            const address = region.instances[target.id]?.interface.privateIp;
            return target.drainingSince === undefined && address ? [{ id: target.id, address, port: target.port }] : [];
          }),
        },
      ];
    }),
  };
}

/** Everything that should run now, in all accounts and regions. `down`: ids, tag values or ends of names of hosts without a network (a fault). */
export function desiredHosts(world: World, surroundings: Surroundings, down: readonly string[] = []): DesiredHosts {
  const parts = Object.values(world.regions).map((region): DesiredHosts => {
    const interfaces = networkInterfaces({ ...surroundings, region });
    const members: Members = (groupId) =>
      interfaces
        .filter((one) => one.Groups.some((group) => group.GroupId === groupId))
        .map((one) => `${one.PrivateIpAddress}/32`);
    return {
      networks: Object.values(region.vpcs).map(({ id, cidr }) => ({ vpcId: id, cidr })),
      instances: Object.values(region.instances)
        .filter((one) => one.terminatedAt === undefined)
        .map((one) => instance(region, one, members, down)),
      databases: Object.values(region.dbInstances)
        .filter((one) => one.deletedAt === undefined)
        .map((one) => database(region, one, members)),
      loadBalancers: liveLoadBalancers(region).map((one) => loadBalancer(region, one, members)),
    };
  });
  return {
    networks: parts.flatMap((part) => part.networks),
    instances: parts.flatMap((part) => part.instances),
    databases: parts.flatMap((part) => part.databases),
    loadBalancers: parts.flatMap((part) => part.loadBalancers),
  };
}

/** Hands the desired state to the hosts, when it differs from the last one. */
export function hostsSync(hosts: Hosts | undefined): (desired: () => DesiredHosts) => void {
  let last = '';
  return (desired) => {
    if (!hosts) return;
    const next = desired();
    const text = JSON.stringify(next);
    if (text === last) return;
    last = text;
    hosts.sync(next);
  };
}

/** The host behind a public address or a load balancer's DNS name: an instance's id or a load balancer's ARN. */
export function hostBehind(world: World, surroundings: Surroundings, address: string): string | undefined {
  for (const region of Object.values(world.regions)) {
    const balancer = liveLoadBalancers(region).find(
      (one) => one.dnsName === address.toLowerCase() || one.zones.some((zone) => zone.publicIp === address),
    );
    if (balancer) return balancer.arn;
    const holder = networkInterfaces({ ...surroundings, region }).find((one) => one.Association?.PublicIp === address);
    if (holder?.Attachment.InstanceId) return holder.Attachment.InstanceId;
  }
  return undefined;
}
