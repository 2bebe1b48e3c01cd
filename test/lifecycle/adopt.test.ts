import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AllocateAddressCommand,
  AssociateRouteTableCommand,
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateNatGatewayCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  ModifySubnetAttributeCommand,
  ModifyVpcAttributeCommand,
  type ResourceType,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Aws } from '../../src/aws/clients.ts';
import { vpc } from '../../src/aws/resources/vpc.ts';
import { newScope } from '../../src/engine/discover.ts';
import { adoptionTags } from '../../src/engine/tags.ts';
import { subnets } from '../../src/steps/config.ts';
import { clients } from '../support/aws.ts';
import { cleanEnv, cli, folder, PUBLIC_KEY, type Server, serve } from '../support/cli.ts';
import { NAME, type Walked, walkByAnswers } from '../support/walker.ts';

let server: Server;
let aws: Aws;
const { signal } = new AbortController();

beforeAll(async () => {
  server = await serve(folder());
  aws = clients(server);
});
afterAll(async () => {
  aws.close();
  await server.close();
});

describe('a VPC that a person made', () => {
  it('is found as adopted once it is tagged, and is nobody’s again when the tags are taken off; its name stays', async () => {
    const { Vpc } = await aws.ec2.send(
      new CreateVpcCommand({
        CidrBlock: '10.9.0.0/16',
        TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'Name', Value: 'mine' }] }],
      }),
    );
    const out = { id: Vpc?.VpcId ?? '', cidr: '10.9.0.0/16', state: 'available' };
    expect(await vpc.list(aws, newScope('hackathon-07'))).toEqual([]);
    await vpc.tag?.(aws, out, adoptionTags('hackathon-07', 'vpc', 'vpc', true), signal);
    expect(await vpc.list(aws, newScope('hackathon-07'))).toEqual([
      { out: expect.objectContaining({ id: out.id }), key: 'vpc', chapter: 'vpc', adopted: true },
    ]);
    await vpc.untag?.(aws, out, signal);
    expect(await vpc.list(aws, newScope('hackathon-07'))).toEqual([]);
    const { Vpcs } = await aws.ec2.send(new DescribeVpcsCommand({ VpcIds: [out.id] }));
    expect(Vpcs?.[0]?.Tags).toEqual([{ Key: 'Name', Value: 'mine' }]);
    await vpc.untag?.(aws, { ...out, id: out.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }, signal);
  });
});

/** A person at the console: makes what the wizard says is needed, and no more. Ids come from their own notes, not from the wizard. */
function person(aws: Aws) {
  const notes = new Map<string, string>();
  const id = (of: string) => notes.get(of) ?? '';
  const named = (ResourceType: ResourceType, Value: string) => ({
    TagSpecifications: [{ ResourceType, Tags: [{ Key: 'Name', Value }] }],
  });
  const steps: Readonly<Record<string, () => Promise<void>>> = {
    async network() {
      const { Vpc } = await aws.ec2.send(
        new CreateVpcCommand({ CidrBlock: '10.7.0.0/16', ...named('vpc', 'my network') }),
      );
      notes.set('vpc', Vpc?.VpcId ?? '');
      await aws.ec2.send(new ModifyVpcAttributeCommand({ VpcId: id('vpc'), EnableDnsHostnames: { Value: true } }));
    },
    async subnets() {
      for (const [key, CidrBlock, AvailabilityZone] of [
        ['private-b', subnets('10.7.0.0/16').privateB, 'eu-central-1b'],
        ['private-a', subnets('10.7.0.0/16').privateA, 'eu-central-1a'],
        ['public-b', subnets('10.7.0.0/16').publicB, 'eu-central-1b'],
        ['public-a', subnets('10.7.0.0/16').publicA, 'eu-central-1a'],
      ] as const) {
        const { Subnet } = await aws.ec2.send(
          new CreateSubnetCommand({ VpcId: id('vpc'), CidrBlock, AvailabilityZone }),
        );
        notes.set(key, Subnet?.SubnetId ?? '');
      }
    },
    async 'internet-gateway'() {
      const { InternetGateway } = await aws.ec2.send(new CreateInternetGatewayCommand({}));
      notes.set('igw', InternetGateway?.InternetGatewayId ?? '');
      await aws.ec2.send(new AttachInternetGatewayCommand({ InternetGatewayId: id('igw'), VpcId: id('vpc') }));
    },
    async 'nat-gateway'() {
      const { AllocationId } = await aws.ec2.send(new AllocateAddressCommand({ Domain: 'vpc' }));
      const { NatGateway } = await aws.ec2.send(
        new CreateNatGatewayCommand({ SubnetId: id('public-a'), AllocationId }),
      );
      notes.set('nat', NatGateway?.NatGatewayId ?? '');
    },
    async 'route-tables'() {
      for (const which of ['private', 'public']) {
        const { RouteTable } = await aws.ec2.send(new CreateRouteTableCommand({ VpcId: id('vpc') }));
        const RouteTableId = RouteTable?.RouteTableId ?? '';
        const gateway = which === 'public' ? { GatewayId: id('igw') } : { NatGatewayId: id('nat') };
        await aws.ec2.send(new CreateRouteCommand({ RouteTableId, DestinationCidrBlock: '0.0.0.0/0', ...gateway }));
        for (const zone of ['a', 'b'])
          await aws.ec2.send(new AssociateRouteTableCommand({ RouteTableId, SubnetId: id(`${which}-${zone}`) }));
      }
    },
  };
  return { make: (step: string) => steps[step]?.() ?? Promise.reject(new Error(`no step ${step}`)), id };
}

