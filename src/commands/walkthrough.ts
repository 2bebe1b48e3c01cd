import type { Run } from '../engine/apply.ts';
import { fromOutputs, resolveProps } from '../engine/graph.ts';
import type { Journal } from '../engine/journal.ts';
import { equalCommand, summarize, usdPerHour } from '../engine/render.ts';
import { tagsFor } from '../engine/tags.ts';
import type { Action, ChapterId, Event, Output, Resource, Ui } from '../engine/types.ts';
import { guideSection } from '../guide.ts';
import type { Config } from '../steps/config.ts';
import type { Walk } from '../steps/index.ts';
import { errorEvent } from '../ui/errorText.ts';

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
  if (failure !== undefined) throw failure;
  if (run.settling() > 0)
    ui.notify({ type: 'info', text: 'Everything is made. Waiting for what is still on its way.' });
  await run.settled();
  return good ? 'done' : 'broken';
}

const RETRY = {
  value: 'retry',
  name: 'Try again',
  description: 'What is done stays; only what failed or waited is tried again.',
};
const QUIT = {
  value: 'quit',
  name: 'Save and quit',
  description: 'Everything is saved; the same command goes on here.',
};

type Choice = 'do' | 'details' | 'skip' | 'back' | 'quit' | 'retry';

async function interactive(options: WalkthroughOptions, chapters: readonly WalkChapter[]): Promise<Outcome> {
  const { run, ui, journal } = options;
  const all = chapters.flatMap((one) => one.steps.map((step, index) => ({ one, step, index })));
  const isDone = ({ one, step }: (typeof all)[number]): boolean =>
    journal.state.steps[`${one.chapter.id}/${step.step.id}`] === 'done' && missing(step, run, journal).length === 0;
  let position = all.findIndex((item) => !isDone(item));
  if (position === -1) position = all.length;
  // What was under way when the last run stopped goes on settling behind the first question.
  const before = all.slice(0, position);
  for (const one of new Set(before.map((item) => item.one)))
    if (all.filter((item) => item.one === one).every((item) => before.includes(item)))
      chapterEvent(options, one, 'done');
  await run.do(before.flatMap(({ step }) => step.actions.filter((action) => 'resource' in action)));

  while (position < all.length) {
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
    const outcome = await offer(options, one, step, index, position > 0);
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
  await run.settled();
  return 'done';
}

/** Shows one step, asks, and does it. */
async function offer(
  options: WalkthroughOptions,
  one: WalkChapter,
  step: WalkStep,
  index: number,
  canGoBack: boolean,
): Promise<'done' | 'skip' | 'back' | 'quit'> {
  const { run, ui, signal } = options;
  const event = await stepEvent(options, one, step, index);
  ui.notify(event);
  let failed = false;
  for (;;) {
    const todo = event.makes.some((item) => item.action !== 'keep');
    const choice = await choose(ui, { title: step.step.title, todo, failed, canGoBack });
    if (choice === 'details') ui.notify({ ...event, details: true });
    else if (choice === 'do' || choice === 'retry') {
      try {
        if (choice === 'retry') await run.retry();
        const later = await run.begin(step.actions);
        if (later.length > 0)
          ui.notify({
            type: 'info',
            text: `${later.map((key) => `\`${key}\``).join(', ')} ${later.length === 1 ? 'waits' : 'wait'} for something slow and ${later.length === 1 ? 'follows' : 'follow'} in the background. Read on.`,
          });
        return 'done';
      } catch (error) {
        signal.throwIfAborted();
        ui.notify(errorEvent(error));
        failed = true;
      }
    } else return choice;
  }
}

async function choose(
  ui: Ui,
  state: { title: string; todo: boolean; failed: boolean; canGoBack: boolean },
): Promise<Choice> {
  const first = state.failed
    ? RETRY
    : {
        value: 'do',
        name: state.todo ? 'Do it' : 'Go on',
        description: state.todo ? 'Make what is listed above.' : 'All of this is there already.',
      };
  return (await ui.ask({
    kind: 'select',
    id: 'step',
    flag: '--yes',
    message: state.failed
      ? `${state.title}: what now?`
      : state.todo
        ? `${state.title}: do this step?`
        : `${state.title}: done already. Go on?`,
    default: first.value,
    choices: [
      first,
      { value: 'details', name: 'Show details', description: 'All equal aws commands, whole.' },
      { value: 'skip', name: 'Skip', description: 'Leave it out for now; steps that need it will say so.' },
      ...(state.canGoBack ? [{ value: 'back', name: 'Back', description: 'To the step before.' }] : []),
      QUIT,
    ],
  })) as Choice;
}

async function stepEvent(
  { config, walk, run, journal }: WalkthroughOptions,
  one: WalkChapter,
  step: WalkStep,
  index: number,
): Promise<Extract<Event, { type: 'step' }>> {
  const resources = step.actions.flatMap((action) => ('resource' in action ? [action.resource] : []));
  return {
    type: 'step',
    chapter: one.chapter.id,
    step: step.step.id,
    title: step.step.title,
    index: index + 1,
    of: one.steps.length,
    guide: await guideSection(one.chapter.guide, step.step.guide),
    makes: step.actions.flatMap(
      (action): { key: string; label: string; summary: string; action: 'create' | 'keep' | 'change' | 'run' }[] => {
        if ('resource' in action) {
          const { key, kind } = action.resource;
          return [
            {
              key,
              label: kind.label,
              summary: summarize(action.resource),
              action: actionOf(action.resource, run.outputs),
            },
          ];
        }
        if ('play' in action)
          return [
            {
              key: action.play.key,
              label: 'Ansible',
              summary: action.play.hosts.join(', '),
              action: journal.state.plays[action.play.key]?.status === 'done' ? 'keep' : 'run',
            },
          ];
        return [];
      },
    ),
    usdPerHour: usdPerHour(resources, config.region),
    commands: commandsOf(resources, config, walk, run.outputs),
  };
}

function commandsOf(
  resources: readonly Resource[],
  config: Config,
  walk: Walk,
  outputs: ReadonlyMap<string, Output>,
): string[] {
  return resources.map((resource) =>
    equalCommand(resource, outputs, tagsFor(config.name, resource.key, walk.chapterOf(resource.key))),
  );
}

function actionOf({ key, kind, props }: Resource, outputs: ReadonlyMap<string, Output>): 'create' | 'keep' | 'change' {
  const out = outputs.get(key);
  if (!out) return 'create';
  const resolved = resolveProps(props, fromOutputs(outputs));
  return kind.update && resolved && (kind.drift?.(resolved, out) ?? []).length > 0 ? 'change' : 'keep';
}

function missing(step: WalkStep, run: Run, journal: Journal): string[] {
  return step.actions.flatMap((action) => {
    if ('resource' in action) return run.outputs.has(action.resource.key) ? [] : [action.resource.key];
    if ('play' in action) return journal.state.plays[action.play.key]?.status === 'done' ? [] : [action.play.key];
    return [];
  });
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
