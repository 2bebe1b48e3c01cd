import { limiter } from '../system/limit.ts';
import { type Blocker, patience, sentence } from './blocked.ts';
import type { DestroyOptions } from './destroy.ts';
import { isLeaving } from './discover.ts';
import type { Doomed, Leftover } from './doomed.ts';
import { createPoller } from './poll.ts';
import { CloudspaceError, hasCode } from './types.ts';

/** Deletions at once: EC2 lets 50 of its dearest requests (revoking rules) through in a burst, and 5 a second after that. */
const DELETIONS = 20;

/** Typical seconds from which on something is waited for until it is gone; what is quicker is gone with the answer. */
const SLOW = 10;

/** Everything that takes away, with the journal around it. */
export interface Remover {
  /** All of one kind; resolves when they are gone, or among `leftovers`. */
  remove(items: readonly Doomed[]): Promise<void>;
  /** takes our tags off what stays */
  letGo(adopted: readonly Doomed[]): Promise<void>;
  /** what could not be deleted, as it grows */
  readonly leftovers: readonly Leftover[];
}

/** `dependents`: for each kind, the kinds that have to be gone before it. */
export function createRemover(options: DestroyOptions, dependents: ReadonlyMap<string, ReadonlySet<string>>): Remover {
  const { cloud, journal, notify, signal } = options;
  const doomed = options.doomed.filter((item) => !item.adopted);
  const going = new Set(doomed.filter(({ kind }) => !kind.partOf).map(({ out }) => out.id));
  const adopted = new Set(options.doomed.filter((item) => item.adopted).map(({ out }) => out.id));
  const poller = createPoller(cloud, options.name, options.pace, signal);
  const slots = limiter(options.concurrency ?? DELETIONS);
  const mutate: typeof slots = (work) =>
    slots(async () => {
      await options.hold?.();
      return work();
    });
  const leftovers: Leftover[] = [];
  const wait = patience({ ...options, adopted, leftovers, dependents });

  async function remove(items: readonly Doomed[]): Promise<void> {
    const sent = await removeTogether(items.filter((item) => !isLeaving(item.kind, item.out)));
    await Promise.all(items.map((item) => removeOne(item, sent.has(item))));
  }

  /** As many as possible in one request. What is refused together (one of them is protected) is tried one by one after that. */
  async function removeTogether(items: readonly Doomed[]): Promise<ReadonlySet<Doomed>> {
    const many = items[0]?.kind.deleteMany;
    const sent = new Set<Doomed>();
    if (!many || items.length < 2) return sent;
    const parts = Array.from({ length: Math.ceil(items.length / many.most) }, (_, index) =>
      items.slice(index * many.most, (index + 1) * many.most),
    );
    await Promise.all(
      parts.map(async (part) => {
        signal.throwIfAborted();
        await note(part, 'deleting');
        try {
          await mutate(() =>
            many.send(
              cloud,
              part.map(({ out }) => out),
              signal,
            ),
          );
          for (const item of part) sent.add(item);
        } catch {
          signal.throwIfAborted();
        }
      }),
    );
    return sent;
  }

  async function removeOne(item: Doomed, sent: boolean): Promise<void> {
    const { kind, out } = item;
    const started = Date.now();
    try {
      signal.throwIfAborted();
      const stays = options.keep?.(item, leftovers);
      if (stays !== undefined) throw new CloudspaceError(stays, { code: 'Kept' });
      report(item, 'deleting');
      const parent = kind.partOf?.(out);
      if (parent !== undefined && going.has(parent)) {
        await note([item], undefined);
        report(item, 'deleted');
        return;
      }
      if (!sent && !isLeaving(kind, out)) {
        await note([item], 'deleting');
        await wait(item, () => mutate(() => unprotected(item)));
      }
      if ((kind.seconds ?? 0) >= SLOW) await poller.gone(kind, out);
      await note([item], undefined);
      report(item, 'deleted', { seconds: (Date.now() - started) / 1000 });
    } catch (error) {
      if (signal.aborted || hasCode(error, 'LeaseLost')) throw error;
      const blockers = (error as { blockers?: readonly Blocker[] }).blockers ?? [];
      const reason = blockers.length > 0 ? `held by ${sentence(blockers)}` : (error as Error).message;
      leftovers.push({ key: item.key, kind, id: out.id, reason, blockers });
      report(item, 'failed', { detail: reason });
    }
  }

  async function unprotected({ kind, out, ...item }: Doomed): Promise<void> {
    try {
      await kind.delete(cloud, out, signal);
    } catch (error) {
      if (!kind.protection?.refused(error)) throw error;
      if (!(await options.lift?.({ kind, out, ...item })))
        throw new CloudspaceError(`${kind.label} ${out.id} is protected against deletion`, {
          code: 'Protected',
          hint: 'somebody switched that on by hand; `cloudspace destroy --force` lifts the protection and deletes it',
          cause: error,
        });
      await kind.protection.lift(cloud, out, signal);
      await kind.delete(cloud, out, signal);
    }
  }

  async function letGo(items: readonly Doomed[]): Promise<void> {
    if (items.length === 0) return;
    signal.throwIfAborted();
    const released = items.filter((item) => options.keep?.(item, leftovers) === undefined);
    await Promise.all(released.map(({ kind, out }) => mutate(async () => kind.untag?.(cloud, out, signal))));
    await note(released, undefined);
    for (const item of released.filter(({ kind }) => kind.untag))
      report(item, 'skipped', { detail: 'yours: left as it was, without our tags' });
  }

  function report(
    { key, kind, out }: Doomed,
    status: 'deleting' | 'deleted' | 'failed' | 'skipped',
    more: { seconds?: number; detail?: string } = {},
  ): void {
    notify({ type: 'resource', key, kind: kind.type, label: kind.label, status, id: out.id, ...more });
  }

  async function note(items: readonly Doomed[], status: 'deleting' | undefined): Promise<void> {
    const known = items.filter(({ key }) => journal?.state.resources[key]);
    if (!journal || known.length === 0) return;
    const at = new Date().toISOString();
    await journal.update(({ resources }) => {
      for (const { key } of known) {
        const entry = resources[key];
        if (status && entry) resources[key] = { ...entry, status, at };
        else delete resources[key];
      }
    });
  }

  return { remove, letGo, leftovers };
}
