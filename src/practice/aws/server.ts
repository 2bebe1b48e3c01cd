/** The practice cloud's HTTP side: one port, every service; the SigV4 credential scope says which one is meant. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Hosts } from '../hosts/types.ts';
import type { RequestRecord } from '../types.ts';
import { type Dialect, decodeInput, encodeError, encodeOutput } from './codec.ts';
import { identify, readScope } from './credentials.ts';
import { AwsError } from './errors.ts';
import type { Encounter, Faults } from './faults.ts';
import { fingerprint } from './idempotency.ts';
import { decodeJson, encodeJson, encodeJsonError } from './jsonCodec.ts';
import type { Clock, Context, Operation } from './operation.ts';
import type { Quotas } from './quotas.ts';
import { REGIONS } from './regions.ts';
import { services, sweep } from './services.ts';
import { readRegion, regionOf, type Store } from './world.ts';

/** Larger than any request the services accept. */
const MAX_BODY_BYTES = 1_000_000;

export interface ServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly hosts: Hosts | undefined;
  readonly quotas: Quotas;
  readonly sessionLife: number;
  readonly faults: Faults;
  readonly latency: number;
  /** called after each change of the world, before the answer */
  readonly changed: () => void;
  readonly log: (record: RequestRecord) => void;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly errorCode?: string;
}

