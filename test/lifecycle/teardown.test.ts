import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteVolumeCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { DeleteLoadBalancerCommand, DescribeLoadBalancersCommand } from '@aws-sdk/client-elastic-load-balancing-v2';
import { DescribeDBSnapshotsCommand } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Aws } from '../../src/aws/clients.ts';
import { newestDebian } from '../../src/aws/lookups.ts';
import { vpc } from '../../src/aws/resources/vpc.ts';
import { tagsFor } from '../../src/engine/tags.ts';
import { clients } from '../support/aws.ts';
import { cleanEnv, cli, folder, type Server, serve } from '../support/cli.ts';
import { laptop, named } from '../support/laptop.ts';

/** Teardowns that nothing is in the way of, from every kind of beginning: the end is nothing, and says so. */
let server: Server;
let aws: Aws;
const dir = folder();
const base = (name: string, state = 'state') => ['--name', name, '--state-dir', join(dir, state)];
const { on, up, walk } = laptop(dir, () => server);
const summary = (stdout: string) => JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}');
const vpcs = async (name: string) =>
  (await aws.ec2.send(new DescribeVpcsCommand({ Filters: named(name) }))).Vpcs?.length ?? 0;

beforeAll(async () => {
  server = await serve(join(dir, 'server'), ['--quota', 'vpc=30', '--quota', 'eip=50', '--quota', 'vcpu=100']);
  aws = clients(server);
});
afterAll(async () => {
  aws.close();
  await server.close();
});

describe('what a teardown leaves', () => {
  it('a final snapshot that was asked for: made, listed with its cost and the command, and listed again by a later one', async () => {
    const name = 'down-01';
    await up(name, 'controller');
    const bad = await on(['destroy', '--yes', '--final-snapshot', 'no--good', ...base(name)]);
    expect(bad.code).toBe(2);
    const mutations = server.mutations().length;
    const down = await on(['destroy', '--yes', '--json', '--final-snapshot', 'the-end', ...base(name)]);
    expect(down.code, down.stderr).toBe(0);
    const { data, text } = summary(down.stdout);
    expect(data.left).toEqual([]);
    expect(data.snapshots).toEqual([
      {
        id: 'the-end',
        gigabytes: 20,
        usdPerHour: expect.closeTo((20 * 0.095) / 730),
        command: 'aws rds delete-db-snapshot --db-snapshot-identifier the-end --region eu-central-1',
      },
    ]);
    expect(text).toContain('Nothing is left');
    expect(server.mutations().slice(mutations)).not.toContain('CreateDBSnapshot');
    const { DBSnapshots } = await aws.rds.send(new DescribeDBSnapshotsCommand({}));
    expect(DBSnapshots?.map((one) => one.DBSnapshotIdentifier)).toEqual(['the-end']);
    const later = await on(['destroy', '--yes', '--json', ...base(name)]);
    expect(later.code).toBe(0);
    expect(summary(later.stdout).data.snapshots).toHaveLength(1);
    await up(name, 'controller');
    const taken = await on(['destroy', '--yes', '--final-snapshot', 'the-end', ...base(name)]);
    expect(taken.code).toBe(2);
    expect(await vpcs(name)).toBe(1);
    expect((await on(['destroy', '--yes', ...base(name)])).code).toBe(0);
  });

  it('no address, and the folder with the notes; on a machine that never saw it, not even a folder', async () => {
    const name = 'down-02';
    await up(name, 'bastion');
    const elsewhere = await on(['destroy', '--yes', '--json', ...base(name, 'elsewhere')]);
    expect(elsewhere.code, elsewhere.stderr).toBe(0);
    expect(existsSync(join(dir, 'elsewhere', name))).toBe(false);
    expect((await aws.ec2.send(new DescribeAddressesCommand({ Filters: named(name) }))).Addresses).toEqual([]);
    const here = await on(['destroy', '--yes', '--json', ...base(name)]);
    expect(here.code, here.stderr).toBe(0);
    expect(summary(here.stdout).data).toMatchObject({ deleted: 0, left: [], dir: join(dir, 'state', name) });
    expect(existsSync(join(dir, 'state', name, 'state.json'))).toBe(true);
  });

  it('something of ours that no step describes: a volume that outlived its instance is told, with its cost and the command', async () => {
    const name = 'down-03';
    await up(name, 'vpc');
    const { Subnets = [] } = await aws.ec2.send(new DescribeSubnetsCommand({ Filters: named(name) }));
    const tags = Object.entries(tagsFor(name, 'extra', 'vpc')).map(([Key, Value]) => ({ Key, Value }));
    await aws.ec2.send(
      new RunInstancesCommand({
        ImageId: (await newestDebian(aws)).id,
        InstanceType: 't3.micro',
        MinCount: 1,
        MaxCount: 1,
        SubnetId: Subnets[0]?.SubnetId,
        BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 30, DeleteOnTermination: false } }],
        TagSpecifications: [
          { ResourceType: 'instance', Tags: tags },
          { ResourceType: 'volume', Tags: tags },
        ],
      }),
    );
    const down = await on(['destroy', '--yes', '--json', ...base(name)]);
    expect(down.code, down.stderr).toBe(1);
    const { left } = summary(down.stdout).data;
    expect(left).toEqual([
      expect.objectContaining({
        type: 'volume',
        usdPerHour: expect.closeTo((30 * 0.0952) / 730),
        command: expect.stringMatching(/^aws ec2 delete-volume --volume-id vol-\w+ --region eu-central-1$/),
      }),
    ]);
    await aws.ec2.send(new DeleteVolumeCommand({ VolumeId: left[0].id }));
    expect((await on(['destroy', '--yes', ...base(name)])).code).toBe(0);
  });
});

