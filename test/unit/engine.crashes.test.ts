import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Journal, loadState, openJournal } from '../../src/engine/journal.ts';
import { toyResources } from '../support/toyCloud.ts';
import { actions, toyStage } from '../support/toyStage.ts';

const stage = toyStage(0.01);
const { fresh, open, mutations, world } = stage;

describe('crashes', () => {
  const resources = toyResources();
  const total = 6; // net, gate, leaf-a, early, the batch, box

  for (const when of ['before', 'after'] as const) {
    for (let n = 1; n <= total; n++) {
      it(`mutation ${n}, ${when} its effect: the next run completes the same world`, async () => {
        // A crash: from this moment on nothing of the process goes on, so the journal must not be written either.
        const journal = openJournal(stage.dir, fresh());
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
          stage.toy.hook = (moment) => {
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
        stage.toy = { ...stage.toy, calls: [] };
        delete stage.toy.hook;

        const second = await open(resources);
        await second.run.do(actions(resources));
        await second.run.settled();
        expect(world()).toEqual(resources.map((one) => one.key).sort());
        stage.toy.calls.length = 0;
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
    stage.toy.calls.length = 0;
    const { run } = await open(resources, { journal });
    await run.do(actions(resources));
    expect(mutations()).toEqual([]);
    expect(Object.keys((await loadState(other))?.resources ?? {}).sort()).toEqual(
      resources.map((one) => one.key).sort(),
    );
  });
});
