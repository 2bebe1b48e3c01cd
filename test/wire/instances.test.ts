import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DeleteKeyPairCommand,
  DeleteSecurityGroupCommand,
  DeleteSubnetCommand,
  DescribeAddressesCommand,
  DescribeImagesCommand,
  DescribeInstanceAttributeCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeKeyPairsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeVolumesCommand,
  DisassociateAddressCommand,
  type EC2Client,
  GetConsoleOutputCommand,
  ImportKeyPairCommand,
  ModifyInstanceAttributeCommand,
  ReleaseAddressCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bench, bench, codeOf } from './practice.ts';

const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICp0bZyjxSbq3zpFfMBDpxXk+PRXl4g1Vx6QEqMEDGrk me@laptop';

let cloud: Bench;
let ec2: EC2Client;
beforeEach(async () => {
  cloud = await bench();
  ec2 = cloud.ec2;
});
afterEach(() => cloud.end());

async function network() {
  const VpcId = (await ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }))).Vpc?.VpcId ?? '';
  const SubnetId =
    (await ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock: '10.7.0.0/24' }))).Subnet?.SubnetId ?? '';
  const group = await ec2.send(new CreateSecurityGroupCommand({ VpcId, GroupName: 'web', Description: 'web' }));
  return { VpcId, SubnetId, GroupId: group.GroupId ?? '' };
}

async function newestDebian(): Promise<string> {
  const { Images = [] } = await ec2.send(
    new DescribeImagesCommand({
      Owners: ['136693071363'],
      Filters: [
        { Name: 'name', Values: ['debian-12-amd64-*'] },
        { Name: 'architecture', Values: ['x86_64'] },
        { Name: 'state', Values: ['available'] },
      ],
    }),
  );
  expect(Images.length).toBeGreaterThan(2);
  return Images.sort((a, b) => (a.CreationDate ?? '').localeCompare(b.CreationDate ?? '')).at(-1)?.ImageId ?? '';
}

async function request(): Promise<RunInstancesCommandInput & { VpcId: string; GroupId: string; SubnetId: string }> {
  const { VpcId, SubnetId, GroupId } = await network();
  return {
    VpcId,
    GroupId,
    SubnetId,
    ImageId: await newestDebian(),
    InstanceType: 't3.micro',
    SecurityGroupIds: [GroupId],
    MinCount: 1,
    MaxCount: 1,
  };
}

async function run(input: RunInstancesCommandInput & { VpcId?: string; GroupId?: string }) {
  const { VpcId: _, GroupId: _2, ...parameters } = input;
  return (await ec2.send(new RunInstancesCommand(parameters))).Instances ?? [];
}

