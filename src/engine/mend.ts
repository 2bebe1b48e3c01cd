import type { Drift } from './drift.ts';
import { adoptionTags } from './tags.ts';
import { look } from './takeOver.ts';
import type { Output, Resource } from './types.ts';
import { accept, type Work } from './work.ts';

/** Deletes what was added by hand and tags again what lost its tags. Gives what may now be made or changed as its description says. */
export async function putBack(work: Work, wanted: readonly string[]): Promise<Resource[]> {
  const { cloud, notify, signal } = work.options;
  const mending = [...work.held.values()].filter(({ key, mendable }) => mendable && wanted.includes(key));
  for (const drift of mending) {
    const { what, resource, out, key, label } = drift;
    signal.throwIfAborted();
    if (out && what === 'extra') {
      const stray = { type: 'resource', key, kind: resource.kind.type, label, id: out.id } as const;
      notify({ ...stray, status: 'deleting' });
      await work.mutate(() => resource.kind.delete(cloud, out, signal));
      notify({ ...stray, status: 'deleted' });
    }
    if (out && what === 'untagged') await tagAgain(work, drift, out);
  }
  const keys = mending.flatMap(({ key, hanging, what }) => (what === 'extra' ? [] : [key, ...hanging]));
  accept(
    work,
    mending.map(({ key }) => key),
  );
  // What hung on something that only lost its tags is there.
  if (mending.some(({ what }) => what === 'untagged')) await look(work, keys);
  return keys.flatMap((key) => work.byKey.get(key) ?? []);
}

async function tagAgain(
  { options, adopted, outputs, make, mutate }: Work,
  { resource, adopted: theirs, key }: Drift,
  out: Output,
): Promise<void> {
  const { cloud, name, chapterOf, signal } = options;
  const tags = theirs ? adoptionTags(name, key, chapterOf(key), true) : make.context(key).tags;
  make.report(resource, 'updating', { id: out.id, detail: 'tags' });
  await mutate(() => resource.kind.tag?.(cloud, out, tags, signal) ?? Promise.resolve());
  if (theirs) adopted.add(key);
  outputs.set(key, out);
  await make.record(resource, 'created', out);
  make.report(resource, 'updated', { id: out.id });
}
