/** The practice cloud's HTTP side: one port, every service; the SigV4 credential scope says which one is meant. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Hosts } from '../hosts/types.ts';
import type { RequestRecord } from '../types.ts';
import { type Dialect, decodeInput, encodeError, encodeOutput } from './codec.ts';
import { identify, readScope } from './credentials.ts';
import { AwsError } from './errors.ts';
import { fingerprint } from './idempotency.ts';
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
  const requestId = randomUUID();
  const url = new URL(request.url ?? '/', 'http://localhost');
  const body = await readBody(request);
  const token = request.headers['x-amz-security-token'];
  const scope = readScope(request.headers.authorization, typeof token === 'string' ? token : undefined);
  const parameters = body ? new URLSearchParams(body) : url.searchParams;
  const name = parameters.get('Action') ?? '';
  const service = services[scope?.service ?? ''];
  const operation = service?.operations.get(name);
  const dialect: Dialect = service ?? { ec2: false, xmlns: 'http://webservices.amazon.com/AWSFault/2005-15-09' };
  let answer: Answer;
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
    const input = decodeInput(operation.input, parameters, dialect);
    if (dialect.ec2 && input.DryRun === true) {
      throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
    }
    const context = {
      ...caller,
      regionName: scope.region,
      clock: options.clock,
      hosts: options.hosts,
      quotas: options.quotas,
      fingerprint: () => fingerprint(input),
    };
    const output = await run(options, operation, input, context);
    answer = { status: 200, body: encodeOutput(name, operation.output, output, requestId, dialect) };
  } catch (error) {
    const aws = error instanceof AwsError ? error : internal(error, name);
    answer = { status: aws.status, body: encodeError(aws, requestId, dialect), errorCode: aws.code };
  }
  if (options.latency > 0) await delay(options.latency);
  options.log({
    at: new Date().toISOString(),
    service: scope?.service ?? '',
    operation: name,
    mutating: operation?.mutating ?? false,
    status: answer.status,
    ...(answer.errorCode === undefined ? {} : { errorCode: answer.errorCode }),
  });
  response.writeHead(answer.status, { 'content-type': 'text/xml;charset=UTF-8', 'x-amzn-requestid': requestId });
  response.end(answer.body);
}

/** Runs an operation; a mutation is on disk, and the hosts know of it, before this returns. */
async function run(
  options: ServerOptions,
  operation: Operation,
  input: Record<string, unknown>,
  caller: Omit<Context, 'world' | 'region' | 'considered'>,
): Promise<object> {
  const { store } = options;
  const unread = new Set(Object.keys(input).filter((key) => key !== 'DryRun'));
  const watched = watch(input, unread);
  const context = { ...caller, considered: () => unread.clear() };
  const swept = store.transact((world) => {
    sweep({ ...context, region: readRegion(world, context.account, context.regionName) });
  });
  if (swept.changed) options.changed();
  if (!operation.saved) {
    const { world } = store;
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
  if (changed) options.changed();
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
