import { setTimeout as sleep } from 'node:timers/promises';
import { CHAPTERS, type ChapterId, type Event } from '../engine/types.ts';
import { LAYER_TITLES, LAYERS, type Layer, type Verdict } from './types.ts';

/** One thing to look at, ready to be looked at. */
export interface Question {
  readonly chapter: ChapterId;
  readonly layer: Layer;
  readonly key: string;
  readonly title: string;
  readonly judge: () => Promise<Verdict> | Verdict;
}

export interface Result extends Verdict {
  readonly chapter: ChapterId;
  readonly layer: Layer;
  readonly key: string;
  readonly title: string;
}

/** How long a failure, or what is still on its way, is asked again. */
export interface Patience {
  readonly seconds: number;
  /** what is still on its way is taken as it is */
  readonly failuresOnly?: boolean;
  readonly signal?: AbortSignal;
}
const NONE: Patience = { seconds: 0 };

/**
 * Looks at chapters one after another, each from the outside in. Behind a layer that is broken nothing is asked, but for names: it would only repeat the cause.
 * What a question throws is its failure.
 */
export async function runChecks(
  questions: readonly Question[],
  chapters: readonly ChapterId[],
  notify: (event: Event) => void,
  patience: Patience = NONE,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const chapter of CHAPTERS.filter((one) => chapters.includes(one))) {
    let why: string | undefined;
    let waiting = false;
    for (const layer of LAYERS) {
      // Hosts can be asked while a database is still being made; what a visitor sees needs all of it.
      if (layer === 'http' && waiting) why ??= 'something before it is still on its way';
      const mine = questions.filter((question) => question.chapter === chapter && question.layer === layer);
      // Everything else here is asked by its address: names stand for themselves, whatever is broken before or after them.
      const alone = layer === 'dns';
      const found = await Promise.all(
        mine.map((question) => answer(question, alone ? undefined : why, notify, patience)),
      );
      results.push(...found);
      if (alone) continue;
      if (found.some(({ status }) => status === 'failed')) why ??= `broken before it, at "${LAYER_TITLES[layer]}"`;
      else if (found.some(({ pending }) => pending)) waiting = true;
    }
  }
  return results;
}

async function answer(
  question: Question,
  why: string | undefined,
  notify: (event: Event) => void,
  patience: Patience,
): Promise<Result> {
  const { chapter, layer, key, title } = question;
  const event = { type: 'check' as const, key: `${chapter}.${layer}.${key}`, title };
  if (why === undefined) notify({ ...event, status: 'started' });
  const { pending, ...verdict }: Verdict =
    why === undefined ? await patiently(question, patience) : { status: 'skipped', detail: `not asked: ${why}` };
  notify({ ...event, ...verdict });
  return { chapter, layer, key, title, ...verdict, ...(pending ? { pending } : {}) };
}

async function patiently(question: Question, { seconds, failuresOnly, signal }: Patience): Promise<Verdict> {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    const verdict = await judged(question);
    const settled = verdict.status === 'passed' || (verdict.status === 'skipped' && (failuresOnly || !verdict.pending));
    if (settled || Date.now() > until) return verdict;
    await sleep(1000, undefined, signal ? { signal } : {});
  }
}

async function judged({ judge }: Question): Promise<Verdict> {
  try {
    return await judge();
  } catch (error) {
    const { message, hint, code } = error as Error & { hint?: string; code?: string };
    if (code === 'Interrupted') throw error;
    return { status: 'failed', detail: message, hint: hint ?? 'it could not be asked' };
  }
}

/** The first that is broken, from the outside in; undefined when nothing is. */
export function firstBroken(results: readonly Result[]): Result | undefined {
  return results.find(({ status }) => status === 'failed');
}
