import type { Journal } from '../engine/journal.ts';
import type { Run } from '../engine/run.ts';
import { type Action, type ChapterId, CloudspaceError, type Event, type Ui } from '../engine/types.ts';
import { guideSection } from '../guide.ts';
import type { Config } from '../steps/config.ts';
import type { Walk } from '../steps/index.ts';
import { doItYourself } from './byHand.ts';
import { failureEvent, lacking, resourcesOf, withResume } from './failure.ts';
import { stepEvent } from './stepEvent.ts';

type WalkChapter = Walk['chapters'][number];
type WalkStep = WalkChapter['steps'][number];

export interface WalkthroughOptions {
  readonly config: Config;
  readonly walk: Walk;
  readonly run: Run;
  readonly journal: Journal;
  readonly ui: Ui;
  readonly signal: AbortSignal;
  /** the last chapter to do */
  readonly until: ChapterId;
  /** asks after each step; without it everything starts at once and only the report keeps the chapters' order */
  readonly interactive: boolean;
  /** looks at a chapter from outside when it is done; false when something is broken */
  readonly check: (chapter: ChapterId) => Promise<boolean>;
  /** the chapter's homework, asked when it is done */
  readonly homework: (chapter: ChapterId) => Promise<void>;
  /** lets a chapter's events through (unattended) */
  readonly open: (chapter: ChapterId) => void;
  readonly region: string;
  /** the command that goes on where this run stops */
  readonly resume: string;
  /** steps ("chapter/step") that the person said to do by hand: that choice is the default there */
  readonly byHand: ReadonlySet<string>;
}

/** How the walk ended: through, through with something that a check found broken, or left by the person with everything saved. */
export type Outcome = 'done' | 'broken' | 'saved';

/** The six chapters (the login prelude is over when this begins). */
export async function walkthrough(options: WalkthroughOptions): Promise<Outcome> {
  const chapters = upTo(options.walk.chapters, options.until).filter(({ chapter }) => chapter.id !== 'login');
  return options.interactive ? interactive(options, chapters) : unattended(options, chapters);
}

export function upTo(chapters: Walk['chapters'], until: ChapterId): Walk['chapters'] {
  return chapters.slice(0, chapters.findIndex(({ chapter }) => chapter.id === until) + 1);
}

async function unattended(options: WalkthroughOptions, chapters: readonly WalkChapter[]): Promise<Outcome> {
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
    (error: unknown) => (error instanceof CloudspaceError && error.code === 'Blocked' ? undefined : error),
  );
}

const QUIT = {
  value: 'quit',
  name: 'Save and quit',
  description: 'Everything is saved; the same command goes on here.',
};

type Choice = 'do' | 'byhand' | 'details' | 'skip' | 'back' | 'quit';

interface Item {
  readonly one: WalkChapter;
  readonly step: WalkStep;
  readonly index: number;
}

const stepsOf = (chapters: readonly WalkChapter[]): Item[] =>
  chapters.flatMap((one) => one.steps.map((step, index) => ({ one, step, index })));

async function interactive(options: WalkthroughOptions, chapters: readonly WalkChapter[]): Promise<Outcome> {
  const { run, ui, journal, signal } = options;
  const all = stepsOf(chapters);
  const isDone = ({ one, step }: Item): boolean =>
    journal.state.steps[`${one.chapter.id}/${step.step.id}`] === 'done' && lacking(step, run, journal).length === 0;
  let position = all.findIndex((item) => !isDone(item));
  if (position === -1) position = all.length;
  // What was under way when the last run stopped goes on settling behind the first question.
  const before = all.slice(0, position);
  for (const one of new Set(before.map((item) => item.one)))
    if (all.filter((item) => item.one === one).every((item) => before.includes(item)))
      chapterEvent(options, one, 'done');
  await run.begin(before.flatMap(({ step }) => step.actions.filter((action) => 'resource' in action))).catch(() => {
    signal.throwIfAborted(); // what failed is told before the next question
  });
  const told = new Set<unknown>();

  while (position < all.length) {
    if ((await tellBackgroundFailures(options, all, told)) === 'quit') return 'saved';
    const item = all[position];
    if (!item) break;
    const { one, step, index } = item;
    if (index === 0 || position === before.length) {
      chapterEvent(options, one, 'started');
      await journal.update((state) => {
        state.chapters[one.chapter.id] ??= 'started';
      });
      if (index === 0) ui.notify({ type: 'info', text: await guideSection(one.chapter.guide, one.chapter.title) });
    }
    const outcome = await offer(options, item, position > 0, told);
    if (outcome === 'quit') return 'saved';
    if (outcome === 'back') {
      position--;
      continue;
    }
    const status = outcome === 'skip' ? 'skipped' : 'done';
    await journal.update((state) => {
      state.steps[`${one.chapter.id}/${step.step.id}`] = status;
    });
    ui.notify({ type: 'step.done', chapter: one.chapter.id, step: step.step.id, status });
    position++;
    if (index === one.steps.length - 1) await endChapter(options, one);
  }
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
        state.steps[`${item.one.chapter.id}/${item.step.step.id}`] = 'skipped';
      });
      break;
    }
  }
  return 'on';
}

