import { describe, expect, it } from 'vitest';
import { match } from '../../src/engine/discover.ts';
import { loadState } from '../../src/engine/journal.ts';
import { makePlan } from '../../src/engine/plan.ts';
import { equalCommand, usdPerHour } from '../../src/engine/render.ts';
import { out, type Play, type Resource, ready, resource } from '../../src/engine/types.ts';
import { net, sizes, toyResources } from '../support/toyCloud.ts';
import { actions, toyStage } from '../support/toyStage.ts';

const stage = toyStage(0.01);
const { open, mutations, world, thing } = stage;

describe('apply', () => {
  it('makes everything once, in the order of the graph, and a second run makes nothing', async () => {
    const resources = toyResources();
    const { run } = await open(resources);
    await run.do(actions(resources));
    await run.settled();
    expect(world()).toEqual(resources.map((one) => one.key).sort());
    const calls = mutations();
    expect(calls.indexOf('create net')).toBe(0);
    expect(calls.indexOf('create gate')).toBeLessThan(calls.indexOf('create leaf-a'));

    stage.toy.calls.length = 0;
    const again = await open(resources);
    await again.run.do(actions(resources));
    await again.run.settled();
    expect(mutations()).toEqual([]);
    expect(stage.toy.calls).toEqual(['list toy_net', 'list toy_slow', 'list toy_many', 'list toy_sized']);
  });

  it('waits for readiness only where a reference asks for it', async () => {
    const resources = toyResources();
    // The gate gets ready when "early" is under way, and not before.
    stage.toy.hook = (when, what) => {
      const gate = [...stage.toy.things.values()].find((one) => one.key === 'gate');
      if (gate && when === 'after' && what === 'create gate') gate.polls = Number.POSITIVE_INFINITY;
      if (gate && when === 'before' && what === 'create early') gate.polls = 0;
    };
    const { run } = await open(resources);
    await run.do(actions(resources));
    const readyAt = stage.events.findIndex(
      (event) => event.type === 'resource' && event.key === 'gate' && event.status === 'ready',
    );
    const at = (key: string, status: string) =>
      stage.events.findIndex((event) => event.type === 'resource' && event.key === key && event.status === status);
    expect(at('early', 'creating')).toBeLessThan(readyAt);
    expect(at('leaf-a', 'creating')).toBeGreaterThan(readyAt);
  });

  it('sends resources of a batching kind in one request', async () => {
    const resources = toyResources();
    const { run } = await open(resources);
    await run.do(actions(resources));
    expect(mutations()).toContain('create m-1+m-2+m-3');
  });

  it('keeps to the limit of concurrent mutations', async () => {
    const resources = Array.from({ length: 40 }, (_, index) => resource(net, `n-${index}`, {}));
    const { run } = await open(resources);
    await run.do(actions(resources));
    expect(stage.toy.mostInFlight).toBe(10);
  });

  it('goes on with what does not depend on a failure, then throws the cause; retry does the rest', async () => {
    const resources = toyResources();
    let broken = true;
    stage.toy.hook = (when, what) => {
      if (broken && when === 'before' && what === 'create gate') throw new Error('no capacity');
    };
    const { run } = await open(resources);
    await expect(run.do(actions(resources))).rejects.toThrow('no capacity');
    expect(world()).toEqual(['box', 'm-1', 'm-2', 'm-3', 'net']);
    broken = false;
    await run.retry();
    await run.do(actions(resources));
    expect(world()).toEqual(resources.map((one) => one.key).sort());
    expect(mutations().filter((call) => call === 'create net')).toHaveLength(1);
  });

  it('puts drift back where the kind can', async () => {
    const resources = toyResources();
    await (await open(resources)).run.do(actions(resources));
    const box = thing('box');
    sizes.set(box.out.id, 9);
    stage.toy.calls.length = 0;
    const plan = await makePlan({ cloud: stage.toy, name: 'toy', region: 'r', resources, chapterOf: () => 'vpc' });
    expect(plan.resources.find((one) => one.key === 'box')).toMatchObject({
      action: 'change',
      differences: [{ attribute: 'size', want: 5, have: 9 }],
    });
    const held = await open(resources);
    await held.run.do(actions(resources));
    expect(mutations()).toEqual([]);
    expect(held.run.drift).toMatchObject([{ key: 'box', what: 'changed', mendable: true }]);
    const { run } = await open(resources);
    await run.repair(['box']);
    expect(mutations()).toEqual(['update box']);
    expect((await open(resources)).run.drift).toEqual([]);
  });

  it('knows an untagged resource by what identifies it, though a new member of a list is not there yet', () => {
    const [one, two] = [resource(net, 'one', {}), resource(net, 'two', {})];
    const group = {
      ...net,
      type: 'toy_group',
      matches: (props: { parents?: readonly string[] }) => props.parents?.[0] === 'net-1',
    };
    const members = resource(group, 'members', { parents: [out(one, 'id'), out(two, 'id')] });
    const there = { of: '', state: 'ready', parents: [] };
    const listing = new Map([
      ['toy_net', [{ key: 'one', out: { ...there, id: 'net-1' } }]],
      ['toy_group', [{ out: { ...there, id: 'group-1' } }]],
    ]);
    expect([...match([one, two, members], listing).keys()]).toEqual(['one', 'members']);
  });

  it('runs plays after what they wait for, and after the plays they need', async () => {
    const resources = toyResources();
    const order: string[] = [];
    const play = async ({ key }: Play): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, key === 'first' ? 30 : 1));
      order.push(key);
    };
    const { run } = await open(resources, { play });
    await run.do([
      { play: { key: 'second', title: '', playbook: '', hosts: [], after: [ready('gate')], needs: ['first'] } },
      { play: { key: 'first', title: '', playbook: '', hosts: [], after: [ready('net')] } },
      ...actions(resources),
    ]);
    expect(order).toEqual(['first', 'second']);
  });

  it('says what is missing when a skipped step is needed', async () => {
    const resources = toyResources();
    const { run } = await open(resources);
    const gate = resources[1] as Resource;
    await expect(run.do([{ resource: gate }])).rejects.toThrow(/gate needs net, which is not there/);
  });

  it('begins nothing new after an interruption and forgets nothing', async () => {
    const resources = toyResources();
    const stop = new AbortController();
    stage.toy.hook = (when, what) => {
      if (when === 'after' && what === 'create net') stop.abort(new Error('interrupted'));
    };
    const { run } = await open(resources, { signal: stop.signal });
    await expect(run.do(actions(resources))).rejects.toThrow('interrupted');
    expect(world()).toEqual(['net']);
    expect((await loadState(stage.dir))?.resources).toMatchObject({ net: { status: 'ready' } });
  });

  it('refuses two of the same with both ids', async () => {
    const resources = toyResources();
    await (await open(resources)).run.do(actions(resources));
    const first = thing('net');
    stage.toy.things.set('toy_net-twin', {
      type: 'toy_net',
      key: 'net',
      out: { id: 'toy_net-twin', of: 'net', state: 'ready', parents: [] },
      polls: 0,
    });
    await expect(open(resources)).rejects.toThrow(new RegExp(`"net" is there 2 times: ${first.out.id}, toy_net-twin`));
  });
});

