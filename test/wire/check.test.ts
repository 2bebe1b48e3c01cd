import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AssociateRouteTableCommand,
  CreateNatGatewayCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSubnetCommand,
  CreateTagsCommand,
  DeleteRouteCommand,
  DescribeImagesCommand,
  RunInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/aws/clients.ts';
import { API_CHECKS, named } from '../../src/checks/api.ts';
import { type Facts, gatherFacts, hostName } from '../../src/checks/facts.ts';
import { PROBES } from '../../src/checks/hosts.ts';
import { firstBroken, type Question, runChecks } from '../../src/checks/run.ts';
import { failed, passed, pending } from '../../src/checks/types.ts';
import { begun, summaryOf } from '../../src/commands/check.ts';
import type { ChapterId, Event } from '../../src/engine/types.ts';
import { type Bench, bench } from './practice.ts';
import { makeGroup, makeNetwork } from './stage.ts';

describe('a network that somebody built by hand', () => {
  let cloud: Bench;
  let ids: Awaited<ReturnType<typeof makeNetwork>>;
  beforeEach(async () => {
    cloud = await bench();
    ids = await makeNetwork(cloud.ec2);
  });
  afterEach(() => cloud.end());

  const facts = async (name = 'team-07'): Promise<Facts> => {
    const aws = connect({
      region: 'eu-central-1',
      credentials: cloud.practice.credentials,
      endpointUrl: cloud.practice.endpoint,
      readOnly: true,
    });
    try {
      return await gatherFacts(aws, name, '100000000000');
    } finally {
      aws.close();
    }
  };
  const verdicts = async (chapter: ChapterId): Promise<Record<string, string>> => {
    const found = await facts();
    const mine = API_CHECKS.filter((check) => check.chapter === chapter);
    return Object.fromEntries(
      await Promise.all(mine.map(async (check) => [check.key, (await check.judge(found)).status] as const)),
    );
  };
  const name = (id: string, value: string) =>
    cloud.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'Name', Value: value }] }));

  it('is found by its Name, and judged by what it has', async () => {
    expect((await verdicts('vpc')).vpc).toBe('failed');
    await name(ids.VpcId, 'team-07-vpc');
    expect(await verdicts('vpc')).toEqual({ vpc: 'passed', 'public-subnets': 'passed', 'private-subnets': 'failed' });

    const { AllocationId } = await cloud.ec2.send(new AllocateAddressCommand({}));
    const { NatGateway } = await cloud.ec2.send(new CreateNatGatewayCommand({ SubnetId: ids.subnetA, AllocationId }));
    const { RouteTable } = await cloud.ec2.send(new CreateRouteTableCommand({ VpcId: ids.VpcId }));
    const RouteTableId = RouteTable?.RouteTableId;
    for (const [CidrBlock, AvailabilityZone] of [
      ['10.7.2.0/24', 'eu-central-1a'],
      ['10.7.3.0/24', 'eu-central-1b'],
    ] as const) {
      const { Subnet } = await cloud.ec2.send(
        new CreateSubnetCommand({ VpcId: ids.VpcId, CidrBlock, AvailabilityZone }),
      );
      await cloud.ec2.send(new AssociateRouteTableCommand({ RouteTableId, SubnetId: Subnet?.SubnetId }));
    }
    expect((await verdicts('vpc'))['private-subnets']).toBe('failed');
    await cloud.ec2.send(
      new CreateRouteCommand({
        RouteTableId,
        DestinationCidrBlock: '0.0.0.0/0',
        NatGatewayId: NatGateway?.NatGatewayId,
      }),
    );
    expect(await verdicts('vpc')).toEqual({ vpc: 'passed', 'public-subnets': 'passed', 'private-subnets': 'passed' });
    await cloud.ec2.send(new DeleteRouteCommand({ RouteTableId, DestinationCidrBlock: '0.0.0.0/0' }));
    expect((await verdicts('vpc'))['private-subnets']).toBe('failed');
  });

  it('has a bastion when an instance is called so', async () => {
    await name(ids.VpcId, 'team-07');
    expect(await verdicts('bastion')).toEqual({ instance: 'failed', 'ssh-rule': 'failed' });
    const group = await makeGroup(cloud.ec2, ids.VpcId, 'bastion', 22, '198.51.100.7/32');
    const { Images } = await cloud.ec2.send(new DescribeImagesCommand({ Owners: ['136693071363'] }));
    const { Instances } = await cloud.ec2.send(
      new RunInstancesCommand({
        ImageId: Images?.[0]?.ImageId,
        InstanceType: 't3.small',
        MinCount: 1,
        MaxCount: 1,
        SubnetId: ids.subnetA,
        SecurityGroupIds: [group],
      }),
    );
    const InstanceId = Instances?.[0]?.InstanceId ?? '';
    await name(InstanceId, 'bastion');
    // Without an Elastic IP nobody gets there.
    expect(await verdicts('bastion')).toEqual({ instance: 'failed', 'ssh-rule': 'passed' });
    const { AllocationId } = await cloud.ec2.send(new AllocateAddressCommand({}));
    await cloud.ec2.send(new AssociateAddressCommand({ AllocationId, InstanceId }));
    expect(await verdicts('bastion')).toEqual({ instance: 'passed', 'ssh-rule': 'passed' });
    expect(await begun({}, await facts())).toEqual(['login', 'vpc', 'bastion']);
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [InstanceId] }));
    expect((await verdicts('bastion')).instance).toBe('failed');
  });
});

