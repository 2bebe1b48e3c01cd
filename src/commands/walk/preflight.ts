import { DescribeKeyPairsCommand } from '@aws-sdk/client-ec2';
import { paginateDescribeTargetGroups } from '@aws-sdk/client-elastic-load-balancing-v2';
import { type Account, readAccount } from '../../aws/account.ts';
import type { Aws } from '../../aws/clients.ts';
import { describeSkew } from '../../aws/errors.ts';
import { type Idle, QUOTAS, type Quota } from '../../aws/quotas.ts';
import { consoleLink, describeUse, readLimits, useOf } from '../../aws/quotaUse.ts';
import { all, fromTagList, nameOf, TAG } from '../../aws/resources/common.ts';
import { tagsFor } from '../../engine/tags.ts';
import { CloudspaceError, isRef, type Resource } from '../../engine/types.ts';
import type { Config } from '../../steps/config.ts';

/** One thing that was looked at before anything is made. */
export interface Finding {
  /** `quota.L-F678F1CE`, `overlap`, `names`, `clock` */
  readonly id: string;
  readonly title: string;
  /** `blocking`: AWS will refuse; `warning`: it goes, and a person should know; `unknown`: it could not be found out */
  readonly status: 'ok' | 'warning' | 'blocking' | 'unknown';
  /** Markdown-light */
  readonly detail: string;
  readonly quota?: {
    readonly code: string;
    readonly name: string;
    readonly limit: number;
    /** `default`: AWS's own, the account's could not be read */
    readonly source: 'account' | 'default';
    readonly used: number;
    readonly needed: number;
    readonly idle: readonly Idle[];
    readonly console: string;
  };
}

export interface PreflightOptions {
  readonly aws: Aws;
  readonly config: Config;
  /** the whole walk */
  readonly resources: readonly Resource[];
  /** what is to be made now */
  readonly missing: readonly Resource[];
}

/**
 * Looks ahead, in one round of reads: quotas against what is used and what is to come, networks that overlap, names that are taken, the clock.
 * Never throws for what AWS answers: what could not be read is a finding too. At most thirteen requests (two more when a quota is full).
 */
export async function preflight(options: PreflightOptions): Promise<Finding[]> {
  const { aws } = options;
  const account = readAccount(aws);
  const findings = await Promise.all([
    quotaFindings(options, account),
    guarded('overlap', 'Network', async () => [overlap(options, await account.vpcs())]),
    guarded('names', 'Names', () => names(options, account)),
  ]);
  return [...findings.flat(), clock(aws)];
}

async function guarded(id: string, title: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof CloudspaceError) || error.code === 'Interrupted') throw error;
    return [{ id, title, status: 'unknown', detail: `not looked at: ${error.message}` }];
  }
}

/** What one quota is asked for, by all that is to be made; `zone` where it is counted for each zone. */
interface Need {
  readonly quota: Quota;
  amount: number;
  readonly zone?: string | undefined;
}

async function quotaFindings(options: PreflightOptions, account: Account): Promise<Finding[]> {
  const needs = needsOf(options);
  const quotas = [...new Set(needs.map(({ quota }) => quota))];
  if (quotas.length === 0) return [];
  // The limits and the counts are asked for at the same time.
  const limits = readLimits(options.aws, quotas);
  limits.catch(() => {});
  const findings = needs.map((need) =>
    guarded(`quota.${need.quota.code}`, need.quota.name, async () => {
      await need.quota.used?.(account, need.zone);
      return [judge(await useOf(need.quota, await limits, account, need), need, options.aws.region)];
    }),
  );
  return (await Promise.all(findings)).flat();
}

function judge(use: Awaited<ReturnType<typeof useOf>>, { quota, amount }: Need, region: string): Finding {
  const { limit, source, used, idle } = use;
  const fits = used + amount <= limit;
  return {
    id: `quota.${quota.code}`,
    title: quota.name,
    // AWS's default may long have been raised: it is no reason to stop.
    status: fits ? 'ok' : source === 'account' ? 'blocking' : 'warning',
    detail: fits ? `${used} of ${limit} used, ${amount} more to come` : describeUse(use, amount, region),
    quota: {
      ...{ code: quota.code, name: quota.name, limit, source, used, needed: amount, idle },
      console: consoleLink(quota, region),
    },
  };
}

/** Sums up the kinds' own numbers. What is counted for each group counts all of the walk's for it, and only the fullest is told. */
function needsOf({ resources, missing }: PreflightOptions): Need[] {
  const byKey = new Map(resources.map((resource) => [resource.key, resource]));
  const toCome = new Set(missing);
  const needs = new Map<string, Need>();
  for (const resource of resources) {
    for (const { code, amount, of } of resource.kind.quota?.(resource.props) ?? []) {
      const quota = QUOTAS.find((one) => one.code === code);
      if (!quota || (quota.used && !toCome.has(resource))) continue;
      const zone = isRef(of) ? byKey.get(of.$ref)?.props.zone : undefined;
      const id = `${code} ${quota.used ? (zone ?? '') : isRef(of) ? of.$ref : of}`;
      const need = needs.get(id) ?? { quota, amount: 0, zone: typeof zone === 'string' ? zone : undefined };
      need.amount += amount;
      needs.set(id, need);
    }
  }
  const fullest = new Map<string, Need>();
  for (const need of needs.values())
    if (need.amount > (fullest.get(need.quota.code)?.amount ?? 0)) fullest.set(need.quota.code, need);
  return [...fullest.values()];
}