describe('plan', () => {
  it('lists the same keys as apply, creates everything before and keeps everything after, and mutates nothing', async () => {
    const resources = toyResources();
    const options = { cloud: stage.toy, name: 'toy', region: 'r', resources, chapterOf: () => 'vpc' };
    const before = await makePlan(options);
    expect(before.resources.map((one) => one.key)).toEqual(resources.map((one) => one.key));
    expect(new Set(before.resources.map((one) => one.action))).toEqual(new Set(['create']));
    expect(mutations()).toEqual([]);
    await (await open(resources)).run.do(actions(resources));
    const after = await makePlan(options);
    expect(new Set(after.resources.map((one) => one.action))).toEqual(new Set(['keep']));
    expect(after.usdPerHour).toBeCloseTo(0.08);
    expect(after.seconds).toBe(0);
  });

  it('shows what is there and described by no step', async () => {
    const resources = toyResources();
    stage.toy.things.set('toy_net-x', {
      type: 'toy_net',
      key: 'gone-from-the-guide',
      out: { id: 'toy_net-x', of: '', state: 'ready', parents: [] },
      polls: 0,
    });
    const plan = await makePlan({ cloud: stage.toy, name: 'toy', region: 'r', resources, chapterOf: () => 'vpc' });
    expect(plan.extra).toEqual([{ key: 'gone-from-the-guide', type: 'toy_net', id: 'toy_net-x' }]);
  });
});

describe('renderings', () => {
  it('shows unknown references as variables and known ones as values', () => {
    const [base, gate] = toyResources() as [Resource, Resource];
    expect(equalCommand(gate, new Map(), {})).toBe('toy create toy_slow $net_id');
    expect(equalCommand(gate, new Map([[base.key, { id: 'net-1' }]]), {})).toBe('toy create toy_slow net-1');
  });

  it('adds prices up', () => {
    expect(usdPerHour(toyResources(), 'r')).toBeCloseTo(0.08);
  });
});
