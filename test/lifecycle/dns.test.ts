import { afterEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/aws/clients.ts';
import { dnsimple } from '../../src/dns/dnsimple.ts';
import { findZones, refuseForeign } from '../../src/dns/preflight.ts';
import type { DnsProvider } from '../../src/dns/provider.ts';
import { type Dns, dnsimpleRecord, route53Record } from '../../src/dns/record.ts';
import { route53 } from '../../src/dns/route53.ts';
import { startRun } from '../../src/engine/apply.ts';
import { destroy } from '../../src/engine/destroy.ts';
import { findDoomed } from '../../src/engine/doomed.ts';
import { newState, openJournal } from '../../src/engine/journal.ts';
import { makePlan } from '../../src/engine/plan.ts';
import { type Event, type Resource, resource } from '../../src/engine/types.ts';
import { folder } from '../support/cli.ts';
import { dnsimpleStandIn } from '../support/dnsimpleStandIn.ts';
import { dnsStandIn } from '../support/dnsStandIn.ts';
import { route53StandIn } from '../support/route53StandIn.ts';

const NAME = 'hackathon-07';
const ACCOUNT = '123456789012';
const BALANCER = 'hackathon-07-lb-0123.elb.eu-central-1.amazonaws.com';

interface Stage {
  readonly provider: DnsProvider;
  readonly zone: string;
  readonly aliasZone?: string;
  /** as the name server has them */
  records(): { name: string; type: string; content: string }[];
  add(name: string, type: string, content: string): void;
  changes(): number;
}

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function onDnsimple(): Promise<Stage> {
  const standIn = await dnsimpleStandIn(['example.com', 'apps.example.com', 'other.net']);
  closers.push(() => standIn.close());
  return {
    provider: await dnsimple({ token: 'good-token', sandbox: standIn.url }),
    zone: 'example.com',
    records: () => standIn.records(),
    add: (name, type, content) => standIn.add('example.com', name.replace(/\.?example\.com$/, ''), type, content),
    changes: () => standIn.requests.filter((one) => one.startsWith('POST')).length,
  };
}

async function onRoute53(): Promise<Stage> {
  const standIn = await route53StandIn({ Z1: 'example.com', Z2: 'apps.example.com', Z3: 'other.net' }, 3);
  const aws = connect({
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    endpointUrl: standIn.url,
    waitScale: 0,
  });
  closers.push(
    () => standIn.close(),
    () => aws.close(),
  );
  return {
    provider: await route53(aws),
    zone: 'Z1',
    aliasZone: 'Z3F0SRJ5LGBH90',
    records: () => standIn.records({ [BALANCER]: '203.0.113.9' }),
    add: (name, type, content) => standIn.add('Z1', name, type, content),
    changes: () => standIn.requests.filter((one) => one.startsWith('POST')).length,
  };
}

const kinds = { DNSimple: dnsimpleRecord, 'Route 53': route53Record };

function describedBy(stage: Stage, address = '203.0.113.5'): Resource[] {
  const kind = kinds[stage.provider.label as keyof typeof kinds];
  const { zone } = stage;
  const name = `*.${NAME}.example.com`;
  const wildcard =
    stage.aliasZone === undefined
      ? { zone, name, type: 'CNAME' as const, content: BALANCER }
      : { zone, name, type: 'A' as const, content: BALANCER, aliasZone: stage.aliasZone };
  return [
    resource(kind, 'dns-bastion', { zone, name: `bastion.${NAME}.example.com`, type: 'A', content: address }),
    resource(kind, 'dns-applications', wildcard),
  ];
}

async function world(stage: Stage, answering = () => stage.records()) {
  const server = await dnsStandIn(answering);
  closers.push(() => server.close());
  const dns: Dns = {
    provider: stage.provider,
    account: ACCOUNT,
    places: [{ zone: stage.zone, under: `${NAME}.example.com` }],
    nameServers: [server.address],
  };
  const cloud = { dns: async () => dns };
  const dir = folder();
  const journal = openJournal(dir, newState({ name: NAME, account: ACCOUNT, region: 'eu-central-1', practice: false }));
  const events: Event[] = [];
  const signal = new AbortController().signal;
  return {
    cloud,
    events,
    server,
    async apply(resources: Resource[]) {
      const run = await startRun({
        cloud,
        name: NAME,
        resources,
        chapterOf: () => 'bastion',
        journal,
        notify: (event) => events.push(event),
        signal,
        pace: 0.01,
        secrets: async () => {},
      });
      // What somebody changed by hand is mended when the person says so.
      await run.repair(run.drift.map(({ key }) => key));
      await run.do(resources.map((one) => ({ resource: one })));
      await run.settled();
      return run.outputs;
    },
    plan: (resources: Resource[]) =>
      makePlan({ cloud, name: NAME, region: 'eu-central-1', resources, chapterOf: () => 'bastion' }),
    async destroy(resources: Resource[]) {
      const doomed = await findDoomed(cloud, resources, NAME);
      return destroy({ cloud, name: NAME, resources, doomed, journal, notify: () => {}, signal, pace: 0.01 });
    },
  };
}

describe.each([
  ['DNSimple', onDnsimple],
  ['Route 53', onRoute53],
])('records at %s (a stand-in that speaks its API)', (_, open) => {
  it('are made with a marker each, in one request each, found again, mended, and removed without a trace', async () => {
    const stage = await open();
    stage.add('www.example.com', 'A', '192.0.2.80');
    const before = stage.records();
    const { apply, plan, destroy: takeDown } = await world(stage);
    await apply(describedBy(stage));
    expect(stage.changes()).toBe(2);
    expect(stage.records()).toEqual(
      expect.arrayContaining([
        { name: `bastion.${NAME}.example.com`, type: 'A', content: '203.0.113.5' },
        {
          name: `_cloudspace.bastion.${NAME}.example.com`,
          type: 'TXT',
          content: `cloudspace:name=${NAME},cloudspace:key=dns-bastion,cloudspace:chapter=bastion,cloudspace:account=${ACCOUNT}`,
        },
      ]),
    );
    expect(stage.records().length).toBe(before.length + 4);

    expect((await plan(describedBy(stage))).resources.map(({ action }) => action)).toEqual(['keep', 'keep']);
    await apply(describedBy(stage));
    expect(stage.changes()).toBe(2);

    // The address changed: one record is put right, in one request.
    const moved = describedBy(stage, '203.0.113.6');
    expect((await plan(moved)).resources.map(({ action }) => action)).toEqual(['change', 'keep']);
    await apply(moved);
    expect(stage.changes()).toBe(3);
    expect(stage.records()).toContainEqual({ name: `bastion.${NAME}.example.com`, type: 'A', content: '203.0.113.6' });

    expect(await takeDown(moved)).toEqual([]);
    expect(stage.records()).toEqual(before);
  });

  it('wait until the name servers answer, and say so', async () => {
    const stage = await open();
    let looks = 0;
    // The servers learn of it only after some questions, as in life.
    const { apply, events } = await world(stage, () => (++looks > 4 ? stage.records() : []));
    const outputs = await apply(describedBy(stage).slice(0, 1));
    expect(outputs.get('dns-bastion')).toMatchObject({ answers: 'yes' });
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'resource',
        key: 'dns-bastion',
        status: 'waiting',
        detail: `until the name servers answer for bastion.${NAME}.example.com`,
      }),
    );
    expect(events.some((event) => event.type === 'resource' && event.status === 'ready')).toBe(true);
  });

  it('are not held up by name servers that cannot be reached', async () => {
    const stage = await open();
    const { apply, server, cloud } = await world(stage);
    await server.close();
    closers.pop();
    // A port that nobody listens on says so at once.
    const outputs = await apply(describedBy(stage).slice(0, 1));
    expect(outputs.get('dns-bastion')).toMatchObject({ answers: 'unknown' });
    void cloud;
  });

  it('leave a record of somebody else alone, and say which', async () => {
    const stage = await open();
    const name = `bastion.${NAME}.example.com`;
    stage.add(name, 'A', '192.0.2.1');
    const { apply } = await world(stage);
    await expect(apply(describedBy(stage))).rejects.toThrow(`- ${name} A 192.0.2.1`);
    expect(stage.records()).toContainEqual({ name, type: 'A', content: '192.0.2.1' });
    expect(stage.records().some((one) => one.name === `_cloudspace.${name}`)).toBe(false);
    const dns = {
      provider: stage.provider.label === 'DNSimple' ? ('dnsimple' as const) : ('route53' as const),
      hostDomain: 'example.com',
      appDomain: 'example.com',
      hostZone: stage.zone,
      appZone: stage.zone,
    };
    await expect(
      refuseForeign(stage.provider, { name: NAME, dns }, { name: NAME, account: ACCOUNT }),
    ).rejects.toMatchObject({ code: 'RecordExists', exitCode: 2 });
  });

  it('of the same name in another account are not ours', async () => {
    const stage = await open();
    const mine = await world(stage);
    await mine.apply(describedBy(stage));
    const dns = {
      provider: 'dnsimple' as const,
      hostDomain: 'example.com',
      appDomain: 'example.com',
      hostZone: stage.zone,
      appZone: stage.zone,
    };
    const config = { name: NAME, dns };
    await refuseForeign(stage.provider, config, { name: NAME, account: ACCOUNT });
    await expect(refuseForeign(stage.provider, config, { name: NAME, account: '999999999999' })).rejects.toMatchObject({
      code: 'NameTaken',
      message: expect.stringContaining(`account ${ACCOUNT}`),
    });
    const other = await mine.cloud.dns();
    const found = await findDoomed(
      { dns: async () => ({ ...other, account: '999999999999' }) },
      describedBy(stage),
      NAME,
    );
    expect(found).toEqual([]);
  });

  it('that were deleted by hand are made again with the marker that is left; a marker alone goes with destroy', async () => {
    const stage = await open();
    const { apply, plan, destroy: takeDown } = await world(stage);
    const [bastion] = describedBy(stage) as [Resource];
    await apply([bastion]);
    const name = `bastion.${NAME}.example.com`;
    const drop = async () => {
      const there = (await stage.provider.records(stage.zone, name)).filter((one) => one.name === name);
      await stage.provider.change(stage.zone, { remove: there });
    };
    await drop();
    expect((await plan([bastion])).resources[0]).toMatchObject({ action: 'change' });
    await apply([bastion]);
    expect(stage.records()).toContainEqual({ name, type: 'A', content: '203.0.113.5' });
    await drop();
    expect(await takeDown([bastion])).toEqual([]);
    expect(stage.records()).toEqual([]);
  });

  it('go into the zone with the longest fitting name; a zone that is not there is an error that lists the others', async () => {
    const { provider } = await open();
    const zones = await findZones(provider, { hostDomain: 'hosts.example.com', appDomain: 'x.apps.example.com' });
    const names = provider.label === 'DNSimple' ? ['example.com', 'apps.example.com'] : ['Z1', 'Z2'];
    expect(zones).toEqual({ hostZone: names[0], appZone: names[1] });
    await expect(findZones(provider, { hostDomain: 'example.org', appDomain: 'example.com' })).rejects.toMatchObject({
      code: 'NoZone',
      exitCode: 2,
      message: `${provider.label} has no zone for example.org (host-domain)`,
      hint: expect.stringContaining('example.com, apps.example.com, other.net'),
    });
  });
});