const NOTHING: Facts = {
  name: 'team-07',
  account: '1',
  vpcs: [],
  subnets: [],
  internetGateways: [],
  natGateways: [],
  openings: new Map(),
  instances: [],
  databases: [],
  loadBalancers: [],
};

describe('facts', () => {
  const judge = async (key: string, facts: Partial<Facts>) =>
    API_CHECKS.find((check) => `${check.chapter}.${check.key}` === key)?.judge({ ...NOTHING, ...facts });
  const runner = (index: number, state = 'running') => ({
    id: `i-${index}`,
    name: `runner-${index}`,
    state,
    privateIp: `10.7.128.${index}`,
    publicIp: undefined,
    subnetId: 's',
    groups: [],
  });
  const database = { id: 'db', status: 'available', public: false, groups: ['sg-db'] };
  const opening = (cidr: string) => new Map([['sg-db', [{ from: 5432, to: 5432, cidr }]]]);
  const balancer = (health: string, ports = [80, 443, 2222]) => ({
    name: 'lb',
    dnsName: 'lb.example',
    state: 'active',
    listeners: ports,
    targets: ports.flatMap((port) => ['i-1', 'i-2'].map((id) => ({ port, id, health, reason: 'why' }))),
  });
  const two = [runner(1), runner(2)];

  it.each([
    ['controller.database', {}, 'failed', /no database/],
    ['controller.database', { databases: [database] }, 'passed', /db/],
    ['controller.database', { databases: [{ ...database, status: 'creating' }] }, 'skipped', /creating/],
    ['controller.database', { databases: [{ ...database, status: 'storage-full-failed' }] }, 'failed', /failed/],
    ['controller.database', { databases: [{ ...database, public: true }] }, 'failed', /public/],
    ['controller.database', { databases: [database], openings: opening('0.0.0.0/0') }, 'failed', /lets in 0\.0\.0\.0/],
    ['runners.instances', { instances: two }, 'passed', /runner-1, runner-2/],
    ['runners.instances', { instances: [runner(1), runner(2, 'stopped')] }, 'failed', /^runner-2: stopped/],
    ['runners.instances', { instances: [runner(1), runner(2, 'pending')] }, 'skipped', /runner-2: still starting/],
    ['runners.instances', { instances: [{ ...runner(1), publicIp: '203.0.113.9' }] }, 'failed', /public addresses/],
    ['ingress.load-balancer', { loadBalancers: [balancer('healthy')] }, 'passed', /lb\.example/],
    ['ingress.load-balancer', { loadBalancers: [balancer('healthy', [80, 443])] }, 'failed', /no listener for 2222/],
    ['ingress.targets', { instances: two, loadBalancers: [balancer('healthy')] }, 'passed', /6 healthy/],
    [
      'ingress.targets',
      { instances: [...two, runner(3)], loadBalancers: [balancer('healthy')] },
      'failed',
      /^runner-3: not registered/,
    ],
    [
      'ingress.targets',
      { instances: two, loadBalancers: [balancer('unhealthy')] },
      'failed',
      /runner-1 is unhealthy \(why\)/,
    ],
    ['ingress.targets', { instances: two, loadBalancers: [balancer('initial')] }, 'skipped', /begun/],
    ['ingress.targets', { instances: two, loadBalancers: [balancer('not asked')] }, 'skipped', /not asked/],
  ] as const)('%s of %j: %s', async (key, facts, status, detail) => {
    const verdict = await judge(key, facts as Partial<Facts>);
    expect(verdict).toMatchObject({ status, detail: expect.stringMatching(detail) });
    // A failure always says what to do.
    if (status === 'failed') expect(verdict?.hint?.length).toBeGreaterThan(10);
  });

  it('take hosts by their key, of a batch too, or by their Name', () => {
    expect(hostName([{ Key: 'cloudspace:key', Value: 'runner-{1,3}' }], 'team-07', 1)).toBe('runner-3');
    expect(hostName([{ Key: 'Name', Value: 'team-07-bastion' }], 'team-07', 0)).toBe('bastion');
    expect(hostName([], 'team-07', 0)).toBe('');
    expect(
      named({ ...NOTHING, instances: [runner(2), runner(1), { ...runner(3), name: 'runners' }] }, 'runner').map(
        ({ id }) => id,
      ),
    ).toEqual(['i-1', 'i-2']);
  });
});

