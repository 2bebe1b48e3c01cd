import type { SchemaRef } from '@smithy/types';
import type { Hosts } from '../hosts/types.ts';
import type { Spoiled } from './faults.ts';
import type { Quotas } from './quotas.ts';
import type { RegionWorld, World } from './world.ts';

/** Time in the practice cloud. States are computed from timestamps when they are read: there are no timers. */
export interface Clock {
  /** milliseconds since 1970 */
  now(): number;
  /** have `seconds` of AWS's typical time, divided by the speed, gone by since `since` (milliseconds)? */
  passed(since: number, seconds: number): boolean;
}

/** Seconds that something terminated or deleted stays listed. */
export const LISTED_SECONDS = 3600;
/** However fast time goes, waiters that look every 15 s must see the end before it is forgotten. */
const LEAST_LISTED_MS = 60_000;

/** May something that ended at `end` be forgotten? */
export function longGone(clock: Clock, end: number, seconds: number): boolean {
  return clock.now() - end > LEAST_LISTED_MS && clock.passed(end, seconds);
}

export interface Context {
  readonly world: World;
  /** the resources of the caller's account in the request's region */
  readonly region: RegionWorld;
  readonly account: string;
  readonly regionName: string;
  readonly callerArn: string;
  readonly callerId: string;
  readonly clock: Clock;
  readonly hosts: Hosts | undefined;
  readonly quotas: Quotas;
  /** what this request makes does not work: a fault (faults.ts) */
  readonly spoiled: Spoiled | undefined;
  /** seconds that temporary credentials live at most */
  readonly sessionLife: number;
  /** a hash of the request's parameters without its client token */
  fingerprint(): string;
  /** says that all parameters were considered, where a handler need not look at each: the answer to a repeated request */
  considered(): void;
}

const READS = /^(Describe|Get|List|AssumeRole)/;
const SESSIONS = /^(AssumeRole|GetSessionToken)/;

interface AnyCommand {
  readonly input: object;
  resolveMiddleware(...parameters: never[]): (...parameters: never[]) => Promise<{ output: unknown }>;
}
type OutputOf<C> = C extends { resolveMiddleware(...p: never[]): (...p: never[]) => Promise<{ output: infer O }> }
  ? Omit<O, '$metadata'>
  : never;

export interface Operation {
  readonly name: string;
  /** changes the caller's resources */
  readonly mutating: boolean;
  /** its effect is saved: mutations, and the start of sessions */
  readonly saved: boolean;
  readonly input: SchemaRef;
  readonly output: SchemaRef;
  readonly handle: (input: Record<string, unknown>, context: Context) => object | Promise<object>;
}

/**
 * An operation of the practice cloud: `on(CreateVpcCommand, (input, context) => output)`. The command class gives the types, the name
 * and the wire schemas. Mutating handlers must be synchronous: the server runs each as one transaction.
 */
export function on<C extends AnyCommand>(
  command: new (input: never) => C,
  handler: (input: C['input'], context: Context) => OutputOf<C> | Promise<OutputOf<C>>,
): Operation {
  const { schema } = new command({} as never) as C & { readonly schema?: unknown };
  // Static operation schema: [9, namespace, name, traits, input, output].
  const [, , name, , input, output] = schema as [9, string, string, unknown, SchemaRef, SchemaRef];
  return {
    name,
    mutating: !READS.test(name),
    saved: !READS.test(name) || SESSIONS.test(name),
    input,
    output,
    handle: handler as unknown as Operation['handle'],
  };
}
