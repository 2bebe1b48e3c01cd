import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateTagsCommand,
  DescribeKeyPairsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Aws } from '../../src/aws/clients.ts';
import { leaseStore } from '../../src/aws/leaseStore.ts';
import { vpc } from '../../src/aws/resources/vpc.ts';
import { checkUnchanged } from '../../src/commands/session/lease.ts';
import { tagsFor } from '../../src/engine/tags.ts';
import { type Output, resource } from '../../src/engine/types.ts';
import { clients } from '../support/aws.ts';
import { folder, type Result, type Server, serve } from '../support/cli.ts';
import { laptop, named } from '../support/laptop.ts';

/** Two people, one Cloudspace: real processes with different state folders against one practice server. */
let server: Server;
let aws: Aws;
const dir = folder();
const { on, walk } = laptop(dir, () => server);
const words = (name: string, from: string, until = 'vpc') => [
  ...walk,
  '--name',
  name,
  '--state-dir',
  join(dir, from),
  '--until',
  until,
];
const leases = async () =>
  ((await aws.ec2.send(new DescribeKeyPairsCommand({}))).KeyPairs ?? []).filter(({ KeyName = '' }) =>
    KeyName.startsWith('cloudspace-lease/'),
  );
const counts = async (name: string) => {
  const Filters = named(name);
  const { Vpcs = [] } = await aws.ec2.send(new DescribeVpcsCommand({ Filters }));
  const { Subnets = [] } = await aws.ec2.send(new DescribeSubnetsCommand({ Filters }));
  return { vpcs: Vpcs.length, subnets: Subnets.length };
};
const destroyed = async (name: string, laptop: string) => {
  const down = await on(['destroy', '--yes', '--name', name, '--state-dir', join(dir, laptop)]);
  expect(down.code, down.stderr + down.stdout).toBe(0);
};

beforeAll(async () => {
  server = await serve(join(dir, 'server'), ['--quota', 'vpc=50', '--quota', 'eip=50', '--quota', 'nat=50']);
  aws = clients(server);
});
afterAll(async () => {
  aws.close();
  await server.close();
});

describe('two runs at once', () => {
  it.each(Array.from({ length: 20 }, (_, index) => index))(
    'the second begins at the %i. request of the first: nothing is made twice',
    async (offset) => {
      const name = `two-${offset}`;
      const before = server.requests.length;
      let second: Promise<Result> | undefined;
      const begin = () => {
        second ??= on(['start', ...words(name, 'b')]);
      };
      if (offset === 0) begin();
      // Requests of both are counted once the second has begun; until then they are the first's.
      server.onRequest = (count) => {
        if (count - before >= offset * 3) begin();
      };
      const first = await on(['start', ...words(name, 'a')]);
      server.onRequest = undefined;
      begin();
      const both = [first, (await second) as Result];
      expect(both.map(({ code }) => code).filter((code) => code === 0).length, JSON.stringify(both)).toBeGreaterThan(0);
      for (const { code, stdout, stderr } of both)
        if (code !== 0) {
          expect(code).toBe(1);
          expect(stdout + stderr).toMatch(/being\s+worked\s+on\s+by\s+\S+@|worked\s+on\s+by\s+somebody\s+else/);
        }
      expect(await counts(name)).toEqual({ vpcs: 1, subnets: 4 });
      expect(await leases()).toEqual([]);
      await destroyed(name, 'b');
      expect(await counts(name)).toEqual({ vpcs: 0, subnets: 0 });
    },
  );

  it('two teardowns at once, and a walk against a teardown: one stops, nothing is half done after a further run', async () => {
    const name = 'two-down';
    expect((await on(['start', ...words(name, 'a')])).code).toBe(0);
    const down = (laptop: string) => on(['destroy', '--yes', '--name', name, '--state-dir', join(dir, laptop)]);
    const both = await Promise.all([down('a'), down('b')]);
    expect(both.some(({ code }) => code === 0)).toBe(true);
    expect(await counts(name)).toEqual({ vpcs: 0, subnets: 0 });
    await Promise.all([on(['start', ...words(name, 'a')]), down('b')]);
    const again = await on(['start', '--repair', ...words(name, 'a')]);
    expect(again.code, again.stdout + again.stderr).toBe(0);
    expect(await counts(name)).toEqual({ vpcs: 1, subnets: 4 });
    await destroyed(name, 'b');
  });
});

