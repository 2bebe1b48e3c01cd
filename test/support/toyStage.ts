import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach } from 'vitest';
import { startRun } from '../../src/engine/apply.ts';
import type { Journal } from '../../src/engine/journal.ts';
import { loadState, newState, openJournal, type State } from '../../src/engine/journal.ts';
import type { Run, RunOptions } from '../../src/engine/run.ts';
import type { Event, Resource } from '../../src/engine/types.ts';
import { newToy, sizes, type Thing, type Toy, toyResources } from './toyCloud.ts';

/** A toy cloud and runs over it. */
export interface ToyStage {
  /** where the journal is kept */
  dir: string;
  toy: Toy;
  events: Event[];
  /** a state that knows nothing */
  fresh(): State;
  /** looks at what is there, as the beginning of a run does */
  open(resources?: readonly Resource[], more?: Partial<RunOptions>): Promise<{ run: Run; journal: Journal }>;
  /** what was sent that changes something */
  mutations(): string[];
  /** keys of what is there */
  world(): string[];
  /** what is there under this key */
  thing(key: string): Thing;
}

/** What does it: one action for each resource. */
export const actions = (resources: readonly Resource[]) => resources.map((one) => ({ resource: one }));

/** The stage of a file's tests, set anew before each of them. `pace` scales the waits between polls. */
export function toyStage(pace: number): ToyStage {
  const stage: ToyStage = {
    dir: '',
    toy: newToy(),
    events: [],
    fresh: () => newState({ name: 'toy', account: '1', region: 'r', practice: true }),
    async open(resources = toyResources(), more = {}) {
      const journal = more.journal ?? openJournal(stage.dir, (await loadState(stage.dir)) ?? stage.fresh());
      const run = await startRun({
        cloud: stage.toy,
        name: 'toy',
        resources,
        chapterOf: () => 'vpc',
        notify: (event) => stage.events.push(event),
        signal: new AbortController().signal,
        pace,
        secrets: async () => {},
        ...more,
        journal,
      });
      return { run, journal };
    },
    mutations: () => stage.toy.calls.filter((call) => !call.startsWith('list')),
    world: () => [...stage.toy.things.values()].map((thing) => thing.key).sort(),
    thing(key) {
      const found = [...stage.toy.things.values()].find((one) => one.key === key);
      if (!found) throw new Error(`there is no ${key}`);
      return found;
    },
  };
  beforeEach(() => {
    stage.dir = mkdtempSync(join(tmpdir(), 'cloudspace-engine-'));
    stage.toy = newToy();
    stage.events = [];
    sizes.clear();
  });
  return stage;
}
