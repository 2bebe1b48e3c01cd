import {
  AuthorizeSecurityGroupIngressCommand,
  type IpPermission,
  ModifySecurityGroupRulesCommand,
  paginateDescribeSecurityGroupRules,
  RevokeSecurityGroupIngressCommand,
  type SecurityGroupRule,
} from '@aws-sdk/client-ec2';
import type { Found, Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import {
  all,
  cliTagSpecifications,
  ec2Tags,
  found,
  fromTagList,
  must,
  optional,
  TAG,
  tagSpecifications,
  words,
} from './common.ts';
import { readSecurityGroups } from './securityGroup.ts';

/** One ingress rule: who may reach which ports. Exactly one of the two sources. */
export interface IngressRule {
  /** `-1`: everything (then without ports) */
  readonly protocol: 'tcp' | 'udp' | 'icmp' | '-1';
  /** inclusive; for icmp the type and code, -1 = all */
  readonly fromPort?: number;
  readonly toPort?: number;
  /** source by address, such as 198.51.100.7/32 */
  readonly cidr?: string;
  /** source by security group */
  readonly sourceGroupId?: string;
  readonly description?: string;
}

export interface SecurityGroupRulesProps {
  readonly groupId: string;
  readonly rules: readonly IngressRule[];
}

/** `id` is `<group>/<key>` */
export interface SecurityGroupRulesOutput extends Output {
  readonly groupId: string;
  readonly rules: readonly (IngressRule & { readonly ruleId: string })[];
}

/** What makes two rules the same one. The description is none of it: EC2 does not compare it either. */
function identity(rule: IngressRule): string {
  const ports = rule.protocol === '-1' ? '' : `${rule.fromPort ?? -1}-${rule.toPort ?? rule.fromPort ?? -1}`;
  return [rule.protocol, ports, rule.cidr ?? rule.sourceGroupId].join(' ');
}

const ports = (rule: IngressRule) =>
  rule.protocol === '-1' ? {} : { FromPort: rule.fromPort ?? -1, ToPort: rule.toPort ?? rule.fromPort ?? -1 };

const permission = (rule: IngressRule): IpPermission => ({
  IpProtocol: rule.protocol,
  ...ports(rule),
  ...(rule.sourceGroupId === undefined
    ? { IpRanges: [{ CidrIp: rule.cidr, ...optional('Description', rule.description) }] }
    : { UserIdGroupPairs: [{ GroupId: rule.sourceGroupId, ...optional('Description', rule.description) }] }),
});

const fromApi = (rule: SecurityGroupRule): SecurityGroupRulesOutput['rules'][number] => ({
  ruleId: must(rule.SecurityGroupRuleId, 'SecurityGroupRuleId'),
  protocol: (rule.IpProtocol ?? '-1') as IngressRule['protocol'],
  ...(rule.IpProtocol !== '-1' && { ...optional('fromPort', rule.FromPort), ...optional('toPort', rule.ToPort) }),
  ...optional('cidr', rule.CidrIpv4 ?? rule.CidrIpv6),
  ...optional('sourceGroupId', rule.ReferencedGroupInfo?.GroupId),
  ...optional('description', rule.Description),
});

function compare(props: SecurityGroupRulesProps, out: SecurityGroupRulesOutput) {
  const want = new Set(props.rules.map(identity));
  const have = new Set(out.rules.map(identity));
  return {
    missing: props.rules.filter((rule) => !have.has(identity(rule))),
    extra: out.rules.filter((rule) => !want.has(identity(rule))),
  };
}

/** EC2's limit on the values of a filter. */
const MOST_VALUES = 200;

/** All rules of some groups, ours or not: what somebody added to a group of ours has no tags. */
async function readRules(aws: Aws, groupIds: readonly string[]): Promise<SecurityGroupRule[]> {
  const rounds = Array.from({ length: Math.ceil(groupIds.length / MOST_VALUES) }, (_, index) =>
    groupIds.slice(index * MOST_VALUES, (index + 1) * MOST_VALUES),
  );
  const read = rounds.map((Values) =>
    all(
      paginateDescribeSecurityGroupRules(
        { client: aws.ec2, pageSize: 1000 },
        { Filters: [{ Name: 'group-id', Values }] },
      ),
      (page) => page.SecurityGroupRules,
    ),
  );
  return (await Promise.all(read)).flat();
}

function inWords(rule: IngressRule): string {
  const { protocol, fromPort = -1, toPort = fromPort } = rule;
  const range = fromPort === -1 ? '' : fromPort === toPort ? ` ${fromPort}` : ` ${fromPort}-${toPort}`;
  return `${protocol === '-1' ? 'everything' : protocol}${range} from ${rule.cidr ?? rule.sourceGroupId ?? 'elsewhere'}`;
}

/**
 * A set of ingress rules of one group: authorised in one request, tagged in the same, compared as a set. An update makes one request too:
 * what differs is changed in place (the person's address has changed), else what is missing is added, else what is too much is revoked.
 */
export const securityGroupRules: Kind<SecurityGroupRulesProps, SecurityGroupRulesOutput, Aws> = {
  type: 'aws_vpc_security_group_ingress_rule',
  label: 'ingress rules',
  quota: ({ groupId, rules }) => [{ code: 'L-0EA8095F', amount: Array.isArray(rules) ? rules.length : 0, of: groupId }],
  async list(aws, scope) {
    const groups = await readSecurityGroups(aws, scope);
    const ids = groups.flatMap(({ GroupId }) => GroupId ?? []);
    const rules = await scope.once('DescribeSecurityGroupRules', () => readRules(aws, ids));
    // Rules go with their group: only those of an adopted group can stay.
    const kept = new Set(groups.filter((one) => fromTagList(one.Tags)[TAG.origin]).map(({ GroupId }) => GroupId));
    const sets = new Map<string, Found<SecurityGroupRulesOutput>>();
    for (const rule of rules.filter(({ IsEgress }) => !IsEgress)) {
      const { key = '', chapter, adopted } = found({ id: '' }, rule.Tags);
      const groupId = rule.GroupId ?? '';
      const id = `${groupId}/${key}`;
      const earlier = sets.get(id);
      sets.set(id, {
        out: { id, groupId, rules: [...(earlier?.out.rules ?? []), fromApi(rule)] },
        ...(key !== '' && { key }),
        ...optional('chapter', chapter),
        // What a person added to a group of their own has no tags of ours, and is theirs as well.
        ...((adopted || key === '') &&
          kept.has(groupId) &&
          (earlier === undefined || earlier.adopted) && { adopted: true }),
      });
    }
    return [...sets.values()];
  },
  async create(aws, props, { tags, signal }) {
    const answer = await aws.ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: props.groupId,
        IpPermissions: props.rules.map(permission),
        TagSpecifications: tagSpecifications(tags, 'security-group-rule'),
      }),
      { abortSignal: signal },
    );
    return {
      id: `${props.groupId}/${tags[TAG.key] ?? ''}`,
      groupId: props.groupId,
      rules: (answer.SecurityGroupRules ?? []).map(fromApi),
    };
  },
  drift(props, out) {
    const { missing, extra } = compare(props, out);
    return [...missing, ...extra].length === 0
      ? []
      : [
          {
            attribute: 'rules',
            want: props.rules.map(identity),
            have: out.rules.map(identity),
            mend:
              missing.length > 0
                ? words`aws ec2 authorize-security-group-ingress --group-id ${props.groupId} --ip-permissions ${missing.map(cliPermission)}`
                : words`aws ec2 revoke-security-group-ingress --group-id ${props.groupId} --security-group-rule-ids ${extra.map(({ ruleId }) => ruleId)}`,
          },
        ];
  },
  exclusive: ({ rules }) => `ingress rules ${rules.map(inWords).join(', ')}`,
  async candidates(aws, { groupId, rules }) {
    const wanted = new Set(rules.map(identity));
    const free = (await readRules(aws, [groupId])).filter(
      (one) => !one.IsEgress && fromTagList(one.Tags)[TAG.key] === undefined && wanted.has(identity(fromApi(one))),
    );
    if (free.length === 0) return [];
    const made = free.map(fromApi);
    return [{ out: { id: `${groupId}/${made.map(({ ruleId }) => ruleId).join('+')}`, groupId, rules: made } }];
  },
  async update(aws, props, out, { tags, signal }) {
    const { missing, extra } = compare(props, out);
    const options = { abortSignal: signal };
    const GroupId = props.groupId;
    const changed = extra.slice(0, missing.length).map((old, index) => ({ old, rule: missing[index] ?? old }));
    if (changed.length > 0) {
      const SecurityGroupRules = changed.map(({ old, rule }) => ({
        SecurityGroupRuleId: old.ruleId,
        SecurityGroupRule: {
          IpProtocol: rule.protocol,
          ...ports(rule),
          ...optional('CidrIpv4', rule.cidr),
          ...optional('ReferencedGroupId', rule.sourceGroupId),
          ...optional('Description', rule.description),
        },
      }));
      await aws.ec2.send(new ModifySecurityGroupRulesCommand({ GroupId, SecurityGroupRules }), options);
      const rules = out.rules.map((one) => {
        const change = changed.find(({ old }) => old === one);
        return change ? { ...change.rule, ruleId: one.ruleId } : one;
      });
      return { ...out, rules };
    }
    if (missing.length > 0) {
      const answer = await aws.ec2.send(
        new AuthorizeSecurityGroupIngressCommand({
          GroupId,
          IpPermissions: missing.map(permission),
          TagSpecifications: tagSpecifications(tags, 'security-group-rule'),
        }),
        options,
      );
      return { ...out, rules: [...out.rules, ...(answer.SecurityGroupRules ?? []).map(fromApi)] };
    }
    const SecurityGroupRuleIds = extra.map(({ ruleId }) => ruleId);
    await aws.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, SecurityGroupRuleIds }), options);
    return { ...out, rules: out.rules.filter((one) => !extra.includes(one)) };
  },
  delete: (aws, { groupId, rules }, signal) =>
    ignoreGone(
      aws.ec2.send(
        new RevokeSecurityGroupIngressCommand({
          GroupId: groupId,
          SecurityGroupRuleIds: rules.map(({ ruleId }) => ruleId),
        }),
        { abortSignal: signal },
      ),
    ),
  ...ec2Tags(({ rules }) => rules.map(({ ruleId }) => ruleId)),
  cli: (props, { tags }) =>
    words`aws ec2 authorize-security-group-ingress --group-id ${props.groupId} --ip-permissions ${props.rules.map(cliPermission)} ${cliTagSpecifications(tags, 'security-group-rule')}`,
};

function cliPermission(rule: IngressRule): string {
  const parts = Object.entries({ IpProtocol: rule.protocol, ...ports(rule) }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const description = rule.description === undefined ? '' : `,Description="${rule.description}"`;
  return rule.sourceGroupId === undefined
    ? `${parts.join(',')},IpRanges=[{CidrIp=${rule.cidr}${description}}]`
    : `${parts.join(',')},UserIdGroupPairs=[{GroupId=${rule.sourceGroupId}${description}}]`;
}
