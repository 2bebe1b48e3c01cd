import { DescribeTagsCommand, type Tag } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Candidate, Found, Output, Scope } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { candidate, found, fromTagList, TAG } from './common.ts';

/** The API's limit on ARNs in one DescribeTags. */
const BATCH = 20;

/**
 * Of outputs whose `id` is an ARN, those whose tags say that they are this Cloudspace's. Load balancing has no filter by tag and gives no
 * tags with its lists: they are asked for in batches of 20. Callers pass only what is called like ours, so that the number of requests does
 * not grow with what else is in the account.
 */
export async function withElbTags<O extends Output>(
  aws: Aws,
  scope: Scope,
  outputs: readonly O[],
): Promise<Found<O>[]> {
  const tags = await readTags(aws, outputs);
  return outputs
    .filter(({ id }) => fromTagList(tags.get(id))[TAG.name] === scope.name)
    .map((out) => found(out, tags.get(out.id)));
}

/** The same outputs, whoever's they are. */
export async function elbCandidates<O extends Output>(aws: Aws, outputs: readonly O[]): Promise<Candidate<O>[]> {
  const tags = await readTags(aws, outputs);
  return outputs.map((out) => ({ called: (out as { name?: string }).name ?? '', ...candidate(out, tags.get(out.id)) }));
}

async function readTags(aws: Aws, outputs: readonly Output[]): Promise<Map<string, Tag[]>> {
  const batches = Array.from({ length: Math.ceil(outputs.length / BATCH) }, (_, index) =>
    outputs.slice(index * BATCH, (index + 1) * BATCH),
  );
  const answers = await Promise.all(
    batches.map((batch) => aws.elb.send(new DescribeTagsCommand({ ResourceArns: batch.map(({ id }) => id) }))),
  );
  const tags = new Map<string, Tag[]>();
  for (const { ResourceArn, Tags } of answers.flatMap((answer) => answer.TagDescriptions ?? [])) {
    tags.set(ResourceArn ?? '', Tags ?? []);
  }
  return tags;
}
