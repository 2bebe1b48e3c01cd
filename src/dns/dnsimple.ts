import { setTimeout as sleep } from 'node:timers/promises';
import type { Fetcher, ZoneRecord } from 'dnsimple';
import { CloudspaceError } from '../engine/types.ts';
import type { Change, DnsProvider, DnsRecord, NewRecord, Zone } from './provider.ts';

export interface DnsimpleOptions {
  readonly token: string;
  /** DNSimple's sandbox in place of the real thing (same API, other accounts, names that no server answers for), or the address of another server that speaks API v2 */
  readonly sandbox?: boolean | string;
  /** refuses every change before it is sent */
  readonly readOnly?: boolean;
  readonly signal?: AbortSignal;
}

const ATTEMPTS = 4;

/** Where the API is: the real one, its sandbox (`true`), or a server of one's own. */
export const dnsimpleAddress = (sandbox: boolean | string = false): string =>
  typeof sandbox === 'string' ? sandbox.replace(/\/$/, '') : `https://api.${sandbox ? 'sandbox.' : ''}dnsimple.com`;

/**
 * DNSimple by its API v2 (developer.dnsimple.com/v2). The token's account is looked up: an account token names it, a user token has to see exactly
 * one account. Records go in by "batch change zone records", which is a transaction.
 */
export async function dnsimple(options: DnsimpleOptions): Promise<DnsProvider> {
  const { DNSimple } = await import('dnsimple');
  const baseUrl = dnsimpleAddress(options.sandbox);
  const client = new DNSimple({
    accessToken: options.token,
    baseUrl,
    userAgent: 'cloudspace',
    fetcher: fetcher(options.signal),
  });
  const ask = <T>(what: string, work: () => Promise<T>): Promise<T> =>
    work().catch((error: unknown) => {
      throw translate(error, what, baseUrl);
    });

  const account = await ask('look up whose token it is', async () => {
    const { data } = await client.identity.whoami();
    if (data.account) return data.account.id;
    const { data: accounts } = await client.accounts.listAccounts();
    if (accounts.length === 1 && accounts[0]) return accounts[0].id;
    throw new CloudspaceError(`the DNSimple token belongs to a user with ${accounts.length} accounts`, {
      code: 'DnsAccount',
      hint: 'make an account token instead: DNSimple, Account, Automation, API tokens',
      exitCode: 2,
    });
  });

  async function list(
    zone: string,
    params: { name?: string; name_like?: string; type?: string },
  ): Promise<ZoneRecord[]> {
    return ask(`read the records of ${zone}`, async () => {
      const found: ZoneRecord[] = [];
      for await (const one of client.zones.listZoneRecords.iterateAll(account, zone, { ...params, per_page: 100 }))
        found.push(one);
      return found;
    });
  }

  return {
    label: options.sandbox === true ? 'DNSimple (sandbox)' : 'DNSimple',
    zones: () =>
      ask('list the zones', async () => {
        const found: Zone[] = [];
        for await (const { name } of client.zones.listZones.iterateAll(account, { per_page: 100 }))
          found.push({ id: name, name });
        return found;
      }),
    async records(zone, under) {
      const records = await list(zone, { name_like: relative(under, zone).replace(/^\*\./, '') });
      return records
        .filter((one) => one.parent_id === null || one.parent_id === undefined)
        .map((one) => record(one, zone))
        .filter(({ name }) => name === under || name.endsWith(`.${under}`));
    },
    async change(zone, change) {
      if (options.readOnly)
        throw new CloudspaceError('DNS records would change, and this run only looks', { code: 'ReadOnly' });
      await ask(`change the records of ${zone}`, () =>
        client.request('POST', `/${account}/zones/${zone}/batch`, batch(zone, change), {}),
      );
    },
    async nameServers(zone) {
      if (options.sandbox === true) return [];
      return (await list(zone, { name: '', type: 'NS' })).filter((one) => one.name === '').map((one) => one.content);
    },
  };
}

const relative = (name: string, zone: string): string => (name === zone ? '' : name.slice(0, -zone.length - 1));

