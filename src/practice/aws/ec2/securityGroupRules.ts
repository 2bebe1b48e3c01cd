import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, find, invalid, missing, notFound } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { type Context, on } from '../operation.ts';
import { requestedTags, setTags } from '../tags.ts';
import type { RegionWorld } from '../world.ts';
import { describeRule, ipv4Range, ports, rulesFrom, ruleText, sameRule } from './permissions.ts';
import type { SecurityGroup, SecurityGroupRule } from './records.ts';
import { rulesOf } from './securityGroups.ts';

type AuthorizeInput = Omit<ec2.AuthorizeSecurityGroupIngressCommandInput, 'GroupId' | 'GroupName'> & GroupName;
type RevokeInput = Omit<ec2.RevokeSecurityGroupIngressCommandInput, 'GroupId' | 'GroupName'> & GroupName;

interface GroupName {
  readonly GroupId?: string | undefined;
  readonly GroupName?: string | undefined;
}

/** The permissions of a request, which the old form of the API spreads over its top level. */
function requestedPermissions(input: AuthorizeInput | RevokeInput): ec2.IpPermission[] {
  const { IpPermissions, CidrIp, IpProtocol, FromPort, ToPort } = input;
  if (IpPermissions?.length) return IpPermissions;
  if (IpProtocol === undefined) throw missing('ipPermissions');
  if (CidrIp === undefined) throw missing('cidrIp');
  return [{ IpProtocol, FromPort, ToPort, IpRanges: [{ CidrIp }] }];
}

function authorize(input: AuthorizeInput, { region, quotas }: Context, egress: boolean) {
  const group = groupOf(region, input);
  const rules = rulesFrom(region, group.id, egress, requestedPermissions(input));
  const existing = rulesOf(region, group.id);
  for (const [index, rule] of rules.entries()) {
    const known = [...existing, ...rules.slice(0, index)];
    if (known.some((other) => sameRule(rule, other))) {
      throw new AwsError('InvalidPermission.Duplicate', `the specified rule "${ruleText(rule)}" already exists`);
    }
  }
  if (existing.filter((rule) => rule.egress === egress).length + rules.length > quotas.rule) {
    throw new AwsError(
      'RulesPerSecurityGroupLimitExceeded',
      'The maximum number of rules per security group has been reached.',
    );
  }
  const tags = requestedTags(input.TagSpecifications, 'security-group-rule');
  for (const rule of rules) {
    region.securityGroupRules[rule.id] = rule;
    setTags(region, rule.id, tags);
  }
  return { Return: true, SecurityGroupRules: rules.map((rule) => describeRule(region, rule)) };
}

