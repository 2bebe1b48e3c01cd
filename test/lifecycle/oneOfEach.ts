import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Aws } from '../../src/aws/clients.ts';
import { lastExpiringCa, latestPostgres, newestDebian } from '../../src/aws/lookups.ts';
import * as kinds from '../../src/aws/resources/index.ts';
import type { AnyKind, CreateContext, Found, Output, Scope } from '../../src/engine/types.ts';

export const NAME = 'hackathon-07';
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqC0ylXrGfJ1VTn2tLKQ0GkOFUKLcVyzZ4hYLqkIvBd';

/** Outputs by key, as the life cycles go on; and what was looked up. */
export type Made = Record<string, Output & Record<string, unknown>>;

export interface Example {
  readonly kind: AnyKind;
  readonly key: string;
  /** read when its turn comes */
  readonly props: () => Record<string, unknown>;
}

export async function lookUp(aws: Aws, made: Made): Promise<void> {
  made.image = { id: (await newestDebian(aws)).id };
  made.postgres = { id: await latestPostgres(aws, 'db.t4g.micro') };
  made.ca = { id: await lastExpiringCa(aws) };
}

export function scope(name = NAME): Scope {
  const reads = new Map<string, Promise<unknown>>();
  return {
    name,
    once<T>(what: string, read: () => Promise<T>): Promise<T> {
      if (!reads.has(what)) reads.set(what, read());
      return reads.get(what) as Promise<T>;
    },
  };
}

export const tags = (key: string, name = NAME) => ({
  'cloudspace:name': name,
  'cloudspace:key': key,
  'cloudspace:chapter': 'vpc',
  Name: `${name}-${key}`,
});

export const context = (key: string, name = NAME): CreateContext => ({
  tags: tags(key, name),
  token: `token-${key}`,
  name,
  signal: new AbortController().signal,
});

/** The resource of this key or, for kinds without tags, the one these props describe. */
export async function look(aws: Aws, kind: AnyKind, key: string, props: object): Promise<Found | undefined> {
  const found = (await kind.list(aws, scope())).filter((one) =>
    kind.matches ? kind.matches(props, one.out) : one.key === key,
  );
  expect(found.length, `${kind.type} ${key} once`).toBeLessThanOrEqual(1);
  const state = found[0] && kind.status?.(found[0].out).state;
  return state === 'gone' ? undefined : found[0];
}

export async function untilReady(aws: Aws, kind: AnyKind, key: string, props: object): Promise<Output> {
  for (let round = 0; round < 200; round++) {
    const found = await look(aws, kind, key, props);
    const status = found && (kind.status?.(found.out) ?? { state: 'ready' });
    if (found && status?.state === 'ready') return found.out;
    expect(status?.state, JSON.stringify(status)).toBe('pending');
    await sleep(20);
  }
  throw new Error(`${kind.type} ${key} does not get ready`);
}

export async function untilGone(aws: Aws, kind: AnyKind, key: string, props: object): Promise<void> {
  for (let round = 0; round < 200; round++) {
    if ((await look(aws, kind, key, props)) === undefined) return;
    await sleep(20);
  }
  throw new Error(`${kind.type} ${key} does not go away`);
}

