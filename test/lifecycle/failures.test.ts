import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeNatGatewaysCommand, DescribeSubnetsCommand } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Aws } from '../../src/aws/clients.ts';
import type { Event } from '../../src/engine/types.ts';
import { clients } from '../support/aws.ts';
import { cleanEnv, cli, folder, PUBLIC_KEY, type Server, serve } from '../support/cli.ts';
import { NAME, walkByAnswers } from '../support/walker.ts';

/** What a person, and a script, is told when something fails, and what they can do about it; against the practice API as a process of its own. */
let server: Server;
let aws: Aws;
let dir: string;

async function begin(...faults: string[]) {
  dir = folder();
  server = await serve(
    join(dir, 'server'),
    faults.flatMap((rule) => ['--fault', rule]),
  );
  aws = clients(server);
}
afterEach(async () => {
  aws.close();
  await server.close();
});

type Failure = Extract<Event, { type: 'failure' }>;
const failures = (events: readonly Event[]) => events.filter((event): event is Failure => event.type === 'failure');

describe('unattended', () => {
  let args: string[];
  const start = (until: string, ...more: string[]) =>
    cli(['start', '--yes', '--until', until, ...args, ...more], { env: cleanEnv(server.env) });
  beforeEach(() => {
    const keys = folder();
    writeFileSync(join(keys, 'key.pub'), `${PUBLIC_KEY}\n`);
    args = ['--name', 'fail-01', '--state-dir', join(keys, 'state'), '--ssh-public-key', join(keys, 'key.pub')];
    args.push('--provision', 'skip', '--ssh-from', '198.51.100.7/32');
  });
  const gateways = async () => (await aws.ec2.send(new DescribeNatGatewaysCommand({}))).NatGateways ?? [];

  it('a NAT gateway that fails is replaced once, on the same address, and the route goes to the new one', async () => {
    await begin('CreateNatGateway:state=failed');
    const { code, stdout, stderr } = await start('vpc');
    expect(code, stderr + stdout).toBe(0);
    expect(stdout).toMatch(/NAT gateway is replaced/);
    const made = server.mutations();
    expect(made.filter((one) => one === 'CreateNatGateway')).toHaveLength(2);
    expect(made.filter((one) => one === 'AllocateAddress')).toHaveLength(1);
    expect(made.filter((one) => one === 'CreateRoute')).toHaveLength(2);
    expect((await gateways()).filter(({ State }) => State === 'available')).toHaveLength(1);
  });

  it('when the second one fails too, it says what is there, what it costs, what waits and how to go on; the next run replaces it', async () => {
    await begin('CreateNatGateway:state=failed,times=2');
    const { code, stdout, stderr } = await start('bastion', '--json');
    expect(code).toBe(1);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Event);
    const [failure, ...others] = failures(events);
    expect(others).toEqual([]);
    expect(failure).toMatchObject({
      chapter: 'vpc',
      step: 'nat-gateway',
      code: 'Failed',
      there: [{ key: 'eip-nat', label: 'Elastic IP', id: expect.stringMatching(/^eipalloc-/) }],
      missing: ['nat-gateway'],
      usdPerHour: { step: 0.005 },
      blocks: expect.arrayContaining(['Route tables']),
      choices: expect.arrayContaining(['retry', 'quit']),
      resume: expect.stringMatching(/^cloudspace start --name fail-01 --state-dir \S+ --yes$/),
    });
    expect(stderr).toMatch(/While it waits, everything that is there costs/);
    expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(/cloudspace start --name fail-01 --state-dir \S+ --yes/);
    const second = await start('bastion');
    expect(second.code, second.stderr + second.stdout).toBe(0);
    expect(server.mutations().filter((one) => one === 'CreateNatGateway')).toHaveLength(3);
  });

  it('an instance that ends by itself is replaced, and its address goes to the new one', async () => {
    await begin('RunInstances:boot=fail');
    const { code, stdout, stderr } = await start('bastion');
    expect(code, stderr + stdout).toBe(0);
    const made = server.mutations();
    expect(made.filter((one) => one === 'RunInstances')).toHaveLength(2);
    expect(made.filter((one) => one === 'AssociateAddress')).toHaveLength(1);
  });

  it('a refusal leaves no doubt behind: the next run does not look for what was never made', async () => {
    await begin('AllocateAddress:error=AddressLimitExceeded');
    const { code, stderr, stdout } = await start('vpc');
    expect(code).toBe(1);
    expect(stderr + stdout).toMatch(/Elastic IPs/);
    const again = await start('vpc');
    expect(again.code, again.stderr + again.stdout).toBe(0);
    expect(again.stdout).not.toMatch(/Looking whether that arrived/);
  });
});

describe('interactive', () => {
  it('a failure behind the reader’s back is told before the next question, and tried again there', async () => {
    await begin('CreateNatGateway:state=failed');
    const { outcome, asked, events } = await walkByAnswers(aws, dir, async (question) => {
      // Time to read, so that it has failed when the next step is offered.
      if (question.message.startsWith('Route tables')) await new Promise((resolve) => setTimeout(resolve, 300));
      return undefined;
    });
    expect(outcome).toBe('done');
    const [failure] = failures(events);
    expect(failure).toMatchObject({ step: 'nat-gateway', choices: ['retry', 'skip', 'undo', 'quit'] });
    expect(asked.filter(({ id }) => id === 'failure').map(({ message }) => message)).toEqual([
      'The NAT gateway: what now?',
    ]);
    const { NatGateways = [] } = await aws.ec2.send(new DescribeNatGatewaysCommand({}));
    expect(NatGateways.filter(({ State }) => State === 'available')).toHaveLength(1);
  });

  it('a step can be undone, exactly, and done again', async () => {
    await begin('CreateSubnet#3:error=SubnetLimitExceeded');
    const choices = ['undo'];
    const { outcome, events, journal } = await walkByAnswers(aws, dir, ({ id }) =>
      id === 'failure' ? choices.shift() : undefined,
    );
    expect(outcome).toBe('done');
    const [failure] = failures(events);
    expect(failure).toMatchObject({ step: 'subnets', code: 'QuotaExceeded', requestId: expect.stringMatching(/.+/) });
    expect(failure?.there).toHaveLength(3);
    // Nearly everything stands on a subnet, but the internet gateway does not.
    expect(failure?.blocks).not.toContain('The internet gateway');
    expect(server.mutations().filter((one) => one === 'DeleteSubnet')).toHaveLength(3);
    expect(server.mutations().filter((one) => one === 'DeleteVpc')).toEqual([]);
    const { Subnets = [] } = await aws.ec2.send(new DescribeSubnetsCommand({}));
    expect(Subnets).toHaveLength(4);
    expect(Object.values(journal.state.resources).every(({ status }) => status === 'ready')).toBe(true);
  });

  it('skipping is offered only where something later can be done without it, and quitting keeps everything', async () => {
    await begin('CreateVpc:error=VpcLimitExceeded');
    const { outcome, events, journal } = await walkByAnswers(aws, dir, ({ id }) =>
      id === 'failure' ? 'quit' : undefined,
    );
    expect(outcome).toBe('saved');
    const [failure] = failures(events);
    expect(failure).toMatchObject({
      there: [],
      usdPerHour: { step: 0, all: 0 },
      resume: `cloudspace start --name ${NAME}`,
    });
    expect(failure?.choices).not.toContain('undo');
    expect(journal.state.steps).toEqual({});
    expect((await walkByAnswers(aws, dir, () => undefined)).outcome).toBe('done');
  });
});
