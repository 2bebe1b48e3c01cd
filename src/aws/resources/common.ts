import {
  CreateTagsCommand,
  DeleteTagsCommand,
  type Filter,
  type ResourceType,
  type Tag,
  type TagSpecification,
} from '@aws-sdk/client-ec2';
import { AddTagsCommand, RemoveTagsCommand } from '@aws-sdk/client-elastic-load-balancing-v2';
import { AddTagsToResourceCommand, RemoveTagsFromResourceCommand } from '@aws-sdk/client-rds';
import {
  type Candidate,
  CloudspaceError,
  type Difference,
  type Found,
  type Output,
  type Scope,
} from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';

/** The tags that make a resource ours; with the state file lost, they rebuild it. */
export const TAG = {
  name: 'cloudspace:name',
  key: 'cloudspace:key',
  chapter: 'cloudspace:chapter',
  /** `adopted` on what a person made (engine/tags.ts) */
  origin: 'cloudspace:origin',
} as const;

/** Tags on the VPC that say where systems beside AWS hold something of the Cloudspace (vpcTag.ts). */
export const NOTES = {
  dnsHosts: 'cloudspace:dns-hosts',
  dnsApplications: 'cloudspace:dns-applications',
  rabbitmq: 'cloudspace:rabbitmq',
} as const;

export type Tags = Readonly<Record<string, string>>;

/** EC2's server-side filter for everything of one Cloudspace. */
export function ofCloudspace(scope: Scope): Filter {
  return { Name: `tag:${TAG.name}`, Values: [scope.name] };
}

/** Tags as every service wants them in a creating request. */
export function tagList(tags: Tags): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** Tags for EC2's creating requests: one specification a resource type. */
export function tagSpecifications(tags: Tags, ...types: ResourceType[]): TagSpecification[] {
  return types.map((ResourceType) => ({ ResourceType, Tags: tagList(tags) }));
}

