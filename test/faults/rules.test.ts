import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateSubnetCommand,
  CreateTagsCommand,
  CreateVpcCommand,
  DescribeInstancesCommand,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { readFaults, writeFault } from '../../src/practice/aws/faultFile.ts';
import { parseRule } from '../../src/practice/aws/faultRule.ts';
import { operationNames } from '../../src/practice/aws/faults.ts';
import { renderFirewall } from '../../src/practice/hosts/firewall.ts';
import type { DesiredHosts, Hosts } from '../../src/practice/hosts/types.ts';
import { cli, folder } from '../support/cli.ts';
import { bench, codeOf } from '../wire/practice.ts';
import { makeInstances, makeNetwork } from '../wire/stage.ts';

const names = operationNames();
const parse = (text: string) => parseRule(text, names);

describe('a rule', () => {
  it.each([
    ['RunInstances:throttle=3', { target: 'RunInstances', effect: 'throttle', times: 3 }],
    ['mutation#12:drop,after', { target: 'mutation', nth: 12, effect: 'drop', after: true, times: 1 }],
    ['*:latency=2s', { effect: 'latency', ms: 2000, times: Number.POSITIVE_INFINITY }],
    ['Describe*:stale=500ms,times=4', { effect: 'stale', ms: 500, times: 4 }],
    ['CreateVpc:error=VpcLimitExceeded,times=all', { value: 'VpcLimitExceeded', times: Number.POSITIVE_INFINITY }],
    ['CreateVpc:timeout', { ms: Number.POSITIVE_INFINITY, times: 1 }],
    ['CreateVpc:status=503,after', { status: 503, after: true }],
    ['CreateNatGateway:state=failed', { effect: 'state', value: 'failed', times: 1 }],
    ['host:bastion:network=down', { host: true, target: 'bastion', times: Number.POSITIVE_INFINITY }],
  ])('%s', (text, expected) => {
    expect(parse(text)).toMatchObject(expected);
  });

  it.each([
    ['CreateVpc', /no effect after the target/],
    ['CreateVPC:drop', /"CreateVPC" is no operation.*CreateVpc/],
    ['CreateVpc:explode', /"explode" is no effect; there are: throttle, error/],
    ['CreateVpc#0:drop', /"#0" is not the number/],
    ['CreateVpc:latency=2', /"2" is not a duration, such as 2s/],
    ['CreateVpc:latency', /"" is not a duration/],
    ['CreateVpc:status=404', /"404" is no server error/],
    ['CreateVpc:drop=1', /takes no value/],
    ['CreateVpc:throttle=many', /"many" is not a number/],
    ['CreateVpc:error=', /"" is no error code/],
    ['CreateVpc:stale=5s', /stale is for reads/],
    ['CreateVpc:state=failed', /CreateNatGateway and CreateDBInstance only/],
    ['CreateVpc:boot=fail', /RunInstances only/],
    ['CreateDBInstance:state=lost', /"lost" is no state; there are: failed, creating/],
    ['CreateVpc:network=down', /needs a host/],
    ['host:bastion:drop', /network=down only/],
    ['CreateVpc:latency=1s,after', /"after" does not go with latency/],
    ['CreateVpc:drop,times=0', /"times=0" is no option/],
    ['CreateVpc#2:drop,times=2', /does not go with #2/],
  ])('%s is refused, naming the part that is wrong', (text, says) => {
    expect(() => parse(text)).toThrow(RangeError);
    expect(() => parse(text)).toThrow(says);
  });
});

describe('the file of the rules', () => {
  it('keeps what was given, what met and what was cleared, for its owner only', () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'faults-')), 'practice');
    expect(readFaults(dir)).toEqual([]);
    writeFault(dir, 'add CreateVpc:drop');
    writeFault(dir, 'run *:latency=1s');
    writeFault(dir, 'used 1');
    expect(readFaults(dir)).toEqual([
      { number: 1, rule: 'CreateVpc:drop', used: 1, stays: true },
      { number: 2, rule: '*:latency=1s', used: 0, stays: false },
    ]);
    writeFault(dir, 'end');
    expect(readFaults(dir).map(({ rule }) => rule)).toEqual(['CreateVpc:drop']);
    writeFault(dir, 'clear');
    writeFault(dir, 'add CreateVpc:throttle');
    expect(readFaults(dir)).toEqual([{ number: 3, rule: 'CreateVpc:throttle', used: 0, stays: true }]);
    expect(() => writeFault(dir, 'add a\nclear')).toThrow(RangeError);
    expect([statSync(dir).mode & 0o777, statSync(join(dir, 'faults.log')).mode & 0o777]).toEqual([0o700, 0o600]);
  });
});

