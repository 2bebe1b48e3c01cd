import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { usageError } from '../../engine/types.ts';

/** Where logs go, and as whom. Exactly one of `password` (with `username`) and `apiKey`. */
export interface Elasticsearch {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly apiKey?: string;
  /** indices are called `<index>-YYYY.MM.DD` */
  readonly index: string;
  /** PEM file of the authority behind its certificate, when it is not a public one */
  readonly caFile?: string;
}

const SECONDS = 10;

interface Reply {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

/**
 * Asks the server who we are (Elasticsearch's "Authenticate" API) and whether that user may write the indices ("Has privileges"); a server without those, such
 * as OpenSearch, whether it lets us in at all. Gives what it said, for people. Throws a usage error: `ElasticsearchUnreachable`, `ElasticsearchRefused`.
 */
export async function checkElasticsearch(es: Elasticsearch): Promise<string> {
  const who = await send(es, 'GET', '/_security/_authenticate');
  refuse(es, who);
  if (who.status === 200 && typeof who.json.username === 'string') {
    const may = await send(es, 'POST', '/_security/user/_has_privileges', {
      index: [{ names: [`${es.index}-*`], privileges: ['create_index', 'index'] }],
    });
    refuse(es, may);
    if (may.json.has_all_requested === false)
      throw usageError(
        `elasticsearch: ${who.json.username} may not write the indices ${es.index}-* of ${es.url}`,
        'give its role the privileges create_index and index on them, or set another elasticsearch.index',
        'ElasticsearchRefused',
      );
    return `Elasticsearch at ${es.url} knows you as ${who.json.username}`;
  }
  const root = await send(es, 'GET', '/');
  refuse(es, root);
  const version = (root.json.version as { number?: unknown } | undefined)?.number;
  if (root.status === 200 && typeof version === 'string') return `${es.url} lets you in, version ${version}`;
  throw usageError(
    `elasticsearch: what answers at ${es.url} is no Elasticsearch (HTTP ${root.status})`,
    'check the address and the port in elasticsearch.url; Kibana has another one',
    'ElasticsearchUnreachable',
  );
}

function refuse(es: Elasticsearch, { status }: Reply): void {
  if (status !== 401 && status !== 403) return;
  throw usageError(
    `elasticsearch: ${es.url} refuses ${es.apiKey === undefined ? `the user "${es.username}"` : 'the API key'} (HTTP ${status})`,
    es.apiKey === undefined
      ? 'check elasticsearch.username and elasticsearch.password'
      : 'check elasticsearch.api-key: the form is the encoded one, base64 of id:key',
    'ElasticsearchRefused',
  );
}

function send(es: Elasticsearch, method: string, path: string, body?: unknown): Promise<Reply> {
  const url = new URL(path, es.url);
  const authorization =
    es.apiKey === undefined
      ? `Basic ${Buffer.from(`${es.username}:${es.password}`).toString('base64')}`
      : `ApiKey ${es.apiKey}`;
  const settings = {
    method,
    timeout: SECONDS * 1000,
    agent: false as const,
    headers: { authorization, 'user-agent': 'cloudspace', ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(es.caFile === undefined ? {} : { ca: readFileSync(es.caFile) }),
  };
  return new Promise((resolve, reject) => {
    const sent = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, settings);
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${SECONDS} seconds`)));
    sent.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(es, error)));
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < 100_000) text += chunk;
      });
      response.on('error', (error) => reject(unreachable(es, error)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, json: parse(text) }));
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function unreachable(es: Elasticsearch, error: NodeJS.ErrnoException) {
  const certificate = /CERT|SELF_SIGNED|ALTNAME|ISSUER|SIGNATURE/.test(error.code ?? '');
  return usageError(
    `elasticsearch: ${es.url} cannot be reached: ${error.message}`,
    certificate
      ? 'its certificate is of no authority that this machine trusts: name that one with elasticsearch.ca-file'
      : 'check elasticsearch.url, and that this machine may reach it; without it: --elasticsearch later',
    'ElasticsearchUnreachable',
  );
}
