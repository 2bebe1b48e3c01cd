import type { Journal } from '../../engine/journal.ts';
import type { Run } from '../../engine/run.ts';
import type { ChapterId, Ui } from '../../engine/types.ts';
import type { Config } from '../../steps/config.ts';
import type { Walk, WalkChapter, WalkStep } from '../../steps/index.ts';

/** What the walk is walked with. */
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

/** One step, and where it is. */
export interface Item {
  readonly one: WalkChapter;
  readonly step: WalkStep;
  readonly index: number;
}

/** All steps of some chapters, in their order. */
export const stepsOf = (chapters: readonly WalkChapter[]): Item[] =>
  chapters.flatMap((one) => one.steps.map((step, index) => ({ one, step, index })));

/** The key of a step in the journal. */
export const idOf = ({ one, step }: Item): string => `${one.chapter.id}/${step.step.id}`;

/** Tells where a chapter begins and how it ended. */
export function chapterEvent(
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

export const QUIT = {
  value: 'quit' as const,
  name: 'Save and quit',
  description: 'Everything is saved; the same command goes on here.',
};
