import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { RDSClient } from '@aws-sdk/client-rds';
import { STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider, MiddlewareStack } from '@smithy/types';
import { CloudspaceError } from '../engine/types.ts';
import { limiter } from '../system/limit.ts';
import { translate, withoutExchange } from './errors.ts';
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
  /** requests in flight at once over all services (default 10) */
  readonly concurrency?: number;
  /** attempts a command (default 8) */
  readonly maxAttempts?: number;
  readonly secret?: (name: string) => Promise<string>;
  readonly onRequest?: (request: AwsRequest) => void;
  /** factor on the waits between attempts (tests and practice: below 1) */
  readonly waitScale?: number;
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
  const { region, credentials, endpointUrl, concurrency = 10, maxAttempts = 8 } = options;
  const contact = { answered: false };
  const config = {
    region,
    credentials,
    maxAttempts,
    requestHandler: { connectionTimeout: 5000, requestTimeout: 60_000, throwOnRequestTimeout: true },
    ...(endpointUrl !== undefined && { endpoint: endpointUrl }),
  };
  const strategy = () => retries({ maxAttempts, contact, waitScale: options.waitScale ?? 1 });
  const ec2 = new EC2Client({ ...config, retryStrategy: strategy() });
  const elb = new ElasticLoadBalancingV2Client({ ...config, retryStrategy: strategy() });
  const rds = new RDSClient({ ...config, retryStrategy: strategy() });
  const sts = new STSClient({ ...config, retryStrategy: strategy() });

  const slots = limiter(concurrency);
  instrument(ec2.middlewareStack, 'ec2', options, slots, contact);
  instrument(elb.middlewareStack, 'elbv2', options, slots, contact);
  instrument(rds.middlewareStack, 'rds', options, slots, contact);
  instrument(sts.middlewareStack, 'sts', options, slots, contact);

  return {
    ec2,
    elb,
    rds,
    sts,
    region,
    ...(endpointUrl !== undefined && { endpointUrl }),
    secret:
      options.secret ??
      (async (name) => {
        throw new CloudspaceError(`the secret "${name}" is not there: these clients were made without secrets`, {
          code: 'NoSecret',
        });
      }),
    close() {
      for (const client of [ec2, elb, rds, sts]) client.destroy();
    },
  };
}

function instrument<Input extends object, Output extends object>(
  stack: MiddlewareStack<Input, Output>,
  service: string,
  options: ConnectOptions,
  slots: ReturnType<typeof limiter>,
  contact: { answered: boolean },
): void {
  // outermost: refusing, counting, translating
  stack.add(
    (next, context) => async (args) => {
      const command = (context.commandName ?? 'Unknown').replace(/Command$/, '');
      if (options.readOnly && !isReadOnly(command)) {
        throw new CloudspaceError(`${command} would change something, and this run only looks`, { code: 'ReadOnly' });
      }
      const started = performance.now();
      const count = (metadata: { httpStatusCode?: number; attempts?: number } | undefined) =>
        options.onRequest?.({
          service,
          command,
          mutating: !isReadOnly(command),
          ms: performance.now() - started,
          status: metadata?.httpStatusCode ?? 0,
          retries: (metadata?.attempts ?? 1) - 1,
        });
      try {
        const result = await next(args);
        count((result.output as { $metadata?: { httpStatusCode?: number; attempts?: number } }).$metadata);
        return result;
      } catch (error) {
        count((error as { $metadata?: { httpStatusCode?: number; attempts?: number } }).$metadata);
        throw translate(withoutExchange(error), command);
      }
    },
    { step: 'initialize', name: 'cloudspaceOutermost', priority: 'high' },
  );
  // inside the retries: one slot an attempt, so that a command that waits to try again holds none
  stack.add(
    (next, context) => async (args) => {
      const command = (context.commandName ?? 'Unknown').replace(/Command$/, '');
      try {
        const result = await slots(() => next(args));
        contact.answered = true;
        return result;
      } catch (error) {
        if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== undefined)
          contact.answered = true;
        throw markUnknownOutcome(error, command, args.input, args.request);
      }
    },
    { step: 'finalizeRequest', name: 'cloudspaceAttempt', priority: 'low' },
  );
}