type Vpc = Awaited<ReturnType<Account['vpcs']>>[number];

/** Two networks with common addresses can live side by side, and never be connected. */
function overlap({ config }: PreflightOptions, vpcs: readonly Vpc[]): Finding {
  const others = vpcs.filter(({ Tags }) => fromTagList(Tags)[TAG.name] !== config.name);
  const overlapping = others.filter((vpc) =>
    [vpc.CidrBlock, ...(vpc.CidrBlockAssociationSet ?? []).map(({ CidrBlock }) => CidrBlock)].some(
      (cidr) => cidr !== undefined && overlaps(cidr, config.cidr),
    ),
  );
  if (overlapping.length === 0)
    return {
      id: 'overlap',
      title: 'Network',
      status: 'ok',
      detail: `no other network here has addresses of ${config.cidr}`,
    };
  const list = overlapping.map(({ VpcId, CidrBlock, Tags }) => {
    const { [TAG.name]: cloudspace, Name = 'no name' } = fromTagList(Tags);
    return `${VpcId} (${cloudspace ?? Name}, ${CidrBlock})`;
  });
  return {
    id: 'overlap',
    title: 'Network',
    status: 'warning',
    detail: `${config.cidr} has addresses in common with ${list.join(', ')}: the two work side by side, and can never be peered. For other addresses: \`--team N\` or \`--cidr\`.`,
  };
}

/** Do two IPv4 ranges (`10.7.0.0/16`) have an address in common? */
export function overlaps(one: string, other: string): boolean {
  const [a, b] = [one, other].map((cidr) => {
    const [ip = '', length = '32'] = cidr.split('/');
    const address = ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const size = 2 ** (32 - Number(length));
    const first = Math.floor(address / size) * size;
    return { first, last: first + size - 1 };
  }) as [{ first: number; last: number }, { first: number; last: number }];
  return a.first <= b.last && b.first <= a.last;
}

/** What AWS knows by name, and how the names that are taken are read. */
const NAMED: Readonly<
  Record<string, (aws: Aws, account: Account, name: string) => Promise<readonly (string | undefined)[]>>
> = {
  aws_lb: async (_aws, { loadBalancers }) => (await loadBalancers()).map(({ LoadBalancerName }) => LoadBalancerName),
  aws_db_instance: async (_aws, { databases }) => (await databases()).map((one) => one.DBInstanceIdentifier),
  aws_lb_target_group: async ({ elb }) =>
    (await all(paginateDescribeTargetGroups({ client: elb, pageSize: 400 }, {}), (page) => page.TargetGroups)).map(
      ({ TargetGroupName }) => TargetGroupName,
    ),
  aws_key_pair: async ({ ec2 }, _account, name) =>
    (
      (await ec2.send(new DescribeKeyPairsCommand({ Filters: [{ Name: 'key-name', Values: [name] }] }))).KeyPairs ?? []
    ).map(({ KeyName }) => KeyName),
};

/** Names that are needed and taken by what does not carry this Cloudspace's tags: AWS would refuse half way. */
async function names({ aws, config, missing }: PreflightOptions, account: Account): Promise<Finding[]> {
  const reads = new Map<string, Promise<readonly (string | undefined)[]>>();
  const taken = await Promise.all(
    missing.map(async ({ key, kind, props }) => {
      const read = NAMED[kind.type];
      if (!read) return [];
      const name =
        kind.type === 'aws_key_pair'
          ? ((props.name as string | undefined) ?? config.name)
          : nameOf(props, tagsFor(config.name, key, ''));
      const there = reads.get(kind.type) ?? read(aws, account, name);
      reads.set(kind.type, there);
      return (await there).includes(name) ? [`${kind.label} \`${name}\``] : [];
    }),
  );
  const found = taken.flat();
  if (found.length === 0)
    return [{ id: 'names', title: 'Names', status: 'ok', detail: 'all that are needed are free' }];
  return [
    {
      id: 'names',
      title: 'Names',
      status: 'blocking',
      detail: `${found.join(', ')} ${found.length === 1 ? 'is' : 'are'} there already, without the tags of ${config.name}: somebody else's, and not touched. Choose another \`--name\`, or delete what nobody needs.`,
    },
  ];
}

/** Above this a person should know (milliseconds); AWS tolerates five minutes, and the SDK corrects itself. */
const NOTABLE_SKEW = 60_000;

function clock(aws: Aws): Finding {
  const skew = aws.skew();
  const about = { id: 'clock', title: 'Clock' } as const;
  if (skew === undefined) return { ...about, status: 'unknown', detail: 'no answer has told the time' };
  if (Math.abs(skew) < NOTABLE_SKEW) return { ...about, status: 'ok', detail: 'as at AWS' };
  return {
    ...about,
    status: 'warning',
    detail: `this machine's clock is wrong: ${describeSkew(skew)}. Requests are signed with AWS's time, other programs may fail: \`timedatectl set-ntp true\`, or the date settings on macOS.`,
  };
}
