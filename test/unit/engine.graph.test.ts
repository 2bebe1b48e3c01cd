import { describe, expect, it } from 'vitest';
import { criticalSeconds, inOrder } from '../../src/engine/graph.ts';
import { out, ready, resource } from '../../src/engine/types.ts';
import { net, toyResources } from '../support/toyCloud.ts';

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
