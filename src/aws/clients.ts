import { EC2Client, type EC2ClientConfig } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { RDSClient } from '@aws-sdk/client-rds';
import { STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider, MiddlewareStack } from '@smithy/types';
import { CloudspaceError } from '../engine/types.ts';
import { limiter } from '../system/limit.ts';
import { translate, withoutExchange } from './errors.ts';
import { endsCredentials, type Renewal } from './renewal.ts';
import { markUnknownOutcome, retries } from './retry.ts';
import { silenceSdkNotice } from './sdkNotice.ts';

/** One bundle of clients for a run: one a service, one concurrency cap, one set of credentials. */
export interface Aws {
  readonly ec2: EC2Client;
  readonly elb: ElasticLoadBalancingV2Client;
  readonly rds: RDSClient;
  readonly sts: STSClient;
  readonly region: string;
  /** set when all services are behind one given endpoint (an emulator) */
  readonly endpointUrl?: string;
  /** AWS's clock less this machine's, in milliseconds, as the last answer said; undefined: nothing has answered yet */
  skew(): number | undefined;
  /** a client of another service, on the same terms as those above; made at the first call, given again after it */
  another<C extends Instrumented>(service: string, make: (config: ClientConfig) => C): C;
  /** a generated secret by name (a database's master password): read when needed, never kept in props, outputs or logs */
  secret(name: string): Promise<string>;
  /** closes the kept-alive connections */
  close(): void;
}

/** One command as it was sent, for counting and benchmarks: no parameters. */
export interface AwsRequest {
  readonly service: string;
  readonly command: string;
  readonly mutating: boolean;
  /** milliseconds, waiting for a free slot and retries included */
  readonly ms: number;
  /** HTTP status of the last answer; 0: none */
  readonly status: number;
  readonly retries: number;
}

export interface ConnectOptions {
  readonly region: string;
  readonly credentials: AwsCredentialIdentity | AwsCredentialIdentityProvider;
  /** one http(s) endpoint for all services; left out: AWS_ENDPOINT_URL(_SERVICE), the profile's endpoint_url, else AWS */
  readonly endpointUrl?: string | undefined;
  /** refuses every command that could change something before it is sent */
  readonly readOnly?: boolean;
  /** requests in flight at once over all services (default 20: a listing asks for all kinds at once) */
  readonly concurrency?: number;
  /** attempts a command (default 8) */
  readonly maxAttempts?: number;
  readonly secret?: (name: string) => Promise<string>;
  readonly onRequest?: (request: AwsRequest) => void;
  /** factor on the waits between attempts (tests and practice: below 1) */
  readonly waitScale?: number;
  /** what to do when credentials that worked do not any more; left out: the command fails with `ExpiredToken` */
  readonly renewal?: Renewal;
  /** says more of an error before it is thrown: who uses the quota that is full */
  readonly explain?: (error: CloudspaceError) => Promise<CloudspaceError>;
  /**
   * sends every command that could change something as EC2's dry run, and refuses those of other services: AWS says whether it would be allowed
   * (`DryRunOperation`) and does nothing
   */
  readonly dryRun?: boolean;
}

/** What all clients are made with. */
export type ClientConfig = Pick<
  EC2ClientConfig,
  'region' | 'credentials' | 'maxAttempts' | 'requestHandler' | 'endpoint' | 'retryStrategy'
>;

interface Instrumented {
  // biome-ignore lint/suspicious/noExplicitAny: each service's stack has its own union of inputs, which a middleware for all does not look into
  readonly middlewareStack: MiddlewareStack<any, any>;
  destroy(): void;
}

/** What the answers have told so far. */
interface Contact {
  /** something has answered: the endpoint is there */
  answered: boolean;
  /** something has answered well: the credentials were good */
  worked: boolean;
  skew: number | undefined;
}

/** Commands that change nothing. `AssumeRole` gives out credentials and changes nothing either. */
export function isReadOnly(command: string): boolean {
  return /^(?:Describe|Get|List|Decode)/.test(command) || command === 'AssumeRole';
}

/**
 * Makes the clients. Nothing is sent yet. Every error they throw later is a CloudspaceError (see errors.ts), with AWS's own as its cause.
 * An endpoint that cannot be reached at the first contact is reported at once; after a first answer, connections are retried.
 */
