import {
  DeleteSecurityGroupCommand,
  DeleteSubnetCommand,
  DescribeNetworkInterfacesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import {
  AddTagsCommand,
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateTargetGroupCommand,
  type CreateTargetGroupCommandInput,
  DeleteListenerCommand,
  DeleteLoadBalancerCommand,
  DeleteTargetGroupCommand,
  DeregisterTargetsCommand,
  DescribeListenerAttributesCommand,
  DescribeListenersCommand,
  DescribeLoadBalancerAttributesCommand,
  DescribeLoadBalancersCommand,
  DescribeRulesCommand,
  DescribeTagsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ModifyLoadBalancerAttributesCommand,
  ModifyTargetGroupAttributesCommand,
  ModifyTargetGroupCommand,
  paginateDescribeTargetGroups,
  RegisterTargetsCommand,
  RemoveTagsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bench, bench, codeOf } from './practice.ts';
import { makeGroup, makeInstances, makeNetwork } from './stage.ts';

let cloud: Bench;
beforeEach(async () => {
  cloud = await bench();
});
afterEach(() => cloud.end());

const groupInput = (VpcId: string, Name = 'hackathon-07-runners-http'): CreateTargetGroupCommandInput => ({
  Name,
  Protocol: 'TCP',
  Port: 80,
  VpcId,
  TargetType: 'instance',
  HealthCheckProtocol: 'TCP',
  HealthCheckPort: '79',
  HealthCheckIntervalSeconds: 10,
  HealthyThresholdCount: 3,
  Tags: [{ Key: 'cloudspace:name', Value: 'hackathon-07' }],
});

async function makeTargetGroup(VpcId: string): Promise<string> {
  const { TargetGroups } = await cloud.elb.send(new CreateTargetGroupCommand(groupInput(VpcId)));
  return TargetGroups?.[0]?.TargetGroupArn ?? '';
}

async function makeBalancer(Subnets: string[], SecurityGroups: string[], Name = 'hackathon-07-ingress') {
  const { LoadBalancers } = await cloud.elb.send(
    new CreateLoadBalancerCommand({ Name, Type: 'network', Scheme: 'internet-facing', Subnets, SecurityGroups }),
  );
  return { arn: LoadBalancers?.[0]?.LoadBalancerArn ?? '', dns: LoadBalancers?.[0]?.DNSName ?? '' };
}

describe('a network load balancer', () => {
  it('goes through its whole life with listeners and targets', async () => {
    const { ec2, elb } = cloud;
    const { VpcId, subnetA, subnetB } = await makeNetwork(ec2);
    const group = await makeGroup(ec2, VpcId, 'balancer', 80, '0.0.0.0/0');
    const [InstanceId = ''] = await makeInstances(ec2, subnetA, 1);
    const { arn: LoadBalancerArn, dns } = await makeBalancer([subnetA, subnetB], [group]);
    expect(dns).toMatch(/^hackathon-07-ingress-[0-9a-f]+\.elb\.eu-central-1\.localhost$/);
    expect((await makeBalancer([subnetB, subnetA], [group])).arn).toBe(LoadBalancerArn);
    expect(await codeOf(makeBalancer([subnetA], [group]))).toBe('DuplicateLoadBalancerName');
    const { LoadBalancers } = await elb.send(new DescribeLoadBalancersCommand({ Names: ['hackathon-07-ingress'] }));
    expect(LoadBalancers?.[0]).toMatchObject({ State: { Code: 'active' }, VpcId, SecurityGroups: [group] });

    const TargetGroupArn = await makeTargetGroup(VpcId);
    const health = async () =>
      (await elb.send(new DescribeTargetHealthCommand({ TargetGroupArn }))).TargetHealthDescriptions?.map(
        (one) => one.TargetHealth,
      );
    await elb.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: InstanceId }] }));
    expect(await health()).toMatchObject([{ State: 'unused', Reason: 'Target.NotInUse' }]);
    const DefaultActions = [{ Type: 'forward' as const, TargetGroupArn }];
    const listener = () =>
      elb.send(new CreateListenerCommand({ LoadBalancerArn, Protocol: 'TCP', Port: 80, DefaultActions }));
    const ListenerArn = (await listener()).Listeners?.[0]?.ListenerArn;
    expect((await listener()).Listeners?.[0]?.ListenerArn).toBe(ListenerArn);
    expect(await health()).toMatchObject([{ State: 'unhealthy', Reason: 'Target.FailedHealthChecks' }]);
    const { Listeners } = await elb.send(new DescribeListenersCommand({ LoadBalancerArn }));
    expect(Listeners?.[0]?.DefaultActions?.[0]).toMatchObject({ Type: 'forward', TargetGroupArn });
    expect((await elb.send(new DescribeRulesCommand({ ListenerArn }))).Rules?.[0]?.IsDefault).toBe(true);
    const { TargetGroups } = await elb.send(new DescribeTargetGroupsCommand({ LoadBalancerArn }));
    expect(TargetGroups?.map((one) => one.TargetGroupArn)).toEqual([TargetGroupArn]);

    expect(await codeOf(elb.send(new DeleteTargetGroupCommand({ TargetGroupArn })))).toBe('ResourceInUse');
    const interfaces = await ec2.send(
      new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'requester-id', Values: ['amazon-elb'] }] }),
    );
    expect(interfaces.NetworkInterfaces?.map((one) => one.SubnetId)).toEqual([subnetA, subnetB]);
    expect(await codeOf(ec2.send(new DeleteSecurityGroupCommand({ GroupId: group })))).toBe('DependencyViolation');

    await elb.send(new DeregisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: InstanceId }] }));
    expect(await health()).toEqual([]);
    await elb.send(new DeleteListenerCommand({ ListenerArn }));
    await elb.send(new DeleteTargetGroupCommand({ TargetGroupArn }));
    await elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn }));
    await elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn }));
    expect(await codeOf(elb.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [LoadBalancerArn] })))).toMatch(
      /^LoadBalancerNotFound/,
    );
    await ec2.send(new DeleteSecurityGroupCommand({ GroupId: group }));
    await ec2.send(new DeleteSubnetCommand({ SubnetId: subnetB }));
  });

  it('keeps network interfaces for a while after it is deleted, and drains targets', async () => {
    const slow = await bench({ speed: 1 });
    const fast = cloud;
    cloud = slow;
    try {
      const { VpcId, subnetA, subnetB } = await makeNetwork(slow.ec2);
      const { arn: LoadBalancerArn } = await makeBalancer([subnetA, subnetB], []);
      const { LoadBalancers } = await slow.elb.send(new DescribeLoadBalancersCommand({}));
      expect(LoadBalancers?.[0]?.State?.Code).toBe('provisioning');
      await slow.elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn }));
      expect((await slow.elb.send(new DescribeLoadBalancersCommand({}))).LoadBalancers).toEqual([]);
      expect(await codeOf(slow.ec2.send(new DeleteSubnetCommand({ SubnetId: subnetB })))).toBe('DependencyViolation');
      const [Id = ''] = await makeInstances(slow.ec2, subnetA, 1);
      const TargetGroupArn = await makeTargetGroup(VpcId);
      expect(await codeOf(slow.elb.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id }] })))).toMatch(
        /^InvalidTarget/,
      );
    } finally {
      cloud = fast;
      await slow.end();
    }
  });

  it('has attributes, protection and tags', async () => {
    const { ec2, elb } = cloud;
    const { VpcId, subnetA, subnetB } = await makeNetwork(ec2);
    const { arn: LoadBalancerArn } = await makeBalancer([subnetA, subnetB], []);
    const protect = (Value: string) =>
      elb.send(
        new ModifyLoadBalancerAttributesCommand({
          LoadBalancerArn,
          Attributes: [{ Key: 'deletion_protection.enabled', Value }],
        }),
      );
    await protect('true');
    expect(await codeOf(elb.send(new DeleteLoadBalancerCommand({ LoadBalancerArn })))).toMatch(
      /^OperationNotPermitted/,
    );
    await protect('false');
    const { Attributes } = await elb.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerArn }));
    expect(Attributes).toContainEqual({ Key: 'load_balancing.cross_zone.enabled', Value: 'false' });

    const TargetGroupArn = await makeTargetGroup(VpcId);
    const changed = await elb.send(
      new ModifyTargetGroupAttributesCommand({
        TargetGroupArn,
        Attributes: [{ Key: 'deregistration_delay.timeout_seconds', Value: '10' }],
      }),
    );
    expect(changed.Attributes).toContainEqual({ Key: 'deregistration_delay.timeout_seconds', Value: '10' });
    expect((await elb.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn }))).Attributes).toEqual(
      changed.Attributes,
    );
    const modified = await elb.send(new ModifyTargetGroupCommand({ TargetGroupArn, HealthyThresholdCount: 5 }));
    expect(modified.TargetGroups?.[0]).toMatchObject({ HealthyThresholdCount: 5, HealthCheckIntervalSeconds: 10 });

    const ResourceArns = [LoadBalancerArn, TargetGroupArn];
    await elb.send(new AddTagsCommand({ ResourceArns, Tags: [{ Key: 'a', Value: '1' }] }));
    await elb.send(new RemoveTagsCommand({ ResourceArns: [TargetGroupArn], TagKeys: ['cloudspace:name'] }));
    const { TagDescriptions } = await elb.send(new DescribeTagsCommand({ ResourceArns }));
    expect(TagDescriptions?.map((one) => one.Tags)).toEqual([[{ Key: 'a', Value: '1' }], [{ Key: 'a', Value: '1' }]]);
    const unknown = `${TargetGroupArn}x`;
    expect(await codeOf(elb.send(new DescribeTagsCommand({ ResourceArns: [unknown] })))).toMatch(
      /^TargetGroupNotFound/,
    );
  });
});