/** Tells what failed and asks what to do; undoes the step here when that is chosen. */
async function faceFailure(
  options: WalkthroughOptions,
  { one, step }: Item,
  error: unknown,
): Promise<'retry' | 'skip' | 'undone' | 'quit'> {
  const { ui, run, signal } = options;
  for (let again = error; ; ) {
    const event = failureEvent(options, one, step, again);
    ui.notify(event);
    const names = {
      retry: { name: 'Try again', description: 'What is done stays; what is half made is replaced.' },
      skip: {
        name: 'Skip',
        description:
          event.blocks.length === 0
            ? 'No later step needs it.'
            : `Go on without it; ${event.blocks.length} later steps will wait for it.`,
      },
      undo: { name: 'Undo this step', description: 'Delete exactly what this step made, in reverse.' },
      quit: QUIT,
    };
    const choice = await ui.ask({
      kind: 'select',
      id: 'failure',
      message: `${step.step.title}: what now?`,
      default: 'retry',
      choices: event.choices.map((value) => ({ value, ...names[value] })),
    });
    if (choice !== 'undo') return choice as 'retry' | 'skip' | 'quit';
    const left = await run.undo(resourcesOf(step.actions).map(({ key }) => key));
    signal.throwIfAborted();
    if (left.length === 0) return 'undone';
    again = new CloudspaceError(
      `${left.length} of what this step made could not be deleted: ${left.map(({ kind, id, reason }) => `${kind.label} ${id} (${reason})`).join(', ')}`,
      { code: 'Leftovers', hint: 'mend the cause and undo it again' },
    );
  }
}

/** Shows one step, asks, and does it. */
async function offer(
  options: WalkthroughOptions,
  item: Item,
  canGoBack: boolean,
  told: Set<unknown>,
): Promise<'done' | 'skip' | 'back' | 'quit'> {
  const { run, ui, signal } = options;
  const { one, step, index } = item;
  const keys = resourcesOf(step.actions).map(({ key }) => key);
  for (;;) {
    const event = await stepEvent(options, one, step, index);
    ui.notify(event);
    let choice = await choose(options, item, event, canGoBack);
    while (choice === 'details') {
      ui.notify({ ...event, details: true });
      choice = await choose(options, item, event, canGoBack);
    }
    if (choice === 'byhand') {
      const outcome = await doItYourself(options, one, step);
      if (outcome === 'quit') return 'quit';
      if (outcome === 'back') continue;
      choice = 'do';
    }
    if (choice !== 'do') return choice;
    // What is listed as missing or changed has been seen, and agreed to.
    run.accept(keys);
    for (let retry = keys.some((key) => run.failures().has(key)); ; retry = true) {
      try {
        if (retry) await run.retry();
        const later = await run.begin(step.actions);
        if (later.length > 0)
          ui.notify({
            type: 'info',
            text: `${later.map((key) => `\`${key}\``).join(', ')} ${later.length === 1 ? 'waits' : 'wait'} for something slow and ${later.length === 1 ? 'follows' : 'follow'} in the background. Read on.`,
          });
        return 'done';
      } catch (error) {
        signal.throwIfAborted();
        for (const key of keys) told.add(run.failures().get(key));
        const outcome = await faceFailure(options, item, error);
        if (outcome === 'quit' || outcome === 'skip') return outcome;
        if (outcome === 'undone') break;
      }
    }
  }
}

async function choose(
  { ui, byHand }: WalkthroughOptions,
  { one, step }: Item,
  { makes }: Extract<Event, { type: 'step' }>,
  canGoBack: boolean,
): Promise<Choice> {
  const { title, id } = step.step;
  const todo = makes.some((item) => item.action !== 'keep');
  const resources = new Set(resourcesOf(step.actions).map(({ key }) => key));
  const makesSomething = makes.some(({ key, action }) => action === 'create' && resources.has(key));
  const preset = makesSomething && byHand.has(`${one.chapter.id}/${id}`);
  return (await ui.ask({
    kind: 'select',
    id: 'step',
    flag: '--yes',
    message: todo ? `${title}: do this step?` : `${title}: done already. Go on?`,
    default: preset ? 'byhand' : 'do',
    choices: [
      {
        value: 'do',
        name: todo ? 'Do it' : 'Go on',
        description: todo ? 'Make what is listed above.' : 'All of this is there already.',
      },
      ...(makesSomething
        ? [
            {
              value: 'byhand',
              name: 'I do it myself',
              description: 'In the console, with aws or Terraform; the walk goes on with what you made.',
            },
          ]
        : []),
      { value: 'details', name: 'Show details', description: 'All equal aws commands, whole.' },
      { value: 'skip', name: 'Skip', description: 'Leave it out for now; steps that need it will say so.' },
      ...(canGoBack ? [{ value: 'back', name: 'Back', description: 'To the step before.' }] : []),
      QUIT,
    ],
  })) as Choice;
}

async function endChapter(options: WalkthroughOptions, one: WalkChapter): Promise<void> {
  const { journal } = options;
  const statuses = one.steps.map(({ step }) => journal.state.steps[`${one.chapter.id}/${step.id}`]);
  const status = statuses.every((step) => step === 'done') ? 'done' : 'skipped';
  await journal.update((state) => {
    state.chapters[one.chapter.id] = status;
  });
  if (status === 'done') await options.check(one.chapter.id);
  chapterEvent(options, one, status);
  await options.homework(one.chapter.id);
}

function chapterEvent(
  { walk, ui }: WalkthroughOptions,
  one: WalkChapter,
  status: 'started' | 'done' | 'skipped',
): void {
  const { id, title } = one.chapter;
  ui.notify({
    type: 'chapter',
    chapter: id,
    title,
    index: walk.chapters.findIndex(({ chapter }) => chapter.id === id),
    of: walk.chapters.length - 1,
    status,
  });
}
