import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, dependency, find, invalid, missing, notFound } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { on } from '../operation.ts';
import { requestedTags, setTags, tagList } from '../tags.ts';
import { newId, type RegionWorld } from '../world.ts';
import { networkInterfaces } from './interfaces.ts';
import { permissions } from './permissions.ts';
import type { SecurityGroup, SecurityGroupRule } from './records.ts';

export function rulesOf(region: RegionWorld, groupId: string): SecurityGroupRule[] {
  return Object.values(region.securityGroupRules).filter((rule) => rule.groupId === groupId);
}

/** Makes a group with the rules every group starts with: all traffic out, and for the default group all traffic among its members. */
export function createGroup(region: RegionWorld, vpcId: string, name: string, description: string): SecurityGroup {
  const group: SecurityGroup = { id: newId('sg'), vpcId, name, description };
  region.securityGroups[group.id] = group;
  const all = { groupId: group.id, protocol: '-1', fromPort: -1, toPort: -1 };
  const out: SecurityGroupRule = { id: newId('sgr'), ...all, egress: true, cidr4: '0.0.0.0/0' };
  region.securityGroupRules[out.id] = out;
  if (name === 'default') {
    const among: SecurityGroupRule = { id: newId('sgr'), ...all, egress: false, peerGroupId: group.id };
    region.securityGroupRules[among.id] = among;
  }
  return group;
}

export function removeGroup(region: RegionWorld, id: string): void {
  for (const rule of rulesOf(region, id)) {
    delete region.securityGroupRules[rule.id];
    delete region.tags[rule.id];
  }
  delete region.securityGroups[id];
  delete region.tags[id];
}

/** Throws unless all groups exist and belong to the network. */
export function checkGroups(region: RegionWorld, ids: readonly string[], vpcId: string, subnetId: string): void {
  for (const id of ids) {
    if (find(region.securityGroups, id, 'securityGroup').vpcId !== vpcId) {
      throw new AwsError(
        'InvalidParameter',
        `Security group ${id} and subnet ${subnetId} belong to different networks.`,
      );
    }
  }
}

export function defaultGroupOf(region: RegionWorld, vpcId: string): string {
  const group = Object.values(region.securityGroups).find((one) => one.vpcId === vpcId && one.name === 'default');
  if (!group) throw new Error(`VPC ${vpcId} has no default security group`);
  return group.id;
}

function describeGroup(region: RegionWorld, group: SecurityGroup) {
  const rules = rulesOf(region, group.id);
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    VpcId: group.vpcId,
    OwnerId: region.account,
    SecurityGroupArn: `arn:aws:ec2:${region.name}:${region.account}:security-group/${group.id}`,
    IpPermissions: permissions(
      region,
      rules.filter((rule) => !rule.egress),
    ),
    IpPermissionsEgress: permissions(
      region,
      rules.filter((rule) => rule.egress),
    ),
    Tags: tagList(region, group.id),
  };
}

export const securityGroupOperations = [
  on(ec2.CreateSecurityGroupCommand, (input, { region, quotas }) => {
    const { GroupName = '', Description = '' } = input;
    if (input.VpcId === undefined) throw missing('VpcId: there is no default VPC');
    const vpc = find(region.vpcs, input.VpcId, 'vpc');
    if (!/^[\w .:/()#,@[\]+=&;{}!$*-]{1,255}$/.test(GroupName)) {
      throw invalid(
        `Value (${GroupName}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported.`,
      );
    }
    if (GroupName.startsWith('sg-')) {
      throw invalid(
        `Value (${GroupName}) for parameter GroupName is invalid. Group names may not be in the format sg-*.`,
      );
    }
    if (!/^[\w .:/()#,@[\]+=&;{}!$*-]{1,255}$/.test(Description)) {
      throw invalid(
        `Value (${Description}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported.`,
      );
    }
    const groups = Object.values(region.securityGroups);
    if (groups.some((group) => group.vpcId === vpc.id && group.name === GroupName)) {
      throw new AwsError(
        'InvalidGroup.Duplicate',
        `The security group '${GroupName}' already exists for VPC '${vpc.id}'`,
      );
    }
    if (groups.length >= quotas.group) {
      throw new AwsError('SecurityGroupLimitExceeded', 'The maximum number of security groups has been reached.');
    }
    const { id } = createGroup(region, vpc.id, GroupName, Description);
    setTags(region, id, requestedTags(input.TagSpecifications, 'security-group'));
    return {
      GroupId: id,
      SecurityGroupArn: `arn:aws:ec2:${region.name}:${region.account}:security-group/${id}`,
      Tags: tagList(region, id),
    };
  }),

  on(ec2.DescribeSecurityGroupsCommand, (input, { region }) => {
    const { GroupIds = [], GroupNames = [] } = input;
    const all = Object.values(region.securityGroups);
    const unknown = GroupIds.filter((id) => !region.securityGroups[id]);
    if (unknown.length) throw notFound('securityGroup', unknown);
    // Names address groups of the default VPC only, and there is none.
    if (GroupNames.length) throw notFound('securityGroup', GroupNames);
    const described = all
      .filter((group) => !GroupIds.length || GroupIds.includes(group.id))
      .map((group) => describeGroup(region, group));
    const found = filtered(described, input.Filters, ec2.SecurityGroup$, {
      'ip-permission.cidr': 'IpPermissions.IpRanges.CidrIp',
      'ip-permission.from-port': 'IpPermissions.FromPort',
      'ip-permission.to-port': 'IpPermissions.ToPort',
      'ip-permission.protocol': 'IpPermissions.IpProtocol',
      'ip-permission.group-id': 'IpPermissions.UserIdGroupPairs.GroupId',
      'egress.ip-permission.cidr': 'IpPermissionsEgress.IpRanges.CidrIp',
      'egress.ip-permission.from-port': 'IpPermissionsEgress.FromPort',
      'egress.ip-permission.to-port': 'IpPermissionsEgress.ToPort',
      'egress.ip-permission.protocol': 'IpPermissionsEgress.IpProtocol',
      'egress.ip-permission.group-id': 'IpPermissionsEgress.UserIdGroupPairs.GroupId',
    });
    const { items, next } = page(found, input);
    return { SecurityGroups: items, ...next };
  }),

  on(ec2.DeleteSecurityGroupCommand, ({ GroupId, GroupName }, context) => {
    const { region } = context;
    if (GroupId === undefined)
      throw GroupName === undefined ? missing('GroupId') : notFound('securityGroup', [GroupName]);
    const group = find(region.securityGroups, GroupId, 'securityGroup');
    if (group.name === 'default') {
      throw new AwsError(
        'CannotDelete',
        `the specified group: "${group.id}" name: "default" cannot be deleted by a user`,
      );
    }
    const used = networkInterfaces(context).some((one) => one.Groups.some((member) => member.GroupId === group.id));
    const referenced = Object.values(region.securityGroupRules).some(
      (rule) => rule.peerGroupId === group.id && rule.groupId !== group.id,
    );
    if (used || referenced) throw dependency(`resource ${group.id} has a dependent object`);
    removeGroup(region, group.id);
    return { Return: true, GroupId: group.id };
  }),
];
