import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { describe, expect, it } from 'vitest';
import type { IngressRule } from '../../src/aws/resources/securityGroupRules.ts';
import { equalCommand } from '../../src/engine/render.ts';
import type { Config } from '../../src/steps/config.ts';
import { walk } from '../../src/steps/index.ts';
import { cleanEnv, cli, folder, PUBLIC_KEY, serve } from '../support/cli.ts';
import { config } from '../support/config.ts';

/** Ports that the guide opens to everybody, on the load balancer's own group and nowhere else. */
const PUBLIC = ['sg-load-balancer 80-80', 'sg-load-balancer 443-443', 'sg-load-balancer 2222-2222'];
const WORLD_SSH = 'sg-bastion 22-22';

describe('the walk’s rules', () => {
  it.each<[string, Partial<Config>, readonly string[]]>([
    ['as usual', {}, PUBLIC],
    ['one runner', { runners: 1 }, PUBLIC],
    ['a thousand runners in a small network', { runners: 1000, cidr: '10.9.0.0/16' }, PUBLIC],
    ['SSH from a whole company', { sshFrom: '198.51.100.0/24' }, PUBLIC],
    ['SSH from the world, which a flag of its own asks for', { sshFrom: '0.0.0.0/0' }, [...PUBLIC, WORLD_SSH]],
  ])('%s: open to the world is what has to be, and no more', (_, more, expected) => {
    const rules = walk({ ...config, ...more }).resources.filter(
      ({ kind }) => kind.type === 'aws_vpc_security_group_ingress_rule',
    );
    expect(rules.length).toBeGreaterThan(5);
    const open = rules.flatMap(({ props }) =>
      (props.rules as IngressRule[])
        .filter(({ cidr }) => cidr !== undefined && !/^(?:198\.51\.100\.|10\.)/.test(cidr))
        .map((rule) => `${(props.groupId as unknown as { $ref: string }).$ref} ${rule.fromPort}-${rule.toPort}`),
    );
    expect(open.sort()).toEqual([...expected].sort());
    // Everything else comes from a group, or from the one who builds.
    for (const { props } of rules)
      for (const rule of props.rules as IngressRule[])
        expect(rule.protocol === '-1' && rule.cidr !== undefined).toBe(false);
  });

  it('every kind of machine and database is encrypted, and asks for IMDSv2 in its equal command too', () => {
    const { resources } = walk(config);
    const commands = (type: string): string[] =>
      resources.filter(({ kind }) => kind.type === type).map((one) => equalCommand(one, new Map(), {}));
    expect(commands('aws_instance')).toHaveLength(5);
    for (const line of commands('aws_instance'))
      for (const part of ['HttpTokens=required', 'HttpPutResponseHopLimit=1', 'Encrypted=true'])
        expect(line).toContain(part);
    expect(commands('aws_db_instance')).toHaveLength(1);
    for (const line of commands('aws_db_instance'))
      expect(line).toMatch(/--storage-encrypted.*--no-publicly-accessible/);
  });
});

it('what the cloud was asked for, over the wire', async () => {
  const dir = folder();
  writeFileSync(join(dir, 'key.pub'), `${PUBLIC_KEY}\n`);
  const server = await serve(join(dir, 'server'));
  try {
    const made = await cli(
      [
        'start',
        '--yes',
        '--name',
        'team-07',
        '--state-dir',
        join(dir, 'state'),
        '--provision',
        'skip',
        '--ssh-public-key',
        join(dir, 'key.pub'),
        '--ssh-from',
        '0.0.0.0/0',
        '--allow-world-ssh',
      ],
      { env: cleanEnv(server.env) },
    );
    expect(made.code, made.stderr + made.stdout).toBe(0);
    const settings = {
      endpoint: server.endpoint,
      region: 'eu-central-1',
      credentials: {
        accessKeyId: server.env.AWS_ACCESS_KEY_ID ?? '',
        secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY ?? '',
      },
    };
    const ec2 = new EC2Client(settings);
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
    const instances = (Reservations ?? []).flatMap((one) => one.Instances ?? []);
    expect(instances.length).toBe(5);
    for (const { MetadataOptions } of instances)
      expect(MetadataOptions).toMatchObject({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 });
    const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({}));
    expect(Volumes.length).toBe(5);
    expect(Volumes.every(({ Encrypted }) => Encrypted)).toBe(true);
    const { DBInstances = [] } = await new RDSClient(settings).send(new DescribeDBInstancesCommand({}));
    expect(DBInstances.length).toBe(1);
    expect(DBInstances[0]).toMatchObject({ StorageEncrypted: true, PubliclyAccessible: false });
    const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({}));
    const open = SecurityGroups.flatMap(({ GroupName, IpPermissions = [] }) =>
      IpPermissions.filter(
        ({ IpRanges = [], Ipv6Ranges = [] }) =>
          Ipv6Ranges.length > 0 || IpRanges.some(({ CidrIp }) => CidrIp === '0.0.0.0/0'),
      ).map(({ FromPort, ToPort }) => `${GroupName} ${FromPort}-${ToPort}`),
    );
    expect(open.map((line) => line.replace('team-07-', '')).sort()).toEqual([...PUBLIC, WORLD_SSH].sort());
  } finally {
    await server.close();
  }
});
