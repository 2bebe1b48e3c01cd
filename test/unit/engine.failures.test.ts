import { describe, expect, it } from 'vitest';
import { CloudspaceError, resource } from '../../src/engine/types.ts';
import { net, slow, toyResources } from '../support/toyCloud.ts';
import { actions, toyStage } from '../support/toyStage.ts';

/** What failed is replaced, and what a step made can be undone. */
const stage = toyStage(0.001);
const { open, mutations, world, thing } = stage;
const statuses = (key: string) =>
  stage.events.flatMap((event) => (event.type === 'resource' && event.key === key ? [event.status] : []));
/** the next `times` things of this key end failed */
function failing(key: string, times: number): void {
  let left = times;
  stage.toy.hook = (when, what) => {
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
    stage.toy.calls.length = 0;
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
    stage.toy.hook = (when) => {
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
    stage.toy.calls.length = 0;
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
