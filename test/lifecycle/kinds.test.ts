import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Aws, type AwsRequest, connect } from '../../src/aws/clients.ts';
import { identity } from '../../src/aws/credentials.ts';
import { imageOf, latestPostgres, newestDebian, twoZones } from '../../src/aws/lookups.ts';
import * as kinds from '../../src/aws/resources/index.ts';
import type { InstanceProps } from '../../src/aws/resources/instance.ts';
import type { AnyKind, Output } from '../../src/engine/types.ts';
import { startPractice } from '../../src/practice/index.ts';
import type { Practice } from '../../src/practice/types.ts';
import {
  context,
  examples,
  look,
  lookUp,
  type Made,
  patiently,
  scope,
  tags,
  untilGone,
  untilReady,
} from './oneOfEach.ts';

const SECRET = 'Correct-Horse-0';

let dir: string;
let practice: Practice;
let aws: Aws;
const sent: AwsRequest[] = [];
const made: Made = {};
const resources = examples(made);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cloudspace-kinds-'));
  practice = await startPractice({ dir: join(dir, 'practice'), speed: 1000 });
  aws = connect({
    region: 'eu-central-1',
    credentials: practice.credentials,
    endpointUrl: practice.endpoint,
    waitScale: 0.01,
    secret: async () => SECRET,
    onRequest: (request) => sent.push(request),
  });
  await lookUp(aws, made);
});
afterAll(async () => {
  aws?.close();
  await practice?.close();
  await rm(dir, { recursive: true });
});

it('covers every kind', () => {
  expect(new Set(resources.map(({ kind }) => kind))).toEqual(new Set(kinds.KINDS));
});

describe('look-ups', () => {
  it('finds the account, the zones, the image, the newest PostgreSQL and the certificate', async () => {
    expect((await identity(aws)).account).toMatch(/^\d{12}$/);
    expect(await twoZones(aws, ['t3.micro'])).toEqual(['eu-central-1a', 'eu-central-1b']);
    expect(made.image?.id).toMatch(/^ami-/);
    expect(made.postgres?.id).toMatch(/^\d\d\.\d+$/);
    expect(made.ca?.id).toMatch(/^rds-ca-/);
    await expect(twoZones(aws, ['x99.huge'])).rejects.toMatchObject({ exitCode: 2 });
    await expect(latestPostgres(aws, 'db.x99.huge')).rejects.toMatchObject({ exitCode: 2 });
  });

  it('takes an image that is there and fits the processors', async () => {
    const { id } = await newestDebian(aws);
    expect(await imageOf(aws, id, 't3.small')).toMatchObject({ id, rootDevice: '/dev/xvda' });
    await expect(imageOf(aws, id, 't4g.small')).rejects.toMatchObject({ code: 'WrongArchitecture', exitCode: 2 });
    await expect(imageOf(aws, 'ami-0123456789abcdef0', 't3.small')).rejects.toMatchObject({ code: 'NoImage' });
  });
});

describe.each(resources)('$kind.type $key', ({ kind, key, props }) => {
  it('is not there, is created in one request with its tags, is found, gets ready and does not drift', async () => {
    expect(await look(aws, kind, key, props())).toBeUndefined();
    sent.length = 0;
    const out = await kind.create(aws, props(), context(key));
    expect(sent.filter(({ mutating }) => mutating)).toHaveLength(1);
    expect(sent).toHaveLength(1);
    const ready = await untilReady(aws, kind, key, props());
    made[key] = ready as Output & Record<string, unknown>;
    expect(ready.id).toBe(out.id);
    expect(kind.drift?.(props(), ready) ?? []).toEqual([]);
    const found = await look(aws, kind, key, props());
    if (!kind.matches) expect(found).toMatchObject({ key, chapter: 'vpc' });
    expect(JSON.parse(JSON.stringify(found?.out))).toEqual(found?.out);
    expect(JSON.stringify(found)).not.toContain(SECRET);
  });

  it('says its equal command and its price', () => {
    const command = kind.cli(props(), { tags: tags(key) });
    expect(command[0]).toBe('aws');
    expect(command.join(' ')).not.toContain(SECRET);
    expect(command.every((word) => typeof word === 'string' && !word.includes('undefined'))).toBe(true);
    expect(kind.price?.(props(), 'eu-central-1') ?? 1).toBeGreaterThan(0);
  });
});