function record({ id, name, type, content, ttl }: ZoneRecord, zone: string): DnsRecord {
  return {
    id: String(id),
    name: name === '' ? zone : `${name}.${zone}`.toLowerCase(),
    type,
    // A text may come back in the quotation marks of a zone file.
    content: type === 'TXT' ? content.replace(/^"(.*)"$/, '$1') : content.toLowerCase().replace(/\.$/, ''),
    ttl,
  };
}

function batch(zone: string, { create = [], replace = [], remove = [] }: Change) {
  const body = ({ name, type, content, ttl }: NewRecord) => ({ name: relative(name, zone), type, content, ttl });
  // A record's type cannot be changed: then it is another record.
  const changed = replace.filter(({ was, now }) => was.type === now.type);
  const renewed = replace.filter(({ was, now }) => was.type !== now.type);
  return {
    creates: [...create, ...renewed.map(({ now }) => now)].map(body),
    updates: changed.map(({ was, now }) => ({ id: Number(was.id), content: now.content, ttl: now.ttl })),
    deletes: [...remove, ...renewed.map(({ was }) => was)].map(({ id }) => ({ id: Number(id) })),
  };
}

/** The client's own does not repeat anything and speaks https only. Reads are repeated after 5xx, 429 and lost connections; a change never. */
function fetcher(signal: AbortSignal | undefined): Fetcher {
  let answered = false;
  return async ({ method, url, headers, body, timeout }) => {
    for (let attempt = 1; ; attempt++) {
      const last = attempt === ATTEMPTS;
      try {
        const limit = AbortSignal.timeout(timeout);
        const answer = await fetch(url, {
          method,
          headers,
          ...(body === undefined ? {} : { body }),
          signal: signal ? AbortSignal.any([signal, limit]) : limit,
        });
        const text = await answer.text();
        answered = true;
        const refused = answer.status === 429;
        if (last || !(refused || (answer.status >= 500 && method === 'GET')))
          return { status: answer.status, body: text };
      } catch (error) {
        signal?.throwIfAborted();
        // Before anything has answered, the address is wrong or the network is down: that is said at once.
        if (last || method !== 'GET' || !answered) throw error;
      }
      await sleep(250 * 2 ** attempt, undefined, signal ? { signal } : {});
    }
  };
}

interface Refusal {
  readonly status?: number;
  readonly data?: { readonly message?: string; readonly errors?: Readonly<Record<string, readonly string[]>> };
  readonly cause?: { readonly code?: string };
}

function translate(error: unknown, what: string, url: string): unknown {
  if (error instanceof CloudspaceError || (error as Error).name === 'AbortError') return error;
  const { status, data, cause } = error as Refusal;
  const say = (message: string, code: string, hint: string, exitCode: 1 | 2 = 2): CloudspaceError =>
    new CloudspaceError(message, { code, hint, exitCode });
  if (status === undefined && what.startsWith('change') && cause?.code !== 'ECONNREFUSED')
    return say(
      `the answer of ${url} was lost: could not ${what}`,
      'OutcomeUnknown',
      'run the command again: it looks first what is there and makes nothing twice',
      1,
    );
  if (status === undefined)
    return say(
      `cannot reach DNSimple at ${url}${cause?.code ? ` (${cause.code})` : ''}`,
      'Unreachable',
      'check the network; nothing was changed',
    );
  if (status === 401)
    return say(
      'DNSimple does not know the token',
      'DnsToken',
      'make one at DNSimple (Account, Automation, API tokens) and put it where cloudspace.yaml looks (dns.token); the sandbox has tokens of its own',
    );
  if (status === 403)
    return say(
      `the DNSimple token may not ${what}${data?.message ? ` (${data.message})` : ''}`,
      'DnsPermission',
      'give the token rights to the zone, or use another',
    );
  const details = Object.entries(data?.errors ?? {}).map(([key, texts]) => `${key}: ${texts.join(', ')}`);
  return say(
    `DNSimple could not ${what}: ${[data?.message ?? (error as Error).message, ...details].join('; ')} (status ${status})`,
    status >= 500 && what.startsWith('change') ? 'OutcomeUnknown' : 'DnsRefused',
    status >= 500 ? 'try again later' : 'look at the zone at DNSimple; nothing was changed',
    1,
  );
}
