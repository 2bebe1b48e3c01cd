import { StandardRetryStrategy } from '@smithy/core/retry';
import type { RetryErrorInfo, RetryStrategyV2, StandardRetryToken } from '@smithy/types';
import { codeOf, isNotFound, networkCode } from './errors.ts';

/** What `markUnknownOutcome` writes on an error, for the strategy and for `translate`. */
interface Marked {
  command?: string;
  endpoint?: string;
  /** the request may have taken effect, and sending it again could make a second one */
  outcomeUnknown?: boolean;
}

/** The longest backoff, so that an answer to Ctrl-C or a person's patience is never far (milliseconds). */
const LONGEST_WAIT = 20_000;

/** Codes of status 500 and 503 that are definite refusals, not accidents. */
const REFUSED_WITH_5XX = /^Insufficient|^Throttl|^RequestLimitExceeded$|^SlowDown$/;

/** Commands that may be repeated without harm: reads, and what ends in the same state. Everything else makes one more. */
const REPEATABLE =
  /^(?:Describe|Get|List|Decode|AssumeRole|Delete|Terminate|Release|Deregister|Detach|Disassociate|Modify|Stop|Start|Replace|Revoke|Register)/;

/** Commands that refer to what was made a moment ago. */
const MAKES = /^(?:Create|Run|Attach|Associate|Authorize|Register|Modify)/;

/**
 * Writes on an error which endpoint it came from, and whether its command may have taken effect nevertheless. The SDK would send a
 * CreateVpc whose answer was lost once more: the result is two VPCs. Only a command with a client token may be repeated blindly.
 */
export function markUnknownOutcome(error: unknown, command: string, input: unknown, request: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  const marked = error as Marked;
  marked.command = command;
  const url = request as { protocol?: string; hostname?: string; port?: number } | undefined;
  if (url?.hostname !== undefined) {
    marked.endpoint = `${url.protocol ?? 'https:'}//${url.hostname}${url.port === undefined ? '' : `:${url.port}`}`;
  }
  if (REPEATABLE.test(command) || (input as { ClientToken?: string }).ClientToken !== undefined) return error;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  const network = networkCode(error);
  const sent =
    network !== undefined && !/^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(network);
  if (sent || (status !== undefined && status >= 500 && !REFUSED_WITH_5XX.test(codeOf(error))))
    marked.outcomeUnknown = true;
  return error;
}

/**
 * AWS's standard retries (full jitter, a budget of retry tokens) with three differences:
 * - before anything has ever answered, a failed connection is reported at once: the endpoint is wrong or down (one that was closed
 *   is tried twice more: something is there);
 * - a command whose outcome is unknown is never repeated blindly: the caller looks first;
 * - a command that makes something and is told that what it refers to does not exist is repeated: ids are known
 *   some seconds before every part of EC2 knows them.
 */
export function retries(options: {
  readonly maxAttempts: number;
  readonly contact: { readonly answered: boolean };
  readonly waitScale: number;
}): RetryStrategyV2 {
  let base = 0;
  const standard = new StandardRetryStrategy({
    maxAttempts: options.maxAttempts,
    baseDelay: 200,
    backoff: {
      setDelayBase(delay) {
        base = delay;
      },
      computeNextBackoffDelay: (attempt) =>
        Math.floor(Math.random() * Math.min(base * 2 ** attempt, LONGEST_WAIT) * options.waitScale),
    },
  });
  return {
    acquireInitialRetryToken: (scope) => standard.acquireInitialRetryToken(scope),
    recordSuccess(token: StandardRetryToken) {
      standard.recordSuccess(token);
    },
    async refreshRetryTokenForRetry(token: StandardRetryToken, info: RetryErrorInfo) {
      const error = info.error as (Error & Marked) | undefined;
      if (
        error?.outcomeUnknown ||
        /^Insufficient/.test(codeOf(error)) ||
        (!options.contact.answered && isHopeless(networkCode(error), token.getRetryCount()))
      ) {
        throw error;
      }
      const notKnownYet = isNotFound(error) && MAKES.test(error?.command ?? '');
      return standard.refreshRetryTokenForRetry(token, notKnownYet ? { ...info, errorType: 'TRANSIENT' } : info);
    },
  };
}

/** A connection that cannot be had, as opposed to one that was closed by accident. */
function isHopeless(network: string | undefined, retries: number): boolean {
  return network !== undefined && (network !== 'ECONNRESET' || retries >= 2);
}
