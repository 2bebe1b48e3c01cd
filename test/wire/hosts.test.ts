import {
  AssociateAddressCommand,
  CreateSecurityGroupCommand,
  DescribeInstancesCommand,
  GetConsoleOutputCommand,
  ImportKeyPairCommand,
  RevokeSecurityGroupIngressCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import {
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateTargetGroupCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import {
  CreateDBInstanceCommand,
  CreateDBSubnetGroupCommand,
  DeleteDBInstanceCommand,
  DescribeDBInstancesCommand,
} from '@aws-sdk/client-rds';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DesiredHosts, HostState, Hosts, TargetHealth } from '../../src/practice/hosts/types.ts';
import { type Bench, bench } from './practice.ts';
import { makeAddress, makeGroup, makeInstances, makeNetwork } from './stage.ts';

/** Hosts that do what the test tells them: they record what is desired and report the states that the test sets. */
function scriptedHosts() {
  const states = new Map<string, HostState>();
  const desired: DesiredHosts[] = [];
  const health: TargetHealth[] = [];
  const hosts: Hosts = {
    sync: (value) => desired.push(value),
    settled: async () => {},
    state: (id) => states.get(id) ?? { state: 'absent' },
    consoleOutput: async (id) => (states.get(id)?.state === 'running' ? `console of ${id}` : undefined),
    targetHealth: async () => health,
    reach: (id, port) => ({ host: '127.0.0.1', port: port + (id.startsWith('i-') ? 20000 : 30000) }),
    close: async () => {},
  };
  return { hosts, states, desired, health };
}

let cloud: Bench;
let script: ReturnType<typeof scriptedHosts>;
beforeEach(async () => {
  script = scriptedHosts();
  cloud = await bench({ hosts: script.hosts });
});
afterEach(() => cloud.end());

const stateOf = async (id: string) => {
  const { Reservations } = await cloud.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations?.[0]?.Instances?.[0]?.State?.Name;
};

describe('instances with hosts', () => {
  it('are what the hosts are', async () => {
    const { subnetA } = await makeNetwork(cloud.ec2);
    const [id = ''] = await makeInstances(cloud.ec2, subnetA, 1);
    expect(await stateOf(id)).toBe('pending');
    const console = () => cloud.ec2.send(new GetConsoleOutputCommand({ InstanceId: id }));
    expect((await console()).Output).toBeUndefined();
    script.states.set(id, { state: 'running' });
    expect(await stateOf(id)).toBe('running');
    expect(Buffer.from((await console()).Output ?? '', 'base64').toString()).toBe(`console of ${id}`);
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    expect(script.desired.at(-1)?.instances[0]?.state).toBe('stopped');
    expect(await stateOf(id)).toBe('stopping');
    script.states.set(id, { state: 'stopped' });
    expect(await stateOf(id)).toBe('stopped');
    await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    expect(script.desired.at(-1)?.instances).toEqual([]);
    expect(await stateOf(id)).toBe('shutting-down');
    script.states.delete(id);
    expect(await stateOf(id)).toBe('terminated');
  });

  it('end with the reason when their host cannot start', async () => {
    const { subnetA } = await makeNetwork(cloud.ec2);
    const [id = ''] = await makeInstances(cloud.ec2, subnetA, 1);
    script.states.set(id, { state: 'failed', reason: 'no space left on device' });
    const { Reservations } = await cloud.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    const [instance] = Reservations?.[0]?.Instances ?? [];
    expect(instance?.State?.Name).toBe('terminated');
    expect(instance?.StateReason?.Code).toBe('Server.InternalError');
    expect(instance?.StateReason?.Message).toContain('no space left on device');
    expect(script.desired.at(-1)?.instances).toEqual([]);
  });

  it('get their key, their firewall with groups resolved to addresses, and their public side', async () => {
    const { ec2 } = cloud;
    const { VpcId, subnetA, subnetB } = await makeNetwork(ec2);
    const line = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICp0bZyjxSbq3zpFfMBDpxXk+PRXl4g1Vx6QEqMEDGrk';
    await ec2.send(new ImportKeyPairCommand({ KeyName: 'me', PublicKeyMaterial: Buffer.from(`${line} me`) }));
    const bastions = await makeGroup(ec2, VpcId, 'bastion', 22, '198.51.100.7/32');
    const inner = await makeGroup(ec2, VpcId, 'inner', 22, bastions);
    const [bastion = ''] = await makeInstances(ec2, subnetA, 1, [bastions]);
    const [other = ''] = await makeInstances(ec2, subnetB, 1, [inner]);
    const desired = (id: string) => script.desired.at(-1)?.instances.find((one) => one.id === id);
    expect(script.desired.at(-1)?.networks).toEqual([{ vpcId: VpcId, cidr: '10.7.0.0/16' }]);
    expect(desired(bastion)).toMatchObject({
      privateIp: '10.7.0.4',
      public: true,
      state: 'running',
      ingress: [{ protocol: 'tcp', fromPort: 22, toPort: 22, sources: ['198.51.100.7/32'] }],
    });
    expect(desired(other)?.ingress).toEqual([{ protocol: 'tcp', fromPort: 22, toPort: 22, sources: ['10.7.0.4/32'] }]);
    const count = script.desired.length;
    await ec2.send(new CreateSecurityGroupCommand({ VpcId, GroupName: 'idle', Description: 'idle' }));
    expect(script.desired.length).toBe(count);
    await ec2.send(
      new RevokeSecurityGroupIngressCommand({
        GroupId: inner,
        IpPermissions: [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, UserIdGroupPairs: [{ GroupId: bastions }] }],
      }),
    );
    expect(desired(other)?.ingress).toEqual([]);

    script.states.set(bastion, { state: 'running' });
    const { AllocationId, PublicIp } = await makeAddress(ec2);
    await ec2.send(new AssociateAddressCommand({ AllocationId, InstanceId: bastion }));
    expect(cloud.practice.reach(PublicIp, 22)).toEqual({ host: '127.0.0.1', port: 20022 });
    expect(cloud.practice.reach('203.0.113.99', 22)).toBeUndefined();
  });

  it('are handed over again when the practice cloud starts', async () => {
    const { subnetA } = await makeNetwork(cloud.ec2);
    await makeInstances(cloud.ec2, subnetA, 2);
    const last = script.desired.at(-1);
    await cloud.practice.close();
    const later = scriptedHosts();
    const again = await bench({ dir: cloud.dir, hosts: later.hosts });
    expect(later.desired).toEqual([last]);
    await again.end();
  });
});