describe('layers', () => {
  const question = (layer: Question['layer'], judge: Question['judge'], key = 'k'): Question => ({
    chapter: 'runners',
    layer,
    key,
    title: layer,
    judge,
  });

  it('behind a broken one nothing is asked, and the first is named', async () => {
    const events: Event[] = [];
    const never = () => {
      throw new Error('asked all the same');
    };
    const results = await runChecks(
      [
        question('api', () => passed('there')),
        question('ssh', () => failed('no way', 'look')),
        question('service', never),
        question('http', never),
        { ...question('api', never), chapter: 'ingress' },
      ],
      ['runners'],
      (event) => events.push(event),
    );
    expect(results.map(({ layer, status }) => [layer, status])).toEqual([
      ['api', 'passed'],
      ['ssh', 'failed'],
      ['service', 'skipped'],
      ['http', 'skipped'],
    ]);
    expect(firstBroken(results)).toMatchObject({ layer: 'ssh', detail: 'no way', hint: 'look' });
    expect(summaryOf(results, ['ingress'])).toContain('Broken first:** chapter "runners", ssh: no way');
    expect(events.filter((event) => event.type === 'check' && event.status === 'started')).toHaveLength(2);
  });

  it('a name that leads nowhere is named first, and keeps nothing from being asked; nothing keeps names from it', async () => {
    const results = await runChecks(
      [
        question('http', () => passed()),
        question('ssh', () => passed()),
        question('dns', () => failed('no record', 'make it')),
        question('api', () => passed()),
        { ...question('dns', () => passed()), chapter: 'ingress' },
        { ...question('api', () => failed('nobody is healthy', 'look')), chapter: 'ingress' },
      ],
      ['runners', 'ingress'],
      () => {},
    );
    expect(results.map(({ layer, status }) => [layer, status])).toEqual([
      ['api', 'passed'],
      ['dns', 'failed'],
      ['ssh', 'passed'],
      ['http', 'passed'],
      ['api', 'failed'],
      ['dns', 'passed'],
    ]);
    expect(firstBroken(results)).toMatchObject({ layer: 'dns', hint: 'make it' });
  });

  it('what throws has failed; what is on its way keeps the outside waiting only', async () => {
    const asked: string[] = [];
    const results = await runChecks(
      [
        question('api', () => pending('creating')),
        question('ssh', () => Promise.reject(new Error('no answer'))),
        question('http', () => {
          asked.push('http');
          return passed();
        }),
      ],
      ['runners'],
      () => {},
    );
    expect(results.map(({ status, detail }) => [status, detail])).toEqual([
      ['skipped', 'creating'],
      ['failed', 'no answer'],
      ['skipped', expect.stringContaining('not asked')],
    ]);
    expect(asked).toEqual([]);
  });

  it('with patience a failure is asked again', async () => {
    let looks = 0;
    const later = question('http', () => (++looks < 2 ? failed('not yet', 'wait') : passed()));
    const [result] = await runChecks([later], ['runners'], () => {}, { seconds: 5 });
    expect(result?.status).toBe('passed');
    expect(looks).toBe(2);
  });

  it('a dead runner is seen in the list of nodes', () => {
    const members = PROBES.find(({ key }) => key === 'members')?.expect as RegExp;
    expect(members.test('runner-1 Ready\nrunner-2 Ready\nend')).toBe(true);
    expect(members.test('runner-1 Ready\nrunner-2 Down\nend')).toBe(false);
    expect(members.test('end')).toBe(false);
  });
});
