import { findCandidates } from './byHand.ts';
import { destroy } from './destroy.ts';
import { findDoomed, type Leftover } from './doomed.ts';
import { putBack } from './mend.ts';
import { createNodes } from './nodes.ts';
import { isRejected, throwFirst } from './outcomes.ts';
import type { Run, RunOptions } from './run.ts';
import { look, takeOver } from './takeOver.ts';
import type { Action, Play } from './types.ts';
import { accept, openWork, type Work } from './work.ts';

/**
 * Discovers what is there and gives the run that adds what is missing. Order is the graph: each resource waits for what it refers to and
 * for nothing else. Before each mutation its intent is on disk, after it its outcome.
 */
export async function startRun(options: RunOptions): Promise<Run> {
  const { cloud, name, resources, notify, signal } = options;
  const work = await openWork(options);
  const nodes = createNodes(work);
  const plays = new Map<string, Promise<void>>();

  async function runPlay(play: Play): Promise<void> {
    await null; // so that the plays it needs, asked for in the same call, are known
    await nodes.awaitRefs({ key: play.key, props: {}, after: play.after }, () => {});
    for (const other of play.needs ?? []) await plays.get(other);
    signal.throwIfAborted();
    if (options.play) await options.play(play);
    else notify({ type: 'play', key: play.key, title: play.title, status: 'skipped', hosts: play.hosts });
  }

  /** Begins what has not begun; one promise an action. */
  function submit(actions: readonly Action[]): { key: string; done: Promise<unknown>; parked?: Promise<'parked'> }[] {
    return actions.map((action) => {
      if ('resource' in action) {
        const { created, parked } = nodes.of(action.resource);
        return { key: action.resource.key, done: created, parked };
      }
      if ('secrets' in action) return { key: 'secrets', done: options.secrets(action.secrets) };
      const { play } = action;
      const running = plays.get(play.key) ?? runPlay(play);
      plays.set(play.key, running);
      return { key: play.key, done: running };
    });
  }

  async function doAll(actions: readonly Action[]): Promise<void> {
    throwFirst(await Promise.allSettled(submit(actions).map(({ done }) => done)), signal);
  }

  async function begin(actions: readonly Action[]): Promise<string[]> {
    const submitted = submit(actions);
    const first = await Promise.allSettled(
      submitted.map(({ done, parked }) => (parked ? Promise.race([done, parked]) : done)),
    );
    throwFirst(first, signal);
    return submitted.flatMap(({ key }, index) => {
      const result = first[index];
      return result?.status === 'fulfilled' && result.value === 'parked' ? [key] : [];
    });
  }

  return {
    outputs: work.outputs,
    adopted: work.adopted,
    drift: work.drift,
    async repair(keys) {
      const open = await putBack(work, keys);
      await doAll(open.map((resource) => ({ resource })));
    },
    accept: (keys) => accept(work, keys),
    async undo(keys) {
      nodes.drop(keys);
      return undo(work, keys);
    },
    take: (resource, out, named) => takeOver(work, resource, out, named),
    look: (keys) => look(work, keys),
    candidates: (resource) => findCandidates(cloud, name, resource, resources, work.outputs),
    do: doAll,
    begin,
    async retry() {
      await nodes.retry();
      for (const [key, play] of plays) if (await isRejected(play)) plays.delete(key);
    },
    failures: () => nodes.failed,
    settled: () => nodes.settled(),
    settling: () => nodes.settling(),
  };
}

async function undo({ options, outputs, adopted, make }: Work, keys: readonly string[]): Promise<readonly Leftover[]> {
  const { cloud, name, resources, journal, notify, signal, pace, hold } = options;
  const doomed = await findDoomed(cloud, resources, name, (key) => keys.includes(key));
  const left = await destroy({
    cloud,
    name,
    resources,
    doomed,
    journal,
    notify,
    signal,
    pace,
    ...(hold ? { hold } : {}),
  });
  const still = new Set(left.map(({ key }) => key));
  for (const key of keys.filter((one) => !still.has(one))) {
    outputs.delete(key);
    adopted.delete(key);
    await make.forget(key);
  }
  return left;
}
