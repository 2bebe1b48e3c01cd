import { guideSection } from '../../guide.ts';
import type { WalkChapter } from '../../steps/index.ts';
import { faceFailure } from './faceFailure.ts';
import { lacking, resourcesOf } from './failure.ts';
import { offerStep } from './offerStep.ts';
import { chapterEvent, type Item, idOf, type Outcome, stepsOf, type WalkthroughOptions } from './walkItems.ts';

/** Step by step, each after a question; what is slow goes on behind the next one. */
export async function interactive(options: WalkthroughOptions, chapters: readonly WalkChapter[]): Promise<Outcome> {
  const { ui, journal } = options;
  const all = stepsOf(chapters);
  const first = await resume(options, all);
  /** failures that the person has been told of */
  const told = new Set<unknown>();
  let position = first;
  for (let item = all[position]; item; item = all[position]) {
    if ((await tellBackgroundFailures(options, all, told)) === 'quit') return 'saved';
    const { one, step, index } = item;
    if (index === 0 || position === first) await beginChapter(options, one, index === 0);
    const outcome = await offerStep(options, item, position > 0, told);
    if (outcome === 'quit') return 'saved';
    if (outcome === 'back') {
      position--;
      continue;
    }
    const status = outcome === 'skip' ? 'skipped' : 'done';
    await journal.update((state) => {
      state.steps[idOf(item)] = status;
    });
    ui.notify({ type: 'step.done', chapter: one.chapter.id, step: step.step.id, status });
    position++;
    if (index === one.steps.length - 1) await endChapter(options, one);
  }
  return await waitForTheRest(options, all, told);
}

/** Where the last run was left: tells what is done, and lets go on what was under way. Gives the first step to offer. */
async function resume(options: WalkthroughOptions, all: readonly Item[]): Promise<number> {
  const { run, journal, signal } = options;
  const open = all.findIndex(
    (item) => journal.state.steps[idOf(item)] !== 'done' || lacking(item.step, run, journal).length > 0,
  );
  const first = open === -1 ? all.length : open;
  // What was under way when the last run stopped goes on settling behind the first question.
  const before = all.slice(0, first);
  for (const one of new Set(before.map((item) => item.one)))
    if (all.filter((item) => item.one === one).every((item) => before.includes(item)))
      chapterEvent(options, one, 'done');
  await run.begin(before.flatMap(({ step }) => step.actions.filter((action) => 'resource' in action))).catch(() => {
    signal.throwIfAborted(); // what failed is told before the next question
  });
  return first;
}

async function beginChapter(options: WalkthroughOptions, one: WalkChapter, atItsStart: boolean): Promise<void> {
  chapterEvent(options, one, 'started');
  await options.journal.update((state) => {
    state.chapters[one.chapter.id] ??= 'started';
  });
  if (atItsStart) options.ui.notify({ type: 'info', text: await guideSection(one.chapter.guide, one.chapter.title) });
}

async function endChapter(options: WalkthroughOptions, one: WalkChapter): Promise<void> {
  const { journal } = options;
  const done = stepsOf([one]).every((item) => journal.state.steps[idOf(item)] === 'done');
  const status = done ? 'done' : 'skipped';
  await journal.update((state) => {
    state.chapters[one.chapter.id] = status;
  });
  if (done) await options.check(one.chapter.id);
  chapterEvent(options, one, status);
  await options.homework(one.chapter.id);
}

/** Every step is through; what is slow may still be on its way, and may fail there. */
async function waitForTheRest(options: WalkthroughOptions, all: readonly Item[], told: Set<unknown>): Promise<Outcome> {
  const { run, ui, signal } = options;
  if (run.settling() > 0)
    ui.notify({ type: 'info', text: 'Every step is through. Waiting for what is still on its way.' });
  for (;;) {
    const through = await run.settled().then(
      () => true,
      () => false,
    );
    signal.throwIfAborted();
    if (through) return 'done';
    const untold = [...run.failures().values()].some((error) => !told.has(error));
    if (!untold) return 'broken';
    if ((await tellBackgroundFailures(options, all, told)) === 'quit') return 'saved';
  }
}

/** What failed behind the reader's back is told, and asked about, before the next question. */
async function tellBackgroundFailures(
  options: WalkthroughOptions,
  all: readonly Item[],
  told: Set<unknown>,
): Promise<'on' | 'quit'> {
  const { run, journal } = options;
  for (const item of all) {
    const keys = resourcesOf(item.step.actions).map(({ key }) => key);
    for (;;) {
      const error = keys.map((key) => run.failures().get(key)).find((one) => one !== undefined && !told.has(one));
      if (error === undefined) break;
      told.add(error);
      const choice = await faceFailure(options, item, error);
      if (choice === 'quit') return 'quit';
      if (choice === 'retry') {
        // What fails again at once is told in the next round.
        await run.retry();
        await run.begin(item.step.actions).catch(() => options.signal.throwIfAborted());
        continue;
      }
      await journal.update((state) => {
        state.steps[idOf(item)] = 'skipped';
      });
      break;
    }
  }
  return 'on';
}
