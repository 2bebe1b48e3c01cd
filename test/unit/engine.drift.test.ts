import { describe, expect, it } from 'vitest';
import { describeDrift } from '../../src/engine/drift.ts';
import { makePlan } from '../../src/engine/plan.ts';
import { type Resource, resource } from '../../src/engine/types.ts';
import { sized, sizes, toyResources } from '../support/toyCloud.ts';
import { actions, toyStage } from '../support/toyStage.ts';

/** What was changed or removed by hand is told, and put back only when that is allowed. */
const stage = toyStage(0.001);
const { open, mutations, world, thing } = stage;

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
    stage.toy.calls.length = 0;
    return journal;
  };
  const remove = (key: string) => stage.toy.things.delete(thing(key).out.id);

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
    const lists = stage.toy.calls.length;
    const looking = open(resources);
    while (stage.toy.calls.length < lists + 6) await new Promise((resolve) => setTimeout(resolve, 1));
    hidden.untagged = false;
    expect((await looking).run.drift).toEqual([]);
  });

  it('is in the plan', async () => {
    const resources = toyResources();
    const journal = await built(resources);
    remove('box');
    const plan = await makePlan({
      cloud: stage.toy,
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
