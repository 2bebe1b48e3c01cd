/**
 * The language of faults. A rule is one line, `TARGET:EFFECT[,OPTION…]`:
 *
 *     RunInstances:throttle=3             the next three RunInstances are throttled
 *     mutation#12:drop,after              the 12th request that changes something takes effect; its answer is lost
 *     Describe*:stale=5s                  listings show the world as it was five seconds ago, until cleared
 *     CreateVpc:error=VpcLimitExceeded    AWS's code and message, once
 *     host:bastion:network=down           the host stays up and cannot be reached, until cleared
 *
 * TARGET is an operation (`*` stands for any letters), `mutation`, `read` or `*`, and may be followed by `#N`: only the N-th such request
 * after the rule was given. Pure: what a rule does to a request is in faults.ts.
 */

/** How long an effect holds when the rule does not say it: one request, or until the rule is cleared. */
type Holds = 'once' | 'until cleared';

interface EffectSpec {
  readonly value: 'none' | 'count' | 'code' | 'status' | 'duration' | 'optional duration' | readonly string[];
  readonly holds: Holds;
  /** may be given `after`: first the request takes effect, then this happens to its answer */
  readonly after: boolean;
  readonly text: string;
}

export const EFFECTS: Readonly<Record<string, EffectSpec>> = {
  throttle: { value: 'count', holds: 'once', after: false, text: 'too many requests; throttle=3 is three times' },
  error: { value: 'code', holds: 'once', after: true, text: "an error code of AWS's: error=VpcLimitExceeded" },
  status: { value: 'status', holds: 'once', after: true, text: 'a server error, status=500 or status=503' },
  timeout: {
    value: 'optional duration',
    holds: 'once',
    after: true,
    text: 'no answer at all; timeout=90s ends the connection then',
  },
  drop: { value: 'none', holds: 'once', after: true, text: 'the connection breaks' },
  latency: { value: 'duration', holds: 'until cleared', after: false, text: 'a late answer: latency=2s' },
  stale: { value: 'duration', holds: 'until cleared', after: false, text: 'reads show an older world: stale=5s' },
  state: {
    value: ['failed', 'creating'],
    holds: 'once',
    after: false,
    text: 'CreateNatGateway:state=failed; CreateDBInstance:state=creating',
  },
  boot: { value: ['fail'], holds: 'once', after: false, text: 'RunInstances:boot=fail: the instance ends by itself' },
  network: { value: ['down'], holds: 'until cleared', after: false, text: 'host:NAME:network=down' },
};

/** What only certain operations can suffer. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  'state=failed': ['CreateNatGateway', 'CreateDBInstance'],
  'state=creating': ['CreateDBInstance'],
  'boot=fail': ['RunInstances'],
};

export interface FaultRule {
  /** as it was written */
  readonly text: string;
  /** an operation's name with `*`, `mutation`, `read`, or a host's name */
  readonly target: string;
  readonly host: boolean;
  /** counts from 1 */
  readonly nth: number | undefined;
  readonly effect: string;
  /** error code or state; '' where the effect has none */
  readonly value: string;
  /** milliseconds of `latency`, `stale` and `timeout`; Infinity: until the client gives up */
  readonly ms: number;
  readonly status: number;
  readonly after: boolean;
  /** requests that it still meets; Infinity: until it is cleared */
  readonly times: number;
}

/** One line for `--help` and for errors. */
const GRAMMAR = 'TARGET:EFFECT[,after][,times=N], such as RunInstances:throttle=3 or mutation#12:drop,after';

/**
 * Reads a rule; `operations` are the names there are, with whether each changes something.
 * Throws RangeError that names the part that is wrong and what is valid there.
 */