export function connect(options: ConnectOptions): Aws {
  silenceSdkNotice();
  const { region, credentials, endpointUrl, concurrency = 20, maxAttempts = 8 } = options;
  const contact: Contact = { answered: false, worked: false, skew: undefined };
  const slots = limiter(concurrency);
  const clients = new Map<string, Instrumented>();
  function another<C extends Instrumented>(name: string, make: (config: ClientConfig) => C): C {
    const known = clients.get(name);
    if (known) return known as C;
    const client = make({
      region,
      credentials,
      maxAttempts,
      requestHandler: { connectionTimeout: 5000, requestTimeout: 60_000, throwOnRequestTimeout: true },
      retryStrategy: retries({ maxAttempts, contact, waitScale: options.waitScale ?? 1 }),
      ...(endpointUrl !== undefined && { endpoint: endpointUrl }),
    });
    instrument(client.middlewareStack, name, options, slots, contact);
    clients.set(name, client);
    return client;
  }

  return {
    ec2: another('ec2', (config) => new EC2Client(config)),
    elb: another('elbv2', (config) => new ElasticLoadBalancingV2Client(config)),
    rds: another('rds', (config) => new RDSClient(config)),
    sts: another('sts', (config) => new STSClient(config)),
    another,
    region,
    ...(endpointUrl !== undefined && { endpointUrl }),
    skew: () => contact.skew,
    secret:
      options.secret ??
      (async (name) => {
        throw new CloudspaceError(`the secret "${name}" is not there: these clients were made without secrets`, {
          code: 'NoSecret',
        });
      }),
    close() {
      for (const client of clients.values()) client.destroy();
    },
  };
}

/** The same refusal again and again with credentials that STS takes: not something that renewing mends. */
const MOST_RENEWALS = 10;

function instrument<Input extends object, Output extends object>(
  stack: MiddlewareStack<Input, Output>,
  service: string,
  options: ConnectOptions,
  slots: <T>(work: () => Promise<T>) => Promise<T>,
  contact: Contact,
): void {
  const { renewal } = options;
  // outermost: refusing, counting, translating, waiting for credentials
  stack.add(
    (next, context) => async (args) => {
      const command = (context.commandName ?? 'Unknown').replace(/Command$/, '');
      const mutating = !isReadOnly(command);
      if (mutating && (options.readOnly || (options.dryRun && service !== 'ec2'))) {
        throw new CloudspaceError(`${command} would change something, and this run only looks`, { code: 'ReadOnly' });
      }
      const input = mutating && options.dryRun ? { ...args, input: { ...args.input, DryRun: true } } : args;
      const started = performance.now();
      const count = (metadata: { httpStatusCode?: number; attempts?: number } | undefined) =>
        options.onRequest?.({
          service,
          command,
          mutating,
          ms: performance.now() - started,
          status: metadata?.httpStatusCode ?? 0,
          retries: (metadata?.attempts ?? 1) - 1,
        });
      for (let renewals = 0; ; renewals++) {
        await renewal?.pass();
        try {
          const result = await next(input);
          count((result.output as { $metadata?: { httpStatusCode?: number; attempts?: number } }).$metadata);
          return result;
        } catch (error) {
          count((error as { $metadata?: { httpStatusCode?: number; attempts?: number } }).$metadata);
          const known = translate(withoutExchange(error), command, contact.skew);
          // Refused before anything was done: the same input, with its token, is sent again.
          if (!renewal || renewals === MOST_RENEWALS || !endsCredentials(known, contact.worked))
            throw options.explain ? await options.explain(known) : known;
          await renewal.renew(known);
        }
      }
    },
    { step: 'initialize', name: 'cloudspaceOutermost', priority: 'high' },
  );
  // inside the retries: one slot an attempt, so that a command that waits to try again holds none
  stack.add(
    (next, context) => async (args) => {
      const command = (context.commandName ?? 'Unknown').replace(/Command$/, '');
      // A command that has no such parameter would leave it out and act.
      if (options.dryRun && !isReadOnly(command) && !saysDryRun(args.request)) {
        throw new CloudspaceError(`${command} has no dry run`, { code: 'ReadOnly' });
      }
      try {
        const result = await slots(() => next(args));
        contact.answered = true;
        contact.worked = true;
        measure(contact, result.response);
        return result;
      } catch (error) {
        if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== undefined)
          contact.answered = true;
        measure(contact, (error as { $response?: unknown }).$response);
        throw markUnknownOutcome(error, command, args.input, args.request);
      }
    },
    { step: 'finalizeRequest', name: 'cloudspaceAttempt', priority: 'low' },
  );
}

function saysDryRun(request: unknown): boolean {
  const { body } = request as { body?: unknown };
  return typeof body === 'string' && new URLSearchParams(body).get('DryRun') === 'true';
}

/** The `Date` header says what time it is at AWS, to the second. */
function measure(contact: Contact, response: unknown): void {
  const { headers } = (response ?? {}) as { headers?: Readonly<Record<string, string>> };
  const at = Date.parse(headers?.date ?? headers?.Date ?? '');
  if (!Number.isNaN(at)) contact.skew = at - Date.now();
}