describe('instances', () => {
  it('are launched together with tags, encrypted volumes and IMDSv2, once for one token', async () => {
    const input = {
      ...(await request()),
      MinCount: 2,
      MaxCount: 2,
      ClientToken: 'runners',
      MetadataOptions: { HttpTokens: 'required' as const, HttpPutResponseHopLimit: 2 },
      BlockDeviceMappings: [
        { DeviceName: '/dev/xvda', Ebs: { VolumeType: 'gp3' as const, VolumeSize: 20, Encrypted: true } },
      ],
      TagSpecifications: [
        { ResourceType: 'instance' as const, Tags: [{ Key: 'Name', Value: 'runner' }] },
        { ResourceType: 'volume' as const, Tags: [{ Key: 'Name', Value: 'disk' }] },
      ],
    };
    const made = await run(input);
    expect(made.map((one) => [one.AmiLaunchIndex, one.PrivateIpAddress, one.State?.Name])).toEqual([
      [0, '10.7.0.4', 'running'],
      [1, '10.7.0.5', 'running'],
    ]);
    expect(made[0]).toMatchObject({
      PrivateDnsName: 'ip-10-7-0-4.eu-central-1.compute.internal',
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 2 },
      Tags: [{ Key: 'Name', Value: 'runner' }],
    });
    const again = await run(input);
    expect(again.map((one) => one.InstanceId)).toEqual(made.map((one) => one.InstanceId));
    expect(await codeOf(run({ ...input, InstanceType: 't3.small' }))).toBe('IdempotentParameterMismatch');
    const { Volumes = [] } = await ec2.send(
      new DescribeVolumesCommand({
        Filters: [{ Name: 'attachment.instance-id', Values: [made[0]?.InstanceId ?? ''] }],
      }),
    );
    expect(Volumes).toHaveLength(1);
    expect(Volumes[0]).toMatchObject({ Encrypted: true, Size: 20, VolumeType: 'gp3', State: 'in-use' });
    const { Reservations } = await ec2.send(
      new DescribeInstancesCommand({ Filters: [{ Name: 'instance-state-name', Values: ['running'] }] }),
    );
    expect(Reservations?.map((one) => one.Instances?.length)).toEqual([2]);
    const { InstanceStatuses } = await ec2.send(new DescribeInstanceStatusCommand({}));
    expect(InstanceStatuses?.map((one) => one.InstanceStatus?.Status)).toEqual(['ok', 'ok']);
  });

  it('are refused with AWS codes when something named is not there', async () => {
    const input = await request();
    const cases: [Partial<RunInstancesCommandInput>, string][] = [
      [{ ImageId: 'ami-0none' }, 'InvalidAMIID.NotFound'],
      [{ SubnetId: 'subnet-0none' }, 'InvalidSubnetID.NotFound'],
      [{ SecurityGroupIds: ['sg-0none'] }, 'InvalidGroup.NotFound'],
      [{ KeyName: 'none' }, 'InvalidKeyPair.NotFound'],
      [{ InstanceType: 't3.enormous' as 't3.micro' }, 'InvalidParameterValue'],
      [{ InstanceType: 't4g.micro' }, 'InvalidParameterValue'],
      [{ MaxCount: 17 }, 'VcpuLimitExceeded'],
      [{ LicenseSpecifications: [{ LicenseConfigurationArn: 'arn:x' }] }, 'UnsupportedOperation'],
    ];
    for (const [change, code] of cases) expect(await codeOf(run({ ...input, ...change }))).toBe(code);
    expect((await ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
    expect((await ec2.send(new DescribeVolumesCommand({}))).Volumes).toEqual([]);
  });

  it('take time at speed 1, and none at infinity', async () => {
    const [one] = await run(await request());
    expect(one?.State?.Name).toBe('running');
    const slow = await bench({ speed: 1 });
    const fast = { cloud, ec2 };
    try {
      ec2 = slow.ec2;
      const [two] = await run(await request());
      expect(two?.State?.Name).toBe('pending');
      const { TerminatingInstances } = await ec2.send(
        new TerminateInstancesCommand({ InstanceIds: [two?.InstanceId ?? ''] }),
      );
      expect(TerminatingInstances?.[0]?.CurrentState?.Name).toBe('shutting-down');
    } finally {
      ec2 = fast.ec2;
      await slow.end();
    }
  });

  it('stop, start, change and end, and hold their network until then', async () => {
    const input = await request();
    const [instance] = await run(input);
    const InstanceId = instance?.InstanceId ?? '';
    const InstanceIds = [InstanceId];
    await ec2.send(new StopInstancesCommand({ InstanceIds }));
    await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, InstanceType: { Value: 't3.small' } }));
    await ec2.send(new StartInstancesCommand({ InstanceIds }));
    await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value: true } }));
    expect(await codeOf(ec2.send(new TerminateInstancesCommand({ InstanceIds })))).toBe('OperationNotPermitted');
    await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value: false } }));
    const type = await ec2.send(new DescribeInstanceAttributeCommand({ InstanceId, Attribute: 'instanceType' }));
    expect(type.InstanceType?.Value).toBe('t3.small');
    expect(await codeOf(ec2.send(new DeleteSecurityGroupCommand({ GroupId: input.GroupId })))).toBe(
      'DependencyViolation',
    );
    expect(await codeOf(ec2.send(new DeleteSubnetCommand({ SubnetId: input.SubnetId })))).toBe('DependencyViolation');

    await ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds }));
    const [ended] = Reservations?.[0]?.Instances ?? [];
    expect(ended).toMatchObject({
      State: { Name: 'terminated' },
      StateReason: { Code: 'Client.UserInitiatedShutdown' },
    });
    expect(ended?.PrivateIpAddress).toBeUndefined();
    expect((await ec2.send(new DescribeVolumesCommand({}))).Volumes).toEqual([]);
    expect((await ec2.send(new DescribeNetworkInterfacesCommand({}))).NetworkInterfaces).toEqual([]);
    await ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    await ec2.send(new DeleteSecurityGroupCommand({ GroupId: input.GroupId }));
    await ec2.send(new DeleteSubnetCommand({ SubnetId: input.SubnetId }));
    expect(await codeOf(ec2.send(new TerminateInstancesCommand({ InstanceIds: ['i-0none'] })))).toBe(
      'InvalidInstanceID.NotFound',
    );
  });

  it('take an Elastic IP and give it back when they end', async () => {
    const input = await request();
    const [instance] = await run(input);
    const InstanceId = instance?.InstanceId ?? '';
    const { AllocationId = '', PublicIp } = await ec2.send(new AllocateAddressCommand({}));
    const associate = () => ec2.send(new AssociateAddressCommand({ AllocationId, InstanceId }));
    expect(await codeOf(associate())).toBe('Gateway.NotAttached');
    const { InternetGateway } = await ec2.send(new CreateInternetGatewayCommand({}));
    const InternetGatewayId = InternetGateway?.InternetGatewayId ?? '';
    await ec2.send(new AttachInternetGatewayCommand({ VpcId: input.VpcId, InternetGatewayId }));
    const { AssociationId } = await associate();
    expect((await associate()).AssociationId).toBe(AssociationId);
    const { Reservations } = await ec2.send(
      new DescribeInstancesCommand({ Filters: [{ Name: 'ip-address', Values: [PublicIp ?? ''] }] }),
    );
    expect(Reservations?.[0]?.Instances?.[0]?.InstanceId).toBe(InstanceId);
    expect(await codeOf(ec2.send(new ReleaseAddressCommand({ AllocationId })))).toBe('InvalidIPAddress.InUse');
    await ec2.send(new DisassociateAddressCommand({ AssociationId }));
    await associate();
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
    const { Addresses } = await ec2.send(new DescribeAddressesCommand({}));
    expect(Addresses?.[0]?.AssociationId).toBeUndefined();
    await ec2.send(new ReleaseAddressCommand({ AllocationId }));
  });

  it('show a console without host keys when no hosts run', async () => {
    const [instance] = await run(await request());
    const { Output = '' } = await ec2.send(new GetConsoleOutputCommand({ InstanceId: instance?.InstanceId }));
    const text = Buffer.from(Output, 'base64').toString();
    expect(text).toContain('cloud-init');
    expect(text).not.toMatch(/ssh-(ed25519|rsa) AAAA/);
  });
});