export function fromTagList(tags: readonly Tag[] | undefined): Record<string, string> {
  return Object.fromEntries((tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}

/** A found resource with the key and chapter that its tags carry. */
export function found<O extends Output>(out: O, tags: readonly Tag[] | undefined): Found<O> {
  const { [TAG.key]: key, [TAG.chapter]: chapter, [TAG.origin]: origin } = fromTagList(tags);
  return {
    out,
    ...optional('key', key),
    ...optional('chapter', chapter),
    ...(origin === 'adopted' && { adopted: true }),
  };
}

/** The same for what may be anybody's: with the Cloudspace it belongs to and what people call it. */
export function candidate<O extends Output>(out: O, tags: readonly Tag[] | undefined): Candidate<O> {
  const { [TAG.name]: name, Name: called } = fromTagList(tags);
  return { ...found(out, tags), ...optional('name', name), ...optional('called', called) };
}

const OUR_TAGS = [...Object.values(TAG), ...Object.values(NOTES)];

/** Putting tags on EC2's resources and taking ours off: one request, several ids. */
export function ec2Tags<O extends Output>(ids: (out: O) => string[] = ({ id }) => [id]) {
  return {
    async tag(aws: Aws, out: O, tags: Tags, signal: AbortSignal): Promise<void> {
      await aws.ec2.send(new CreateTagsCommand({ Resources: ids(out), Tags: tagList(tags) }), { abortSignal: signal });
    },
    untag: (aws: Aws, out: O, signal: AbortSignal): Promise<void> =>
      ignoreGone(
        aws.ec2.send(new DeleteTagsCommand({ Resources: ids(out), Tags: OUR_TAGS.map((Key) => ({ Key })) }), {
          abortSignal: signal,
        }),
      ),
  };
}

/** The same for load balancing, whose ids are ARNs. */
export const elbTags = {
  async tag(aws: Aws, { id }: Output, tags: Tags, signal: AbortSignal): Promise<void> {
    await aws.elb.send(new AddTagsCommand({ ResourceArns: [id], Tags: tagList(tags) }), { abortSignal: signal });
  },
  untag: (aws: Aws, { id }: Output, signal: AbortSignal): Promise<void> =>
    ignoreGone(
      aws.elb.send(new RemoveTagsCommand({ ResourceArns: [id], TagKeys: [...OUR_TAGS] }), { abortSignal: signal }),
    ),
};

/** The same for RDS. */
export const rdsTags = {
  async tag(aws: Aws, { arn }: { readonly arn: string }, tags: Tags, signal: AbortSignal): Promise<void> {
    await aws.rds.send(new AddTagsToResourceCommand({ ResourceName: arn, Tags: tagList(tags) }), {
      abortSignal: signal,
    });
  },
  untag: (aws: Aws, { arn }: { readonly arn: string }, signal: AbortSignal): Promise<void> =>
    ignoreGone(
      aws.rds.send(new RemoveTagsFromResourceCommand({ ResourceName: arn, TagKeys: [...OUR_TAGS] }), {
        abortSignal: signal,
      }),
    ),
};

/** A difference, or none, as a list: `want` and `have` are compared as JSON, so that lists can be given sorted. */
export function differs(
  attribute: string,
  want: unknown,
  have: unknown,
  how: { fixed: true } | { mend: readonly string[] },
): Difference[] {
  return JSON.stringify(want) === JSON.stringify(have) ? [] : [{ attribute, want, have, ...how }];
}

/** EC2's server-side filter for what is in a VPC. */
export const inVpc = (vpcId: string): Filter => ({ Name: 'vpc-id', Values: [vpcId] });

/** All pages of a paginated read. */
export async function all<Page, Item>(
  pages: AsyncIterable<Page>,
  items: (page: Page) => readonly Item[] | undefined,
): Promise<Item[]> {
  const result: Item[] = [];
  for await (const page of pages) result.push(...(items(page) ?? []));
  return result;
}

/** A member that the API documents as always there. Throws CloudspaceError `UnexpectedAnswer` when an endpoint leaves it out. */
export function must<T>(value: T | undefined, member: string): T {
  if (value !== undefined && value !== null) return value;
  throw new CloudspaceError(`the answer has no ${member}`, {
    code: 'UnexpectedAnswer',
    hint: 'The endpoint does not behave like AWS; if it is an emulator, try another version of it.',
  });
}

/** `{ [name]: value }`, or nothing when there is no value: outputs go to a JSON file. */
export function optional<K extends string, V>(name: K, value: V | null | undefined): { readonly [key in K]?: V } {
  return (value === undefined || value === null ? {} : { [name]: value }) as { readonly [key in K]?: V };
}

/** The deterministic name of what AWS wants a name for: `<cloudspace>-<key>` (which `Name` is too), unless the props say another. */
export function nameOf(props: { readonly name?: string }, tags: Tags): string {
  const { [TAG.name]: name, [TAG.key]: key, Name } = tags;
  return props.name ?? (name === undefined || key === undefined ? (Name ?? '') : `${name}-${key}`);
}

/** `--tag-specifications` and its value, as the `aws ec2` commands take it. */
export function cliTagSpecifications(tags: Tags, ...types: string[]): string[] {
  const list = Object.entries(tags).map(([key, value]) => `{Key=${key},Value=${cliValue(value)}}`);
  return ['--tag-specifications', ...types.map((type) => `ResourceType=${type},Tags=[${list.join(',')}]`)];
}

/** `--tags` and its words, as the `aws elbv2` and `aws rds` commands take them. */
export function cliTags(tags: Tags): string[] {
  return ['--tags', ...Object.entries(tags).map(([key, value]) => `Key=${key},Value=${cliValue(value)}`)];
}

/** The CLI's shorthand syntax reads commas and braces in a value as its own, unless the value is in quotation marks. */
function cliValue(value: string): string {
  return /[,{}[\]="' ]/.test(value) ? `"${value}"` : value;
}

/**
 * A command as words: the text is split at spaces, each value stays one word whatever is in it, a list becomes as many words.
 * words`aws ec2 create-vpc --cidr-block ${cidr} ${tags}`
 */
export function words(
  text: TemplateStringsArray,
  ...values: readonly (string | number | readonly string[])[]
): readonly string[] {
  const result: string[] = [];
  let glued = false;
  const add = (word: string) => {
    if (glued) result.push((result.pop() ?? '') + word);
    else result.push(word);
  };
  text.forEach((literal, index) => {
    if (/^\s/.test(literal)) glued = false;
    const split = literal.split(/\s+/).filter((word) => word !== '');
    split.forEach((word) => {
      add(word);
      glued = false;
    });
    glued = literal !== '' ? !/\s$/.test(literal) : glued;
    const value = values[index];
    if (value === undefined) return;
    if (typeof value === 'object') {
      result.push(...value);
      glued = false;
    } else {
      add(String(value));
      glued = true;
    }
  });
  return result;
}