describe('on the wire', () => {
  const vpc = (n: number) => new CreateVpcCommand({ CidrBlock: `10.${n}.0.0/16` });

  it('each ending, and the rule beside the request in the log', async () => {
    const { ec2, practice, end } = await bench({
      faults: ['CreateVpc#1:throttle', 'CreateVpc#2:status=500', 'CreateVpc#3:error=OptInRequired', 'CreateVpc#4:drop'],
    });
    try {
      const codes: string[] = [];
      for (let n = 1; n <= 3; n += 1) codes.push(await codeOf(ec2.send(vpc(n))));
      expect(codes).toEqual(['RequestLimitExceeded', 'InternalError', 'OptInRequired']);
      await expect(ec2.send(vpc(4))).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
      await ec2.send(vpc(5));
      expect((await ec2.send(new DescribeVpcsCommand({}))).Vpcs?.map((one) => one.CidrBlock)).toEqual(['10.5.0.0/16']);
      expect(practice.requests.slice(0, 5).map(({ status, faults }) => [status, faults?.[0]])).toEqual([
        [503, 'CreateVpc#1:throttle'],
        [500, 'CreateVpc#2:status=500'],
        [403, 'CreateVpc#3:error=OptInRequired'],
        [0, 'CreateVpc#4:drop'],
        [200, undefined],
      ]);
    } finally {
      await end();
    }
  });

  it('with `after` the effect is there, the answer is not', async () => {
    const { ec2, end } = await bench({ faults: ['CreateVpc:drop,after', 'CreateSubnet:timeout=50ms,after'] });
    try {
      await expect(ec2.send(vpc(1))).rejects.toThrow();
      const VpcId = (await ec2.send(new DescribeVpcsCommand({}))).Vpcs?.[0]?.VpcId;
      await expect(ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock: '10.1.0.0/24' }))).rejects.toThrow();
      expect(await codeOf(ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock: '10.1.0.0/24' })))).toMatch(/Conflict/);
    } finally {
      await end();
    }
  });

  it('a dry run meets errors, and uses none of them up', async () => {
    const { ec2, end } = await bench({ faults: ['CreateVpc:error=UnauthorizedOperation', 'CreateVpc:throttle'] });
    try {
      const dry = () => codeOf(ec2.send(new CreateVpcCommand({ CidrBlock: '10.1.0.0/16', DryRun: true })));
      expect([await dry(), await dry()]).toEqual(['UnauthorizedOperation', 'UnauthorizedOperation']);
      expect(await codeOf(ec2.send(vpc(1)))).toBe('UnauthorizedOperation');
      expect(await dry()).toBe('DryRunOperation');
    } finally {
      await end();
    }
  });

  it('stale reads show the world from before, later the new one', async () => {
    const { ec2, end } = await bench({ faults: ['Describe*:stale=400ms'] });
    try {
      const count = async () => (await ec2.send(new DescribeVpcsCommand({}))).Vpcs?.length;
      await ec2.send(vpc(1));
      expect(await count()).toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 450));
      await ec2.send(vpc(2));
      expect(await count()).toBe(1);
    } finally {
      await end();
    }
  });

  it('rules given while it runs hold from the next request on, and over a restart', async () => {
    const first = await bench();
    try {
      writeFault(first.dir, 'add CreateVpc:error=VpcLimitExceeded');
      await first.practice.close();
      const { ec2, end } = await bench({ dir: first.dir });
      expect(await codeOf(ec2.send(vpc(1)))).toBe('VpcLimitExceeded');
      writeFault(first.dir, 'add CreateVpc:throttle');
      writeFault(first.dir, 'clear');
      await ec2.send(vpc(1));
      await end();
    } finally {
      await first.end();
    }
  });

  it('an instance that does not boot ends by itself, with the reason', async () => {
    const { ec2, end } = await bench({ faults: ['RunInstances:boot=fail'] });
    try {
      const { subnetA } = await makeNetwork(ec2);
      const InstanceIds = await makeInstances(ec2, subnetA, 1);
      const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds }));
      expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({
        State: { Name: 'terminated' },
        StateReason: { Code: 'Server.InternalError', Message: expect.stringContaining('Internal error on launch') },
      });
    } finally {
      await end();
    }
  });
});

