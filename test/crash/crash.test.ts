/** A small part of `npm run crash-matrix`, the same each time; and that its judge can say no. */
import { CreateSubnetCommand, DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { type Cell, crashCells, goOn, makeReference, type Reference, stateCells } from './cells.ts';
import { misfortune, seedCells } from './seeds.ts';
import { newStage } from './stage.ts';
import { describeWorld, difference } from './worlds.ts';

// A cell is four or five processes one after the other: a slow machine is no failure.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let reference: Reference;
beforeAll(async () => {
  reference = await makeReference();
});

const play = async (cells: readonly Cell[], row: string, column: string, point: string): Promise<string> => {
  // At which mutations the middle is depends on how many there are, and that on the timing.
  const cell = cells.find(
    (one) => one.row === row && one.column === column && (one.point === point || one.point.startsWith(`${point} at `)),
  );
  if (!cell) throw new Error(`there is no cell ${row} / ${column} / ${point}`);
  const { problem, at, how } = await cell.run(reference);
  return problem && `${at} ${how ?? ''}\n${problem}`;
};

describe('killed, and started again', () => {
  it.each([
    ['start', 'before', '1'],
    ['start', 'effect', '14'],
    ['start', 'journal', '30'],
    ['start', 'effect', '50'],
    ['destroy', 'before', '2'],
    ['destroy', 'effect', '20'],
    ['destroy', 'journal', '40'],
  ])('%s, %s, mutation %s', async (row, column, point) => {
    expect(await play(crashCells(reference), row, column, point)).toBe('');
  });
});

describe('the state file', () => {
  it.each([
    ['state, start', 'deleted', 'backup too'],
    ['state, start', 'cut off', '5/10'],
    ['state, destroy', 'cut, no backup', '0/10'],
    ['killed, state, start', 'deleted', 'backup too'],
  ])('%s, %s, %s', async (row, column, point) => {
    expect(await play(stateCells(reference), row, column, point)).toBe('');
  });
});

describe('random pairs of crashes and faults', () => {
  it.each([2, 3, 5, 8])('seed %i', async (seed) => {
    expect(await play(seedCells([seed]), 'random pairs', 'seeds', String(seed))).toBe('');
  });

  it('a seed gives the same pair each time', () => {
    const pairs = () => Array.from({ length: 50 }, (_, seed) => misfortune(seed, () => 56));
    expect(pairs()).toEqual(pairs());
    expect(new Set(pairs().map((pair) => JSON.stringify(pair))).size).toBeGreaterThan(45);
  });
});

describe('the judge', () => {
  it('sees an orphan, and what is missing', async () => {
    const stage = await newStage(reference.complete);
    try {
      const ec2 = new EC2Client({
        endpoint: stage.server.endpoint,
        region: 'eu-central-1',
        credentials: {
          accessKeyId: stage.server.env.AWS_ACCESS_KEY_ID ?? '',
          secretAccessKey: stage.server.env.AWS_SECRET_ACCESS_KEY ?? '',
        },
      });
      const { Vpcs } = await ec2.send(new DescribeVpcsCommand({}));
      const { VpcId, CidrBlock = '' } = Vpcs?.[0] ?? {};
      await ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock: CidrBlock.replace(/\.0\.0\/16$/, '.240.0/24') }));
      ec2.destroy();
      const problem = await goOn(stage, 'start', reference);
      expect(problem).toMatch(/another one:\n\+ .* subnets .*240\.0/);
      expect(problem.split('\n')).toHaveLength(2);
    } finally {
      await stage.end(false);
    }
  });

  it('knows worlds apart by attributes, tags and relations, and not by ids, times or order', () => {
    const id = (kind: string, n: number) => `${kind}-${String(n).padStart(17, '0')}`;
    const world = (n: number, change: { cidr?: string; key?: string; vpc?: number; more?: boolean } = {}) => {
      const subnet = (m: number, cidr: string) => ({ id: id('subnet', m), vpcId: id('vpc', change.vpc ?? n), cidr });
      const region = {
        tags: {
          [id('vpc', n)]: { 'cloudspace:key': 'vpc' },
          [id('subnet', n)]: { 'cloudspace:key': change.key ?? 'subnet-a' },
        },
        vpcs: { [id('vpc', n)]: { id: id('vpc', n), cidr: '10.0.0.0/16', createdAt: n } },
        subnets: {
          [id('subnet', n)]: subnet(n, change.cidr ?? '10.0.0.0/24'),
          ...(change.more ? { [id('subnet', 99)]: subnet(99, '10.0.1.0/24') } : {}),
        },
      };
      return describeWorld(JSON.stringify({ regions: { 'a/b': region } }));
    };
    expect(difference(world(1), world(2))).toEqual([]);
    expect(difference(world(1), world(2, { cidr: '10.0.9.0/24' }))).toHaveLength(2);
    expect(difference(world(1), world(2, { key: 'subnet-b' }))).toHaveLength(2);
    expect(difference(world(1), world(2, { vpc: 7 }))).not.toEqual([]);
    expect(difference(world(1), world(2, { more: true }))).toEqual([expect.stringMatching(/^\+ .*10\.0\.1\.0/)]);
  });
});
