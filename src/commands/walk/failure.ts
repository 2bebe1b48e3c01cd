import { refsOf } from '../../engine/graph.ts';
import type { Journal } from '../../engine/journal.ts';
import { priceOf, usdPerHour } from '../../engine/render.ts';
import type { Run } from '../../engine/run.ts';
import { type Action, CloudspaceError, type Event, type Resource } from '../../engine/types.ts';
import type { Walk, WalkChapter, WalkStep } from '../../steps/index.ts';
import { errorEvent } from '../../ui/errorText.ts';

type FailureEvent = Extract<Event, { type: 'failure' }>;

export interface Facts {
  readonly walk: Walk;
  readonly run: Run;
  readonly journal: Journal;
  readonly region: string;
  /** the command that goes on here */
  readonly resume: string;
}

export const resourcesOf = (actions: readonly Action[]): Resource[] =>
  actions.flatMap((action) => ('resource' in action ? [action.resource] : []));

/** Keys of a step's resources and plays that are not there, or failed. */
export function lacking(step: WalkStep, run: Run, journal: Journal): string[] {
  return step.actions.flatMap((action) => {
    if ('resource' in action) {
      const { key } = action.resource;
      return run.outputs.has(key) && !run.failures().has(key) ? [] : [key];
    }
    if ('play' in action) return journal.state.plays[action.play.key]?.status === 'done' ? [] : [action.play.key];
    return [];
  });
}

/** Everything a person has to know to decide what to do about a step that failed. */
export function failureEvent(facts: Facts, one: WalkChapter, step: WalkStep, error: unknown): FailureEvent {
  const { run, walk, journal, region } = facts;
  const { type: _, ...what } = errorEvent(error);
  const failures = run.failures();
  const there = resourcesOf(step.actions).filter(({ key }) => run.outputs.has(key) && !failures.has(key));
  const missing = lacking(step, run, journal);
  const { later, blocks } = afterwards(facts, step, missing);
  const all = walk.resources.filter(({ key }) => run.outputs.has(key) && !failures.has(key));
  return {
    type: 'failure',
    chapter: one.chapter.id,
    step: step.step.id,
    title: step.step.title,
    ...what,
    there: there.map(({ key, kind }) => ({ key, label: kind.label, id: run.outputs.get(key)?.id ?? '' })),
    missing,
    usdPerHour: {
      step: round(usdPerHour(there, region)),
      all: round(all.reduce((sum, one) => sum + priceOf(one, region), 0)),
    },
    blocks,
    choices: [
      'retry',
      ...(later.length === 0 || blocks.length < later.length ? (['skip'] as const) : []),
      ...(canUndo(walk, run, step) ? (['undo'] as const) : []),
      'quit',
    ],
    resume: facts.resume,
  };
}

/** Something of the step is there, and nothing outside of it that is there refers to it. */
function canUndo(walk: Walk, run: Run, step: WalkStep): boolean {
  const keys = new Set(resourcesOf(step.actions).map(({ key }) => key));
  const there = [...keys].some((key) => run.outputs.has(key));
  return (
    there &&
    walk.resources.every(
      (other) =>
        keys.has(other.key) || !run.outputs.has(other.key) || refsOf(other).every((ref) => !keys.has(ref.$ref)),
    )
  );
}

/** Titles of the later steps, and those among them that cannot be done while `missing` is. */
function afterwards(
  { walk, run, journal }: Facts,
  step: WalkStep,
  missing: readonly string[],
): { later: string[]; blocks: string[] } {
  const all = walk.chapters.flatMap(({ steps }) => steps);
  const later = all.slice(all.indexOf(step) + 1).filter(({ actions }) => actions.length > 0);
  const without = new Set(missing);
  const blocks = later.filter((one) => {
    const left = new Set(lacking(one, run, journal));
    const waiting = one.actions.filter((action) => {
      const key = keyOf(action);
      const waits = left.has(key) && needsOf(action).some((need) => without.has(need));
      if (waits) without.add(key);
      return waits;
    });
    return waiting.length > 0;
  });
  const titles = (steps: readonly WalkStep[]) => steps.map(({ step: { title } }) => title);
  return { later: titles(later), blocks: titles(blocks) };
}

const keyOf = (action: Action): string =>
  'resource' in action ? action.resource.key : 'play' in action ? action.play.key : '';

function needsOf(action: Action): string[] {
  if ('resource' in action) return refsOf(action.resource).map((ref) => ref.$ref);
  return 'play' in action ? [...action.play.after.map((ref) => ref.$ref), ...(action.play.needs ?? [])] : [];
}

const round = (usd: number): number => Number(usd.toFixed(4));

/** The same error with the step it happened in and the command that goes on: the last words of an unattended run. */
export function withResume(error: unknown, resume: string): unknown {
  if (!(error instanceof CloudspaceError)) return error;
  return new CloudspaceError(error.message, {
    code: error.code,
    hint: `${error.hint === undefined ? '' : `${error.hint}\n`}To go on: \`${resume}${error.code === 'Drift' ? ' --repair' : ''}\``,
    requestId: error.requestId,
    cause: error.cause,
    exitCode: error.exitCode,
  });
}