describe('target groups and listeners', () => {
  it('are created once, and refused when they differ', async () => {
    const { elb } = cloud;
    const { VpcId } = await makeNetwork(cloud.ec2);
    const arn = await makeTargetGroup(VpcId);
    expect(await makeTargetGroup(VpcId)).toBe(arn);
    const create = (change: Partial<CreateTargetGroupCommandInput>) =>
      codeOf(elb.send(new CreateTargetGroupCommand({ ...groupInput(VpcId), ...change })));
    expect(await create({ Port: 443 })).toMatch(/^DuplicateTargetGroupName/);
    expect(await create({ Name: 'a'.repeat(33) })).toBe('ValidationError');
    expect(await create({ Name: 'udp', Protocol: 'UDP' })).toMatch(/^UnsupportedOperation/);
  });

  it('share no port and no target group between load balancers', async () => {
    const { elb, ec2 } = cloud;
    const { VpcId, subnetA, subnetB } = await makeNetwork(ec2);
    const { arn: one } = await makeBalancer([subnetA, subnetB], []);
    const { arn: two } = await makeBalancer([subnetA, subnetB], [], 'another');
    const TargetGroupArn = await makeTargetGroup(VpcId);
    const other = (await elb.send(new CreateTargetGroupCommand(groupInput(VpcId, 'other')))).TargetGroups?.[0];
    const listen = (LoadBalancerArn: string, Port: number, arn: string | undefined) =>
      elb.send(
        new CreateListenerCommand({
          LoadBalancerArn,
          Protocol: 'TCP',
          Port,
          DefaultActions: [{ Type: 'forward', TargetGroupArn: arn }],
        }),
      );
    const made = await listen(one, 80, TargetGroupArn);
    expect(await codeOf(listen(one, 80, other?.TargetGroupArn))).toMatch(/^DuplicateListener/);
    expect(await codeOf(listen(two, 80, TargetGroupArn))).toMatch(/^TargetGroupAssociationLimit/);
    expect(await codeOf(listen(two, 80, 'arn:none'))).toMatch(/^TargetGroupNotFound/);
    const ListenerArn = made.Listeners?.[0]?.ListenerArn;
    const { Attributes } = await elb.send(new DescribeListenerAttributesCommand({ ListenerArn }));
    expect(Attributes).toEqual([{ Key: 'tcp.idle_timeout.seconds', Value: '350' }]);
  });

  it('come in pages', async () => {
    const { VpcId } = await makeNetwork(cloud.ec2);
    for (let n = 0; n < 5; n += 1) {
      await cloud.elb.send(new CreateTargetGroupCommand(groupInput(VpcId, `group-${n}`)));
    }
    const sizes = [];
    for await (const page of paginateDescribeTargetGroups({ client: cloud.elb }, { PageSize: 2 })) {
      sizes.push(page.TargetGroups?.length);
    }
    expect(sizes).toEqual([2, 2, 1]);
  });

  it('lose targets whose instances end', async () => {
    const { VpcId, subnetA } = await makeNetwork(cloud.ec2);
    const TargetGroupArn = await makeTargetGroup(VpcId);
    const InstanceIds = await makeInstances(cloud.ec2, subnetA, 2);
    const Targets = InstanceIds.map((Id) => ({ Id }));
    await cloud.elb.send(new RegisterTargetsCommand({ TargetGroupArn, Targets }));
    await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: InstanceIds.slice(0, 1) }));
    const { TargetHealthDescriptions } = await cloud.elb.send(new DescribeTargetHealthCommand({ TargetGroupArn }));
    expect(TargetHealthDescriptions?.map((one) => one.Target?.Id)).toEqual(InstanceIds.slice(1));
    expect(
      await codeOf(cloud.elb.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: 'i-0none' }] }))),
    ).toMatch(/^InvalidTarget/);
  });
});
