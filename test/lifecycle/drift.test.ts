import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateRouteCommand,
  DeleteRouteCommand,
  DeleteTagsCommand,
  DescribeAddressesCommand,
  DescribeSecurityGroupRulesCommand,
  DisassociateAddressCommand,
  ModifyInstanceAttributeCommand,
  ModifyInstanceMetadataOptionsCommand,
  ModifySubnetAttributeCommand,
  ModifyVpcAttributeCommand,
  ReplaceRouteCommand,
  RevokeSecurityGroupIngressCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import {
  DeregisterTargetsCommand,
  ModifyLoadBalancerAttributesCommand,
  ModifyTargetGroupCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Aws } from '../../src/aws/clients.ts';
import type { DriftItem } from '../../src/engine/types.ts';
import { clients } from '../support/aws.ts';
import { cleanEnv, cli, folder, PUBLIC_KEY, type Server, serve } from '../support/cli.ts';

/** Somebody works in the console: what `plan`, `status --refresh` and `start` say of it, and that it is put back only when that is wanted. */
let server: Server;
let aws: Aws;
const dir = folder();
const key = join(dir, 'key.pub');
const base = ['--name', 'drift-01', '--state-dir', join(dir, 'state')];
const args = [...base, '--ssh-public-key', key, '--provision', 'skip', '--ssh-from', '198.51.100.7/32'];
const on = (words: readonly string[]) => cli(words, { env: cleanEnv(server.env) });
const start = (...more: string[]) => on(['start', '--yes', ...args, ...more]);

