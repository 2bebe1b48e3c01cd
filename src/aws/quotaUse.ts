import { GetServiceQuotaCommand, paginateListServiceQuotas, ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { CloudspaceError } from '../engine/types.ts';
import { type Account, readAccount } from './account.ts';
import type { Aws } from './clients.ts';
import { codeOf } from './errors.ts';
import { type Idle, QUOTAS, type Quota } from './quotas.ts';
import { all } from './resources/common.ts';

export interface QuotaUse {
  readonly quota: Quota;
  readonly limit: number;
  /** `default`: the account's own could not be read, AWS's default is shown in its place */
  readonly source: 'account' | 'default';
  readonly used: number;
  /** found when there is too little room */
  readonly idle: readonly Idle[];
}

/**
 * The account's own values, by code. Where Service Quotas has none, AWS's default holds; where it may not be asked, that is all there is to show, and the
 * source says so. Two or more of a service come in one list, but for EC2's, which is several pages long.
 */
export async function readLimits(
  aws: Aws,
  quotas: readonly Quota[],
): Promise<ReadonlyMap<string, Pick<QuotaUse, 'limit' | 'source'>>> {
  const client = aws.another('servicequotas', (config) => new ServiceQuotasClient(config));
  const services = [...new Set(quotas.map(({ service }) => service))];
  const answers = await Promise.all(
    services.flatMap((service) => {
      const mine = quotas.filter((quota) => quota.service === service);
      if (service === 'ec2' || mine.length === 1)
        return mine.map((quota) =>
          client
            .send(new GetServiceQuotaCommand({ ServiceCode: service, QuotaCode: quota.code }))
            .then(({ Quota }): Values => new Map([[quota.code, Quota?.Value]]), orNone)
            .then((values) => [limitOf(quota, values)]),
        );
      return [
        all(paginateListServiceQuotas({ client, pageSize: 100 }, { ServiceCode: service }), (page) => page.Quotas)
          .then((list): Values => new Map(list.map(({ QuotaCode = '', Value }) => [QuotaCode, Value])), orNone)
          .then((values) => mine.map((quota) => limitOf(quota, values))),
      ];
    }),
  );
  return new Map(answers.flat());
}

const limitOf = (
  { code, standard }: Quota,
  values: Values | undefined,
): [string, Pick<QuotaUse, 'limit' | 'source'>] => [
  code,
  { limit: values?.get(code) ?? standard, source: values === undefined ? 'default' : 'account' },
];

type Values = ReadonlyMap<string, number | undefined>;

/** Empty: there is no value of the account's own, AWS's default holds. Undefined: nobody may or can say. */
function orNone(error: unknown): Values | undefined {
  return codeOf(error) === 'NoSuchResource' ? new Map() : undefined;
}

/** How much of a quota is used; with too little room for `more`, who could make some. */
export async function useOf(
  quota: Quota,
  limits: ReadonlyMap<string, Pick<QuotaUse, 'limit' | 'source'>>,
  account: Account,
  more: { readonly amount: number; readonly zone?: string | undefined },
): Promise<QuotaUse> {
  const { limit, source } = limits.get(quota.code) ?? { limit: quota.standard, source: 'default' as const };
  const used = (await quota.used?.(account, more.zone)) ?? 0;
  const idle = used + more.amount > limit ? ((await quota.idle?.(account)) ?? []) : [];
  return { quota, limit, source, used, idle };
}

/** The page on which an account's owner sees and raises a quota. */
export function consoleLink(quota: Pick<Quota, 'service' | 'code'>, region: string): string {
  return `https://${region}.console.aws.amazon.com/servicequotas/home/services/${quota.service}/quotas/${quota.code}`;
}

const MOST_SHOWN = 10;

/** A quota that leaves too little room, for people: how much, who does not use theirs, where to ask for more. Markdown-light. */
export function describeUse(use: QuotaUse, amount: number, region: string): string {
  const { quota, limit, used, idle, source } = use;
  const counted = quota.used ? `${used} of ${limit} ${used === 1 ? 'is' : 'are'} used` : `${limit} is the most`;
  return [
    `**${quota.name}**: ${counted}${source === 'default' ? " (AWS's default; the account's own value could not be read)" : ''}, ${amount} more ${amount === 1 ? 'is' : 'are'} needed.`,
    ...(idle.length > 0
      ? [
          '',
          'Not in use:',
          ...idle.slice(0, MOST_SHOWN).map(({ id, what, command }) => `- ${id} (${what}): \`${command}\``),
        ]
      : []),
    '',
    `${idle.length > 0 ? 'Free what nobody needs, or ask' : 'Ask'} for more: quota ${quota.code}, ${consoleLink(quota, region)}`,
  ].join('\n');
}

/**
 * When AWS refused because a quota is full: which one, how it stands, who could make room. Undefined for every other error, and when that cannot be
 * found out. Reads only.
 */
async function explainQuota(aws: Aws, error: unknown): Promise<string | undefined> {
  const code = codeOf(error);
  const quota = QUOTAS.find(({ errors }) => errors.includes(code));
  if (!quota) return undefined;
  try {
    const limits = await readLimits(aws, [quota]);
    const use = await useOf(quota, limits, readAccount(aws), { amount: Number.POSITIVE_INFINITY });
    return describeUse(use, 1, aws.region);
  } catch {
    // The refusal itself is what matters; its own text names the quota.
    return undefined;
  }
}

/** For `connect`: puts what {@link explainQuota} knows in the place of the hint; requests that fail together are explained once. */
export function quotaExplainer(aws: () => Aws): (error: CloudspaceError) => Promise<CloudspaceError> {
  const asked = new Map<string, Promise<string | undefined>>();
  return async (error) => {
    if (error.code !== 'QuotaExceeded') return error;
    const code = codeOf(error);
    const asking = asked.get(code) ?? explainQuota(aws(), error).finally(() => asked.delete(code));
    asked.set(code, asking);
    const text = await asking;
    if (text === undefined) return error;
    const { message, requestId, cause } = error;
    return new CloudspaceError(message, {
      ...{ code: error.code, requestId, cause },
      hint: `${text.replaceAll(/\n+/g, '\n')}\nThen run the same command again: it goes on here.`,
    });
  };
}
