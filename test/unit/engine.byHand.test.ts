import { describe, expect, it } from 'vitest';
import { makePlan } from '../../src/engine/plan.ts';
import { out, type Resource, resource } from '../../src/engine/types.ts';
import { net, slow } from '../support/toyCloud.ts';
import { actions, toyStage } from '../support/toyStage.ts';

/** What a person made is taken over, and stays theirs. */
const stage = toyStage(0.001);
const { open, mutations, thing } = stage;

describe('done by hand', () => {
  const made = (id: string, type: string, parents: readonly string[] = []) =>
    stage.toy.things.set(id, { type, key: '', polls: 0, untagged: true, out: { id, of: id, state: 'ready', parents } });
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
    const plan = await makePlan({ cloud: stage.toy, name: 'toy', region: 'r', resources, chapterOf: () => 'vpc' });
    expect(plan.resources.find((one) => one.key === 'net')).toMatchObject({ action: 'keep', adopted: true });

    stage.toy.calls.length = 0;
    expect(await again.run.undo(['net', 'gate'])).toEqual([]);
    expect(mutations()).not.toContain('delete mine');
    expect(stage.toy.things.get('mine')).toMatchObject({ untagged: true });
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
    stage.toy.things.delete('two');
    const { run } = await open(resources, { byHand });
    await run.do(actions(resources));
    expect(mutations()).toEqual(['tag net', 'create gate']);
  });

  it('is never replaced when it failed: that is the person’s', async () => {
    const resources = two();
    const { run } = await open(resources, { replacements: 1 });
    await run.do(actions(resources.slice(0, 1)));
    made('broken', 'toy_slow');
    Object.assign(stage.toy.things.get('broken') ?? {}, {
      out: { id: 'broken', of: 'broken', state: 'failed', parents: [] },
    });
    const gate = resources[1] as Resource;
    await run.take(gate, stage.toy.things.get('broken')?.out ?? { id: '' }, true);
    await expect(run.do(actions(resources))).rejects.toThrow(/which you made yourself, failed: no room/);
    expect(stage.toy.things.has('broken')).toBe(true);
  });
});