interface Plan {
  readonly resources: readonly { key: string; id: string; action: string }[];
  readonly drift: readonly DriftItem[];
  readonly notes: readonly string[];
}
async function plan(): Promise<Plan> {
  const { code, stdout, stderr } = await on(['plan', '--json', ...args]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Plan;
}
const ids = new Map<string, string>();
const id = (of: string): string => {
  const found = ids.get(of);
  if (found === undefined) throw new Error(`there is no ${of}`);
  return found;
};
async function remember(): Promise<void> {
  for (const one of (await plan()).resources) ids.set(one.key, one.id);
}

beforeAll(async () => {
  writeFileSync(key, `${PUBLIC_KEY}\n`);
  server = await serve(join(dir, 'server'));
  aws = clients(server);
  const { code, stderr, stdout } = await start();
  expect(code, stderr + stdout).toBe(0);
  await remember();
});
afterAll(async () => {
  aws.close();
  await server.close();
});

describe('an undisturbed Cloudspace', () => {
  it('has no drift', async () => {
    expect((await plan()).drift).toEqual([]);
    const { code, stdout } = await on(['status', '--refresh', ...base]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Nothing was changed or removed by hand/);
  });

  it('has none after a part of it was destroyed by us', async () => {
    expect((await on(['destroy', '--yes', '--to', 'runners', ...base])).code).toBe(0);
    expect((await plan()).drift).toEqual([]);
    const { code, stderr, stdout } = await start();
    expect(code, stderr + stdout).toBe(0);
    await remember();
  });
});

describe('attributes and rules that were changed', () => {
  const changes: readonly [key: string, attribute: string, change: () => Promise<unknown>][] = [
    [
      'vpc-dns-hostnames',
      'enableDnsSupport',
      () => aws.ec2.send(new ModifyVpcAttributeCommand({ VpcId: id('vpc'), EnableDnsSupport: { Value: false } })),
    ],
    [
      'subnet-private-a',
      'mapPublicIpOnLaunch',
      () =>
        aws.ec2.send(
          new ModifySubnetAttributeCommand({ SubnetId: id('subnet-private-a'), MapPublicIpOnLaunch: { Value: true } }),
        ),
    ],
    [
      'route-private-nat',
      'internetGatewayId',
      () =>
        aws.ec2.send(
          new ReplaceRouteCommand({
            RouteTableId: id('route-table-private'),
            DestinationCidrBlock: '0.0.0.0/0',
            GatewayId: id('internet-gateway'),
          }),
        ),
    ],
    [
      'bastion',
      'httpTokens',
      () =>
        aws.ec2.send(new ModifyInstanceMetadataOptionsCommand({ InstanceId: id('bastion'), HttpTokens: 'optional' })),
    ],
    [
      'controller',
      'sourceDestCheck',
      () =>
        aws.ec2.send(
          new ModifyInstanceAttributeCommand({ InstanceId: id('controller'), SourceDestCheck: { Value: false } }),
        ),
    ],
    [
      'runner-1',
      'securityGroupIds',
      () =>
        aws.ec2.send(
          new ModifyInstanceAttributeCommand({
            InstanceId: id('runner-1'),
            Groups: [id('sg-runners'), id('sg-controller')],
          }),
        ),
    ],
    [
      'target-group-http',
      'healthyThreshold',
      () =>
        aws.elb.send(
          new ModifyTargetGroupCommand({ TargetGroupArn: id('target-group-http'), HealthyThresholdCount: 9 }),
        ),
    ],
    [
      'load-balancer',
      'crossZone',
      () =>
        aws.elb.send(
          new ModifyLoadBalancerAttributesCommand({
            LoadBalancerArn: id('load-balancer'),
            Attributes: [{ Key: 'load_balancing.cross_zone.enabled', Value: 'true' }],
          }),
        ),
    ],
    [
      'targets-ssh',
      'instanceIds',
      () =>
        aws.elb.send(
          new DeregisterTargetsCommand({ TargetGroupArn: id('target-group-ssh'), Targets: [{ Id: id('runner-1') }] }),
        ),
    ],
    [
      'database',
      'backupRetentionDays',
      () =>
        aws.rds.send(
          new ModifyDBInstanceCommand({
            DBInstanceIdentifier: id('database'),
            BackupRetentionPeriod: 7,
            ApplyImmediately: true,
          }),
        ),
    ],
    [
      'sg-controller-ingress',
      'rules',
      async () => {
        const GroupId = id('sg-controller');
        const { SecurityGroupRules = [] } = await aws.ec2.send(
          new DescribeSecurityGroupRulesCommand({ Filters: [{ Name: 'group-id', Values: [GroupId] }] }),
        );
        const SecurityGroupRuleIds = SecurityGroupRules.filter(
          (rule) => !rule.IsEgress && rule.FromPort === 22,
        ).flatMap((rule) => rule.SecurityGroupRuleId ?? []);
        expect(SecurityGroupRuleIds).toHaveLength(1);
        await aws.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, SecurityGroupRuleIds }));
      },
    ],
  ];

  it('are told by plan and by status --refresh, with what should be and what is', async () => {
    for (const [, , change] of changes) await change();
    await aws.ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: id('sg-bastion'),
        IpPermissions: [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
      }),
    );
    await aws.ec2.send(
      new CreateRouteCommand({
        RouteTableId: id('route-table-private'),
        DestinationCidrBlock: '192.0.2.0/24',
        GatewayId: id('internet-gateway'),
      }),
    );
    await aws.ec2.send(
      new DeleteTagsCommand({
        Resources: [id('subnet-private-b')],
        Tags: [{ Key: 'cloudspace:name' }, { Key: 'cloudspace:key' }],
      }),
    );
    const { drift } = await plan();
    const changed = drift.filter(({ what }) => what === 'changed');
    for (const [of, attribute] of changes)
      expect(
        changed.find((item) => item.key === of)?.differences.map((one) => one.attribute),
        of,
      ).toContain(attribute);
    expect(changed).toHaveLength(changes.length);
    expect(drift.filter(({ what }) => what === 'untagged')).toMatchObject([
      { key: 'subnet-private-b', id: id('subnet-private-b') },
    ]);
    const extra = drift.filter(({ what }) => what === 'extra').map(({ differences }) => differences[0]?.have);
    expect(extra).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^route 192\.0\.2\.0\/24 to igw-/),
        expect.stringMatching(/^ingress rules tcp 22 from 0\.0\.0\.0\/0$/),
      ]),
    );
    expect(extra).toHaveLength(2);
    expect(drift.every(({ mendable }) => mendable)).toBe(true);

    const status = await on(['status', '--refresh', ...base]);
    expect(status.stdout).toMatch(/bastion: instance i-\w+: httpTokens is optional, should be required/);
  });

  it('are left alone by start --yes, which says so; what needs the lost subnet stops it, naming --repair', async () => {
    const before = server.mutations().length;
    const { code, stdout, stderr } = await start('--json');
    expect(code).toBe(1);
    expect(server.mutations().slice(before)).toEqual([]);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.find((event) => event.type === 'drift').items.length).toBe(changes.length + 3);
    expect(stderr).toMatch(/subnet-private-b.*has lost its tags/s);
    expect(stderr).toMatch(/--repair/);
  });

  it('are put back by --repair: nothing is made twice, and nothing is left to do', async () => {
    const before = server.mutations().length;
    const { code, stdout, stderr } = await start('--repair');
    expect(code, stderr + stdout).toBe(0);
    const made = server.mutations().slice(before);
    expect(made.filter((one) => /^(Create(?!Tags)|Run|Allocate|Associate|Disassociate)/.test(one))).toEqual([]);
    const after = await plan();
    expect(after.drift).toEqual([]);
    expect(after.resources.filter(({ action }) => action !== 'keep')).toEqual([]);
    const again = server.mutations().length;
    expect((await start()).code).toBe(0);
    expect(server.mutations().slice(again)).toEqual([]);
  });
});

