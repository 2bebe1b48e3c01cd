import * as quotas from '@aws-sdk/client-service-quotas';
import { AwsError } from './errors.ts';
import { type Context, on } from './operation.ts';
import { QUOTAS, type Quota } from './quotas.ts';

type Values = Readonly<Record<Quota, number>>;
const DEFAULTS = Object.fromEntries(Object.entries(QUOTAS).map(([name, { value }]) => [name, value])) as Values;

/** The quotas that the practice cloud enforces, of one service. Throws NoSuchResourceException for a service that has none. */
function ofService(service: string | undefined, values: Values, { account, regionName }: Context) {
  const found = Object.entries(QUOTAS)
    .filter(([, quota]) => quota.service === service)
    .map(([name, { code, name: QuotaName }]) => ({
      ServiceCode: service,
      QuotaArn: `arn:aws:servicequotas:${regionName}:${account}:${service}/${code}`,
      QuotaCode: code,
      QuotaName,
      Value: values[name as Quota],
      Unit: 'None',
      Adjustable: true,
      GlobalQuota: false,
    }));
  if (found.length === 0)
    throw new AwsError(
      'NoSuchResourceException',
      `The request failed because the service ${service} has no quotas here.`,
    );
  return found;
}

function page<T>(items: readonly T[], token: string | undefined, size = 100): { Quotas: T[]; NextToken?: string } {
  const from = Number(token ?? 0);
  if (!Number.isInteger(from) || from < 0 || from > items.length)
    throw new AwsError('InvalidPaginationTokenException', 'Invalid NextToken.');
  const next = from + size;
  return { Quotas: items.slice(from, next), ...(next < items.length ? { NextToken: String(next) } : {}) };
}

export const serviceQuotaOperations = [
  on(quotas.ListServiceQuotasCommand, ({ ServiceCode, MaxResults, NextToken }, context) =>
    page(ofService(ServiceCode, context.quotas, context), NextToken, MaxResults),
  ),

  on(quotas.ListAWSDefaultServiceQuotasCommand, ({ ServiceCode, MaxResults, NextToken }, context) =>
    page(ofService(ServiceCode, DEFAULTS, context), NextToken, MaxResults),
  ),

  on(quotas.GetServiceQuotaCommand, ({ ServiceCode, QuotaCode }, context) => {
    const Quota = ofService(ServiceCode, context.quotas, context).find((one) => one.QuotaCode === QuotaCode);
    if (!Quota)
      throw new AwsError(
        'NoSuchResourceException',
        `The request failed because the quota ${QuotaCode} does not exist.`,
      );
    return { Quota };
  }),
];
