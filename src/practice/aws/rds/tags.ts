import * as rds from '@aws-sdk/client-rds';
import { AwsError } from '../errors.ts';
import { on } from '../operation.ts';
import { tagList } from '../tags.ts';
import type { RegionWorld } from '../world.ts';
import { addTags, database, invalidValue } from './common.ts';
import { subnetGroup } from './subnetGroups.ts';

/** The ARN of a tagged resource. Throws the kind's NotFound error. */
function resource(region: RegionWorld, name: string | undefined): string {
  const [, type, id = ''] = /^arn:aws:rds:[^:]+:\d+:([^:]+):(.+)$/.exec(name ?? '') ?? [];
  switch (type) {
    case 'db':
      return database(region, id).arn;
    case 'subgrp':
      return subnetGroup(region, id).arn;
    case 'snapshot': {
      const snapshot = region.dbSnapshots[id];
      if (!snapshot) throw new AwsError('DBSnapshotNotFound', `DBSnapshot ${id} not found.`, 404);
      return snapshot.arn;
    }
    case 'pg':
      return name ?? '';
    default:
      throw invalidValue(`Invalid resource name: ${name}`);
  }
}

export const rdsTagOperations = [
  on(rds.ListTagsForResourceCommand, ({ ResourceName, Filters: _ }, { region }) => ({
    TagList: tagList(region, resource(region, ResourceName)),
  })),

  on(rds.AddTagsToResourceCommand, ({ ResourceName, Tags }, { region }) => {
    addTags(region, resource(region, ResourceName), Tags);
    return {};
  }),

  on(rds.RemoveTagsFromResourceCommand, ({ ResourceName, TagKeys = [] }, { region }) => {
    const arn = resource(region, ResourceName);
    const kept = Object.entries(region.tags[arn] ?? {}).filter(([key]) => !TagKeys.includes(key));
    region.tags[arn] = Object.fromEntries(kept);
    return {};
  }),
];
