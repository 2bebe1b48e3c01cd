import { join } from 'node:path';
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteSecurityGroupCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Aws } from '../../src/aws/clients.ts';
import { newestDebian } from '../../src/aws/lookups.ts';
import { clients } from '../support/aws.ts';
import { cleanEnv, cli, folder, type Server, serve } from '../support/cli.ts';
import { laptop, named } from '../support/laptop.ts';

/** A teardown that something is in the way of: things of others in our network, protection that a person switched on. */
let server: Server;
let aws: Aws;
const dir = folder();
const base = (name: string) => ['--name', name, '--state-dir', join(dir, 'state')];
const { on, up } = laptop(dir, () => server);
const events = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const vpcOf = async (name: string) =>
  (await aws.ec2.send(new DescribeVpcsCommand({ Filters: named(name) }))).Vpcs?.[0]?.VpcId;

beforeAll(async () => {
  server = await serve(join(dir, 'server'), ['--quota', 'vpc=20', '--quota', 'eip=50', '--quota', 'vcpu=100']);
  aws = clients(server);
});
afterAll(async () => {
  aws.close();
  await server.close();
});

describe("things of others in the Cloudspace's network", () => {
  it('an instance somebody started there: named, never deleted, listed with what it holds and what it costs', async () => {
    const name = 'held-01';
    await up(name, 'vpc');
    const { Subnets = [] } = await aws.ec2.send(new DescribeSubnetsCommand({ Filters: named(name) }));
    const subnet = Subnets[0];
    const { Instances = [] } = await aws.ec2.send(
      new RunInstancesCommand({
        ImageId: (await newestDebian(aws)).id,
        InstanceType: 't3.micro',
        MinCount: 1,
        MaxCount: 1,
        SubnetId: subnet?.SubnetId,
        TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'jenkins' }] }],
      }),
    );
    const id = Instances[0]?.InstanceId ?? '';

    const down = await on(['destroy', '--yes', '--json', '--wait', '1', ...base(name)]);
    expect(down.code, down.stderr).toBe(1);
    const told = events(down.stdout);
    const warning = told.find((event) => event.type === 'warning');
    expect(warning.text).toContain(id);
    expect(warning.text).toContain('"jenkins", t3.micro, not made by cloudspace');
    const { left } = told.at(-1).data;
    const ofType = (type: string) => left.filter((one: { type: string }) => one.type === type);
    expect(ofType('aws_subnet').map((one: { id: string }) => one.id)).toEqual([subnet?.SubnetId]);
    expect(ofType('aws_vpc')).toHaveLength(1);
    expect(ofType('instance')).toEqual([
      expect.objectContaining({ id, usdPerHour: 0.012, usdPerMonth: expect.closeTo(8.76) }),
    ]);
    expect(left).toHaveLength(3);
    const still = await aws.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    expect(still.Reservations?.[0]?.Instances?.[0]?.State?.Name).toBe('running');

    await aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    const again = await on(['destroy', '--yes', ...base(name)]);
    expect(again.code, again.stderr + again.stdout).toBe(0);
    expect(again.stdout).toContain('Nothing is left');
  });

  it('a group whose rule names one of ours: removed while the teardown waits, and it goes on by itself', async () => {
    const name = 'held-02';
    await up(name, 'bastion');
    const { Subnets = [] } = await aws.ec2.send(new DescribeSubnetsCommand({ Filters: named(name) }));
    const VpcId = Subnets[0]?.VpcId;
    const { GroupId } = await aws.ec2.send(
      new CreateSecurityGroupCommand({ GroupName: 'monitoring', Description: 'of somebody', VpcId }),
    );
    const { Reservations = [] } = await aws.ec2.send(new DescribeInstancesCommand({ Filters: named(name) }));
    const ours = Reservations[0]?.Instances?.[0]?.SecurityGroups?.[0]?.GroupId;
    await aws.ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId,
        IpPermissions: [{ IpProtocol: 'tcp', FromPort: 9100, ToPort: 9100, UserIdGroupPairs: [{ GroupId: ours }] }],
      }),
    );
    let removed: Promise<unknown> | undefined;
    const down = await cli(['destroy', '--yes', '--json', ...base(name)], {
      env: cleanEnv(server.env),
      started: (child) =>
        child.stdout?.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes('monitoring'))
            removed ??= aws.ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
        }),
    });
    await removed;
    expect(removed).toBeDefined();
    expect(down.code, down.stderr).toBe(0);
    expect(events(down.stdout).at(-1).data).toMatchObject({ left: [], adopted: [], snapshots: [] });
    expect(await vpcOf(name)).toBeUndefined();
  });
});

describe('protection that a person switched on', () => {
  it('is said, and lifted only with --force', async () => {
    const name = 'held-03';
    await up(name, 'controller');
    const { Reservations = [] } = await aws.ec2.send(
      new DescribeInstancesCommand({ Filters: [...named(name), { Name: 'tag:cloudspace:key', Values: ['bastion'] }] }),
    );
    const InstanceId = Reservations[0]?.Instances?.[0]?.InstanceId ?? '';
    await aws.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value: true } }));
    await aws.rds.send(
      new ModifyDBInstanceCommand({ DBInstanceIdentifier: `${name}-database`, DeletionProtection: true }),
    );
    const refused = await on(['destroy', '--yes', '--json', '--wait', '1', ...base(name)]);
    expect(refused.code, refused.stderr).toBe(1);
    const { left } = events(refused.stdout).at(-1).data;
    const reason = (id: string) => left.find((one: { id: string }) => one.id === id).reason;
    expect(reason(InstanceId)).toMatch(/protected against deletion/);
    expect(reason(`${name}-database`)).toMatch(/protected against deletion/);
    expect(left.every((one: { usdPerHour: unknown }) => typeof one.usdPerHour === 'number')).toBe(true);
    const forced = await on(['destroy', '--yes', '--force', ...base(name)]);
    expect(forced.code, forced.stderr + forced.stdout).toBe(0);
    expect(await vpcOf(name)).toBeUndefined();
  });
});

describe('what the person made and the Cloudspace used', () => {
  it('keeps its own tags, loses ours, stays, and is listed', async () => {
    const name = 'held-04';
    await up(name, 'vpc');
    const VpcId = await vpcOf(name);
    const Tags = [{ Key: 'cloudspace:origin', Value: 'adopted' }];
    await aws.ec2.send(new CreateTagsCommand({ Resources: [VpcId ?? ''], Tags }));
    const down = await on(['destroy', '--yes', '--json', ...base(name)]);
    expect(down.code, down.stderr).toBe(0);
    expect(events(down.stdout).at(-1).data).toMatchObject({
      left: [],
      adopted: [{ key: 'vpc', type: 'aws_vpc', id: VpcId }],
    });
    const { Vpcs } = await aws.ec2.send(new DescribeVpcsCommand({ VpcIds: [VpcId ?? ''] }));
    expect(Vpcs?.[0]?.Tags).toEqual([{ Key: 'Name', Value: `${name}-vpc` }]);
    const { Subnets } = await aws.ec2.send(
      new DescribeSubnetsCommand({ Filters: [{ Name: 'vpc-id', Values: [VpcId ?? ''] }] }),
    );
    expect(Subnets).toEqual([]);
    const again = await on(['destroy', '--yes', ...base(name)]);
    expect(again.code, again.stderr).toBe(0);
  });
});
