import * as rds from '@aws-sdk/client-rds';
import { AwsError } from '../errors.ts';
import { on } from '../operation.ts';
import type { RegionWorld } from '../world.ts';
import { addTags, arn, filtered, invalidValue, pageOf } from './common.ts';
import type { DbSubnetGroup } from './records.ts';

export function subnetGroup(region: RegionWorld, name: string | undefined): DbSubnetGroup {
  const found = region.dbSubnetGroups[(name ?? 'default').toLowerCase()];
  if (!found)
    throw new AwsError('DBSubnetGroupNotFoundFault', `DB subnet group '${name ?? 'default'}' does not exist.`, 404);
  return found;
}

export function describeSubnetGroup(region: RegionWorld, group: DbSubnetGroup) {
  return {
    DBSubnetGroupName: group.name,
    DBSubnetGroupDescription: group.description,
    DBSubnetGroupArn: group.arn,
    VpcId: group.vpcId,
    SubnetGroupStatus: 'Complete',
    SupportedNetworkTypes: ['IPV4'],
    Subnets: group.subnetIds.flatMap((id) => {
      const subnet = region.subnets[id];
      return subnet
        ? [
            {
              SubnetIdentifier: id,
              SubnetAvailabilityZone: { Name: subnet.zone },
              SubnetOutpost: {},
              SubnetStatus: 'Active',
            },
          ]
        : [];
    }),
  };
}

/** Throws unless the subnets exist, lie in one network and cover two zones. */
function checkSubnets(region: RegionWorld, ids: readonly string[]): string {
  const subnets = ids.map((id) => {
    const subnet = region.subnets[id];
    if (!subnet) throw new AwsError('InvalidSubnet', `Some input subnets in :[${id}] are invalid.`);
    return subnet;
  });
  const [first] = subnets;
  if (!first || new Set(subnets.map((subnet) => subnet.zone)).size < 2) {
    throw new AwsError(
      'DBSubnetGroupDoesNotCoverEnoughAZs',
      "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: " +
        `${[...new Set(subnets.map((subnet) => subnet.zone))].join(', ')}. Add subnets to cover at least 2 AZs.`,
    );
  }
  if (subnets.some((subnet) => subnet.vpcId !== first.vpcId)) {
    throw new AwsError('InvalidSubnet', 'The DB subnet group cannot span several VPCs.');
  }
  return first.vpcId;
}

export const subnetGroupOperations = [
  on(rds.CreateDBSubnetGroupCommand, (input, { region, quotas }) => {
    const { DBSubnetGroupName = '', DBSubnetGroupDescription = '', SubnetIds = [] } = input;
    const name = DBSubnetGroupName.toLowerCase();
    if (!/^[a-z][a-z0-9 ._-]{0,254}$/.test(name) || name === 'default') {
      throw invalidValue(`The parameter DBSubnetGroupName is not valid: '${DBSubnetGroupName}'`);
    }
    if (!DBSubnetGroupDescription)
      throw invalidValue('The parameter DBSubnetGroupDescription must be provided and must not be blank.');
    if (region.dbSubnetGroups[name]) {
      throw new AwsError('DBSubnetGroupAlreadyExists', `The DB subnet group '${name}' already exists.`);
    }
    if (Object.keys(region.dbSubnetGroups).length >= quotas['db-subnet-group']) {
      throw new AwsError('DBSubnetGroupQuotaExceeded', 'The maximum number of DB subnet groups has been reached');
    }
    const group: DbSubnetGroup = {
      name,
      arn: arn(region, 'subgrp', name),
      vpcId: checkSubnets(region, SubnetIds),
      description: DBSubnetGroupDescription,
      subnetIds: [...new Set(SubnetIds)],
    };
    region.dbSubnetGroups[name] = group;
    addTags(region, group.arn, input.Tags);
    return { DBSubnetGroup: describeSubnetGroup(region, group) };
  }),

  on(rds.DescribeDBSubnetGroupsCommand, (input, { region }) => {
    const { DBSubnetGroupName } = input;
    const groups =
      DBSubnetGroupName === undefined ? Object.values(region.dbSubnetGroups) : [subnetGroup(region, DBSubnetGroupName)];
    const { items, next } = pageOf(filtered(groups, input.Filters, {}), input);
    return { DBSubnetGroups: items.map((group) => describeSubnetGroup(region, group)), ...next };
  }),

  on(rds.ModifyDBSubnetGroupCommand, (input, { region }) => {
    const group = subnetGroup(region, input.DBSubnetGroupName);
    const { SubnetIds = [], DBSubnetGroupDescription } = input;
    if (checkSubnets(region, SubnetIds) !== group.vpcId) {
      throw new AwsError('InvalidSubnet', `The new subnets are not in the DB subnet group's VPC ${group.vpcId}.`);
    }
    const used = Object.values(region.dbInstances).filter((one) => one.subnetGroup === group.name);
    const inUse = used.find((one) => !SubnetIds.includes(one.interface.subnetId));
    if (inUse)
      throw new AwsError('SubnetAlreadyInUse', `The subnet ${inUse.interface.subnetId} is in use by ${inUse.id}.`);
    group.subnetIds = [...new Set(SubnetIds)];
    group.description = DBSubnetGroupDescription ?? group.description;
    return { DBSubnetGroup: describeSubnetGroup(region, group) };
  }),

  on(rds.DeleteDBSubnetGroupCommand, ({ DBSubnetGroupName }, { region }) => {
    const group = subnetGroup(region, DBSubnetGroupName);
    const user = Object.values(region.dbInstances).find((one) => one.subnetGroup === group.name);
    if (user) {
      throw new AwsError(
        'InvalidDBSubnetGroupStateFault',
        `Cannot delete the subnet group '${group.name}' because at least one database instance: ${user.id} is still using it.`,
      );
    }
    delete region.dbSubnetGroups[group.name];
    delete region.tags[group.arn];
    return {};
  }),
];
