import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { startRun } from '../../src/engine/apply.ts';
import { describeDrift } from '../../src/engine/drift.ts';
import { loadState, newState, openJournal } from '../../src/engine/journal.ts';
import { makePlan } from '../../src/engine/plan.ts';
import { CloudspaceError, type Event, out, type Resource, resource } from '../../src/engine/types.ts';
import { net, newToy, sized, sizes, slow, type Toy, toyResources } from '../support/toyCloud.ts';

/** What failed is replaced, what was changed or removed by hand is told and put back only when allowed, what a person made is taken over. */
let dir: string;
let toy: Toy;
let events: Event[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cloudspace-failures-'));
  toy = newToy();
  events = [];
  sizes.clear();
});

async function open(
  resources: readonly Resource[],
  more: { replacements?: number; byHand?: ReadonlySet<string>; signal?: AbortSignal } = {},
) {
  const state = (await loadState(dir)) ?? newState({ name: 'toy', account: '1', region: 'r', practice: true });
  const journal = openJournal(dir, state);
  const run = await startRun({
    cloud: toy,
    name: 'toy',
    resources,
    chapterOf: () => 'vpc',
    journal,
    notify: (event) => events.push(event),
    signal: new AbortController().signal,
    pace: 0.001,
    secrets: async () => {},
    ...more,
  });
  return { run, journal };
}

const actions = (resources: readonly Resource[]) => resources.map((one) => ({ resource: one }));
const mutations = () => toy.calls.filter((call) => !call.startsWith('list'));
const world = () => [...toy.things.values()].map((thing) => thing.key).sort();
const thing = (key: string) => {
  const found = [...toy.things.values()].find((one) => one.key === key);
  if (!found) throw new Error(`there is no ${key}`);
  return found;
};
const statuses = (key: string) =>
  events.flatMap((event) => (event.type === 'resource' && event.key === key ? [event.status] : []));
/** the next `times` things of this key end failed */
function failing(key: string, times: number): void {
  let left = times;
  toy.hook = (when, what) => {
    if (when === 'after' && what === `create ${key}` && left-- > 0)
      Object.assign(thing(key), { polls: 0, out: { ...thing(key).out, state: 'failed' } });
  };
}

describe('what failed while it was made', () => {
  it('is replaced once without asking, and what was put on it before it was ready goes with the new one', async () => {
    const resources = toyResources();
    failing('gate', 1);
    const { run, journal } = await open(resources, { replacements: 1 });
    await run.do(actions(resources));
    await run.settled();
    expect(world()).toEqual(resources.map((one) => one.key).sort());
    expect(mutations().filter((call) => call.endsWith(' gate'))).toEqual(['create gate', 'delete gate', 'create gate']);
    expect(mutations().indexOf('delete early')).toBeLessThan(mutations().indexOf('delete gate'));
    expect(statuses('gate')).toContain('replacing');
    expect(thing('early').out.parents).toEqual([thing('gate').out.id]);
    expect(run.outputs.get('leaf-a')).toMatchObject({ parents: [thing('gate').out.id] });
    expect(journal.state.resources.gate).toMatchObject({ status: 'ready', out: { id: thing('gate').out.id } });
    expect(run.failures().size).toBe(0);
  });

  it('is reported when the second one fails too, and replaced again when that is asked for', async () => {
    const resources = toyResources();
    failing('gate', 2);
    const { run } = await open(resources, { replacements: 1 });
    await run.do(actions(resources)).catch(() => {});
    await expect(run.settled()).rejects.toMatchObject({ code: 'Failed', message: expect.stringContaining('no room') });
    expect([...run.failures().keys()]).toEqual(['gate']);
    await run.retry();
    await run.do(actions(resources));
    await run.settled();
    expect(world()).toEqual(resources.map((one) => one.key).sort());
    expect(mutations().filter((call) => call === 'create gate')).toHaveLength(3);
    expect(new Set(mutations().filter((call) => call === 'create net')).size).toBe(1);
  });

  it('is replaced by the next run, and not before anybody wants it', async () => {
    const resources = toyResources();
    failing('gate', 1);
    const first = await open(resources);
    await first.run.do(actions(resources)).catch(() => {});
    await first.run.settled().catch(() => {});
    expect(mutations()).not.toContain('delete gate');
    const second = await open(resources);
    await second.run.do(actions(resources));
    await second.run.settled();
    expect(mutations().filter((call) => call.endsWith(' gate'))).toEqual(['create gate', 'delete gate', 'create gate']);
    toy.calls.length = 0;
    await (await open(resources)).run.do(actions(resources));
    expect(mutations()).toEqual([]);
  });

  it('is not deleted when it was ready once and may hold data', async () => {
    const store = resource({ ...slow, keepsData: true }, 'store', {});
    const first = await open([store]);
    await first.run.do(actions([store]));
    await first.run.settled();
    Object.assign(thing('store'), { out: { ...thing('store').out, state: 'failed' } });
    const second = await open([store], { replacements: 1 });
    await expect(second.run.do(actions([store]))).rejects.toMatchObject({
      code: 'Failed',
      hint: expect.stringMatching(/may hold your data/),
    });
    expect(mutations()).toEqual(['create store']);
  });

  it('has a new token the second time', async () => {
    const tokens: string[] = [];
    const create: typeof slow.create = (cloud, props, context) => {
      tokens.push(context.token);
      return slow.create(cloud, props, context);
    };
    const gate = resource({ ...slow, create }, 'gate', {});
    failing('gate', 1);
    const { run } = await open([gate], { replacements: 1 });
    await run.do(actions([gate]));
    await run.settled();
    expect(new Set(tokens).size).toBe(2);
  });

  it('leaves no intent behind when the cloud itself refused it', async () => {
    const resources = [resource(net, 'net', {})];
    toy.hook = (when) => {
      if (when === 'before') throw new CloudspaceError('no more', { code: 'QuotaExceeded', requestId: 'r-1' });
    };
    const { run, journal } = await open(resources);
    await expect(run.do(actions(resources))).rejects.toMatchObject({ code: 'QuotaExceeded' });
    expect(journal.state.resources).toEqual({});
  });
});

