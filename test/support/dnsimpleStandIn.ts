import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StandInEntry {
  id: number;
  zone_id: string;
  parent_id: null;
  /** relative to the zone; '' is the zone itself */
  name: string;
  type: string;
  content: string;
  ttl: number;
  priority: null;
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** What each token may: `none` sees the zone but may not change it. */
export interface StandInToken {
  readonly rights: 'all' | 'read';
  readonly kind?: 'account' | 'user';
  readonly accounts?: number;
}

const ACCOUNT = 1010;

/**
 * A stand-in for DNSimple: the used part of the published API v2 (developer.dnsimple.com/v2), over plain HTTP, on loopback unless another address is given. `tokens` may change meanwhile. `fail` may answer in the place of the
 * API, before or (with `after`) after the effect; 'drop' cuts the connection.
 */
export async function dnsimpleStandIn(
  zoneNames: readonly string[],
  tokens: Readonly<Record<string, StandInToken>> = { 'good-token': { rights: 'all' } },
  address = '127.0.0.1',
) {
  let serial = 100;
  const zones = new Map<string, StandInEntry[]>();
  const entry = (zone: string, name: string, type: string, content: string, ttl = 3600): StandInEntry => ({
    id: ++serial,
    zone_id: zone,
    parent_id: null,
    name,
    type,
    content,
    ttl,
    priority: null,
  });
  for (const zone of zoneNames)
    zones.set(
      zone,
      [1, 2].map((n) => entry(zone, '', 'NS', `ns${n}.dnsimple.com`)),
    );
  const standIn = {
    url: '',
    requests: [] as string[],
    zones,
    fail: undefined as
      | ((request: string) => { status: number; after?: boolean } | 'drop' | 'drop-after' | undefined)
      | undefined,
    /** adds a record as a person would at DNSimple */
    add(zone: string, name: string, type: string, content: string): void {
      zones.get(zone)?.push(entry(zone, name, type, content));
    },
    /** with full names, without the name servers: for a name server, and for looking */
    records: () =>
      [...zones].flatMap(([zone, entries]) =>
        entries
          .filter(({ type }) => type !== 'NS')
          .map(({ name, type, content }) => ({ name: name === '' ? zone : `${name}.${zone}`, type, content })),
      ),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function answer(method: string, url: URL, token: StandInToken | undefined, body: string): Answer {
    if (!token) return { status: 401, body: { message: 'Authentication failed' } };
    const path = url.pathname.replace(/^\/v2/, '');
    const account = { id: ACCOUNT, email: 'team@example.com', plan_identifier: 'professional' };
    const accounts = Array.from({ length: token.accounts ?? 1 }, (_, index) => ({ ...account, id: ACCOUNT + index }));
    if (path === '/whoami')
      return {
        status: 200,
        body: { data: token.kind === 'user' ? { user: { id: 1 }, account: null } : { user: null, account } },
      };
    if (path === '/accounts') return { status: 200, body: { data: accounts } };
    const [, id, what, zone = '', sub, record] = path.split('/');
    if (Number(id) !== ACCOUNT) return { status: 404, body: { message: `Account \`${id}\` not found` } };
    const like = url.searchParams.get('name_like') ?? '';
    if (what === 'domains' || (what === 'zones' && zone === '')) {
      const all = [...zones.keys()].filter((name) => what === 'zones' || name.includes(like));
      return page(
        url,
        all.map((name, index) => ({ id: index + 1, name })),
      );
    }
    const entries = zones.get(zone);
    if (what !== 'zones' || !entries) return { status: 404, body: { message: `Zone \`${zone}\` not found` } };
    if (method === 'GET' && sub === 'records') {
      const [name, type] = [url.searchParams.get('name'), url.searchParams.get('type')];
      return page(
        url,
        entries.filter(
          (one) =>
            one.name.includes(like) && (name === null || one.name === name) && (type === null || one.type === type),
        ),
      );
    }
    if (token.rights !== 'all')
      return { status: 403, body: { message: 'Permission denied. Required scope: dns:write' } };
    const input = body === '' ? {} : JSON.parse(body);
    if (method === 'POST' && sub === 'records') {
      const made = entry(zone, input.name ?? '', input.type, input.content, input.ttl);
      entries.push(made);
      return { status: 201, body: { data: made } };
    }
    if (method === 'DELETE' && sub === 'records') {
      const at = entries.findIndex((one) => one.id === Number(record));
      if (at === -1) return { status: 404, body: { message: 'Record not found' } };
      entries.splice(at, 1);
      return { status: 204 };
    }
    if (method === 'POST' && sub === 'batch') return batch(zone, entries, input);
    return { status: 404, body: { message: 'No such endpoint in the stand-in' } };
  }

  /** All or nothing, as "batch change zone records" promises. */
  function batch(
    zone: string,
    entries: StandInEntry[],
    input: {
      creates?: { name: string; type: string; content: string; ttl?: number }[];
      updates?: { id: number; content?: string; ttl?: number }[];
      deletes?: { id: number }[];
    },
  ): Answer {
    const copy = entries.map((one) => ({ ...one }));
    for (const { id } of input.deletes ?? []) {
      const at = copy.findIndex((one) => one.id === id);
      if (at === -1)
        return {
          status: 400,
          body: { message: 'Validation failed', errors: { deletes: [`Record not found ID=${id}`] } },
        };
      copy.splice(at, 1);
    }
    for (const { id, ...change } of input.updates ?? []) {
      const found = copy.find((one) => one.id === id);
      if (!found)
        return {
          status: 400,
          body: { message: 'Validation failed', errors: { updates: [`Record not found ID=${id}`] } },
        };
      Object.assign(found, change);
    }
    const creates = (input.creates ?? []).map(({ name, type, content, ttl }) => entry(zone, name, type, content, ttl));
    entries.splice(0, entries.length, ...copy, ...creates);
    return { status: 200, body: { data: { creates, updates: [], deletes: [] } } };
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://stand-in');
    const line = `${request.method} ${url.pathname}`;
    standIn.requests.push(line);
    const body = await text(request);
    const failure = standIn.fail?.(line);
    if (failure === 'drop') return request.socket.destroy();
    if (typeof failure === 'object' && !failure.after)
      return send(response, { status: failure.status, body: { message: 'failed' } });
    const token = tokens[request.headers.authorization?.replace(/^Bearer /, '') ?? ''];
    const result = answer(request.method ?? 'GET', url, token, body);
    if (failure === 'drop-after') return request.socket.destroy();
    send(response, typeof failure === 'object' ? { status: failure.status, body: { message: 'failed' } } : result);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  standIn.url = `http://${address}:${(server.address() as AddressInfo).port}`;
  const handler = server.listeners('request')[0] as (request: IncomingMessage, response: ServerResponse) => void;
  return Object.assign(standIn, { handler });
}

function page(url: URL, all: readonly unknown[]): Answer {
  const per = Number(url.searchParams.get('per_page') ?? 30);
  const current = Number(url.searchParams.get('page') ?? 1);
  const pagination = {
    current_page: current,
    per_page: per,
    total_entries: all.length,
    total_pages: Math.max(1, Math.ceil(all.length / per)),
  };
  return { status: 200, body: { data: all.slice((current - 1) * per, current * per), pagination } };
}

async function text(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