describe('a load balancer with hosts', () => {
  it('hands over listeners and targets, and tells their health', async () => {
    const { ec2, elb } = cloud;
    const { VpcId, subnetA, subnetB } = await makeNetwork(ec2);
    const group = await makeGroup(ec2, VpcId, 'balancer', 80, '0.0.0.0/0');
    const [Id = ''] = await makeInstances(ec2, subnetA, 1, [await makeGroup(ec2, VpcId, 'runner', 80, group)]);
    script.states.set(Id, { state: 'running' });
    const { LoadBalancers } = await elb.send(
      new CreateLoadBalancerCommand({
        Name: 'ingress',
        Type: 'network',
        Subnets: [subnetA, subnetB],
        SecurityGroups: [group],
      }),
    );
    const [balancer] = LoadBalancers ?? [];
    const LoadBalancerArn = balancer?.LoadBalancerArn ?? '';
    const { TargetGroups } = await elb.send(
      new CreateTargetGroupCommand({
        Name: 'http',
        Protocol: 'TCP',
        Port: 80,
        VpcId,
        HealthCheckPort: '79',
        HealthCheckIntervalSeconds: 10,
        HealthyThresholdCount: 3,
      }),
    );
    const TargetGroupArn = TargetGroups?.[0]?.TargetGroupArn ?? '';
    await elb.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id }] }));
    const DefaultActions = [{ Type: 'forward' as const, TargetGroupArn }];
    await elb.send(new CreateListenerCommand({ LoadBalancerArn, Protocol: 'TCP', Port: 80, DefaultActions }));
    const desired = script.desired.at(-1);
    expect(desired?.loadBalancers).toEqual([
      {
        arn: LoadBalancerArn,
        vpcId: VpcId,
        name: 'ingress',
        privateIp: '10.7.0.5',
        dnsName: balancer?.DNSName,
        ingress: [{ protocol: 'tcp', fromPort: 80, toPort: 80, sources: ['0.0.0.0/0'] }],
        listeners: [{ port: 80, targetGroupArn: TargetGroupArn }],
        targetGroups: [
          {
            arn: TargetGroupArn,
            port: 80,
            health: { port: 79, intervalSeconds: 10, healthyThreshold: 3, unhealthyThreshold: 2 },
            targets: [{ id: Id, address: '10.7.0.4', port: 80 }],
          },
        ],
      },
    ]);
    expect(desired?.instances[0]?.ingress[0]?.sources).toEqual(['10.7.0.5/32', '10.7.1.4/32']);
    expect(cloud.practice.reach(balancer?.DNSName ?? '', 80)).toEqual({ host: '127.0.0.1', port: 30080 });

    const health = async () => {
      const { TargetHealthDescriptions } = await elb.send(new DescribeTargetHealthCommand({ TargetGroupArn }));
      return TargetHealthDescriptions?.[0]?.TargetHealth;
    };
    expect(await health()).toMatchObject({ State: 'initial', Reason: 'Elb.RegistrationInProgress' });
    script.states.set(LoadBalancerArn, { state: 'running' });
    script.health.push({ id: Id, state: 'unhealthy', reason: 'connection refused' });
    expect(await health()).toMatchObject({ State: 'unhealthy', Description: 'connection refused' });
    script.health.splice(0, 1, { id: Id, state: 'healthy' });
    expect(await health()).toEqual({ State: 'healthy' });
  });
});

