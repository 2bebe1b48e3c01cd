import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bench, bench } from './practice.ts';

const run = promisify(execFile);

function installed(): boolean {
  try {
    execFileSync('aws', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The `aws` command-line tool, in Python, with its own idea of the wire format. Skipped where it is not installed. */
describe.skipIf(!installed())('the aws CLI', { timeout: 120_000 }, () => {
  let cloud: Bench;
  let home: string;
  beforeAll(async () => {
    cloud = await bench();
    home = mkdtempSync(join(tmpdir(), 'practice-home-'));
  });
  afterAll(() => cloud.end());

  async function aws<T = Record<string, never>>(...words: string[]): Promise<T> {
    const { accessKeyId, secretAccessKey } = cloud.practice.credentials;
    const { stdout } = await run('aws', ['--endpoint-url', cloud.practice.endpoint, '--output', 'json', ...words], {
      env: {
        PATH: process.env.PATH,
        HOME: home,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_DEFAULT_REGION: 'eu-central-1',
        // pyenv's shim finds its versions by this
        ...(process.env.PYENV_ROOT ? { PYENV_ROOT: process.env.PYENV_ROOT } : {}),
        ...(process.env.PYENV_VERSION ? { PYENV_VERSION: process.env.PYENV_VERSION } : {}),
      },
    });
    return stdout.trim() ? (JSON.parse(stdout) as T) : ({} as T);
  }
  const failure = async (...words: string[]) =>
    ((await aws(...words).catch((error: unknown) => error)) as { stderr?: string }).stderr ?? '';

  it('says who we are', async () => {
    expect(await aws('sts', 'get-caller-identity')).toMatchObject({ Account: '100000000000' });
  });

  it('makes, reads and deletes a network with an instance', async () => {
    const tags = 'ResourceType=vpc,Tags=[{Key=Name,Value=hackathon-07}]';
    const { Vpc } = await aws<{ Vpc: { VpcId: string; Tags: unknown } }>(
      ...['ec2', 'create-vpc', '--cidr-block', '10.7.0.0/16', '--tag-specifications', tags],
    );
    expect(Vpc.Tags).toEqual([{ Key: 'Name', Value: 'hackathon-07' }]);
    const vpc = Vpc.VpcId;
    await aws('ec2', 'modify-vpc-attribute', '--vpc-id', vpc, '--enable-dns-hostnames', '{"Value":true}');
    const { Subnet } = await aws<{ Subnet: { SubnetId: string } }>(
      ...['ec2', 'create-subnet', '--vpc-id', vpc, '--cidr-block', '10.7.0.0/24'],
    );
    const { GroupId } = await aws<{ GroupId: string }>(
      ...['ec2', 'create-security-group', '--group-name', 'web', '--description', 'web', '--vpc-id', vpc],
    );
    await aws(
      ...['ec2', 'authorize-security-group-ingress', '--group-id', GroupId],
      ...['--protocol', 'tcp', '--port', '22', '--cidr', '198.51.100.7/32'],
    );
    const key = join(home, 'key.pub');
    writeFileSync(key, 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICp0bZyjxSbq3zpFfMBDpxXk+PRXl4g1Vx6QEqMEDGrk me\n');
    await aws('ec2', 'import-key-pair', '--key-name', 'me', '--public-key-material', `fileb://${key}`);
    const { Images } = await aws<{ Images: { ImageId: string; Name: string }[] }>(
      ...['ec2', 'describe-images', '--owners', '136693071363'],
      ...['--filters', 'Name=name,Values=debian-12-amd64-*', 'Name=architecture,Values=x86_64'],
    );
    const image = Images.map((one) => one.Name)
      .sort()
      .at(-1);
    const { Instances } = await aws<{ Instances: { InstanceId: string }[] }>(
      ...['ec2', 'run-instances', '--image-id', Images.find((one) => one.Name === image)?.ImageId ?? ''],
      ...['--instance-type', 't3.micro', '--subnet-id', Subnet.SubnetId, '--security-group-ids', GroupId],
      ...['--key-name', 'me', '--metadata-options', 'HttpTokens=required', '--user-data', '#!/bin/sh'],
      ...['--block-device-mappings', 'DeviceName=/dev/xvda,Ebs={VolumeSize=20,VolumeType=gp3,Encrypted=true}'],
    );
    const id = Instances[0]?.InstanceId ?? '';
    const { Reservations } = await aws<{ Reservations: { Instances: object[] }[] }>(
      ...['ec2', 'describe-instances', '--filters', 'Name=instance-state-name,Values=running'],
    );
    expect(Reservations[0]?.Instances[0]).toMatchObject({
      InstanceId: id,
      PrivateIpAddress: '10.7.0.4',
      KeyName: 'me',
    });
    expect(await aws('ec2', 'get-console-output', '--instance-id', id)).toMatchObject({
      Output: expect.stringContaining('cloud-init'),
    });
    const reads = ['vpcs', 'subnets', 'security-groups', 'security-group-rules', 'route-tables', 'network-acls'];
    const more = ['volumes', 'network-interfaces', 'key-pairs', 'availability-zones', 'instance-status', 'regions'];
    await Promise.all(
      [...reads, ...more].map(async (what) => {
        const [list] = Object.values(await aws<Record<string, unknown[]>>('ec2', `describe-${what}`));
        expect(list?.length, what).toBeGreaterThan(0);
      }),
    );
    expect(await failure('ec2', 'delete-vpc', '--vpc-id', vpc)).toContain('DependencyViolation');
    expect(await failure('ec2', 'delete-vpc', '--vpc-id', vpc, '--dry-run')).toContain('DryRunOperation');
    await aws('ec2', 'terminate-instances', '--instance-ids', id);
    await aws('ec2', 'wait', 'instance-terminated', '--instance-ids', id);
    await aws('ec2', 'delete-key-pair', '--key-name', 'me');
    await aws('ec2', 'delete-security-group', '--group-id', GroupId);
    await aws('ec2', 'delete-subnet', '--subnet-id', Subnet.SubnetId);
    await aws('ec2', 'delete-vpc', '--vpc-id', vpc);
    expect(await aws('ec2', 'describe-vpcs')).toEqual({ Vpcs: [] });
  });

  it('makes and deletes a load balancer and a database', async () => {
    const { Vpc } = await aws<{ Vpc: { VpcId: string } }>('ec2', 'create-vpc', '--cidr-block', '10.8.0.0/16');
    const subnet = async (cidr: string, zone: string) =>
      (
        await aws<{ Subnet: { SubnetId: string } }>(
          ...['ec2', 'create-subnet', '--vpc-id', Vpc.VpcId, '--cidr-block', cidr, '--availability-zone', zone],
        )
      ).Subnet.SubnetId;
    const subnets = [await subnet('10.8.0.0/24', 'eu-central-1a'), await subnet('10.8.1.0/24', 'eu-central-1b')];
    const { LoadBalancers } = await aws<{ LoadBalancers: { LoadBalancerArn: string }[] }>(
      ...['elbv2', 'create-load-balancer', '--name', 'inner', '--type', 'network', '--scheme', 'internal'],
      ...['--subnets', ...subnets, '--tags', 'Key=Name,Value=inner'],
    );
    const arn = LoadBalancers[0]?.LoadBalancerArn ?? '';
    const { TargetGroups } = await aws<{ TargetGroups: { TargetGroupArn: string }[] }>(
      ...['elbv2', 'create-target-group', '--name', 'http', '--protocol', 'TCP', '--port', '80', '--vpc-id', Vpc.VpcId],
      ...['--health-check-port', '79', '--health-check-interval-seconds', '10', '--healthy-threshold-count', '3'],
    );
    const group = TargetGroups[0]?.TargetGroupArn ?? '';
    await aws(
      ...['elbv2', 'create-listener', '--load-balancer-arn', arn, '--protocol', 'TCP', '--port', '80'],
      ...['--default-actions', `Type=forward,TargetGroupArn=${group}`],
    );
    expect(await aws('elbv2', 'describe-target-health', '--target-group-arn', group)).toEqual({
      TargetHealthDescriptions: [],
    });
    expect(await aws('elbv2', 'describe-tags', '--resource-arns', arn)).toEqual({
      TagDescriptions: [{ ResourceArn: arn, Tags: [{ Key: 'Name', Value: 'inner' }] }],
    });

    await aws(
      ...['rds', 'create-db-subnet-group', '--db-subnet-group-name', 'private'],
      ...['--db-subnet-group-description', 'private', '--subnet-ids', ...subnets],
    );
    await aws(
      ...['rds', 'create-db-instance', '--db-instance-identifier', 'main', '--engine', 'postgres'],
      ...['--db-instance-class', 'db.t4g.micro', '--allocated-storage', '20', '--master-username', 'cloudspace'],
      ...['--master-user-password', 'correct-horse', '--db-subnet-group-name', 'private', '--no-publicly-accessible'],
    );
    expect(await aws('rds', 'describe-db-instances', '--db-instance-identifier', 'main')).toMatchObject({
      DBInstances: [{ DBInstanceStatus: 'available', Endpoint: { Port: 5432 } }],
    });
    await aws('rds', 'delete-db-instance', '--db-instance-identifier', 'main', '--skip-final-snapshot');
    expect(await failure('rds', 'describe-db-instances', '--db-instance-identifier', 'main')).toContain(
      'DBInstanceNotFound',
    );
    await aws('rds', 'delete-db-subnet-group', '--db-subnet-group-name', 'private');
    await aws('elbv2', 'delete-load-balancer', '--load-balancer-arn', arn);
    await aws('elbv2', 'delete-target-group', '--target-group-arn', group);
  });
});