export function makeServer(options: ServerOptions): Server {
  const server = createServer((request, response) => {
    serve(options, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  // Clients keep connections; the default of 5 s makes them race with the server's closing.
  server.keepAliveTimeout = 120_000;
  return server;
}

async function serve(options: ServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!isOwnHost(request.headers.host)) {
    // A web page that has its name resolve to 127.0.0.1 (DNS rebinding) must not drive the practice cloud.
    response.writeHead(403, { 'content-type': 'text/plain' });
    response.end(`the practice cloud does not answer for host "${request.headers.host ?? ''}"\n`);
    request.resume();
    return;
  }
  if (request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined) {
    // Browsers alone send these: a web page is no client of the practice cloud, whatever address it uses.
    response.writeHead(403, { 'content-type': 'text/plain' });
    response.end('the practice cloud does not answer web pages\n');
    request.resume();
    return;
  }
  const requestId = randomUUID();
  const url = new URL(request.url ?? '/', 'http://localhost');
  const body = await readBody(request);
  const token = request.headers['x-amz-security-token'];
  const scope = readScope(request.headers.authorization, typeof token === 'string' ? token : undefined);
  const parameters = body ? new URLSearchParams(body) : url.searchParams;
  const target = request.headers['x-amz-target'];
  const name = (typeof target === 'string' ? target.split('.').at(-1) : parameters.get('Action')) ?? '';
  const service = services[scope?.service ?? ''];
  const operation = service?.operations.get(name);
  const dialect: Dialect = service ?? { ec2: false, xmlns: 'http://webservices.amazon.com/AWSFault/2005-15-09' };
  let answer: Answer;
  let met: Encounter | undefined;
  try {
    if (body === undefined) throw new AwsError('RequestEntityTooLarge', 'The request is too large', 413);
    if (!scope) throw new AwsError('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);
    if (!service) {
      const known = Object.keys(services).join(', ');
      throw new AwsError(
        'UnknownService',
        `the practice cloud does not simulate the service ${scope.service}; it has ${known}`,
      );
    }
    const caller = identify(options.store.world, scope, options.clock.now());
    if (!REGIONS[scope.region]) {
      throw new AwsError(
        'InvalidRegion',
        `the practice cloud has no region ${scope.region}; it has ${Object.keys(REGIONS).join(', ')}`,
      );
    }
    if (!operation) throw unknownOperation(name);
    const input = dialect.json ? decodeJson(operation.input, body) : decodeInput(operation.input, parameters, dialect);
    const dryRun = dialect.ec2 && input.DryRun === true;
    met = options.faults.meet(operation, dialect.ec2, dryRun);
    if (met.end && !met.end.after) throw new Ended(met.end);
    if (dryRun) {
      throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
    }
    const context = {
      ...caller,
      regionName: scope.region,
      clock: options.clock,
      hosts: options.hosts,
      quotas: options.quotas,
      sessionLife: options.sessionLife,
      spoiled: met.spoiled,
      fingerprint: () => fingerprint(input),
    };
    const output = await run(options, operation, input, context, met.staleMs);
    if (met.end) throw new Ended(met.end);
    answer = {
      status: 200,
      body: dialect.json ? encodeJson(output) : encodeOutput(name, operation.output, output, requestId, dialect),
    };
  } catch (thrown) {
    const error = thrown instanceof Ended && 'error' in thrown.end ? thrown.end.error : thrown;
    if (error instanceof Ended) {
      log(options, scope?.service, name, operation, 0, met, 'NoAnswer');
      await hold(response, 'holdMs' in error.end ? error.end.holdMs : 0);
      return;
    }
    const aws = error instanceof AwsError ? error : internal(error, name);
    const said = dialect.json ? encodeJsonError(aws) : encodeError(aws, requestId, dialect);
    answer = { status: aws.status, body: said, errorCode: aws.code };
  }
  const late = options.latency + (met?.latencyMs ?? 0);
  if (late > 0) await delay(late);
  log(options, scope?.service, name, operation, answer.status, met, answer.errorCode);
  const type = dialect.json ? 'application/x-amz-json-1.1' : 'text/xml;charset=UTF-8';
  response.writeHead(answer.status, { 'content-type': type, 'x-amzn-requestid': requestId });
  response.end(answer.body);
}

/** A request that a fault ends before its answer. */
class Ended extends Error {
  readonly end: NonNullable<Encounter['end']>;
  constructor(end: NonNullable<Encounter['end']>) {
    super('ended by a fault');
    this.end = end;
  }
}

/** Leaves the client without an answer for so many milliseconds, or until it gives up; then the connection breaks. */
async function hold(response: ServerResponse, ms: number): Promise<void> {
  if (ms > 0) {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const longest = Math.min(ms, 2 ** 31 - 1);
    await delay(longest, undefined, { signal: gone.signal }).catch(() => undefined);
  }
  response.destroy();
}

function log(
  options: ServerOptions,
  service: string | undefined,
  name: string,
  operation: Operation | undefined,
  status: number,
  met: Encounter | undefined,
  errorCode: string | undefined,
): void {
  options.log({
    at: new Date().toISOString(),
    service: service ?? '',
    operation: name,
    mutating: operation?.mutating ?? false,
    status,
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(met && met.rules.length > 0 ? { faults: met.rules } : {}),
  });
}

/** Runs an operation; a mutation is on disk, and the hosts know of it, before this returns. */
async function run(
  options: ServerOptions,
  operation: Operation,
  input: Record<string, unknown>,
  caller: Omit<Context, 'world' | 'region' | 'considered'>,
  staleMs: number,
): Promise<object> {
  const { store } = options;
  const changedNow = (): void => {
    options.faults.remember(store.text);
    options.changed();
  };
  const unread = new Set(Object.keys(input).filter((key) => key !== 'DryRun'));
  const watched = watch(input, unread);
  const context = { ...caller, considered: () => unread.clear() };
  const swept = store.transact((world) => {
    sweep({ ...context, region: readRegion(world, context.account, context.regionName) });
  });
  if (swept.changed) changedNow();
  if (!operation.saved) {
    const world = staleMs > 0 ? options.faults.before(staleMs) : store.world;
    const region = readRegion(world, context.account, context.regionName);
    const output = await operation.handle(watched, { ...context, world, region });
    refuseUnread(operation, input, unread);
    return output;
  }
  const { result, changed } = store.transact((world) => {
    const region = regionOf(world, context.account, context.regionName);
    const output = operation.handle(watched, { ...context, world, region });
    if (output instanceof Promise) throw new Error(`${operation.name} is saved and must be synchronous`);
    refuseUnread(operation, input, unread);
    return output;
  });
  if (changed) changedNow();
  return result;
}

/** Notes which of a request's parameters the operation looks at. */
function watch(input: Record<string, unknown>, unread: Set<string>): Record<string, unknown> {
  return new Proxy(input, {
    get(target, key) {
      unread.delete(String(key));
      return Reflect.get(target, key);
    },
  });
}

/** A parameter that no code looked at is one that is not simulated: saying so is better than an answer that leaves it out. */
function refuseUnread(operation: Operation, input: Record<string, unknown>, unread: ReadonlySet<string>): void {
  const names = [...unread].filter((name) => asks(input[name])).join(', ');
  if (!names) return;
  throw new AwsError(
    'UnsupportedOperation',
    `the practice cloud does not simulate ${names} of ${operation.name} (with the other parameters of this request)`,
  );
}

/** `false`, 0, nothing, and structures of these ask for nothing. */
function asks(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(asks);
  return value !== undefined && value !== false && value !== '' && value !== 0;
}

function unknownOperation(name: string): AwsError {
  return new AwsError(
    'InvalidAction',
    name
      ? `The action ${name} is not valid for this web service: the practice cloud does not simulate it`
      : 'the request names no Action: the practice cloud speaks EC2 Query and AWS Query only',
  );
}

function internal(error: unknown, operation: string): AwsError {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new AwsError('InternalError', `the practice cloud failed in ${operation}: ${reason}`, 500);
}

function isOwnHost(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|\[::1\]|([a-z0-9-]+\.)*localhost)(:\d+)?$/i.test(host ?? '');
}

/** The body as text; undefined when it is too large. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return length > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}
