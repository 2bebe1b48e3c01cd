import { CloudspaceError } from '../engine/types.ts';
import { CLOCK, EXPIRED, MEANINGS, type Meaning, NETWORK } from './errorCodes.ts';

interface Raw {
  readonly name?: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly endpoint?: string;
  readonly outcomeUnknown?: boolean;
  readonly requestId?: string;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

const raw = (error: unknown): Raw => (typeof error === 'object' && error !== null ? (error as Raw) : {});

/** AWS's code of an error, as the service sends it: the SDK's `…Fault` and `…Exception` are cut off. '' for what is no error of AWS. */
export function codeOf(error: unknown): string {
  if (error instanceof CloudspaceError)
    return error.cause === undefined ? error.code : codeOf(error.cause) || error.code;
  const name = raw(error).name ?? '';
  return name === 'Error' || name === 'TypeError' ? '' : name.replace(/(?:Fault|Exception)$/, '');
}

/** The system's code of a connection that failed (`ECONNREFUSED`, …), or undefined when the endpoint answered. */
export function networkCode(error: unknown): string | undefined {
  const { name, code, cause, errors, $metadata } = raw(error);
  if ($metadata?.httpStatusCode !== undefined) return undefined;
  for (const candidate of [code, name]) {
    if (typeof candidate === 'string' && Object.hasOwn(NETWORK, candidate)) return candidate;
  }
  // Node tries IPv6 and IPv4 and wraps both failures (AggregateError)
  for (const inner of [cause, ...(errors ?? [])]) {
    const found = inner === undefined ? undefined : networkCode(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The same error without the exchange that the SDK hangs on it: that holds the request, with its signature and its body (a database's master
 * password), and whoever prints an error deeply would print these too.
 */
export function withoutExchange(error: unknown): unknown {
  if (!(error instanceof Error) || !('$response' in error)) return error;
  const { $response: _, ...rest } = error;
  const copy = new Error(error.message, { cause: error.cause });
  return Object.assign(copy, rest, { name: error.name, stack: error.stack });
}

/** Is it the answer "there is no such thing"? (`InvalidTarget`: not registered, or its instance is gone. `InvalidID`: what should get or lose a tag.) */
export function isNotFound(error: unknown): boolean {
  const code = codeOf(error);
  return /NotFound$/.test(code) || code === 'Gateway.NotAttached' || code === 'InvalidTarget' || code === 'InvalidID';
}

/** Does something else still use it? Deleting again later may succeed. */
export function isInUse(error: unknown): boolean {
  const code = codeOf(error);
  return MEANINGS[code]?.code === 'DependencyViolation';
}

/** Runs a delete; that the thing is gone already is success. */
export async function ignoreGone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/**
 * Turns whatever an AWS client threw into an error for people. `doing` completes "could not …", such as "CreateVpc" or "create the VPC".
 * `code` is AWS's own code, except where several mean the same or the product reacts to it: ExpiredToken, InvalidCredentials, NoCredentials,
 * AccessDenied, ClockSkew, Throttling, QuotaExceeded, InsufficientCapacity, DependencyViolation, Unreachable, OutcomeUnknown.
 * `skew` is how far AWS's clock is before this machine's (milliseconds), where it is known. Errors that are for people already, and aborts, are returned and thrown as they are.
 */
export function translate(error: unknown, doing: string, skew?: number): CloudspaceError {
  if (error instanceof CloudspaceError) return error;
  const { name, message = String(error), endpoint, outcomeUnknown, requestId, $metadata } = raw(error);
  if (name === 'AbortError') throw error;
  const id = $metadata?.requestId ?? requestId;

  if (name === 'CredentialsProviderError' || name === 'TokenProviderError') {
    const expired = /expired|sso login/i.test(message);
    return new CloudspaceError(`${expired ? EXPIRED.says : 'no usable AWS credentials'}: ${message}`, {
      code: expired ? 'ExpiredToken' : 'NoCredentials',
      hint: expired
        ? EXPIRED.hint
        : 'Run `aws configure sso` or `aws configure`, or set AWS_PROFILE; `cloudspace doctor` shows what was found.',
      exitCode: 2,
      cause: error,
    });
  }

  const network = networkCode(error);
  const where = endpoint ?? 'the AWS endpoint';
  if (outcomeUnknown) {
    const why = network === undefined ? `${codeOf(error) || 'error'} ${message}` : `${where}: ${NETWORK[network]}`;
    return new CloudspaceError(`${doing} was sent but its outcome is not known (${why})`, {
      code: 'OutcomeUnknown',
      hint: 'Run the command again: it looks first what is there and makes nothing twice.',
      requestId: id,
      cause: error,
    });
  }
  if (network !== undefined) {
    return new CloudspaceError(`cannot reach ${where}: ${NETWORK[network]} (${network})`, {
      code: 'Unreachable',
      hint: /\.amazonaws\.com/.test(where)
        ? 'Check the network, a proxy (HTTPS_PROXY is not used by the AWS SDK) and the name of the region.'
        : 'Check --endpoint-url or AWS_ENDPOINT_URL, and that the server there is running.',
      exitCode: 2,
      cause: error,
    });
  }

  const code = codeOf(error);
  const meaning = ofTheClock(code, message, skew) ?? MEANINGS[code];
  if (meaning === undefined) {
    return new CloudspaceError(`could not ${doing}: ${message}${code === '' ? '' : ` (${code})`}`, {
      code: code === '' ? 'Unexpected' : code,
      requestId: id,
      cause: error,
    });
  }
  const encoded = /encoded authorization failure message:\s*(\S+)/i.exec(message)?.[1];
  const said = encoded === undefined ? message : message.slice(0, message.search(/\s*encoded authorization/i));
  return new CloudspaceError(`could not ${doing}: ${meaning.says} (${code}: ${said})`, {
    code: meaning.code ?? code,
    hint:
      encoded === undefined
        ? meaning.hint
        : `${meaning.hint ?? ''} Which rule said no: aws sts decode-authorization-message --encoded-message ${encoded}`.trim(),
    requestId: id,
    cause: error,
    ...(meaning.exitCode && { exitCode: meaning.exitCode }),
  });
}

/** AWS takes signatures that are up to five minutes old; the SDK corrects its own clock from the first refusal on, and signs again. */
const TOLERATED_SKEW = 4 * 60_000;

/** Some services say "expired" or "does not match" of a signature whose time is wrong: then it is the clock. */
function ofTheClock(code: string, message: string, skew: number | undefined): Meaning | undefined {
  const ours = MEANINGS[code]?.code === CLOCK.code;
  const off = skew !== undefined && Math.abs(skew) >= TOLERATED_SKEW;
  const byTime = /signature (?:expired|not yet current)/i.test(message);
  if (!ours && !byTime && !(off && code === 'RequestExpired')) return undefined;
  return off ? { ...CLOCK, says: `${CLOCK.says}: ${describeSkew(skew)}` } : CLOCK;
}

/** "it is 12 minutes behind AWS" */
export function describeSkew(skew: number): string {
  const seconds = Math.round(Math.abs(skew) / 1000);
  const amount = seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
  return `it is ${amount} ${skew > 0 ? 'behind' : 'ahead of'} AWS`;
}
