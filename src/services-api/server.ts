import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AuditEntry } from './audit.ts';
import { ApiError, badRequest } from './errors.ts';

/** A request, once it is known to be allowed. */
export interface ApiRequest {
  /** the path's named parts */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** the body's JSON object; {} when there is none */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `/v2/service_instances/:instance` */
  readonly path: string;
  /** true: without a token, and not in the audit log */
  readonly open?: true;
  readonly handle: (request: ApiRequest) => Promise<ApiAnswer>;
}

export interface ServerOptions {
  readonly tls: { readonly cert: string | Buffer; readonly key: string | Buffer };
  readonly token: string;
  readonly routes: readonly Route[];
  readonly audit: (entry: AuditEntry) => Promise<void>;
  readonly onError: (what: string, error: unknown) => void;
}

/** Bytes of a request's body, and of its headers. */
const BODY_LIMIT = 64 * 1024;
const HEADER_LIMIT = 16 * 1024;
/** Milliseconds */
const HANDSHAKE_MS = 10_000;
const REQUEST_MS = 30_000;
const CONNECTIONS = 200;

/** HTTPS, JSON in and out, a bearer token. What is no request is answered with 400 and the connection closed; nothing of it is kept. */
export function createApiServer({ tls, token, routes, audit, onError }: ServerOptions): Server {
  const table = routes.map((route) => ({ route, words: route.path.split('/') }));
  const expected = digest(`Bearer ${token}`);

  const server = createServer(
    {
      ...tls,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_MS,
      maxHeaderSize: HEADER_LIMIT,
      headersTimeout: HANDSHAKE_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: HANDSHAKE_MS,
      connectionsCheckingInterval: 5000,
    },
    (request, response) => {
      void answer(request, response);
    },
  );
  server.maxConnections = CONNECTIONS;
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else socket.destroy();
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const began = Date.now();
    const id = randomUUID();
    const path = (request.url ?? '').split('?')[0] ?? '';
    const authenticated = timingSafeEqual(digest(request.headers.authorization ?? ''), expected);
    let open = false;
    let result: ApiAnswer;
    let error: string | undefined;
    try {
      const found = find(request.method ?? '', path, authenticated);
      open = found.route.open === true;
      const body = await readBody(request);
      const query = new URLSearchParams((request.url ?? '').split('?').slice(1).join('?'));
      result = await found.route.handle({ params: found.params, query, body });
    } catch (cause) {
      const known = known500(cause, id);
      // 501 is an answer, no trouble.
      if (known.status >= 500 && known.status !== 501)
        onError(`${request.method} ${path.slice(0, 300)} (request ${id})`, cause);
      error = known.code;
      result = { status: known.status, body: { error: known.code, description: known.message } };
    }
    const user = request.headers['x-broker-api-originating-identity'] ?? request.headers['x-cloudspace-user'];
    // Written before the answer: what a client was told is in the log.
    if (!open)
      await audit({
        time: new Date(began).toISOString(),
        request: id,
        remote: request.socket.remoteAddress ?? '',
        ...(typeof user === 'string' ? { user: user.slice(0, 200) } : {}),
        authenticated,
        method: request.method ?? '',
        path: path.slice(0, 300),
        status: result.status,
        ...(error === undefined ? {} : { error }),
        milliseconds: Date.now() - began,
      });
    send(response, request, id, result);
  }

  function find(method: string, path: string, authenticated: boolean) {
    const words = path.split('/');
    const matches = table.flatMap((entry) => {
      const params = match(entry.words, words);
      return params ? [{ route: entry.route, params }] : [];
    });
    const found = matches.find(({ route }) => route.method === method);
    // Who has no token learns of no route but the open ones.
    if (!authenticated && !found?.route.open)
      throw new ApiError(401, 'Unauthorized', 'the bearer token is missing or wrong: send Authorization: Bearer …');
    if (found) return found;
    if (matches.length === 0) throw new ApiError(404, 'NotFound', 'there is nothing at this path: see /openapi.json');
    throw new ApiError(
      405,
      'MethodNotAllowed',
      `this path knows ${matches.map(({ route }) => route.method).join(', ')} only`,
    );
  }

  return server;
}

function match(pattern: readonly string[], words: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== words.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const word = words[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== word) return undefined;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(word);
    } catch {
      return undefined;
    }
  }
  return params;
}

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const tooLarge = new ApiError(413, 'TooLarge', `the body is larger than ${BODY_LIMIT / 1024} KiB`);
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw tooLarge;
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badRequest('the body is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest('the body must be a JSON object');
  return value as Record<string, unknown>;
}

/** What was not foreseen shows nobody its inside; the journal has it under the request's id. */
function known500(error: unknown, request: string): ApiError {
  if (error instanceof ApiError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^(ECONN|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|57P)/.test(code))
    return new ApiError(503, 'DatabaseUnavailable', `the database does not answer; try again (request ${request})`);
  return new ApiError(
    500,
    'InternalError',
    `that failed inside; the services host's journal says why (request ${request})`,
  );
}

function send(response: ServerResponse, request: IncomingMessage, id: string, { status, body }: ApiAnswer): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': id,
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    // A body that was not read to its end leaves the connection in the middle of something.
    ...(request.complete ? {} : { connection: 'close' }),
  });
  response.end(text, () => {
    if (!request.complete) request.destroy();
  });
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
