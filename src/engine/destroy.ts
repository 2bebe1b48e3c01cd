import type { Blocker, Decide } from './blocked.ts';
import type { Doomed, Leftover } from './doomed.ts';
import { dependentKinds, kindsOf } from './graph.ts';
import type { Journal } from './journal.ts';
import { createRemover } from './remove.ts';
import type { Event, Resource } from './types.ts';

export interface DestroyOptions {
  readonly cloud: unknown;
  readonly name: string;
  readonly resources: readonly Resource[];
  readonly doomed: readonly Doomed[];
  readonly journal: Journal | undefined;
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
  readonly concurrency?: number;
  /** scales every wait; 1 for AWS */
  readonly pace: number;
  /** makes sure that nobody else works on the Cloudspace, before each deletion; throws when somebody does */
  readonly hold?: () => Promise<void>;
  /** finds what holds something that the cloud refuses to delete */
  readonly blockers?: (item: Doomed) => Promise<readonly Blocker[]>;
  /** asks the person about what is held by things of others; left out: they are waited for a while, then left */
  readonly decide?: Decide;
  /** how long to wait for things of others, in seconds; default 60 */
  readonly patience?: number;
  /** asked before each deletion, with what has failed so far: a reason to leave it for now */
  readonly keep?: (item: Doomed, failed: readonly Leftover[]) => string | undefined;
  /** may the protection of this one be lifted? Left out: no */
  readonly lift?: (item: Doomed) => Promise<boolean>;
}

/**
 * Deletes in the reverse order of the graph, by kind: a kind goes when nothing of the kinds that refer to it is left. Whatever does not
 * depend on a failure is still deleted. Gives what could not be deleted, with the reason.
 */
export async function destroy(options: DestroyOptions): Promise<readonly Leftover[]> {
  const dependents = dependentKinds(options.resources);
  const { remove, letGo, leftovers } = createRemover(options, dependents);
  const done = new Map<string, Promise<void>>();

  function kindGone(type: string): Promise<void> {
    let promise = done.get(type);
    if (!promise) {
      promise = Promise.all([...(dependents.get(type) ?? [])].map(kindGone)).then(() =>
        remove(options.doomed.filter((item) => !item.adopted && item.kind.type === type)),
      );
      done.set(type, promise);
    }
    return promise;
  }

  await Promise.all(kindsOf(options.resources).map((kind) => kindGone(kind.type)));
  await letGo(options.doomed.filter((item) => item.adopted));
  return leftovers;
}
