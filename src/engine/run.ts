import type { Judged } from './byHand.ts';
import type { Leftover } from './doomed.ts';
import type { Drift } from './drift.ts';
import type { StockOptions } from './stock.ts';
import type { Action, Output, Play, Resource } from './types.ts';

/** What a run needs to know, and the means it is given. */
export interface RunOptions extends StockOptions {
  /** requests that change something, at once; default 10 */
  readonly concurrency?: number;
  /** scales the typical durations that are shown: practice is faster than AWS; default 1 */
  readonly durations?: number;
  /** how many times something that failed while it was made (a NAT gateway, an instance) is replaced without asking; default 0 */
  readonly replacements?: number;
  /** keys of what a person makes: taken over when the one thing that fits is there, never made */
  readonly byHand?: ReadonlySet<string>;
  /** makes sure that nobody else works on the Cloudspace, before each request that changes something; throws when somebody does */
  readonly hold?: () => Promise<void>;
  /** runs an Ansible play; undefined: plays are skipped, and say so */
  readonly play?: (play: Play) => Promise<void>;
  /** generates the named secrets that are missing */
  readonly secrets: (names: readonly string[]) => Promise<void>;
}

/** A walk under way: what is there, and everything that can be done about it (`startRun` of apply.ts gives it). */
export interface Run {
  /** what is there, by key */
  readonly outputs: ReadonlyMap<string, Output>;
  /** keys of what a person made */
  readonly adopted: ReadonlySet<string>;
  /** what somebody changed or removed by hand, as it was when the run began; nothing is done about it before `repair` or `accept` */
  readonly drift: readonly Drift[];
  /**
   * Puts the drift of these keys back: strays are deleted, tags put on, attributes restored, what is missing made anew with what hung on it.
   * Throws the first failure after everything else was put back.
   */
  repair(keys: readonly string[]): Promise<void>;
  /** lets the drift of these keys be mended when their step is done: the person has seen it */
  accept(keys: readonly string[]): void;
  /**
   * Does what is not done yet. Resolves when all of it exists and the plays are through; slow settling goes on behind. Throws the first
   * failure, after everything that does not depend on it was done. Asked again it waits for the same outcome.
   */
  do(actions: readonly Action[]): Promise<void>;
  /**
   * As `do`, but does not wait for resources that wait for something slow (a route for its NAT gateway): they follow in the background.
   * Gives their keys.
   */
  begin(actions: readonly Action[]): Promise<string[]>;
  /** Begins again what failed; `do` then waits for the new outcome. What was left half made is replaced. */
  retry(): Promise<void>;
  /** what has failed by itself and was not tried again since, by key; what only waited for it is left out */
  failures(): ReadonlyMap<string, unknown>;
  /** Deletes what is there of these keys, in reverse, and lets go of what is adopted. Gives what could not be deleted. */
  undo(keys: readonly string[]): Promise<readonly Leftover[]>;
  /** what a person may have made for this resource; undefined: what it refers to is not there yet */
  candidates(resource: Resource): Promise<Judged[] | undefined>;
  /** takes over what a person made: tags it, and goes on with it */
  take(resource: Resource, out: Output, named: boolean): Promise<void>;
  /** looks again which of these are there: connections are found by what they connect */
  look(keys: readonly string[]): Promise<void>;
  /** resolves when nothing settles any more; throws what failed there */
  settled(): Promise<void>;
  /** how many resources are still settling */
  settling(): number;
}
