import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { startRun } from '../../src/engine/apply.ts';
import { destroy } from '../../src/engine/destroy.ts';
import { match } from '../../src/engine/discover.ts';
import { findDoomed } from '../../src/engine/doomed.ts';
import { criticalSeconds, inOrder } from '../../src/engine/graph.ts';
import { type Journal, loadState, newState, openJournal, recoverState } from '../../src/engine/journal.ts';
import { makePlan } from '../../src/engine/plan.ts';
import { equalCommand, usdPerHour } from '../../src/engine/render.ts';
import { type Event, out, type Play, type Resource, ready, resource } from '../../src/engine/types.ts';
import { net, newToy, sizes, slow, type Toy, toyResources } from '../support/toyCloud.ts';

let dir: string;
let toy: Toy;
let events: Event[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cloudspace-engine-'));
  toy = newToy();
  events = [];
  sizes.clear();
});

const fresh = () => newState({ name: 'toy', account: '1', region: 'r', practice: true });

async function open(
  resources: readonly Resource[] = toyResources(),
  more: { journal?: Journal; signal?: AbortSignal; play?: (play: Play) => Promise<void> } = {},
) {
  const journal = more.journal ?? openJournal(dir, (await loadState(dir)) ?? fresh());
  const run = await startRun({
    cloud: toy,
    name: 'toy',
    resources,
    chapterOf: () => 'vpc',
    journal,
    notify: (event) => events.push(event),
    signal: more.signal ?? new AbortController().signal,
    pace: 0.01,
    secrets: async () => {},
    ...(more.play ? { play: more.play } : {}),
  });
  return { run, journal };
}

const actions = (resources: readonly Resource[]) => resources.map((one) => ({ resource: one }));
const mutations = () => toy.calls.filter((call) => !call.startsWith('list'));
const world = () => [...toy.things.values()].map((thing) => thing.key).sort();

describe('the graph', () => {
  it('puts everything after what it refers to', () => {
    const resources = toyResources();
    const keys = inOrder([...resources].reverse()).map((one) => one.key);
    expect(keys.indexOf('net')).toBeLessThan(keys.indexOf('gate'));
    expect(keys.indexOf('gate')).toBeLessThan(keys.indexOf('leaf-a'));
    expect(keys).toHaveLength(resources.length);
  });

  it('refuses a key used twice, a reference to nothing and a circle', () => {
    const base = resource(net, 'net', {});
    expect(() => inOrder([base, base])).toThrow(/two resources have the key "net"/);
    expect(() => inOrder([resource(net, 'a', { parents: [out(base, 'id')] })])).toThrow(/"a" refers to "net"/);
    expect(() => inOrder([resource(net, 'a', {}, [ready('b')]), resource(net, 'b', {}, [ready('a')])])).toThrow(
      /circle: a → b → a/,
    );
  });

  it('counts the time of the longest chain only', () => {
    expect(criticalSeconds(toyResources())).toBe(30);
  });
});

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

    toy.calls.length = 0;
    const again = await open(resources);
    await again.run.do(actions(resources));
    await again.run.settled();
    expect(mutations()).toEqual([]);
    expect(toy.calls).toEqual(['list toy_net', 'list toy_slow', 'list toy_many', 'list toy_sized']);
  });

  it('waits for readiness only where a reference asks for it', async () => {
    const resources = toyResources();
    // The gate gets ready when "early" is under way, and not before.
    toy.hook = (when, what) => {
      const gate = [...toy.things.values()].find((thing) => thing.key === 'gate');
      if (gate && when === 'after' && what === 'create gate') gate.polls = Number.POSITIVE_INFINITY;
      if (gate && when === 'before' && what === 'create early') gate.polls = 0;
    };
    const { run } = await open(resources);
    await run.do(actions(resources));
    const readyAt = events.findIndex(
      (event) => event.type === 'resource' && event.key === 'gate' && event.status === 'ready',
    );
    const at = (key: string, status: string) =>
      events.findIndex((event) => event.type === 'resource' && event.key === key && event.status === status);
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
    expect(toy.mostInFlight).toBe(10);
  });

  it('goes on with what does not depend on a failure, then throws the cause; retry does the rest', async () => {
    const resources = toyResources();
    let broken = true;
    toy.hook = (when, what) => {
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
    const box = [...toy.things.values()].find((thing) => thing.key === 'box');
    sizes.set(box?.out.id ?? '', 9);
    toy.calls.length = 0;
    const plan = await makePlan({ cloud: toy, name: 'toy', region: 'r', resources, chapterOf: () => 'vpc' });
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
    toy.hook = (when, what) => {
      if (when === 'after' && what === 'create net') stop.abort(new Error('interrupted'));
    };
    const { run } = await open(resources, { signal: stop.signal });
    await expect(run.do(actions(resources))).rejects.toThrow('interrupted');
    expect(world()).toEqual(['net']);
    expect((await loadState(dir))?.resources).toMatchObject({ net: { status: 'ready' } });
  });

  it('refuses two of the same with both ids', async () => {
    const resources = toyResources();
    await (await open(resources)).run.do(actions(resources));
    const first = [...toy.things.values()].find((thing) => thing.key === 'net');
    toy.things.set('toy_net-twin', {
      type: 'toy_net',
      key: 'net',
      out: { id: 'toy_net-twin', of: 'net', state: 'ready', parents: [] },
      polls: 0,
    });
    await expect(open(resources)).rejects.toThrow(new RegExp(`"net" is there 2 times: ${first?.out.id}, toy_net-twin`));
  });
});