describe('what was removed', () => {
  it('is told with what hung on it, made anew only with --repair, and everything that referred to it follows', async () => {
    const { Addresses = [] } = await aws.ec2.send(
      new DescribeAddressesCommand({ AllocationIds: [id('eip-services')] }),
    );
    await aws.ec2.send(new DisassociateAddressCommand({ AssociationId: Addresses[0]?.AssociationId ?? '' }));
    await aws.ec2.send(
      new DeleteRouteCommand({ RouteTableId: id('route-table-public'), DestinationCidrBlock: '0.0.0.0/0' }),
    );
    await aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id('bastion'), id('runner-2')] }));
    const { drift } = await plan();
    expect(drift.filter(({ what }) => what === 'missing').map(({ key: of, hanging }) => [of, hanging])).toEqual(
      expect.arrayContaining([
        ['bastion', ['eip-association-bastion']],
        ['runner-2', []],
        ['eip-association-services', []],
        ['route-public-internet', []],
      ]),
    );
    const before = server.mutations().length;
    const refused = await start();
    expect(refused.code).toBe(1);
    expect(refused.stderr + refused.stdout).toMatch(/--repair/);
    expect(server.mutations().slice(before)).toEqual([]);

    const { code, stdout, stderr } = await start('--repair');
    expect(code, stderr + stdout).toBe(0);
    const made = server.mutations().slice(before);
    expect(made.filter((one) => one === 'AllocateAddress')).toEqual([]);
    expect(made.filter((one) => one === 'AssociateAddress')).toHaveLength(2);
    const after = await plan();
    expect(after.drift).toEqual([]);
    expect(after.resources.filter(({ action }) => action !== 'keep')).toEqual([]);
  });
});

describe('hosts of another type, asked for when they are there', () => {
  const larger = ['--instance-type', 't3.medium'];
  const said = /instanceType is t3\.small, and t3\.medium is asked for; `cloudspace cycle` replaces hosts/;

  it('stay as they are, which start and plan say each time, and nobody is blamed for it', async () => {
    await remember();
    const { usdPerHour } = JSON.parse((await on(['status', '--json', ...base])).stdout);
    const before = server.mutations().length;
    for (let time = 1; time <= 2; time++) {
      const { code, stdout, stderr } = await start(...larger);
      expect(code, stderr + stdout).toBe(0);
      expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(said);
    }
    expect(server.mutations().slice(before)).toEqual([]);
    const after = await plan();
    expect(after.drift).toEqual([]);
    expect(after.notes.join('\n')).toMatch(said);
    // They cost what they cost.
    expect(JSON.parse((await on(['status', '--json', ...base])).stdout).usdPerHour).toBe(usdPerHour);
  });

  it('do not hide what was changed by hand', async () => {
    await aws.ec2.send(
      new ModifyInstanceAttributeCommand({ InstanceId: id('runner-1'), SourceDestCheck: { Value: false } }),
    );
    const { drift } = await plan();
    expect(drift.map(({ key: of, differences }) => [of, differences.map(({ attribute }) => attribute)])).toEqual([
      ['runner-1', ['sourceDestCheck']],
    ]);
    expect((await start('--repair')).code).toBe(0);
    expect((await plan()).drift).toEqual([]);
  });
});
