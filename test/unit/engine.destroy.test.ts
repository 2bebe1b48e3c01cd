import { describe, expect, it } from 'vitest';
import { destroy } from '../../src/engine/destroy.ts';
import { findDoomed } from '../../src/engine/doomed.ts';
import type { Journal } from '../../src/engine/journal.ts';
import { out, type Resource, resource } from '../../src/engine/types.ts';
import { net, slow } from '../support/toyCloud.ts';
import { actions, toyStage } from '../support/toyStage.ts';

const stage = toyStage(0.01);
const { open, mutations } = stage;

describe('destroy', () => {
  const down = async (resources: readonly Resource[], journal?: Journal) => {
    const doomed = await findDoomed(stage.toy, resources, 'toy');
    return destroy({
      cloud: stage.toy,
      name: 'toy',
      resources,
      doomed,
      journal,
      notify: (event) => stage.events.push(event),
      signal: new AbortController().signal,
      pace: 0,
    });
  };
  // Deletion goes kind by kind: here each kind refers to another one only.
  const chain = () => {
    const base = resource(net, 'net', {});
    return [base, resource(slow, 'gate', { parents: [out(base, 'id')] })];
  };

  it('leaves the world as it was, with and without a journal', async () => {
    for (const withJournal of [true, false]) {
      const resources = chain();
      const { run, journal } = await open(resources);
      await run.do(actions(resources));
      await run.settled();
      stage.toy.calls.length = 0;
      expect(await down(resources, withJournal ? journal : undefined)).toEqual([]);
      expect(stage.toy.things.size).toBe(0);
      expect(mutations()).toEqual(['delete gate', 'delete net']);
      if (withJournal) expect(journal.state.resources).toEqual({});
    }
  });

  it('says what is left and why, and deletes the rest', async () => {
    const resources = chain();
    const { run } = await open(resources);
    await run.do(actions(resources));
    stage.toy.hook = (when, what) => {
      if (when === 'before' && what === 'delete gate') throw new Error('not allowed');
    };
    const leftovers = await down(resources);
    expect(leftovers.map(({ key, reason }) => [key, reason])).toEqual([
      ['gate', 'not allowed'],
      ['net', expect.stringMatching(/held by what is left: toy_slow toy_slow-\d+/)],
    ]);
  }, 20_000);
});
