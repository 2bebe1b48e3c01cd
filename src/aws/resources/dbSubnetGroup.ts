import {
  CreateDBSubnetGroupCommand,
  type DBSubnetGroup,
  DeleteDBSubnetGroupCommand,
  ListTagsForResourceCommand,
  ModifyDBSubnetGroupCommand,
  paginateDescribeDBSubnetGroups,
} from '@aws-sdk/client-rds';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { all, cliTags, differs, found, fromTagList, must, nameOf, rdsTags, TAG, tagList, words } from './common.ts';

export interface DbSubnetGroupProps {
  /** in two zones at least */
  readonly subnetIds: readonly string[];
  readonly description: string;
  /** left out: `<cloudspace>-<key>` */
  readonly name?: string;
}

/** `id` is the name */
export interface DbSubnetGroupOutput extends Output {
  readonly arn: string;
  readonly subnetIds: readonly string[];
}

const output = (group: DBSubnetGroup | undefined): DbSubnetGroupOutput => ({
  id: must(group?.DBSubnetGroupName, 'DBSubnetGroupName'),
  arn: group?.DBSubnetGroupArn ?? '',
  subnetIds: (group?.Subnets ?? []).flatMap(({ SubnetIdentifier }) => SubnetIdentifier ?? []),
});

export const dbSubnetGroup: Kind<DbSubnetGroupProps, DbSubnetGroupOutput, Aws> = {
  type: 'aws_db_subnet_group',
  label: 'database subnet group',
  async list(aws, scope) {
    const groups = await scope.once('DescribeDBSubnetGroups', () =>
      all(paginateDescribeDBSubnetGroups({ client: aws.rds, pageSize: 100 }, {}), (page) => page.DBSubnetGroups),
    );
    // the answer has no tags: ask for those that are called like ours
    const ours = groups.filter(({ DBSubnetGroupName = '' }) => DBSubnetGroupName.startsWith(`${scope.name}-`));
    const tagged = await Promise.all(
      ours.map(async (group) => {
        const answer = await aws.rds.send(new ListTagsForResourceCommand({ ResourceName: group.DBSubnetGroupArn }));
        return { group, tags: answer.TagList };
      }),
    );
    return tagged
      .filter(({ tags }) => fromTagList(tags)[TAG.name] === scope.name)
      .map(({ group, tags }) => found(output(group), tags));
  },
  async create(aws, props, { tags, signal }) {
    const answer = await aws.rds.send(
      new CreateDBSubnetGroupCommand({
        DBSubnetGroupName: nameOf(props, tags),
        DBSubnetGroupDescription: props.description,
        SubnetIds: [...props.subnetIds],
        Tags: tagList(tags),
      }),
      { abortSignal: signal },
    );
    return output(answer.DBSubnetGroup);
  },
  drift: (props, out) =>
    differs('subnetIds', [...props.subnetIds].sort(), [...out.subnetIds].sort(), {
      mend: words`aws rds modify-db-subnet-group --db-subnet-group-name ${out.id} --subnet-ids ${props.subnetIds}`,
    }),
  async update(aws, props, out, { signal }) {
    const answer = await aws.rds.send(
      new ModifyDBSubnetGroupCommand({ DBSubnetGroupName: out.id, SubnetIds: [...props.subnetIds] }),
      { abortSignal: signal },
    );
    return output(answer.DBSubnetGroup);
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.rds.send(new DeleteDBSubnetGroupCommand({ DBSubnetGroupName: id }), { abortSignal: signal })),
  ...rdsTags,
  cli: (props, { tags }) =>
    words`aws rds create-db-subnet-group --db-subnet-group-name ${nameOf(props, tags)} --db-subnet-group-description ${props.description} --subnet-ids ${props.subnetIds} ${cliTags(tags)}`,
};
