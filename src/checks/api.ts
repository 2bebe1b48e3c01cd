import type { Facts, InstanceFact } from './facts.ts';
import { type Check, failed, passed, pending, skipped, type Verdict } from './types.ts';

/** What has to be true of a Cloudspace, whoever built it, by the API alone. Pure: the facts in, the verdict out. */
export const API_CHECKS: readonly Check<Facts>[] = [
  {
    chapter: 'login',
    key: 'account',
    title: 'The credentials are good',
    judge: ({ account }) => passed(`account ${account}`),
  },
  {
    chapter: 'vpc',
    key: 'vpc',
    title: 'There is one VPC',
    judge: ({ name, vpcs }) => {
      const [vpc, ...more] = vpcs;
      if (!vpc)
        return failed(
          `no VPC has the tag cloudspace:name=${name}`,
          'make it in chapter "vpc"; tag one that you made by hand with cloudspace:name',
        );
      if (more.length > 0)
        return failed(
          `there are ${vpcs.length}: ${vpcs.map(({ id }) => id).join(', ')}`,
          'keep the one in use, take the tag from the others',
        );
      return vpc.state === 'available' ? passed(`${vpc.id}, ${vpc.cidr}`) : pending(`${vpc.id} is ${vpc.state}`);
    },
  },
  {
    chapter: 'vpc',
    key: 'public-subnets',
    title: 'Public subnets in two zones, with a way to the internet',
    judge: (facts) => {
      if (facts.internetGateways.length === 0)
        return failed('no internet gateway is attached', 'attach one to the VPC');
      return inTwoZones(facts, 'public', 'their route table needs 0.0.0.0/0 to the internet gateway');
    },
  },
  {
    chapter: 'vpc',
    key: 'private-subnets',
    title: 'Private subnets in two zones, with a way out through NAT',
    judge: (facts) => {
      const [nat] = facts.natGateways;
      if (!nat) return failed('there is no NAT gateway', 'make one in a public subnet, with an Elastic IP');
      if (nat.state === 'pending') return pending(`the NAT gateway ${nat.id} is still being made`);
      if (nat.state !== 'available')
        return failed(`the NAT gateway ${nat.id} is ${nat.state}`, 'delete it and make another');
      return inTwoZones(facts, 'private', 'their route table needs 0.0.0.0/0 to the NAT gateway');
    },
  },
  {
    chapter: 'bastion',
    key: 'instance',
    title: 'The bastion runs, with a public address',
    judge: (facts) => runs(facts, 'bastion', true),
  },
  {
    chapter: 'bastion',
    key: 'ssh-rule',
    title: 'SSH is open to some, not to the world',
    judge: (facts) => {
      const openings = openingsOf(facts, named(facts, 'bastion')[0]).filter(({ from, to }) => from <= 22 && to >= 22);
      if (openings.length === 0)
        return failed(
          'nobody may reach port 22 of the bastion',
          'let your own address in: the rule of its security group',
        );
      const world = openings.some(({ cidr }) => cidr.endsWith('/0'));
      const detail = openings.map(({ cidr }) => cidr).join(', ');
      return world ? passed(`${detail}: the whole internet may try`) : passed(detail);
    },
  },
  {
    chapter: 'controller',
    key: 'instance',
    title: 'The controller runs, with a public address',
    judge: (facts) => runs(facts, 'controller', true),
  },
  {
    chapter: 'controller',
    key: 'database',
    title: 'The database is there, and not public',
    judge: (facts) => {
      const [database] = facts.databases;
      if (!database) return failed('there is no database in the VPC', 'make it in chapter "controller"');
      if (database.public)
        return failed(
          `${database.id} is publicly accessible`,
          `switch that off: aws rds modify-db-instance --db-instance-identifier ${database.id} --no-publicly-accessible`,
        );
      const open = database.groups.flatMap((group) => facts.openings.get(group) ?? []);
      const first = open[0];
      if (first) return failed(`its security group lets in ${first.cidr}`, 'let in groups only, no addresses');
      if (
        ['available', 'backing-up', 'storage-optimization', 'configuring-enhanced-monitoring'].includes(database.status)
      )
        return passed(database.id);
      if (/fail|stopped|incompatible|inaccessible/.test(database.status))
        return failed(`${database.id} is ${database.status}`, 'look at its events in the RDS console');
      return pending(`${database.id} is ${database.status}`);
    },
  },
  {
    chapter: 'runners',
    key: 'instances',
    title: 'Runners run in private subnets',
    judge: (facts) => {
      const runners = named(facts, 'runner');
      if (runners.length === 0) return failed('there is no runner', 'make them in chapter "runners"');
      const down = runners.filter(({ state }) => state !== 'running');
      const starting = down.filter(({ state }) => state === 'pending');
      if (down.length > starting.length)
        return failed(
          `${list(down)}: ${down[0]?.state}`,
          'start them: aws ec2 start-instances, or run the walkthrough again',
        );
      if (starting.length > 0) return pending(`${list(starting)}: still starting`);
      const isPublic = runners.filter(({ publicIp }) => publicIp !== undefined);
      if (isPublic.length > 0) return failed(`${list(isPublic)} have public addresses`, 'move them to private subnets');
      return passed(list(runners));
    },
  },
  {
    chapter: 'ingress',
    key: 'load-balancer',
    title: 'The load balancer is active and listens',
    judge: ({ loadBalancers }) => {
      const [balancer] = loadBalancers;
      if (!balancer) return failed('there is no load balancer in the VPC', 'make it in chapter "ingress"');
      const missing = [80, 443, 2222].filter((port) => !balancer.listeners.includes(port));
      if (missing.length > 0)
        return failed(`${balancer.name} has no listener for ${missing.join(', ')}`, 'add them in chapter "ingress"');
      if (balancer.state === 'provisioning') return pending(`${balancer.name} is still being made`);
      return balancer.state === 'active'
        ? passed(balancer.dnsName)
        : failed(`${balancer.name} is ${balancer.state}`, 'delete it and make another');
    },
  },
  {
    chapter: 'ingress',
    key: 'targets',
    title: 'All runners are its targets, and healthy',
    judge: (facts) => {
      const targets = facts.loadBalancers.flatMap((balancer) => balancer.targets);
      const absent = named(facts, 'runner').filter(({ id }) =>
        [80, 443, 2222].some((port) => !targets.some((target) => target.id === id && target.port === port)),
      );
      if (absent.length > 0)
        return failed(`${list(absent)}: not registered`, 'register them in all three target groups');
      const ill = targets.filter(({ health }) => health === 'unhealthy');
      const [first] = ill;
      if (first) {
        const name = facts.instances.find(({ id }) => id === first.id)?.name ?? first.id;
        return failed(
          `${name} is unhealthy (${first.reason || 'no reason given'})`,
          'its port 79 does not answer: is the ingress software up, and does the firewall let the load balancer in?',
        );
      }
      if (targets.some(({ health }) => health === 'initial')) return pending('health checks have begun');
      const unsure = targets.filter(({ health }) => health !== 'healthy');
      return unsure.length > 0
        ? skipped(`health is not known: ${[...new Set(unsure.map(({ health }) => health))].join(', ')}`)
        : passed(`${targets.length} healthy`);
    },
  },
  {
    chapter: 'services',
    key: 'instance',
    title: 'The services host runs, with a public address',
    judge: (facts) => runs(facts, 'services', true),
  },
];

