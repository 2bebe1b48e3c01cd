import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadState, openJournal, recoverState } from '../../src/engine/journal.ts';
import { toyStage } from '../support/toyStage.ts';

const stage = toyStage(0.01);
const { fresh } = stage;

describe('the journal', () => {
  it('is private, whole JSON, and keeps the version before it', async () => {
    const journal = openJournal(stage.dir, fresh());
    await journal.update((state) => {
      state.answers = { runners: 2 };
    });
    await journal.update((state) => {
      state.answers = { runners: 3 };
    });
    expect(statSync(join(stage.dir, 'state.json')).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(join(stage.dir, 'state.json'), 'utf8'))).toMatchObject({
      version: 1,
      name: 'toy',
      answers: { runners: 3 },
    });
    expect((await recoverState(stage.dir))?.state.answers).toEqual({ runners: 2 });
  });

  it('shares a write between changes that come together', async () => {
    const journal = openJournal(stage.dir, fresh());
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        journal.update((state) => {
          state.answers[`a${index}`] = index;
        }),
      ),
    );
    expect(Object.keys((await loadState(stage.dir))?.answers ?? {})).toHaveLength(50);
  });

  it('recognises every truncation and every changed character class', async () => {
    const journal = openJournal(stage.dir, fresh());
    await journal.update(() => {});
    const text = readFileSync(join(stage.dir, 'state.json'), 'utf8');
    for (let tenth = 0; tenth < 10; tenth++) {
      writeFileSync(join(stage.dir, 'state.json'), text.slice(0, Math.floor((text.length * tenth) / 10)));
      await expect(loadState(stage.dir)).rejects.toMatchObject({ code: 'StateDamaged', exitCode: 2 });
    }
    writeFileSync(join(stage.dir, 'state.json'), text.replace('"account": "1"', '"account": "2"'));
    await expect(loadState(stage.dir)).rejects.toThrow(/checksum/);
  });

  it('refuses a version from the future', async () => {
    const journal = openJournal(stage.dir, { ...fresh(), version: 99 });
    await journal.update(() => {});
    await expect(loadState(stage.dir)).rejects.toMatchObject({ code: 'StateTooNew', exitCode: 2 });
  });
});
