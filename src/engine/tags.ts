/** The tags every resource is created with, in the same request. */
export function tagsFor(name: string, key: string, chapter: string): Record<string, string> {
  return { 'cloudspace:name': name, 'cloudspace:key': key, 'cloudspace:chapter': chapter, Name: `${name}-${key}` };
}
