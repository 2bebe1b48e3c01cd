import { describe, expect, it } from 'vitest';
import { liveWork } from '../../src/ui/live.ts';
import type { Look } from '../../src/ui/look.ts';
import { width } from '../../src/ui/text.ts';
import { play, resource, task } from '../support/events.ts';

describe('the live line', () => {
  const look: Look = { color: false, unicode: true, columns: 80 };
  it('tells what is under way, since when and how long it usually takes', () => {
    let now = 0;
    const live = liveWork(() => now);
    expect(live.line(look)).toBe('');
    live.update(resource('creating', { key: 'database', typicalSeconds: 360 }));
    now = 52_000;
    live.update(resource('waiting', { typicalSeconds: 90 }));
    now = 64_000;
    expect(live.line(look)).toBe('2 working: database 1m04s of ~6m, nat-gateway 12s of ~90s');
    live.update(resource('ready', { key: 'database' }));
    expect(live.line(look)).toBe('nat-gateway 12s of ~90s');
    live.update(resource('ready'));
    expect(live.size).toBe(0);
  });
  it('counts a wait from the start of the creation', () => {
    let now = 0;
    const live = liveWork(() => now);
    live.update(resource('creating'));
    now = 2000;
    live.update(resource('created', { id: 'nat-1' }));
    expect(live.size).toBe(0);
    live.update(resource('waiting'));
    now = 5000;
    expect(live.line(look)).toBe('nat-gateway 5s');
  });
  it("shows a play's newest task", () => {
    const live = liveWork(() => 0);
    live.update(play('started'));
    live.update(task('started'));
    expect(live.line(look)).toBe('bastion · 7/15 · install packages 0s');
    expect(live.line({ ...look, unicode: false, columns: 30 })).toBe('bastion - 7/15 - install pa...');
    live.update(play('failed'));
    live.update(task('ok'));
    expect(live.size).toBe(0);
  });
  it('is one line, however much is under way', () => {
    const live = liveWork(() => 0);
    for (let index = 0; index < 20; index += 1)
      live.update({ type: 'progress', key: `p${index}`, text: `part ${index}\nof it`, status: 'started' });
    expect(width(live.line(look))).toBeLessThanOrEqual(80);
    expect(live.line(look)).not.toContain('\n');
  });
});