describe('undoing a step', () => {
  /** Kinds that refer to each other in one direction only. */
  const acyclic = () => toyResources().filter(({ key }) => key !== 'early' && key !== 'leaf-a');

  it('deletes exactly what is there of it, and it can be done again', async () => {
    const resources = acyclic();
    const { run, journal } = await open(resources);
    await run.do(actions(resources));
    await run.settled();
    toy.calls.length = 0;
    expect(await run.undo(['m-1', 'box'])).toEqual([]);
    expect(mutations().sort()).toEqual(['delete box', 'delete m-1']);
    expect(run.outputs.has('box')).toBe(false);
    expect(Object.keys(journal.state.resources)).not.toContain('box');
    await run.do(actions(resources));
    expect(world()).toEqual(resources.map((one) => one.key).sort());
  });

  it('is not disturbed by what still settles', async () => {
    const resources = acyclic();
    const { run } = await open(resources);
    await run.do(actions(resources.slice(0, 2)));
    expect(run.settling()).toBe(1);
    await run.undo(['gate']);
    expect(world()).toEqual(['net']);
    expect(run.failures().size).toBe(0);
    expect(statuses('gate')).not.toContain('failed');
  });
});

describe('drift', () => {
  const built = async (resources: readonly Resource[]) => {
    const { run, journal } = await open(resources);
    await run.do(actions(resources));
    await run.settled();
    await journal.update((state) => {
      // Long enough ago for every listing.
      for (const [key, entry] of Object.entries(state.resources))
        state.resources[key] = { ...entry, at: '2026-01-01T00:00:00Z' };
    });
    toy.calls.length = 0;
    return journal;
  };
  const remove = (key: string) => toy.things.delete(thing(key).out.id);

  it('is nothing after an undisturbed run', async () => {
    const resources = toyResources();
    await built(resources);
    expect((await open(resources)).run.drift).toEqual([]);
  });

  it('names what is gone with what hung on it; makes none of it unasked; --repair makes all of it', async () => {
    const resources = toyResources();
    await built(resources);
    for (const key of ['gate', 'leaf-a']) remove(key);
    const { run } = await open(resources);
    expect(run.drift).toMatchObject([{ key: 'gate', what: 'missing', hanging: ['leaf-a'] }]);
    expect(run.drift.map(describeDrift)[0]).toMatch(/`gate`: toy_slow toy_slow-\d+ is gone, and with it `leaf-a`/);
    await expect(run.do(actions(resources))).rejects.toMatchObject({
      code: 'Drift',
      hint: expect.stringMatching(/--repair/),
    });
    expect(mutations()).toEqual([]);

    const again = await open(resources);
    expect(again.run.drift).toMatchObject([{ key: 'gate', hanging: ['leaf-a'] }]);
    await again.run.repair(['gate']);
    await again.run.settled();
    expect(mutations()).toEqual(['create gate', 'create leaf-a']);
    expect((await open(resources)).run.drift).toEqual([]);
  });

  it('is not what we deleted ourselves or never made', async () => {
    const resources = toyResources();
    const journal = await built(resources.slice(0, 2));
    remove('gate');
    await journal.update((state) => {
      const { gate } = state.resources;
      if (gate) state.resources.gate = { ...gate, status: 'deleting' };
    });
    const { run } = await open(resources);
    expect(run.drift).toEqual([]);
    await run.do(actions(resources));
    expect(world()).toEqual(resources.map((one) => one.key).sort());
  });

  it('is not a change of the configuration: that is made without asking', async () => {
    const box = (size: number) => [resource(sized, 'box', { size })];
    await built(box(5));
    sizes.set(thing('box').out.id, 5);
    const { run } = await open(box(7));
    expect(run.drift).toEqual([]);
    await run.do(actions(box(7)));
    expect(mutations()).toEqual(['update box']);
  });

  it('recognises what lost its tags, and tags it in the place of making a second one', async () => {
    const resources = toyResources();
    await built(resources);
    thing('net').untagged = true;
    const { run } = await open(resources);
    expect(run.drift).toMatchObject([{ key: 'net', what: 'untagged' }]);
    await expect(run.do(actions(resources))).rejects.toMatchObject({ code: 'Drift' });
    const again = await open(resources);
    await again.run.repair(['net']);
    await again.run.do(actions(resources));
    expect(mutations()).toEqual(['tag net']);
  });

  it('is looked for a while when it was made a moment ago: listings lag', async () => {
    const resources = toyResources();
    const { run } = await open(resources);
    await run.do(actions(resources));
    await run.settled();
    const hidden = thing('net');
    hidden.untagged = true;
    const lists = toy.calls.length;
    const looking = open(resources);
    while (toy.calls.length < lists + 6) await new Promise((resolve) => setTimeout(resolve, 1));
    hidden.untagged = false;
    expect((await looking).run.drift).toEqual([]);
  });

  it('is in the plan', async () => {
    const resources = toyResources();
    const journal = await built(resources);
    remove('box');
    const plan = await makePlan({
      cloud: toy,
      name: 'toy',
      region: 'r',
      resources,
      chapterOf: () => 'vpc',
      entries: journal.state.resources,
    });
    expect(plan.drift).toMatchObject([{ key: 'box', what: 'missing', mendable: true }]);
    expect(JSON.parse(JSON.stringify(plan.drift))).toEqual(plan.drift);
  });
});