describe('where a teardown may begin', () => {
  it('with things gone or half gone already: that is success', async () => {
    const name = 'down-04';
    await up(name, 'services');
    const { Reservations = [] } = await aws.ec2.send(new DescribeInstancesCommand({ Filters: named(name) }));
    const ids = Reservations.flatMap(({ Instances = [] }) => Instances.flatMap(({ InstanceId }) => InstanceId ?? []));
    await aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids.slice(0, 3) }));
    const { LoadBalancers = [] } = await aws.elb.send(new DescribeLoadBalancersCommand({}));
    const LoadBalancerArn = LoadBalancers.find((one) => one.LoadBalancerName?.startsWith(name))?.LoadBalancerArn;
    await aws.elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn }));
    const down = await on(['destroy', '--yes', '--json', ...base(name)]);
    expect(down.code, down.stderr).toBe(0);
    expect(summary(down.stdout).data.left).toEqual([]);
    expect(await vpcs(name)).toBe(0);
  });

  it('with the same thing there twice: both go', async () => {
    const name = 'down-05';
    await up(name, 'vpc');
    const { signal } = new AbortController();
    const context = { tags: tagsFor(name, 'vpc', 'vpc'), token: 'again', name, signal };
    await vpc.create(aws, { cidr: '10.99.0.0/16' }, context);
    expect(await vpcs(name)).toBe(2);
    const down = await on(['destroy', '--yes', ...base(name)]);
    expect(down.code, down.stderr + down.stdout).toBe(0);
    expect(await vpcs(name)).toBe(0);
  });

  it('with a request of a killed run that arrived: it is looked for, and taken down', async () => {
    const name = 'down-06';
    const before = server.mutations().length;
    const killed = await cli(['start', ...walk, ...base(name)], {
      env: cleanEnv(server.env),
      started: (child) => {
        server.onRequest = () => {
          if (server.mutations().length - before >= 8) child.kill('SIGKILL');
        };
      },
    });
    server.onRequest = undefined;
    expect(killed.code).toBe(null);
    const down = await on(['destroy', '--yes', ...base(name)]);
    expect(down.code, down.stderr + down.stdout).toBe(0);
    expect(await vpcs(name)).toBe(0);
  });
});

describe('back to a chapter', () => {
  it('killed half way, repeated, and the walk goes on from there: everything is there once', async () => {
    const name = 'down-07';
    await up(name, 'services');
    const before = server.mutations().length;
    const words = ['destroy', '--yes', '--to', 'bastion', ...base(name)];
    const killed = await cli(words, {
      env: cleanEnv(server.env),
      started: (child) => {
        server.onRequest = () => {
          if (server.mutations().length - before >= 10) child.kill('SIGKILL');
        };
      },
    });
    server.onRequest = undefined;
    expect(killed.code).toBe(null);
    const state = () => JSON.parse(readFileSync(join(dir, 'state', name, 'state.json'), 'utf8'));
    // The journal has forgotten the later chapters before the first thing went.
    expect(Object.keys(state().chapters).sort()).toEqual(['bastion', 'login', 'vpc']);
    for (const _ of [1, 2]) {
      const again = await on(words);
      expect(again.code, again.stderr + again.stdout).toBe(0);
    }
    const left = Object.values(state().resources as Record<string, { chapter: string }>);
    expect(new Set(left.map(({ chapter }) => chapter))).toEqual(new Set(['vpc', 'bastion']));
    await up(name, 'services');
    const plan = await on(['plan', '--json', ...base(name), '--provision', 'skip', '--ssh-from', '198.51.100.7']);
    const { resources, extra } = JSON.parse(plan.stdout);
    expect(resources.filter((one: { action: string }) => one.action !== 'keep')).toEqual([]);
    expect(extra).toEqual([]);
    expect((await on(['destroy', '--yes', ...base(name)])).code).toBe(0);
  });
});