describe('a listing round', () => {
  it('takes at most 22 requests for all kinds, whatever is there', async () => {
    sent.length = 0;
    const round = scope();
    await Promise.all(kinds.KINDS.map((kind) => kind.list(aws, round)));
    expect(sent.some(({ mutating }) => mutating)).toBe(false);
    expect(sent.length).toBeLessThanOrEqual(22);
  });

  it('shows nothing of another Cloudspace, not even of one whose name begins like ours', async () => {
    for (const name of ['hackathon-0', 'hackathon-070', 'hackathon']) {
      const round = scope(name);
      const found = await Promise.all(kinds.KINDS.map((kind) => kind.list(aws, round)));
      expect(found.flat()).toEqual([]);
    }
  });
});

describe('updates, in one request', () => {
  async function update(kind: AnyKind, key: string, before: object, after: object): Promise<void> {
    const found = await look(aws, kind, key, before);
    const out = found?.out as Output;
    expect(kind.drift?.(after, out).length).toBeGreaterThan(0);
    sent.length = 0;
    const updated = await kind.update?.(aws, after, out, context(key));
    expect(sent.filter(({ mutating }) => mutating)).toHaveLength(1);
    expect(kind.drift?.(after, updated as Output)).toEqual([]);
    const again = await untilReady(aws, kind, key, after);
    expect(kind.drift?.(after, again)).toEqual([]);
    made[key] = again as Output & Record<string, unknown>;
  }
  const props = (key: string) => (resources.find((one) => one.key === key)?.props() ?? {}) as Record<string, unknown>;
  const both = async (kind: AnyKind, key: string, change: object) => {
    await update(kind, key, props(key), { ...props(key), ...change });
    await update(kind, key, { ...props(key), ...change }, props(key));
  };

  it('lets the person in from a new address, and not from the old one', () =>
    both(kinds.securityGroupRules, 'bastion-rules', {
      rules: [{ protocol: 'tcp', fromPort: 22, toPort: 22, cidr: '198.51.100.8/32', description: 'SSH from me' }],
    }));

  it('adds a rule, and takes it away', () =>
    both(kinds.securityGroupRules, 'bastion-rules', {
      rules: [
        { protocol: 'tcp', fromPort: 22, toPort: 22, cidr: '198.51.100.7/32' },
        { protocol: 'tcp', fromPort: 443, toPort: 443, cidr: '10.7.0.0/16' },
      ],
    }));

  it('points a route at another gateway', () =>
    both(kinds.route, 'route', { internetGatewayId: undefined, natGatewayId: made['nat-gateway']?.id }));

  it('changes a health check', () =>
    both(kinds.targetGroup, 'runners-http', { healthCheckInterval: 30, healthyThreshold: 5 }));
});

describe('instances in one request', () => {
  it('creates sparse members, each found by its own key, and does it once for one token', async () => {
    const keys = ['runner-3', 'runner-1', 'runner-10'];
    const props = resources.find((one) => one.key === 'host')?.props() as unknown as InstanceProps;
    const { batch } = kinds.instance;
    if (!batch) throw new Error('no batch');
    const reversed = Object.fromEntries(Object.entries(props).reverse()) as unknown as InstanceProps;
    expect(batch.groupBy(reversed)).toBe(batch.groupBy(props));
    expect(batch.groupBy({ ...props, instanceType: 't3.large' })).not.toBe(batch.groupBy(props));
    sent.length = 0;
    const outs = await batch.create(aws, props, keys, context('runner-3'));
    expect(sent).toHaveLength(1);
    expect(new Set(outs.map((out) => out.id)).size).toBe(3);
    const again = await batch.create(aws, props, keys, context('runner-3'));
    expect(again.map((out) => out.id)).toEqual(outs.map((out) => out.id));
    for (const [index, key] of keys.entries()) {
      expect((await untilReady(aws, kinds.instance, key, props)).id).toBe(outs[index]?.id);
    }
    await Promise.all(outs.map((out) => kinds.instance.delete(aws, out, new AbortController().signal)));
    for (const key of keys) await untilGone(aws, kinds.instance, key, props);
  });
});

describe.each([...resources].reverse())('$kind.type $key', ({ kind, key, props }) => {
  it('is deleted, and deleting it again is fine', async () => {
    const out = made[key] as Output;
    const described = props();
    const { signal } = new AbortController();
    await patiently(() => kind.delete(aws, out, signal));
    await untilGone(aws, kind, key, described);
    await kind.delete(aws, out, signal);
  });
});

it('leaves nothing', async () => {
  const round = scope();
  const found = await Promise.all(
    kinds.KINDS.map(async (kind) =>
      (await kind.list(aws, round)).filter(({ out }) => kind.status?.(out).state !== 'gone'),
    ),
  );
  expect(found.flat()).toEqual([]);
});