describe('done by hand', () => {
  const made = (id: string, type: string, parents: readonly string[] = []) =>
    toy.things.set(id, { type, key: '', polls: 0, untagged: true, out: { id, of: id, state: 'ready', parents } });
  const two = () => {
    const base = resource(net, 'net', {});
    return [base, resource(slow, 'gate', { parents: [out(base, 'id')] })];
  };

  it('is found, taken over, used, shown as adopted, and neither changed nor deleted', async () => {
    const resources = two();
    made('mine', 'toy_net');
    const { run, journal } = await open(resources);
    const [base] = resources as [Resource, Resource];
    const candidates = await run.candidates(base);
    expect(candidates).toMatchObject([{ out: { id: 'mine' }, fits: true, differences: [] }]);
    await run.take(base, candidates?.[0]?.out ?? { id: '' }, true);
    await run.do(actions(resources));
    await run.settled();
    expect(thing('gate').out.parents).toEqual(['mine']);
    expect(journal.state.resources.net).toMatchObject({ adopted: true, out: { id: 'mine' } });

    const again = await open(resources);
    expect([...again.run.adopted]).toEqual(['net']);
    const plan = await makePlan({ cloud: toy, name: 'toy', region: 'r', resources, chapterOf: () => 'vpc' });
    expect(plan.resources.find((one) => one.key === 'net')).toMatchObject({ action: 'keep', adopted: true });

    toy.calls.length = 0;
    expect(await again.run.undo(['net', 'gate'])).toEqual([]);
    expect(mutations()).not.toContain('delete mine');
    expect(toy.things.get('mine')).toMatchObject({ untagged: true });
  });

  it('unattended it takes the only thing that fits, and says what it saw when that is none or several', async () => {
    const resources = two();
    const byHand = new Set(['net']);
    const none = await open(resources, { byHand });
    await expect(none.run.do(actions(resources))).rejects.toMatchObject({
      code: 'ByHand',
      message: expect.stringMatching(/"net" was to be made by hand, and nothing that fits is there/),
    });
    made('one', 'toy_net');
    made('two', 'toy_net');
    const several = await open(resources, { byHand });
    await expect(several.run.do(actions(resources))).rejects.toThrow(
      /2 of what is there could be toy_net "net": one, two/,
    );
    expect(mutations()).toEqual([]);
    toy.things.delete('two');
    const { run } = await open(resources, { byHand });
    await run.do(actions(resources));
    expect(mutations()).toEqual(['tag net', 'create gate']);
  });

  it('is never replaced when it failed: that is the person’s', async () => {
    const resources = two();
    const { run } = await open(resources, { replacements: 1 });
    await run.do(actions(resources.slice(0, 1)));
    made('broken', 'toy_slow');
    Object.assign(toy.things.get('broken') ?? {}, {
      out: { id: 'broken', of: 'broken', state: 'failed', parents: [] },
    });
    const gate = resources[1] as Resource;
    await run.take(gate, toy.things.get('broken')?.out ?? { id: '' }, true);
    await expect(run.do(actions(resources))).rejects.toThrow(/which you made yourself, failed: no room/);
    expect(toy.things.has('broken')).toBe(true);
  });
});