export function parseRule(text: string, operations: ReadonlyMap<string, boolean>): FaultRule {
  const bad = (why: string): never => {
    throw new RangeError(`the fault "${text}": ${why}`);
  };
  const host = text.startsWith('host:');
  const split = text.indexOf(':', host ? 'host:'.length : 0);
  if (split === -1) bad(`there is no effect after the target; a rule is ${GRAMMAR}`);
  const [effectText = '', ...options] = text.slice(split + 1).split(',');
  const [, target = '', nthText] = /^(.*?)(?:#(.*))?$/s.exec(text.slice(host ? 'host:'.length : 0, split)) ?? [];
  const [effect = '', ...values] = effectText.split('=');
  const value = values.join('=');
  const spec = Object.hasOwn(EFFECTS, effect) ? EFFECTS[effect] : undefined;
  if (!spec) return bad(`"${effect}" is no effect; there are: ${Object.keys(EFFECTS).join(', ')}`);
  if (nthText !== undefined && !/^[1-9]\d{0,5}$/.test(nthText))
    bad(`"#${nthText}" is not the number of a request: write #12`);
  if (host !== (effect === 'network'))
    bad(
      host ? `hosts have network=down only, not "${effect}"` : 'network=down needs a host: host:bastion:network=down',
    );
  if (host && (target === '' || nthText !== undefined))
    bad('a host is named without a number: host:bastion:network=down');
  if (!host) checkTarget(target, effect, value, operations, bad);
  const after = options.includes('after');
  if (after && !spec.after) bad(`"after" does not go with ${effect}`);
  let times =
    spec.value === 'count' && value !== '' ? Number(value) : spec.holds === 'once' ? 1 : Number.POSITIVE_INFINITY;
  for (const option of options) {
    if (option === 'after') continue;
    const count = /^times=([1-9]\d{0,5}|all)$/.exec(option)?.[1];
    if (count === undefined || host) bad(`"${option}" is no option; there are: after, times=N, times=all`);
    if (nthText !== undefined) bad(`"${option}" does not go with #${nthText}, which is one request`);
    times = count === 'all' ? Number.POSITIVE_INFINITY : Number(count);
  }
  if (nthText !== undefined) times = 1;
  return {
    text,
    target,
    host,
    nth: nthText === undefined ? undefined : Number(nthText),
    effect,
    value: checkValue(effect, spec, value, bad),
    ms: /duration/.test(String(spec.value)) ? milliseconds(value) : 0,
    status: spec.value === 'status' ? Number(value) : 0,
    after,
    times,
  };
}

type Bad = (why: string) => never;

function checkTarget(
  target: string,
  effect: string,
  value: string,
  operations: ReadonlyMap<string, boolean>,
  bad: Bad,
): void {
  const only = ONLY[`${effect}=${value}`];
  if (only && !only.includes(target)) bad(`${effect}=${value} can happen to ${only.join(' and ')} only`);
  const names = [...operations].filter(([name, mutating]) => isMeant(target, name, mutating));
  if (names.length === 0) {
    const alike = [...operations.keys()].filter((name) =>
      name.toLowerCase().includes(target.toLowerCase().slice(0, 9)),
    );
    const near =
      target === '' || alike.length === 0 ? 'such as CreateVpc, Describe*, mutation, read, *' : alike.slice(0, 5);
    bad(`"${target}" is no operation of the practice cloud; there are: ${[near].flat().join(', ')}`);
  }
  if (effect === 'stale' && !names.some(([, mutating]) => !mutating))
    bad(`stale is for reads, and "${target}" is none`);
}

function checkValue(effect: string, { value: wanted }: EffectSpec, value: string, bad: Bad): string {
  const duration = 'a duration, such as 2s or 500ms';
  if (Array.isArray(wanted) && !wanted.includes(value))
    bad(`"${value}" is no ${effect}; there are: ${wanted.join(', ')}`);
  if (wanted === 'none' && value !== '') bad(`${effect} takes no value, and "${value}" was given`);
  if (wanted === 'count' && value !== '' && !/^[1-9]\d{0,5}$/.test(value))
    bad(`"${value}" is not a number of requests`);
  if (wanted === 'code' && !/^[A-Za-z][\w.]+$/.test(value))
    bad(`"${value}" is no error code: write error=VpcLimitExceeded`);
  if (wanted === 'status' && !/^5\d\d$/.test(value))
    bad(`"${value}" is no server error: write status=500 or status=503`);
  if (wanted === 'duration' && Number.isNaN(milliseconds(value || 'x'))) bad(`"${value}" is not ${duration}`);
  if (wanted === 'optional duration' && Number.isNaN(milliseconds(value))) bad(`"${value}" is not ${duration}`);
  return value;
}

/** '' is for ever; NaN for what is no duration. */
function milliseconds(text: string): number {
  if (text === '') return Number.POSITIVE_INFINITY;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  return Number(number) * { ms: 1, s: 1000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
}

/** Is the operation what the target means? */
export function isMeant(target: string, operation: string, mutating: boolean): boolean {
  if (target === 'mutation' || target === 'read') return mutating === (target === 'mutation');
  const pattern = target.replaceAll(/[^\w*]/g, '\\$&').replaceAll('*', '\\w*');
  return new RegExp(`^${pattern}$`).test(operation);
}
