import { CreateTagsCommand, DeleteTagsCommand } from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { cliTags, differs, fromTagList, must, NOTES } from './common.ts';
import { readVpcs } from './vpc.ts';

export interface VpcTagProps {
  readonly vpcId: string;
  /** one of NOTES */
  readonly tag: string;
  /** at most 256 characters; every user of the account can read it */
  readonly value: string;
}

/** `id` is `<vpc>,<tag>`, as Terraform imports it */
export interface VpcTagOutput extends Output, VpcTagProps {}

const output = ({ vpcId, tag, value }: VpcTagProps): VpcTagOutput => ({ id: `${vpcId},${tag}`, vpcId, tag, value });

const NAMES: readonly string[] = Object.values(NOTES);

/** A note on the VPC: where systems beside AWS hold something of this Cloudspace, for a teardown that knows nothing but the account. */
export const vpcTag: Kind<VpcTagProps, VpcTagOutput, Aws> = {
  type: 'aws_ec2_tag',
  label: 'note on the VPC',
  async list(aws, scope) {
    return (await readVpcs(aws, scope)).flatMap(({ VpcId, Tags }) =>
      Object.entries(fromTagList(Tags))
        .filter(([tag]) => NAMES.includes(tag))
        .map(([tag, value]) => ({ out: output({ vpcId: must(VpcId, 'VpcId'), tag, value }) })),
    );
  },
  matches: (props, out) => props.vpcId === out.vpcId && props.tag === out.tag,
  async create(aws, props, { signal }) {
    await put(aws, props, signal);
    return output(props);
  },
  drift: (props, out) => differs('value', props.value, out.value, { mend: command(props) }),
  async update(aws, props, _out, { signal }) {
    await put(aws, props, signal);
    return output(props);
  },
  delete: (aws, { vpcId, tag }, signal) =>
    ignoreGone(
      aws.ec2.send(new DeleteTagsCommand({ Resources: [vpcId], Tags: [{ Key: tag }] }), { abortSignal: signal }),
    ),
  partOf: ({ vpcId }) => vpcId,
  cli: (props) => command(props),
};

async function put(aws: Aws, { vpcId, tag, value }: VpcTagProps, signal: AbortSignal): Promise<void> {
  await aws.ec2.send(new CreateTagsCommand({ Resources: [vpcId], Tags: [{ Key: tag, Value: value }] }), {
    abortSignal: signal,
  });
}

const command = ({ vpcId, tag, value }: VpcTagProps): readonly string[] => [
  ...['aws', 'ec2', 'create-tags', '--resources', vpcId],
  ...cliTags({ [tag]: value }),
];