describe('key pairs', () => {
  it('have the fingerprints that AWS computes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'practice-key-'));
    try {
      execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', join(folder, 'rsa')]);
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'ed')]);
      const imported = async (KeyName: string, file: string) => {
        const PublicKeyMaterial = readFileSync(join(folder, file));
        return (await ec2.send(new ImportKeyPairCommand({ KeyName, PublicKeyMaterial }))).KeyFingerprint;
      };
      const shown = execFileSync('ssh-keygen', ['-lf', join(folder, 'ed.pub')], { encoding: 'utf8' });
      expect(`SHA256:${(await imported('ed', 'ed.pub'))?.replace(/=+$/, '')}`).toBe(shown.split(' ')[1]);
      // The same sum by another way: ssh-keygen's PEM form, hashed as EC2's documentation says with openssl's MD5.
      const pem = execFileSync('ssh-keygen', ['-e', '-m', 'PKCS8', '-f', join(folder, 'rsa.pub')], {
        encoding: 'utf8',
      });
      const { createHash } = await import('node:crypto');
      const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
      const md5 = createHash('md5').update(der).digest('hex').match(/../g)?.join(':');
      expect(await imported('rsa', 'rsa.pub')).toBe(md5);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are refused twice, in other formats, and delete quietly', async () => {
    const PublicKeyMaterial = Buffer.from(ED25519);
    await ec2.send(new ImportKeyPairCommand({ KeyName: 'me', PublicKeyMaterial }));
    expect(await codeOf(ec2.send(new ImportKeyPairCommand({ KeyName: 'me', PublicKeyMaterial })))).toBe(
      'InvalidKeyPair.Duplicate',
    );
    const { privateKey } = generateKeyPairSync('ed25519');
    const wrong = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(await codeOf(ec2.send(new ImportKeyPairCommand({ KeyName: 'x', PublicKeyMaterial: wrong })))).toBe(
      'InvalidKey.Format',
    );
    const { KeyPairs } = await ec2.send(new DescribeKeyPairsCommand({ IncludePublicKey: true }));
    expect(KeyPairs?.[0]?.PublicKey).toBe(ED25519.replace('me@laptop', 'me'));
    await ec2.send(new DeleteKeyPairCommand({ KeyName: 'me' }));
    await ec2.send(new DeleteKeyPairCommand({ KeyName: 'me' }));
    expect(await codeOf(ec2.send(new DescribeKeyPairsCommand({ KeyNames: ['me'] })))).toBe('InvalidKeyPair.NotFound');
  });
});

it('knows instance types', async () => {
  const { InstanceTypes } = await ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['t3.small'] }));
  expect(InstanceTypes?.[0]).toMatchObject({ VCpuInfo: { DefaultVCpus: 2 }, MemoryInfo: { SizeInMiB: 2048 } });
});
