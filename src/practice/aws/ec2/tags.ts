import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { type Context, on } from '../operation.ts';
import { setTags } from '../tags.ts';
import { networkInterfaces } from './interfaces.ts';

/** What DescribeTags calls the resources, by the prefix of their ids. */
const TYPES: Readonly<Record<string, ec2.ResourceType>> = {
  vpc: 'vpc',
  subnet: 'subnet',
  igw: 'internet-gateway',
  rtb: 'route-table',
  acl: 'network-acl',
  sg: 'security-group',
  sgr: 'security-group-rule',
  eipalloc: 'elastic-ip',
  nat: 'natgateway',
  key: 'key-pair',
  i: 'instance',
  vol: 'volume',
  eni: 'network-interface',
};

function typeOf(id: string): ec2.ResourceType | undefined {
  return TYPES[id.slice(0, id.lastIndexOf('-'))];
}

/** Throws when a resource is not there, with the code its kind has. */
function checkResources(context: Context, ids: readonly string[]): void {
  const { region } = context;
  const collections: readonly Readonly<Record<string, unknown>>[] = [
    region.vpcs,
    region.subnets,
    region.internetGateways,
    region.routeTables,
    region.networkAcls,
    region.securityGroups,
    region.securityGroupRules,
    region.addresses,
    region.natGateways,
    region.volumes,
    region.instances,
    Object.fromEntries(Object.values(region.keyPairs).map((key) => [key.id, key])),
    Object.fromEntries(networkInterfaces(context).map((one) => [one.NetworkInterfaceId, one])),
  ];
  for (const id of ids) {
    if (!collections.some((collection) => collection[id])) {
      throw new AwsError('InvalidID', `The ID '${id}' is not valid: the practice cloud has no such resource`);
    }
  }
}

export const tagOperations = [
  on(ec2.CreateTagsCommand, ({ Resources = [], Tags }, context) => {
    checkResources(context, Resources);
    for (const id of Resources) setTags(context.region, id, Tags);
    return {};
  }),

  on(ec2.DeleteTagsCommand, ({ Resources = [], Tags }, context) => {
    checkResources(context, Resources);
    for (const id of Resources) {
      const kept = Object.entries(context.region.tags[id] ?? {}).filter(
        ([key, value]) =>
          Tags !== undefined &&
          !Tags.some((tag) => tag.Key === key && (tag.Value === undefined || tag.Value === value)),
      );
      context.region.tags[id] = Object.fromEntries(kept);
    }
    return {};
  }),

  on(ec2.DescribeTagsCommand, (input, { region }) => {
    const all = Object.entries(region.tags).flatMap(([ResourceId, tags]) => {
      const ResourceType = typeOf(ResourceId);
      return ResourceType ? Object.entries(tags).map(([Key, Value]) => ({ ResourceId, ResourceType, Key, Value })) : [];
    });
    // `tag:NAME` means here: resources that have this tag with this value.
    const filters = (input.Filters ?? []).map((filter) => filter);
    const found = filters.reduce((rest, filter) => {
      const name = /^tag:(.+)$/s.exec(filter.Name ?? '')?.[1];
      if (name === undefined) return filtered(rest, [filter], ec2.TagDescription$);
      return filtered(
        rest.filter((tag) => tag.Key === name),
        [{ Name: 'value', Values: filter.Values }],
        ec2.TagDescription$,
      );
    }, all);
    const { items, next } = page(found, input);
    return { Tags: items, ...next };
  }),
];
