import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';

/**
 * A stand-in for Elasticsearch 8: it checks Basic and ApiKey credentials, answers "Authenticate" and "Has privileges" as its REST API reference says, and takes and
 * keeps what is sent to `_bulk`. Nothing is indexed.
 */
export interface StandInElasticsearch {
  readonly url: string;
  /** documents that came with `_bulk`, with the index that each was for */
  readonly documents: { readonly index: string; readonly document: Record<string, unknown> }[];
  readonly requests: string[];
  /** from now on another password is the right one */
  setPassword(password: string): void;
  close(): Promise<void>;
}

export async function standInElasticsearch(options: {
  user?: string;
  password?: string;
  apiKey?: string;
  /** PEM; with it the server speaks TLS */
  tls?: { key: string; cert: string };
  /** false: the user may not write */
  mayWrite?: boolean;
  port?: number;
  /** default: loopback */
  address?: string;
  /** true: it knows no security API, as OpenSearch */
  openSearch?: boolean;
}): Promise<StandInElasticsearch> {
  const { user = 'shipper', password = '', apiKey = '', tls, mayWrite = true, openSearch = false, port = 0 } = options;
  const { address = '127.0.0.1' } = options;
  const documents: StandInElasticsearch['documents'] = [];
  const requests: string[] = [];
  const basic = (word: string) => `Basic ${Buffer.from(`${user}:${word}`).toString('base64')}`;
  const good = [basic(password), `ApiKey ${apiKey}`];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    requests.push(`${request.method} ${path}`);
    const send = (status: number, value: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' });
      response.end(JSON.stringify(value));
    };
    if (!good.includes(request.headers.authorization ?? ''))
      return send(401, { error: { type: 'security_exception', reason: 'unable to authenticate' }, status: 401 });
    if (path === '/_cat/health') return void response.writeHead(200).end();
    if (path === '/')
      return send(200, { cluster_name: 'stand-in', version: { number: openSearch ? '2.19.0' : '8.17.0' } });
    if (path.startsWith('/_security/') && openSearch) return send(400, { error: `no handler found for uri [${path}]` });
    if (path === '/_security/_authenticate') return send(200, { username: user, roles: ['shipper'], enabled: true });
    if (path === '/_security/user/_has_privileges')
      return send(200, { username: user, has_all_requested: mayWrite, cluster: {}, index: {} });
    if (path === '/_bulk') {
      const lines = body.split('\n').filter(Boolean);
      const items: unknown[] = [];
      for (let at = 0; at + 1 < lines.length; at += 2) {
        const action = JSON.parse(lines[at] ?? '{}') as { index?: { _index: string; _type?: string } };
        documents.push({ index: action.index?._index ?? '', document: JSON.parse(lines[at + 1] ?? '{}') });
        items.push({ index: { _index: action.index?._index, status: 201, result: 'created' } });
      }
      return send(200, { took: 1, errors: false, items });
    }
    return send(404, { error: 'not found' });
  }

  const listener = (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
  const server = tls ? createHttps(tls, listener) : createHttp(listener);
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  return {
    url: `${tls ? 'https' : 'http'}://${address}:${(server.address() as AddressInfo).port}`,
    documents,
    requests,
    setPassword(word) {
      good[0] = basic(word);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
