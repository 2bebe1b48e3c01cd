import { createHash } from 'node:crypto';
import { AwsError } from './errors.ts';
import type { Context } from './operation.ts';
import type { RegionWorld } from './world.ts';

/**
 * What an earlier request with the same client token made, if it is still there. Throws IdempotentParameterMismatch when that request
 * had other parameters. `remember` keeps the token for what this request makes.
 */
export function idempotent<T>(
  context: Pick<Context, 'region' | 'fingerprint' | 'considered'>,
  operation: string,
  token: string | undefined,
  lookup: (ids: readonly string[]) => T | undefined,
): { readonly earlier: T | undefined; remember(ids: readonly string[]): void } {
  if (!token) return { earlier: undefined, remember: () => undefined };
  const key = `${operation} ${token}`;
  const { region } = context;
  const hash = context.fingerprint();
  const record = region.tokens[key];
  const earlier = record && lookup(record.ids);
  if (earlier !== undefined && record?.hash !== hash) {
    throw new AwsError(
      'IdempotentParameterMismatch',
      'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
    );
  }
  if (earlier !== undefined) context.considered();
  return {
    earlier,
    remember: (ids) => {
      region.tokens[key] = { hash, ids };
    },
  };
}

/** A hash, so that user data and other long or private parameters are not kept twice. */
export function fingerprint({ ClientToken: _, ...request }: Record<string, unknown>): string {
  return createHash('sha256').update(canonical(request)).digest('hex');
}

/** JSON with sorted keys: equal requests are equal text, whatever the order of their parameters. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value && typeof value === 'object' && !(value instanceof Date)) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Tokens are forgotten with what they made. */
export function sweepTokens(region: RegionWorld): void {
  const { instances, natGateways, routeTables, tokens } = region;
  for (const [token, { ids }] of Object.entries(tokens)) {
    if (!ids.some((id) => instances[id] ?? natGateways[id] ?? routeTables[id])) delete tokens[token];
  }
}