function revoke(input: RevokeInput, { region }: Context, egress: boolean) {
  const group = groupOf(region, input);
  const existing = rulesOf(region, group.id).filter((rule) => rule.egress === egress);
  const ids = input.SecurityGroupRuleIds ?? [];
  const unknown = ids.filter((id) => !existing.some((rule) => rule.id === id));
  if (unknown.length) throw notFound('securityGroupRule', unknown);
  const revoked = ids.length
    ? existing.filter((rule) => ids.includes(rule.id))
    : rulesFrom(region, group.id, egress, requestedPermissions(input)).map((wanted) => {
        const rule = existing.find((one) => sameRule(one, wanted));
        if (!rule) {
          throw new AwsError('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
        }
        return rule;
      });
  for (const rule of revoked) {
    delete region.securityGroupRules[rule.id];
    delete region.tags[rule.id];
  }
  return {
    Return: true,
    RevokedSecurityGroupRules: revoked.map((rule) => ({
      SecurityGroupRuleId: rule.id,
      GroupId: rule.groupId,
      IsEgress: rule.egress,
      IpProtocol: rule.protocol,
      FromPort: rule.fromPort,
      ToPort: rule.toPort,
      ...(rule.cidr4 ? { CidrIpv4: rule.cidr4 } : {}),
      ...(rule.cidr6 ? { CidrIpv6: rule.cidr6 } : {}),
      ...(rule.peerGroupId ? { ReferencedGroupId: rule.peerGroupId } : {}),
      ...(rule.description ? { Description: rule.description } : {}),
    })),
  };
}

function groupOf(region: RegionWorld, input: GroupName): SecurityGroup {
  if (input.GroupId === undefined && input.GroupName === undefined) throw missing('groupId');
  return find(region.securityGroups, input.GroupId ?? input.GroupName, 'securityGroup');
}

export const securityGroupRuleOperations = [
  on(ec2.AuthorizeSecurityGroupIngressCommand, (input, context) => authorize(input, context, false)),
  on(ec2.AuthorizeSecurityGroupEgressCommand, (input, context) => authorize(input, context, true)),
  on(ec2.RevokeSecurityGroupIngressCommand, (input, context) => revoke(input, context, false)),
  on(ec2.RevokeSecurityGroupEgressCommand, (input, context) => revoke(input, context, true)),

  on(ec2.DescribeSecurityGroupRulesCommand, (input, { region }) => {
    const ids = input.SecurityGroupRuleIds ?? [];
    const unknown = ids.filter((id) => !region.securityGroupRules[id]);
    if (unknown.length) throw notFound('securityGroupRule', unknown);
    const described = Object.values(region.securityGroupRules)
      .filter((rule) => !ids.length || ids.includes(rule.id))
      .map((rule) => describeRule(region, rule));
    const { items, next } = page(filtered(described, input.Filters, ec2.SecurityGroupRule$), input);
    return { SecurityGroupRules: items, ...next };
  }),

  on(ec2.ModifySecurityGroupRulesCommand, (input, { region }) => {
    const group = find(region.securityGroups, input.GroupId, 'securityGroup');
    for (const { SecurityGroupRuleId, SecurityGroupRule } of input.SecurityGroupRules ?? []) {
      const rule = find(region.securityGroupRules, SecurityGroupRuleId, 'securityGroupRule');
      if (rule.groupId !== group.id) throw notFound('securityGroupRule', [rule.id]);
      if (!SecurityGroupRule) throw missing('SecurityGroupRule');
      const next = { ...modified(region, rule, SecurityGroupRule) };
      if (rulesOf(region, group.id).some((other) => other.id !== rule.id && sameRule(other, next))) {
        throw new AwsError('InvalidPermission.Duplicate', `the specified rule "${ruleText(next)}" already exists`);
      }
      region.securityGroupRules[rule.id] = next;
    }
    return { Return: true };
  }),

  on(ec2.UpdateSecurityGroupRuleDescriptionsIngressCommand, (input, { region }) => describeAnew(region, input, false)),
  on(ec2.UpdateSecurityGroupRuleDescriptionsEgressCommand, (input, { region }) => describeAnew(region, input, true)),
];

/** A rule with everything but its id, group and direction replaced. */
function modified(
  region: RegionWorld,
  rule: SecurityGroupRule,
  request: ec2.SecurityGroupRuleRequest,
): SecurityGroupRule {
  const { CidrIpv4, CidrIpv6, ReferencedGroupId, Description } = request;
  if ([CidrIpv4, CidrIpv6, ReferencedGroupId].filter((peer) => peer !== undefined).length !== 1) {
    throw invalid('a rule has exactly one source or destination: CidrIpv4, CidrIpv6 or ReferencedGroupId');
  }
  return {
    id: rule.id,
    groupId: rule.groupId,
    egress: rule.egress,
    ...ports(request.IpProtocol, request.FromPort, request.ToPort),
    ...(CidrIpv4 === undefined ? {} : { cidr4: ipv4Range(CidrIpv4) }),
    ...(CidrIpv6 === undefined ? {} : { cidr6: CidrIpv6 }),
    ...(ReferencedGroupId === undefined
      ? {}
      : { peerGroupId: find(region.securityGroups, ReferencedGroupId, 'securityGroup').id }),
    ...(Description ? { description: Description } : {}),
  };
}

function describeAnew(
  region: RegionWorld,
  input: ec2.UpdateSecurityGroupRuleDescriptionsIngressCommandInput,
  egress: boolean,
) {
  const group = groupOf(region, input);
  const set = (rule: SecurityGroupRule, description: string | undefined) => {
    if (description) rule.description = description;
    else delete rule.description;
  };
  for (const { SecurityGroupRuleId, Description } of input.SecurityGroupRuleDescriptions ?? []) {
    set(find(region.securityGroupRules, SecurityGroupRuleId, 'securityGroupRule'), Description);
  }
  for (const wanted of rulesFrom(region, group.id, egress, input.IpPermissions ?? [])) {
    const rule = rulesOf(region, group.id).find((one) => sameRule(one, wanted));
    if (!rule)
      throw new AwsError('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
    set(rule, wanted.description);
  }
  return { Return: true };
}