/** Hosts of a role: `runner` means runner-1, runner-2 … */
export function named(facts: Facts, role: string): InstanceFact[] {
  return facts.instances
    .filter(({ name }) => name === role || name.startsWith(`${role}-`))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const list = (instances: readonly InstanceFact[]): string => instances.map(({ name }) => name).join(', ');

function openingsOf(facts: Facts, instance: InstanceFact | undefined) {
  return (instance?.groups ?? []).flatMap((group) => facts.openings.get(group) ?? []);
}

function runs(facts: Facts, role: string, isPublic: boolean): Verdict {
  const [one, ...more] = named(facts, role);
  if (!one)
    return failed(
      `there is no instance "${role}" in the VPC`,
      `make it in chapter "${role}"; one that you made by hand needs the Name ${facts.name}-${role}`,
    );
  if (more.length > 0)
    return failed(`there are ${more.length + 1}: ${[one, ...more].map(({ id }) => id).join(', ')}`, 'keep one of them');
  if (one.state === 'pending') return pending(`${one.id} is still starting`);
  if (one.state !== 'running')
    return failed(`${one.id} is ${one.state}`, `start it: aws ec2 start-instances --instance-ids ${one.id}`);
  if (isPublic && one.publicIp === undefined)
    return failed(`${one.id} has no public address`, 'associate its Elastic IP');
  return passed(`${one.id}, ${one.publicIp ?? one.privateIp}`);
}

function inTwoZones(facts: Facts, kind: 'public' | 'private', hint: string): Verdict {
  const gateway = kind === 'public' ? /^igw-/ : /^nat-/;
  const fitting = facts.subnets.filter(({ defaultRoute }) => gateway.test(defaultRoute ?? ''));
  const zones = new Set(fitting.map(({ zone }) => zone));
  return zones.size >= 2
    ? passed([...zones].sort().join(', '))
    : failed(`${zones.size} of 2 zones have a ${kind} subnet with such a route`, hint);
}
