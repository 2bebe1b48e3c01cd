import * as elb from '@aws-sdk/client-elastic-load-balancing-v2';
import { on } from '../operation.ts';
import { setTags, tagList } from '../tags.ts';
import type { RegionWorld } from '../world.ts';
import { listener, loadBalancer, tagsOf, targetGroup, validation } from './common.ts';

/** Throws the kind's NotFound error. */
function check(region: RegionWorld, arn: string): void {
  if (arn.includes(':targetgroup/')) targetGroup(region, arn);
  else if (arn.includes(':listener/')) listener(region, arn);
  else if (arn.includes(':loadbalancer/')) loadBalancer(region, arn);
  else throw validation(`'${arn}' is not a valid load balancing ARN`);
}

function checked(region: RegionWorld, arns: readonly string[] | undefined): readonly string[] {
  if (!arns?.length || arns.length > 20) throw validation('1 to 20 resource ARNs must be specified');
  for (const arn of arns) check(region, arn);
  return arns;
}

export const elbTagOperations = [
  on(elb.AddTagsCommand, ({ ResourceArns, Tags }, { region }) => {
    for (const arn of checked(region, ResourceArns)) setTags(region, arn, tagsOf(Tags));
    return {};
  }),

  on(elb.RemoveTagsCommand, ({ ResourceArns, TagKeys = [] }, { region }) => {
    for (const arn of checked(region, ResourceArns)) {
      const kept = Object.entries(region.tags[arn] ?? {}).filter(([key]) => !TagKeys.includes(key));
      region.tags[arn] = Object.fromEntries(kept);
    }
    return {};
  }),

  on(elb.DescribeTagsCommand, ({ ResourceArns }, { region }) => ({
    TagDescriptions: checked(region, ResourceArns).map((arn) => ({ ResourceArn: arn, Tags: tagList(region, arn) })),
  })),
];
