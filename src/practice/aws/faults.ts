/** What rules (faultRule.ts) do to requests: which one meets a request, how often, and from which world a stale read is answered. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { AwsError } from './errors.ts';
import { faultError, serverError, throttled } from './faultErrors.ts';
import { readFaults, writeFault } from './faultFile.ts';
import { type FaultRule, isMeant, parseRule } from './faultRule.ts';
import type { Operation } from './operation.ts';
import { services } from './services.ts';
import type { World } from './world.ts';

/** What a request makes that does not work: NAT gateways and databases that end `failed`, databases that stay `creating`, instances that do not boot. */
export type Spoiled = 'failed' | 'creating' | 'boot';

/** What happens to one request. */
export interface Encounter {
  /** the rules that met it, as they were written */
  readonly rules: readonly string[];
  readonly latencyMs: number;
  /** it is answered from the world of so long ago; 0: from the newest */
  readonly staleMs: number;
  readonly spoiled: Spoiled | undefined;
  /** how it ends instead of with its answer, before or after it took effect */
  readonly end:
    | { readonly after: boolean; readonly error: AwsError }
    /** the connection is held for so long, then broken; Infinity: until the client gives up */
    | { readonly after: boolean; readonly holdMs: number }
    | undefined;
}

export interface Faults {
  /** Reads the rules again if they changed; true if so. */
  refresh(): boolean;
  /** What happens to this request. Each rule that meets it is used up by one, unless it is a dry run, which meets errors only. */
  meet(operation: Operation, ec2: boolean, dryRun: boolean): Encounter;
  /** names of hosts whose network is down */
  hostsDown(): readonly string[];
  /** the world of `ms` ago, or the oldest that is remembered */
  before(ms: number): World;
  /** to be told of each new world, as JSON */
  remember(world: string): void;
}

interface Live {
  readonly number: number;
  readonly rule: FaultRule;
  used: number;
  seen: number;
}

/** All operations, with whether each changes something: what rules may name. */
export function operationNames(): ReadonlyMap<string, boolean> {
  return new Map(
    Object.values(services).flatMap((service) =>
      [...service.operations.values()].map(({ name, mutating }) => [name, mutating] as const),
    ),
  );
}

/**
 * The faults of the practice cloud in `dir`: those kept there, and `given`, which go with this server.
 * Throws RangeError for a rule that is none.
 */
export function openFaults(dir: string, given: readonly string[], world: () => string): Faults {
  const names = operationNames();
  for (const text of given) parseRule(text, names);
  if (readFaults(dir).some((one) => !one.stays)) writeFault(dir, 'end');
  for (const text of given) writeFault(dir, `run ${text}`);
  const file = join(dir, 'faults.log');
  let size = -1;
  let live: Live[] = [];
  let history: { readonly at: number; readonly world: string }[] = [];

  function refresh(): boolean {
    const now = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (now === size) return false;
    size = now;
    const before = new Map(live.map((one) => [one.number, one]));
    live = readFaults(dir).flatMap(({ number, rule: text, used }) => {
      const known = before.get(number);
      if (known) return [Object.assign(known, { used })];
      try {
        return [{ number, rule: parseRule(text, names), used, seen: 0 }];
      } catch {
        return []; // written by another version, or by hand
      }
    });
    if (!live.some(isStale)) history = [];
    else if (history.length === 0) history = [{ at: Date.now(), world: world() }];
    return true;
  }
  refresh();

  return {
    refresh,
    meet(operation, ec2, dryRun) {
      refresh();
      const meant = live.filter(({ rule }) => !rule.host && isMeant(rule.target, operation.name, operation.mutating));
      if (!dryRun) for (const one of meant) one.seen += 1;
      const meeting = meant.filter(
        ({ rule, used, seen }) =>
          used < rule.times && (dryRun ? rule.effect === 'error' : rule.nth === undefined || rule.nth === seen),
      );
      const ending = meeting.find(({ rule }) => ENDS.includes(rule.effect));
      const met = meeting.filter((one) => one === ending || !ENDS.includes(one.rule.effect));
      for (const one of met) {
        if (dryRun || one.rule.times === Number.POSITIVE_INFINITY) continue;
        one.used += 1;
        writeFault(dir, `used ${one.number}`);
      }
      const rules = met.map(({ rule }) => rule);
      return {
        rules: rules.map(({ text }) => text),
        latencyMs: longest(rules, 'latency'),
        staleMs: operation.mutating ? 0 : longest(rules, 'stale'),
        spoiled: rules.map(spoils).find((one) => one !== undefined),
        end: ending && endOf(ending.rule, ec2, operation.name),
      };
    },
    hostsDown: () => live.flatMap(({ rule }) => (rule.host ? [rule.target] : [])),
    before(ms) {
      const then = Date.now() - ms;
      const one = history.findLast(({ at }) => at <= then) ?? history[0];
      return JSON.parse(one?.world ?? world()) as World;
    },
    remember(text) {
      if (history.length === 0) return;
      const now = Date.now();
      history.push({ at: now, world: text });
      const oldest = now - Math.max(...live.filter(isStale).map(({ rule }) => rule.ms));
      const first = history.findLastIndex(({ at }) => at <= oldest);
      if (first > 0) history = history.slice(first);
    },
  };
}

const ENDS = ['throttle', 'error', 'status', 'timeout', 'drop'];

function isStale({ rule }: Live): boolean {
  return rule.effect === 'stale';
}

function longest(rules: readonly FaultRule[], effect: string): number {
  return Math.max(0, ...rules.filter((rule) => rule.effect === effect).map(({ ms }) => ms));
}

function spoils({ effect, value }: FaultRule): Spoiled | undefined {
  if (effect === 'boot') return 'boot';
  return effect === 'state' ? (value as 'failed' | 'creating') : undefined;
}

function endOf({ effect, value, ms, status, after }: FaultRule, ec2: boolean, operation: string): Encounter['end'] {
  if (effect === 'drop') return { after, holdMs: 0 };
  if (effect === 'timeout') return { after, holdMs: ms };
  if (effect === 'throttle') return { after, error: throttled(ec2, operation) };
  if (effect === 'status') return { after, error: serverError(ec2, status, operation) };
  return { after, error: faultError(value, operation) };
}
