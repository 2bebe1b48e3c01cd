import type { ResourceType, Tag, TagSpecification } from '@aws-sdk/client-ec2';
import { AwsError, invalid } from './errors.ts';
import type { RegionWorld, Tags } from './world.ts';

/** A resource's tags as AWS lists them. */
export function tagList(region: RegionWorld, id: string): { Key: string; Value: string }[] {
  return Object.entries(region.tags[id] ?? {}).map(([Key, Value]) => ({ Key, Value }));
}

/** Adds tags to a resource, replacing those with the same key. Throws for more than 50 tags and for reserved or malformed keys. */
export function setTags(region: RegionWorld, id: string, tags: readonly Tag[] | undefined): void {
  if (!tags?.length) return;
  const next: Tags = { ...region.tags[id] };
  for (const { Key = '', Value = '' } of tags) {
    if (!Key || Key.length > 128) throw invalid(`Tag keys have 1 to 128 characters: '${Key}'`);
    if (Value.length > 256) throw invalid(`Tag values have at most 256 characters: '${Value}'`);
    if (/^aws:/i.test(Key)) throw invalid('Tag keys starting with "aws:" are reserved for internal use');
    next[Key] = Value;
  }
  if (Object.keys(next).length > 50) throw new AwsError('TagLimitExceeded', 'The maximum number of Tags is 50');
  region.tags[id] = next;
}

/** Tags of the request for one of the resource types it creates. Throws when there are some for a type it does not create. */
export function requestedTags(
  specifications: readonly TagSpecification[] | undefined,
  type: ResourceType,
  all: readonly ResourceType[] = [type],
): Tag[] {
  for (const { ResourceType } of specifications ?? []) {
    if (!ResourceType || !all.includes(ResourceType)) {
      throw invalid(`'${ResourceType ?? ''}' is not a valid taggable resource type for this operation.`);
    }
  }
  return (specifications ?? []).flatMap((one) => (one.ResourceType === type ? (one.Tags ?? []) : []));
}