describe('crashes', () => {
  const resources = toyResources();
  const total = 6; // net, gate, leaf-a, early, the batch, box

  for (const when of ['before', 'after'] as const) {
    for (let n = 1; n <= total; n++) {
      it(`mutation ${n}, ${when} its effect: the next run completes the same world`, async () => {
        // A crash: from this moment on nothing of the process goes on, so the journal must not be written either.
        const journal = openJournal(dir, fresh());
        let dead = false;
        const mortal: Journal = {
          ...journal,
          update: async (change) => {
            if (!dead) await journal.update(change);
            if (dead) await new Promise(() => {});
          },
        };
        let count = 0;
        const died = new Promise<void>((resolve) => {
          toy.hook = (moment) => {
            if (dead) return new Promise<void>(() => {});
            if (moment !== when || ++count !== n) return undefined;
            dead = true;
            resolve();
            return new Promise<void>(() => {});
          };
        });
        const { run } = await open(resources, { journal: mortal });
        void run.do(actions(resources)).catch(() => {});
        await died;
        // The dead process keeps its client, with the hook that never answers; the next one gets a client of its own.
        toy = { ...toy, calls: [] };
        delete toy.hook;

        const second = await open(resources);
        await second.run.do(actions(resources));
        await second.run.settled();
        expect(world()).toEqual(resources.map((one) => one.key).sort());
        toy.calls.length = 0;
        const third = await open(resources);
        await third.run.do(actions(resources));
        expect(mutations()).toEqual([]);
      });
    }
  }

  it('rebuilds a lost state from the tags', async () => {
    await (await open(resources)).run.do(actions(resources));
    const other = mkdtempSync(join(tmpdir(), 'cloudspace-engine-'));
    const journal = openJournal(other, fresh());
    toy.calls.length = 0;
    const { run } = await open(resources, { journal });
    await run.do(actions(resources));
    expect(mutations()).toEqual([]);
    expect(Object.keys((await loadState(other))?.resources ?? {}).sort()).toEqual(
      resources.map((one) => one.key).sort(),
    );
  });
});

describe('plan', () => {
  it('lists the same keys as apply, creates everything before and keeps everything after, and mutates nothing', async () => {
    const resources = toyResources();
    const options = { cloud: toy, name: 'toy', region: 'r', resources, chapterOf: () => 'vpc' };
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
    toy.things.set('toy_net-x', {
      type: 'toy_net',
      key: 'gone-from-the-guide',
      out: { id: 'toy_net-x', of: '', state: 'ready', parents: [] },
      polls: 0,
    });
    const plan = await makePlan({ cloud: toy, name: 'toy', region: 'r', resources, chapterOf: () => 'vpc' });
    expect(plan.extra).toEqual([{ key: 'gone-from-the-guide', type: 'toy_net', id: 'toy_net-x' }]);
  });
});

describe('destroy', () => {
  const down = async (resources: readonly Resource[], journal?: Journal) => {
    const doomed = await findDoomed(toy, resources, 'toy');
    return destroy({
      cloud: toy,
      name: 'toy',
      resources,
      doomed,
      journal,
      notify: (event) => events.push(event),
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
      toy.calls.length = 0;
      expect(await down(resources, withJournal ? journal : undefined)).toEqual([]);
      expect(toy.things.size).toBe(0);
      expect(mutations()).toEqual(['delete gate', 'delete net']);
      if (withJournal) expect(journal.state.resources).toEqual({});
    }
  });

  it('says what is left and why, and deletes the rest', async () => {
    const resources = chain();
    const { run } = await open(resources);
    await run.do(actions(resources));
    toy.hook = (when, what) => {
      if (when === 'before' && what === 'delete gate') throw new Error('not allowed');
    };
    const leftovers = await down(resources);
    expect(leftovers.map(({ key, reason }) => [key, reason])).toEqual([
      ['gate', 'not allowed'],
      ['net', expect.stringMatching(/held by what is left: toy_slow toy_slow-\d+/)],
    ]);
  }, 20_000);
});

describe('the journal', () => {
  it('is private, whole JSON, and keeps the version before it', async () => {
    const journal = openJournal(dir, fresh());
    await journal.update((state) => {
      state.answers = { runners: 2 };
    });
    await journal.update((state) => {
      state.answers = { runners: 3 };
    });
    expect(statSync(join(dir, 'state.json')).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(join(dir, 'state.json'), 'utf8'))).toMatchObject({
      version: 1,
      name: 'toy',
      answers: { runners: 3 },
    });
    expect((await recoverState(dir))?.state.answers).toEqual({ runners: 2 });
  });

  it('shares a write between changes that come together', async () => {
    const journal = openJournal(dir, fresh());
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        journal.update((state) => {
          state.answers[`a${index}`] = index;
        }),
      ),
    );
    expect(Object.keys((await loadState(dir))?.answers ?? {})).toHaveLength(50);
  });

  it('recognises every truncation and every changed character class', async () => {
    const journal = openJournal(dir, fresh());
    await journal.update(() => {});
    const text = readFileSync(join(dir, 'state.json'), 'utf8');
    for (let tenth = 0; tenth < 10; tenth++) {
      writeFileSync(join(dir, 'state.json'), text.slice(0, Math.floor((text.length * tenth) / 10)));
      await expect(loadState(dir)).rejects.toMatchObject({ code: 'StateDamaged', exitCode: 2 });
    }
    writeFileSync(join(dir, 'state.json'), text.replace('"account": "1"', '"account": "2"'));
    await expect(loadState(dir)).rejects.toThrow(/checksum/);
  });

  it('refuses a version from the future', async () => {
    const journal = openJournal(dir, { ...fresh(), version: 99 });
    await journal.update(() => {});
    await expect(loadState(dir)).rejects.toMatchObject({ code: 'StateTooNew', exitCode: 2 });
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