describe('DNSimple', () => {
  const open = async (...tokens: Parameters<typeof dnsimpleStandIn>) => {
    const standIn = await dnsimpleStandIn(...tokens);
    closers.push(() => standIn.close());
    return standIn;
  };

  it('says what is wrong with a token', async () => {
    const standIn = await open(['example.com'], {
      reader: { rights: 'read' },
      person: { rights: 'all', kind: 'user' },
      many: { rights: 'all', kind: 'user', accounts: 3 },
    });
    await expect(dnsimple({ token: 'wrong', sandbox: standIn.url })).rejects.toMatchObject({
      code: 'DnsToken',
      exitCode: 2,
    });
    await expect(dnsimple({ token: 'many', sandbox: standIn.url })).rejects.toMatchObject({ code: 'DnsAccount' });
    expect((await (await dnsimple({ token: 'person', sandbox: standIn.url })).zones()).length).toBe(1);
    const reader = await dnsimple({ token: 'reader', sandbox: standIn.url });
    await expect(
      reader.change('example.com', { create: [{ name: 'a.example.com', type: 'A', content: '192.0.2.1' }] }),
    ).rejects.toMatchObject({ code: 'DnsPermission', message: expect.stringContaining('dns:write') });
  });

  it('reads pages, repeats reads after accidents, and never repeats a change blindly', async () => {
    const standIn = await open(['example.com']);
    for (let n = 0; n < 250; n++) standIn.add('example.com', `h${n}.team`, 'A', '192.0.2.1');
    const provider = await dnsimple({ token: 'good-token', sandbox: standIn.url });
    let accidents = 0;
    standIn.fail = (request) => (request.startsWith('GET') && accidents++ === 0 ? { status: 503 } : undefined);
    expect((await provider.records('example.com', 'team.example.com')).length).toBe(250);

    standIn.fail = (request) => (request.startsWith('POST') ? 'drop-after' : undefined);
    const record = { name: 'b.example.com', type: 'A', content: '192.0.2.1', ttl: 60 };
    await expect(provider.change('example.com', { create: [record] })).rejects.toMatchObject({
      code: 'OutcomeUnknown',
    });
    expect(standIn.records().filter((one) => one.name === 'b.example.com').length).toBe(1);
  });

  it('a lost answer makes nothing twice: what arrived is looked for first', async () => {
    const stage = await open(['example.com']);
    const provider = await dnsimple({ token: 'good-token', sandbox: stage.url });
    const full: Stage = {
      provider,
      zone: 'example.com',
      records: () => stage.records(),
      add: () => {},
      changes: () => stage.requests.filter((one) => one.startsWith('POST')).length,
    };
    const { apply } = await world(full);
    stage.fail = (request) => (request.startsWith('POST') ? 'drop-after' : undefined);
    await apply(describedBy(full).slice(0, 1));
    stage.fail = undefined;
    await apply(describedBy(full).slice(0, 1));
    expect(full.changes()).toBe(1);
    expect(stage.records().length).toBe(2);
  });

  it('refuses changes where a run only looks, and says when nothing is there to speak to', async () => {
    const standIn = await open(['example.com']);
    const looking = await dnsimple({ token: 'good-token', sandbox: standIn.url, readOnly: true });
    await expect(looking.change('example.com', {})).rejects.toMatchObject({ code: 'ReadOnly' });
    await standIn.close();
    closers.pop();
    await expect(dnsimple({ token: 'good-token', sandbox: standIn.url })).rejects.toMatchObject({
      code: 'Unreachable',
    });
  });
});

describe('Route 53', () => {
  it('says when the credentials may not see zones', async () => {
    const standIn = await route53StandIn({ Z1: 'example.com' });
    standIn.denied = true;
    const aws = connect({
      region: 'eu-central-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      endpointUrl: standIn.url,
      readOnly: true,
      waitScale: 0,
    });
    closers.push(
      () => standIn.close(),
      () => aws.close(),
    );
    const provider = await route53(aws);
    await expect(provider.zones()).rejects.toMatchObject({ code: 'AccessDenied' });
    standIn.denied = false;
    await expect(provider.change('Z1', {})).rejects.toMatchObject({ code: 'ReadOnly' });
  });
});
