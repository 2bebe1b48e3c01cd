/** Where a resource comes from. Only adopted ones carry it: made by a person, taken into the Cloudspace, never changed unasked, never deleted. */
const ORIGIN_TAG = 'cloudspace:origin';
const ADOPTED = 'adopted';

/** The tags every resource is created with, in the same request. */
export function tagsFor(name: string, key: string, chapter: string): Record<string, string> {
  return { 'cloudspace:name': name, 'cloudspace:key': key, 'cloudspace:chapter': chapter, Name: `${name}-${key}` };
}

/** The tags that are put on something made by hand. `Name` only when it has none: people's names stay. */
export function adoptionTags(name: string, key: string, chapter: string, named: boolean): Record<string, string> {
  const { Name = '', ...ours } = tagsFor(name, key, chapter);
  return { ...ours, [ORIGIN_TAG]: ADOPTED, ...(named ? {} : { Name }) };
}