/** One of every kind, in the order in which they need each other. */
export function examples(made: Made): readonly Example[] {
  const id = (key: string): string => made[key]?.id ?? '';
  return [
    { kind: kinds.vpc, key: 'vpc', props: () => ({ cidr: '10.7.0.0/16' }) },
    { kind: kinds.vpcDnsHostnames, key: 'vpc-dns', props: () => ({ vpcId: id('vpc') }) },
    {
      kind: kinds.vpcTag,
      key: 'note-dns-hosts',
      props: () => ({ vpcId: id('vpc'), tag: 'cloudspace:dns-hosts', value: 'dnsimple hosts.example.com' }),
    },
    {
      kind: kinds.subnet,
      key: 'subnet-a',
      props: () => ({ vpcId: id('vpc'), cidr: '10.7.0.0/20', zone: 'eu-central-1a' }),
    },
    {
      kind: kinds.subnet,
      key: 'subnet-b',
      props: () => ({ vpcId: id('vpc'), cidr: '10.7.16.0/20', zone: 'eu-central-1b' }),
    },
    { kind: kinds.internetGateway, key: 'internet-gateway', props: () => ({}) },
    {
      kind: kinds.internetGatewayAttachment,
      key: 'attachment',
      props: () => ({ internetGatewayId: id('internet-gateway'), vpcId: id('vpc') }),
    },
    { kind: kinds.routeTable, key: 'route-table', props: () => ({ vpcId: id('vpc') }) },
    {
      kind: kinds.routeTableAssociation,
      key: 'association',
      props: () => ({ routeTableId: id('route-table'), subnetId: id('subnet-a') }),
    },
    { kind: kinds.eip, key: 'eip-nat', props: () => ({}) },
    { kind: kinds.eip, key: 'eip-bastion', props: () => ({}) },
    {
      kind: kinds.route,
      key: 'route',
      props: () => ({
        routeTableId: id('route-table'),
        destination: '0.0.0.0/0',
        internetGatewayId: id('internet-gateway'),
      }),
    },
    {
      kind: kinds.natGateway,
      key: 'nat-gateway',
      props: () => ({ subnetId: id('subnet-a'), allocationId: id('eip-nat') }),
    },
    { kind: kinds.securityGroup, key: 'bastion', props: () => ({ vpcId: id('vpc'), description: 'The bastion' }) },
    { kind: kinds.securityGroup, key: 'runners', props: () => ({ vpcId: id('vpc'), description: 'The runners' }) },
    {
      kind: kinds.securityGroupRules,
      key: 'bastion-rules',
      props: () => ({
        groupId: id('bastion'),
        rules: [{ protocol: 'tcp', fromPort: 22, toPort: 22, cidr: '198.51.100.7/32', description: 'SSH from me' }],
      }),
    },
    {
      kind: kinds.securityGroupRules,
      key: 'runners-rules',
      props: () => ({
        groupId: id('runners'),
        rules: [
          { protocol: 'tcp', fromPort: 22, toPort: 22, sourceGroupId: id('bastion') },
          { protocol: 'tcp', fromPort: 79, toPort: 80, sourceGroupId: id('bastion') },
          { protocol: '-1', sourceGroupId: id('runners') },
          { protocol: 'icmp', fromPort: -1, toPort: -1, cidr: '10.7.0.0/16' },
        ],
      }),
    },
    { kind: kinds.keyPair, key: 'key-pair', props: () => ({ publicKey: `${KEY} ada@laptop` }) },
    {
      kind: kinds.instance,
      key: 'host',
      props: () => ({
        imageId: made.image?.id,
        instanceType: 't3.micro',
        subnetId: id('subnet-a'),
        securityGroupIds: [id('bastion')],
        keyName: made['key-pair']?.name,
      }),
    },
    {
      kind: kinds.eipAssociation,
      key: 'eip-association',
      props: () => ({ allocationId: id('eip-bastion'), instanceId: id('host') }),
    },
    {
      kind: kinds.dbSubnetGroup,
      key: 'database-subnets',
      props: () => ({ subnetIds: [id('subnet-a'), id('subnet-b')], description: 'The database' }),
    },
    {
      kind: kinds.dbInstance,
      key: 'database',
      props: () => ({
        instanceClass: 'db.t4g.micro',
        engineVersion: made.postgres?.id,
        dbSubnetGroup: id('database-subnets'),
        securityGroupIds: [id('runners')],
        masterUsername: 'cloudspace',
        masterPasswordSecret: 'database-master',
        databaseName: 'control',
        caCertificate: made.ca?.id,
      }),
    },
    {
      kind: kinds.targetGroup,
      key: 'runners-http',
      props: () => ({
        vpcId: id('vpc'),
        port: 80,
        healthCheckPort: 79,
        healthCheckInterval: 10,
        healthyThreshold: 3,
      }),
    },
    {
      kind: kinds.targetGroupAttachment,
      key: 'runners-http-targets',
      props: () => ({ targetGroupArn: id('runners-http'), instanceIds: [id('host')] }),
    },
    {
      kind: kinds.loadBalancer,
      key: 'lb',
      props: () => ({ subnetIds: [id('subnet-a'), id('subnet-b')], securityGroupIds: [id('runners')] }),
    },
    {
      kind: kinds.listener,
      key: 'listener-http',
      props: () => ({ loadBalancerArn: id('lb'), port: 80, targetGroupArn: id('runners-http') }),
    },
  ];
}

/** What was deleted a moment ago may hold on to an address or an interface for a while. */
export async function patiently(work: () => Promise<void>): Promise<void> {
  for (let round = 0; ; round++) {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: string }).code !== 'DependencyViolation' || round === 200) throw error;
      await sleep(20);
    }
  }
}
