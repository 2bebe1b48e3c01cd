/** Security group rules between the two forms of EC2's API: IpPermission (grouped by protocol and ports) and single rules. */
import type { IpPermission } from '@aws-sdk/client-ec2';
import { formatCidr, parseCidr } from '../cidr.ts';
import { AwsError, find, invalid } from '../errors.ts';
import { tagList } from '../tags.ts';
import { newId, type RegionWorld } from '../world.ts';
import type { SecurityGroupRule } from './records.ts';

const PROTOCOLS: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '1': 'icmp', '58': 'icmpv6', all: '-1' };

/** Groups rules as DescribeSecurityGroups shows them. */
export function permissions(region: RegionWorld, rules: readonly SecurityGroupRule[]) {
  const groups = new Map<string, SecurityGroupRule[]>();
  for (const rule of rules) {
    const key = `${rule.protocol} ${rule.fromPort} ${rule.toPort}`;
    groups.set(key, [...(groups.get(key) ?? []), rule]);
  }
  return [...groups.values()].map((same) => {
    const [first] = same as [SecurityGroupRule, ...SecurityGroupRule[]];
    const described = (rule: SecurityGroupRule) => (rule.description ? { Description: rule.description } : {});
    return {
      IpProtocol: first.protocol,
      ...(first.protocol === '-1' ? {} : { FromPort: first.fromPort, ToPort: first.toPort }),
      IpRanges: same.flatMap((rule) => (rule.cidr4 ? [{ CidrIp: rule.cidr4, ...described(rule) }] : [])),
      Ipv6Ranges: same.flatMap((rule) => (rule.cidr6 ? [{ CidrIpv6: rule.cidr6, ...described(rule) }] : [])),
      PrefixListIds: [],
      UserIdGroupPairs: same.flatMap((rule) =>
        rule.peerGroupId ? [{ GroupId: rule.peerGroupId, UserId: region.account, ...described(rule) }] : [],
      ),
    };
  });
}

/** One rule as DescribeSecurityGroupRules shows it. */
export function describeRule(region: RegionWorld, rule: SecurityGroupRule) {
  return {
    SecurityGroupRuleId: rule.id,
    SecurityGroupRuleArn: `arn:aws:ec2:${region.name}:${region.account}:security-group-rule/${rule.id}`,
    GroupId: rule.groupId,
    GroupOwnerId: region.account,
    IsEgress: rule.egress,
    IpProtocol: rule.protocol,
    FromPort: rule.fromPort,
    ToPort: rule.toPort,
    ...(rule.cidr4 ? { CidrIpv4: rule.cidr4 } : {}),
    ...(rule.cidr6 ? { CidrIpv6: rule.cidr6 } : {}),
    ...(rule.peerGroupId
      ? {
          ReferencedGroupInfo: {
            GroupId: rule.peerGroupId,
            UserId: region.account,
            VpcId: region.securityGroups[rule.peerGroupId]?.vpcId ?? '',
          },
        }
      : {}),
    ...(rule.description ? { Description: rule.description } : {}),
    Tags: tagList(region, rule.id),
  };
}

type Ports = Pick<SecurityGroupRule, 'protocol' | 'fromPort' | 'toPort'>;
type Peer = Pick<SecurityGroupRule, 'cidr4' | 'cidr6' | 'peerGroupId' | 'description'>;

/** Protocol and ports in the form they are kept. Throws for ports outside 0 to 65535 or in the wrong order. */
export function ports(protocol: string | undefined, from: number | undefined, to: number | undefined): Ports {
  if (protocol === undefined)
    throw new AwsError('MissingParameter', 'The request must contain the parameter IpProtocol');
  const name = PROTOCOLS[protocol] ?? protocol.toLowerCase();
  const known = Object.values(PROTOCOLS).includes(name) || (/^\d+$/.test(name) && Number(name) <= 255);
  if (!known) throw invalid(`Invalid value '${protocol}' for IP protocol. Unknown protocol.`);
  if (name === '-1') return { protocol: name, fromPort: -1, toPort: -1 };
  if (name.startsWith('icmp')) return { protocol: name, fromPort: from ?? -1, toPort: to ?? -1 };
  if (name !== 'tcp' && name !== 'udp') return { protocol: name, fromPort: -1, toPort: -1 };
  if (from === undefined || to === undefined)
    throw invalid(`Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.`);
  if (from < 0 || to > 65535 || from > to)
    throw invalid(
      `Invalid value '${from}-${to}' for port range. ports must be between 0 and 65535, the first not above the second`,
    );
  return { protocol: name, fromPort: from, toPort: to };
}

/** An IPv4 range in canonical form. */
export function ipv4Range(text: string): string {
  const cidr = parseCidr(text);
  if (!cidr) throw invalid(`CIDR block ${text} is malformed`);
  return formatCidr(cidr);
}

function checkDescription(text: string | undefined): { description?: string } {
  if (!text) return {};
  if (!/^[\w .:/()#,@[\]+=&;{}!$*-]{1,255}$/.test(text)) {
    throw invalid(
      `Invalid rule description '${text}'. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*`,
    );
  }
  return { description: text };
}

/** The single rules that a request's permissions stand for. */
export function rulesFrom(
  region: RegionWorld,
  groupId: string,
  egress: boolean,
  requested: readonly IpPermission[],
): SecurityGroupRule[] {
  return requested.flatMap((permission) => {
    const range = ports(permission.IpProtocol, permission.FromPort, permission.ToPort);
    if (permission.PrefixListIds?.length) throw invalid('the practice cloud has no prefix lists');
    const peers: Peer[] = [
      ...(permission.IpRanges ?? []).map((one) => ({
        cidr4: ipv4Range(one.CidrIp ?? ''),
        ...checkDescription(one.Description),
      })),
      ...(permission.Ipv6Ranges ?? []).map((one) => ({
        cidr6: one.CidrIpv6 ?? '',
        ...checkDescription(one.Description),
      })),
      ...(permission.UserIdGroupPairs ?? []).map((one) => ({
        peerGroupId: find(region.securityGroups, one.GroupId ?? one.GroupName, 'securityGroup').id,
        ...checkDescription(one.Description),
      })),
    ];
    if (!peers.length)
      throw invalid('Invalid value for IpPermissions: each needs a range or a group as source or destination');
    return peers.map((peer) => ({ id: newId('sgr'), groupId, egress, ...range, ...peer }));
  });
}

/** Do two rules admit the same traffic from the same peer? Their descriptions do not matter. */
export function sameRule(a: SecurityGroupRule, b: SecurityGroupRule): boolean {
  return (
    a.groupId === b.groupId &&
    a.egress === b.egress &&
    a.protocol === b.protocol &&
    a.fromPort === b.fromPort &&
    a.toPort === b.toPort &&
    a.cidr4 === b.cidr4 &&
    a.cidr6 === b.cidr6 &&
    a.peerGroupId === b.peerGroupId
  );
}

/** As AWS words a rule in InvalidPermission.Duplicate. */
export function ruleText(rule: SecurityGroupRule): string {
  const peer = rule.cidr4 ?? rule.cidr6 ?? rule.peerGroupId;
  if (rule.protocol === '-1') return `peer: ${peer}, ALL, ALLOW`;
  return `peer: ${peer}, ${rule.protocol.toUpperCase()}, from port: ${rule.fromPort}, to port: ${rule.toPort}, ALLOW`;
}