describe('a host that loses its network', () => {
  it('is described to the hosts as such, and let in again when the rule is cleared', async () => {
    const seen: DesiredHosts[] = [];
    const hosts: Hosts = {
      sync: (desired) => seen.push(desired),
      settled: async () => {},
      state: () => ({ state: 'running' }),
      consoleOutput: async () => undefined,
      targetHealth: async () => [],
      reach: () => undefined,
      close: async () => {},
    };
    const { ec2, dir, end } = await bench({ hosts });
    try {
      const { subnetA } = await makeNetwork(ec2);
      const Resources = await makeInstances(ec2, subnetA, 1);
      await ec2.send(new CreateTagsCommand({ Resources, Tags: [{ Key: 'Name', Value: 'team-07-bastion' }] }));
      const networks = () => seen.at(-1)?.instances.map((one) => one.network);
      expect(networks()).toEqual([undefined]);
      const changes = async (count: number) => {
        while (seen.length === count) await new Promise((resolve) => setTimeout(resolve, 20));
      };
      let count = seen.length;
      writeFault(dir, 'add host:bastion:network=down');
      await changes(count);
      expect(networks()).toEqual(['down']);
      count = seen.length;
      writeFault(dir, 'clear');
      await changes(count);
      expect(networks()).toEqual([undefined]);
    } finally {
      await end();
    }
  });

  it('has rules that drop both directions of its interface', () => {
    const rules = renderFirewall([], { gateway: '10.7.0.1', public: true, down: true });
    expect(rules).toMatch(/iifname "eth0" drop/);
    expect(rules).toMatch(/oifname "eth0" drop/);
    expect(rules).not.toMatch(/accept$/m);
  });
});

describe('cloudspace practice fault', () => {
  it('adds, lists and clears', async () => {
    const cwd = folder();
    const run = async (...words: string[]) => cli(['practice', 'fault', ...words], { cwd });
    expect((await run()).stdout).toMatch(/No faults/);
    const added = await run('add', 'CreateVpc:drop,after');
    expect([added.code, added.stdout + added.stderr]).toEqual([
      0,
      expect.stringMatching(/CreateVpc:drop,after.*once/s),
    ]);
    expect(JSON.parse((await run('list', '--json')).stdout)).toEqual({
      name: 'practice-01',
      faults: [{ rule: 'CreateVpc:drop,after', used: 0, left: 1, until: 'cleared' }],
    });
    const bad = await run('add', 'CreateVpc:nothing');
    expect([bad.code, bad.stdout + bad.stderr]).toEqual([2, expect.stringMatching(/"nothing" is no effect/)]);
    expect((await run('clear')).code).toBe(0);
    expect((await run('list')).stdout).toMatch(/No faults/);
    expect(readFileSync(join(cwd, '.cloudspace/practice-01/practice/faults.log'), 'utf8')).toMatch(/clear\n$/);
  });

  it('a bad --fault is refused before anything happens', async () => {
    const { code, stdout, stderr } = await cli(['practice', '--yes', '--hosts', 'none', '--fault', 'CreateVpc:boom']);
    expect([code, (stdout + stderr).replaceAll(/\s+/g, ' ')]).toEqual([
      2,
      expect.stringMatching(/"boom" is no effect/),
    ]);
  });

  it('its help holds the rules, in 80 columns', async () => {
    const { stdout } = await cli(['practice', 'fault', '--help']);
    expect(stdout).toMatch(/TARGET:EFFECT/);
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });
});