describe('a database with hosts', () => {
  it('is available when its host runs', async () => {
    const { ec2, rds } = cloud;
    const { VpcId, subnetA, subnetB } = await makeNetwork(ec2);
    const group = await makeGroup(ec2, VpcId, 'database', 5432, '10.7.0.0/24');
    const DBSubnetGroupName = 'private';
    const SubnetIds = [subnetA, subnetB];
    await rds.send(
      new CreateDBSubnetGroupCommand({ DBSubnetGroupName, DBSubnetGroupDescription: 'private', SubnetIds }),
    );
    const DBInstanceIdentifier = 'main';
    await rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier,
        Engine: 'postgres',
        DBInstanceClass: 'db.t4g.micro',
        AllocatedStorage: 20,
        MasterUsername: 'cloudspace',
        MasterUserPassword: 'correct-horse',
        DBName: 'control',
        DBSubnetGroupName,
        VpcSecurityGroupIds: [group],
      }),
    );
    const describeIt = async () =>
      (await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }))).DBInstances?.[0];
    expect((await describeIt())?.DBInstanceStatus).toBe('creating');
    const [desired] = script.desired.at(-1)?.databases ?? [];
    expect(desired).toMatchObject({
      vpcId: VpcId,
      privateIp: '10.7.0.4',
      port: 5432,
      user: 'cloudspace',
      database: 'control',
      state: 'running',
      ingress: [{ protocol: 'tcp', fromPort: 5432, toPort: 5432, sources: ['10.7.0.0/24'] }],
    });
    expect(desired?.verifier).toMatch(/^SCRAM-SHA-256\$4096:/);
    script.states.set(desired?.id ?? '', { state: 'running' });
    expect(await describeIt()).toMatchObject({
      DBInstanceStatus: 'available',
      Endpoint: { Address: desired?.endpoint, Port: 5432 },
    });
    await rds.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier, SkipFinalSnapshot: true }));
    expect(script.desired.at(-1)?.databases).toEqual([]);
    expect((await describeIt())?.DBInstanceStatus).toBe('deleting');
    script.states.clear();
    await expect(describeIt()).rejects.toThrow('not found');
  });
});