describe('chapter 1, done by hand', () => {
  const dir = folder();
  let walked: Walked;
  let somebody: ReturnType<typeof person>;

  it('is shown, waited for, found by its shape and taken over: the walk makes nothing itself', async () => {
    // Things of others, which must not be taken for ours.
    await aws.ec2.send(new CreateVpcCommand({ CidrBlock: '10.8.0.0/16' }));
    await aws.ec2.send(new AllocateAddressCommand({ Domain: 'vpc' }));
    const before = (await server.mutationsByNow()).length;
    somebody = person(aws);
    let mine = 0;
    let step = '';
    walked = await walkByAnswers(aws, dir, async (question, events) => {
      if (question.id === 'step')
        return question.kind === 'select' && question.choices.some(({ value }) => value === 'byhand') ? 'byhand' : 'do';
      if (question.id !== 'byhand') return undefined;
      const needs = events.findLast((event) => event.type === 'byhand');
      if (needs?.type !== 'byhand') throw new Error('nothing was said of what is needed');
      if (needs.step !== step) {
        step = needs.step;
        const count = (await server.mutationsByNow()).length;
        await somebody.make(step);
        mine += (await server.mutationsByNow()).length - count;
      }
      return 'look';
    });
    expect(walked.outcome).toBe('done');
    const made = (await server.mutationsByNow()).slice(before);
    expect(made.filter((one) => one !== 'CreateTags')).toHaveLength(mine);
    // VPC, four subnets, gateway, address, NAT gateway, two tables; connections carry no tags.
    expect(made.filter((one) => one === 'CreateTags')).toHaveLength(10);
    expect(walked.run.outputs.get('vpc')?.id).toBe(somebody.id('vpc'));
    expect(walked.run.outputs.get('nat-gateway')?.id).toBe(somebody.id('nat'));
    expect(walked.run.outputs.get('subnet-private-b')?.id).toBe(somebody.id('private-b'));
    expect([...walked.run.adopted].sort()).toEqual([...walked.run.outputs.keys()].sort());
    expect(walked.run.outputs.size).toBe(18);
  });

  it('told what is needed with properties, the equal command and the console page, references filled in', () => {
    const needs = walked.events.flatMap((event) => (event.type === 'byhand' ? event.needs : []));
    const subnet = needs.find(({ key }) => key === 'subnet-public-a');
    expect(subnet).toMatchObject({
      properties: { vpcId: somebody.id('vpc'), zone: 'eu-central-1a' },
      console: { url: expect.stringMatching(/^https:\/\/eu-central-1\.console\.aws\.amazon\.com\/vpcconsole/) },
    });
    expect(subnet?.command).toMatch(new RegExp(`^aws ec2 create-subnet --vpc-id ${somebody.id('vpc')} --cidr-block`));
    expect(subnet?.command).not.toMatch(/cloudspace:/);
    const attachment = needs.find(({ key }) => key === 'internet-gateway-attachment');
    expect(attachment?.properties).toMatchObject({ internetGatewayId: 'the id of internet-gateway' });
  });

  it('keeps the names people gave, and gives one to what had none', async () => {
    const { Vpcs } = await aws.ec2.send(new DescribeVpcsCommand({ VpcIds: [somebody.id('vpc')] }));
    const tags = Object.fromEntries((Vpcs?.[0]?.Tags ?? []).map(({ Key, Value }) => [Key, Value]));
    expect(tags).toEqual({
      Name: 'my network',
      'cloudspace:name': NAME,
      'cloudspace:key': 'vpc',
      'cloudspace:chapter': 'vpc',
      'cloudspace:origin': 'adopted',
    });
    const { Subnets } = await aws.ec2.send(new DescribeSubnetsCommand({ SubnetIds: [somebody.id('public-a')] }));
    expect(Subnets?.[0]?.Tags).toContainEqual({ Key: 'Name', Value: `${NAME}-subnet-public-a` });
  });

  it('is there for the next run, which changes nothing of it, and stays when everything is destroyed', async () => {
    const before = (await server.mutationsByNow()).length;
    const again = await walkByAnswers(aws, folder(), () => undefined);
    expect(again.outcome).toBe('done');
    expect(again.run.drift).toEqual([]);
    expect((await server.mutationsByNow()).length).toBe(before);

    const words = ['--name', NAME, '--state-dir', folder()];
    const { code, stdout, stderr } = await cli(['destroy', '--yes', ...words], { env: cleanEnv(server.env) });
    expect(code, stderr + stdout).toBe(0);
    // (The lease that a teardown takes is a key pair.)
    const gone = (await server.mutationsByNow()).slice(before);
    expect(new Set(gone.filter((one) => !one.endsWith('KeyPair')))).toEqual(new Set(['DeleteTags']));
    const { Vpcs } = await aws.ec2.send(new DescribeVpcsCommand({ VpcIds: [somebody.id('vpc')] }));
    expect(Vpcs?.[0]?.Tags).toEqual([{ Key: 'Name', Value: 'my network' }]);
  });
});