describe('a lease that somebody left', () => {
  it('by a killed run of this machine is taken over without a question, also by a run that has nothing to do', async () => {
    const name = 'left-01';
    const before = server.mutations().length;
    const killed = await on(['start', ...words(name, 'a')], {
      started: (child) => {
        server.onRequest = () => {
          if (server.mutations().length - before >= 5) child.kill('SIGKILL');
        };
      },
    });
    server.onRequest = undefined;
    expect(killed.code).toBe(null);
    expect(await leases()).toHaveLength(1);
    const other = await on(['start', ...words(name, 'b')]);
    expect(other.code, other.stderr + other.stdout).toBe(0);
    expect(other.stdout).toContain('does not run any more');
    expect(await leases()).toEqual([]);
    expect(existsSync(join(dir, 'a', name, 'lease'))).toBe(true);
    const same = await on(['start', ...words(name, 'a')]);
    expect(same.code, same.stderr + same.stdout).toBe(0);
    expect(existsSync(join(dir, 'a', name, 'lease'))).toBe(false);
    const mutations = server.mutations().length;
    expect((await on(['start', ...words(name, 'a')])).code).toBe(0);
    expect(server.mutations().length).toBe(mutations);
    await destroyed(name, 'a');
  });

  it('by another machine: refused while it lives, with who and since when; taken when it is stale', async () => {
    const name = 'left-02';
    const store = leaseStore(aws, name);
    const claim = { who: 'bob@elsewhere', command: 'start', machine: 'another', pid: 7, started: '1' };
    const answer = await store.claim(claim);
    const id = typeof answer === 'object' ? answer.id : '';
    const refused = await on(['start', ...words(name, 'a')]);
    expect(refused.code).toBe(1);
    expect((refused.stdout + refused.stderr).replaceAll(/\s+/g, ' ')).toMatch(
      /"left-02" is being worked on by bob@elsewhere \(cloudspace start, process 7, for \d+ seconds/,
    );
    expect(refused.stdout + refused.stderr).toContain('--take-over');
    expect(await counts(name)).toEqual({ vpcs: 0, subnets: 0 });
    expect((await leases()).map(({ KeyPairId }) => KeyPairId)).toEqual([id]);
    const Value = new Date(Date.now() - 11 * 60_000).toISOString();
    await aws.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'cloudspace:lease-renewed', Value }] }));
    const later = await on(['start', ...words(name, 'a')]);
    expect(later.code, later.stderr).toBe(0);
    expect(later.stdout).toContain('no sign of life for 11 minutes');
    expect(await store.renew(id)).toBe(false);
    await destroyed(name, 'a');
  });

  it('Ctrl-C gives it back', async () => {
    const name = 'left-03';
    const before = server.mutations().length;
    const stopped = await on(['start', ...words(name, 'a', 'services')], {
      started: (child) => {
        server.onRequest = () => {
          if (server.mutations().length - before === 4) child.kill('SIGINT');
        };
      },
    });
    server.onRequest = undefined;
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(await leases()).toEqual([]);
    await destroyed(name, 'a');
  });
});

describe('what another run made between our look and our lease', () => {
  it('ends the run before it changes anything', async () => {
    const name = 'late-01';
    const network = resource(vpc, 'vpc', { cidr: '10.1.0.0/16' });
    const session = { aws, name };
    const nothing = new Map<string, Output>();
    await checkUnchanged(session, [network], nothing);
    const { signal } = new AbortController();
    const context = { tags: tagsFor(name, 'vpc', 'vpc'), token: 'token', name, signal };
    const made = await vpc.create(aws, { cidr: '10.1.0.0/16' }, context);
    await checkUnchanged(session, [network], new Map([['vpc', made]]));
    await expect(checkUnchanged(session, [network], nothing)).rejects.toMatchObject({
      code: 'Changed',
      exitCode: 1,
      message: '"late-01" was worked on by somebody else since this run looked: vpc is new',
    });
    await vpc.delete(aws, made, signal);
    await checkUnchanged(session, [network], nothing);
  });
});
