import { type Action, hasCode } from '../../engine/types.ts';
import type { WalkChapter, WalkStep } from '../../steps/index.ts';
import { failureEvent, resourcesOf, withResume } from './failure.ts';
import { chapterEvent, type Outcome, stepsOf, type WalkthroughOptions } from './walkItems.ts';

/** Everything starts as soon as it can; the report keeps the chapters' order. Throws the first failure, after the rest was done. */
export async function unattended(options: WalkthroughOptions, chapters: readonly WalkChapter[]): Promise<Outcome> {
  const { run, ui, journal } = options;
  const actionsOf = ({ steps }: WalkChapter): readonly Action[] => steps.flatMap(({ actions }) => actions);
  const everything = run.do(chapters.flatMap(actionsOf));
  everything.catch(() => {}); // reported by the chapter it belongs to
  let failure: unknown;
  let good = true;
  for (const one of chapters) {
    chapterEvent(options, one, 'started');
    options.open(one.chapter.id);
    try {
      await run.do(actionsOf(one));
      await journal.update((state) => {
        state.chapters[one.chapter.id] = 'done';
        for (const { step } of one.steps) state.steps[`${one.chapter.id}/${step.id}`] = 'done';
      });
      good = (await options.check(one.chapter.id)) && good;
      chapterEvent(options, one, 'done');
    } catch (error) {
      options.signal.throwIfAborted();
      failure ??= error;
    }
  }
  await everything.catch(() => {});
  if (failure === undefined && run.settling() > 0)
    ui.notify({ type: 'info', text: 'Everything is made. Waiting for what is still on its way.' });
  await run.settled().catch((error: unknown) => {
    options.signal.throwIfAborted();
    failure ??= error;
  });
  if (failure === undefined) return good ? 'done' : 'broken';
  for (const item of stepsOf(chapters)) {
    const error = await failureOf(options, item.step);
    if (error !== undefined) ui.notify(failureEvent(options, item.one, item.step, error));
  }
  throw withResume(failure, options.resume);
}

/** Why a step failed by itself; undefined when it did not, or only waited for another one. */
async function failureOf({ run }: WalkthroughOptions, step: WalkStep): Promise<unknown> {
  const own = resourcesOf(step.actions)
    .map(({ key }) => run.failures().get(key))
    .find((error) => error !== undefined);
  if (own !== undefined) return own;
  return run.do(step.actions).then(
    () => undefined,
    (error: unknown) => (hasCode(error, 'Blocked') ? undefined : error),
  );
}