describe('something made by hand that does not fit', () => {
  it('is shown with what differs and how to mend it; what cannot be mended is not offered', async () => {
    const dir = folder();
    let vpcId = '';
    const choices: Record<string, string[]> = { step: ['byhand', 'byhand'], byhand: ['look', 'look', 'quit'] };
    const { events, asked, run } = await walkByAnswers(aws, dir, async (question) => {
      if (question.id === 'byhand' && choices.byhand?.length === 3) {
        const { Vpc } = await aws.ec2.send(
          new CreateVpcCommand({
            CidrBlock: '10.7.0.0/16',
            TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'Name', Value: 'second' }] }],
          }),
        );
        vpcId = Vpc?.VpcId ?? '';
        await aws.ec2.send(new ModifyVpcAttributeCommand({ VpcId: vpcId, EnableDnsHostnames: { Value: true } }));
      }
      if (question.id === 'byhand' && choices.byhand?.length === 2) {
        for (const [CidrBlock, open] of [
          ['10.7.250.0/24', false],
          [subnets('10.7.0.0/16').publicA, true],
        ] as const) {
          const { Subnet } = await aws.ec2.send(
            new CreateSubnetCommand({ VpcId: vpcId, CidrBlock, AvailabilityZone: 'eu-central-1a' }),
          );
          if (open)
            await aws.ec2.send(
              new ModifySubnetAttributeCommand({ SubnetId: Subnet?.SubnetId, MapPublicIpOnLaunch: { Value: true } }),
            );
        }
      }
      if (question.id === 'adopt.vpc') return vpcId;
      return choices[question.id]?.shift();
    });
    expect(run.outputs.get('vpc')?.id).toBe(vpcId);
    const told = events.flatMap((event) => (event.type === 'info' ? [event.text] : [])).join('\n');
    expect(told).toMatch(/`subnet-public-a`: this is not quite as it should be/);
    expect(told).toMatch(/mapPublicIpOnLaunch is true, should be false; to mend it: `aws ec2 modify-subnet-attribute/);
    expect(told).toMatch(/`subnet-private-a`: no subnet that fits is there yet\. Seen, but it cannot be one of these/);
    expect(told).toMatch(/cidr is 10\.7\.250\.0\/24, should be .* \(cannot be changed any more\)/);
    const offered = asked.find(({ id }) => id === 'adopt.vpc');
    if (offered?.kind !== 'select') throw new Error('the VPC was not asked about');
    // That of the first person, let go again, fits as well; that of somebody else, with other addresses, does not.
    expect(offered.choices).toHaveLength(3);
    expect(asked.some(({ id }) => id === 'adopt.subnet-private-a')).toBe(false);
  });
});

describe('unattended', () => {
  it('--by-hand takes what is there and fits, and names what is not', async () => {
    const dir = folder();
    writeFileSync(join(dir, 'key.pub'), `${PUBLIC_KEY}\n`);
    const own = await serve(join(dir, 'server'));
    const mine = clients(own);
    try {
      const words = ['--name', NAME, '--state-dir', join(dir, 'state'), '--ssh-public-key', join(dir, 'key.pub')];
      words.push('--provision', 'skip', '--ssh-from', '198.51.100.7/32', '--yes', '--until', 'vpc');
      const start = (...more: string[]) => cli(['start', ...words, ...more], { env: cleanEnv(own.env) });
      const unknown = await start('--by-hand', 'vpc/netwerk');
      expect(unknown.code).toBe(2);
      expect(unknown.stderr + unknown.stdout).toMatch(/there is no step "vpc\/netwerk".*vpc\/network/s);
      const none = await start('--by-hand', 'vpc/network');
      expect(none.code).toBe(1);
      expect(none.stderr + none.stdout).toMatch(/"vpc" was to be made by hand, and nothing that fits is there/);
      expect(await own.mutationsByNow()).not.toContain('CreateVpc');
      const { Vpc } = await mine.ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }));
      const { code, stdout, stderr } = await start('--by-hand', 'vpc/network');
      expect(code, stderr + stdout).toBe(0);
      expect((await own.mutationsByNow()).filter((one) => one === 'CreateVpc')).toHaveLength(1);
      const status = await cli(['status', ...words.slice(0, 4)], { env: cleanEnv(own.env) });
      expect(status.stdout).toMatch(new RegExp(`vpc +adopted +${Vpc?.VpcId}`));
    } finally {
      mine.close();
      await own.close();
    }
  });
});
