import { describe, expect, it } from 'vitest';
import { decodeKeySet, encodeKeySet } from '../../src/aws/resources/keySet.ts';

describe('key sets', () => {
  it.each([
    [['bastion'], 'bastion'],
    [['runner-1'], 'runner-1'],
    [['runner-1', 'runner-2'], 'runner-{1..2}'],
    [['runner-9', 'runner-3', 'runner-7', 'runner-8'], 'runner-{3,7..9}'],
    [['runner-10', 'runner-9'], 'runner-{9..10}'],
    [['runner-2', 'builder', 'runner-1', 'bastion'], 'bastion,builder,runner-{1..2}'],
    [['runner-1', 'builder-1'], 'builder-1,runner-1'],
    [['host-01', 'host-02'], 'host-0{1..2}'],
  ])('%j is %s', (keys, text) => {
    expect(encodeKeySet(keys)).toBe(text);
    expect(decodeKeySet(text).sort()).toEqual([...keys].sort());
  });

  it('orders members by number, which is the order of AmiLaunchIndex', () => {
    expect(decodeKeySet(encodeKeySet(['runner-11', 'runner-2', 'runner-10']))).toEqual([
      'runner-2',
      'runner-10',
      'runner-11',
    ]);
  });

  it('fits a thousand runners into one tag', () => {
    const keys = Array.from({ length: 1000 }, (_, index) => `runner-${index + 1}`);
    expect(encodeKeySet(keys)).toBe('runner-{1..1000}');
    expect(decodeKeySet('runner-{1..1000}')).toEqual(keys);
  });

  it('fits every other one of a thousand, as two zones share them', () => {
    const odd = Array.from({ length: 500 }, (_, index) => `runner-${2 * index + 1}`);
    expect(encodeKeySet(odd)).toBe('runner-{1..999..2}');
    expect(decodeKeySet('runner-{1..999..2}')).toEqual(odd);
  });

  it('refuses what does not fit into a tag', () => {
    const squares = Array.from({ length: 200 }, (_, index) => `runner-${index ** 2}`);
    expect(() => encodeKeySet(squares)).toThrow(/do not fit into one tag/);
  });

  it.each(['', '{', 'runner-{', 'runner-{x}', 'runner-{3..1}', 'a,,b'])('survives the foreign tag %j', (text) => {
    expect(Array.isArray(decodeKeySet(text))).toBe(true);
  });
});
