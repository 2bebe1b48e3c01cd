import { adoptedKeys, listAll, match } from './discover.ts';
import { kindsOf } from './graph.ts';
import { adoptionTags } from './tags.ts';
import { CloudspaceError, type Output, type Resource } from './types.ts';
import type { Work } from './work.ts';

/** Takes over what a person made: tags it, and goes on with it. `named`: it has a name already, which stays. */
export async function takeOver(
  { options, adopted, outputs, make, mutate }: Work,
  resource: Resource,
  out: Output,
  named: boolean,
): Promise<void> {
  const { cloud, name, chapterOf, signal } = options;
  const { key, kind } = resource;
  if (!kind.tag) throw new CloudspaceError(`${kind.label} carries no tags: it is found by itself`, { code: 'ByHand' });
  await mutate(
    () => kind.tag?.(cloud, out, adoptionTags(name, key, chapterOf(key), named), signal) ?? Promise.resolve(),
  );
  adopted.add(key);
  outputs.set(key, out);
  await make.record(resource, 'created', out);
  make.report(resource, 'adopted', { id: out.id });
}

/** Looks again which of these are there: connections are found by what they connect. */
export async function look(work: Work, keys: readonly string[]): Promise<void> {
  const { cloud, name, resources } = work.options;
  const listing = await listAll(cloud, kindsOf(resources), name);
  const there = match(resources, listing);
  for (const key of keys) {
    const out = there.get(key);
    const resource = work.byKey.get(key);
    if (out && resource && !work.outputs.has(key)) {
      work.outputs.set(key, out);
      work.held.delete(key);
      await work.make.record(resource, 'created', out);
    }
  }
  for (const key of adoptedKeys(resources, listing, there)) work.adopted.add(key);
}
