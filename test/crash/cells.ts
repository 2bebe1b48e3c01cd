/** The cells of the crash matrix: each plays one misfortune to its end, and is judged against an undisturbed run. */
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { folder } from '../support/cli.ts';
import { type Command, type Crash, crashedAt, MOMENTS, newStage, type Outcome, type Stage, saved } from './stage.ts';
import { difference } from './worlds.ts';

/** What an undisturbed run did, and left. */
export interface Reference {
  readonly walkMutations: number;
  readonly teardownMutations: number;
  /** the world after the walk */
  readonly world: readonly string[];
  /** the world after the teardown */
  readonly empty: readonly string[];
  /** folder with world and state after the walk */
  readonly complete: string;
  /** copies of the state file, one a write */
  readonly states: readonly string[];
}

export interface Cell {
  /** row and column of the table, and the point in the row: `walk`, `before`, 12 */
  readonly row: string;
  readonly column: string;
  readonly point: string;
  readonly run: (reference: Reference) => Promise<Judgement>;
}

export interface Judgement {
  /** what was met, for people: an operation and its resource */
  readonly at: string;
  /** '' when it ended as it should */
  readonly problem: string;
  /** where it can be looked at, if there is a problem */
  readonly dir: string;
  /** seeds and others, to run it again */
  readonly how?: string;
}

/** The undisturbed walk and teardown. */
export async function makeReference(): Promise<Reference> {
  const stage = await newStage();
  const states = folder();
  const walk = await stage.run('start', { states });
  must(walk.code === 0, `the undisturbed walk ended with ${walk.code}: ${tail(walk)}`);
  const world = stage.world();
  const complete = saved(stage);
  const teardown = await stage.run('destroy');
  must(teardown.code === 0, `the undisturbed teardown ended with ${teardown.code}: ${tail(teardown)}`);
  const empty = stage.world();
  await stage.end(false);
  return {
    walkMutations: walk.mutations,
    teardownMutations: teardown.mutations,
    world,
    empty,
    complete,
    states: readdirSync(states)
      .sort()
      .map((name) => join(states, name)),
  };
}

/** Every mutating request of the walk and of the teardown × the three moments. */
export function crashCells(reference: Reference): Cell[] {
  const cells = (command: Command, count: number): Cell[] =>
    Array.from({ length: count }, (_, index) => index + 1).flatMap((mutation) =>
      MOMENTS.map((moment) => ({
        row: command,
        column: moment,
        point: String(mutation),
        run: () => crashCell(command, { mutation, moment }, reference),
      })),
    );
  return [...cells('start', reference.walkMutations), ...cells('destroy', reference.teardownMutations)];
}

async function crashCell(command: Command, crash: Crash, reference: Reference): Promise<Judgement> {
  const stage = await newStage(command === 'destroy' ? reference.complete : undefined);
  return judged(stage, async () => {
    const first = await stage.run(command, { crash });
    // The last requests may come in another order and number: then there was nothing to be killed at.
    if (!first.killed && first.code !== 0) return `the run to be killed ended with ${first.code}: ${tail(first)}`;
    return goOn(stage, command, reference);
  });
}

/** What is done to the state file between two runs. */
type Damage = { readonly name: string; readonly point: string; readonly do: (file: string) => void };

/** Damage of the state file at the end of the walk, then `start` or `destroy`; and in the middle of it. */
export function stateCells(reference: Reference): Cell[] {
  const tenths = Array.from({ length: 10 }, (_, tenth) => tenth);
  const earlier = tenths.map((tenth) => Math.floor((tenth * (reference.states.length - 1)) / 10));
  const withoutBackup = (file: string): void => rmSync(`${file}.bak`, { force: true });
  const cut = (tenth: number) => (file: string) =>
    truncateSync(file, Math.floor((readFileSync(file).length * tenth) / 10));
  const damages: Damage[] = [
    { name: 'deleted', point: 'backup kept', do: (file) => rmSync(file) },
    {
      name: 'deleted',
      point: 'backup too',
      do: (file) => {
        rmSync(file);
        withoutBackup(file);
      },
    },
    ...tenths.map((tenth): Damage => ({ name: 'cut off', point: `${tenth}/10`, do: cut(tenth) })),
    ...tenths.map(
      (tenth): Damage => ({
        name: 'cut, no backup',
        point: `${tenth}/10`,
        do: (file) => {
          cut(tenth)(file);
          withoutBackup(file);
        },
      }),
    ),
    ...earlier.map(
      (index): Damage => ({
        name: 'earlier copy',
        point: `write ${index + 1}`,
        do: (file) => {
          copyFileSync(reference.states[index] ?? '', file);
          withoutBackup(file);
        },
      }),
    ),
  ];
  const middle = [0.2, 0.5, 0.8].map((part) => Math.round(reference.walkMutations * part));
  return [
    ...damages.flatMap((damage) =>
      (['start', 'destroy'] as const).map((command) => ({
        row: `state, ${command}`,
        column: damage.name,
        point: damage.point,
        run: () => stateCell(command, damage, reference),
      })),
    ),
    ...damages
      .filter(({ point }) => !/\d\/10|write/.test(point) || /^(?:5\/10|write 1)$/.test(point))
      .flatMap((damage) =>
        middle.flatMap((mutation) =>
          (['start', 'destroy'] as const).map((command) => ({
            row: `killed, state, ${command}`,
            column: damage.name,
            point: `${damage.point} at ${mutation}`,
            run: () => stateCell(command, damage, reference, mutation),
          })),
        ),
      ),
  ];
}

async function stateCell(
  command: Command,
  damage: Damage,
  reference: Reference,
  killedAt?: number,
): Promise<Judgement> {
  const stage = await newStage(killedAt === undefined ? reference.complete : undefined);
  return judged(stage, async () => {
    if (killedAt !== undefined) await stage.run('start', { crash: { mutation: killedAt, moment: 'effect' } });
    damage.do(join(stage.state, 'state.json'));
    return goOn(stage, command, reference);
  });
}

/** Runs a cell's story; its problem is given back, and what it leaves is kept to be looked at. */
export async function judged(stage: Stage, story: () => Promise<string>, how?: string): Promise<Judgement> {
  let problem = 'the cell itself failed';
  try {
    problem = await story();
  } catch (error) {
    problem = `the cell itself failed: ${(error as Error).stack}`;
  } finally {
    await stage.end(problem !== '');
  }
  return { at: crashedAt(stage), problem, dir: stage.dir, ...(how === undefined ? {} : { how }) };
}

/**
 * Runs the command again as a person would, and judges: it ends well, the world is that of an undisturbed run, and a further run changes
 * nothing. `tries`: how many runs it may take. Gives the problem, or ''.
 */
export async function goOn(stage: Stage, command: Command, reference: Reference, tries = 1): Promise<string> {
  let last: Outcome | undefined;
  for (let attempt = 1; attempt <= tries && last?.code !== 0; attempt += 1) last = await stage.run(command);
  if (last?.code !== 0) return `${command} ended with ${last?.code}: ${last && tail(last)}`;
  const wrong = difference(command === 'start' ? reference.world : reference.empty, stage.world());
  if (wrong.length > 0) return `the world is another one:\n${wrong.join('\n')}`;
  const further = await stage.run(command);
  // Nothing to take down, and no state that says where: that is what a second destroy says.
  if (further.code !== 0) return `a further ${command} ended with ${further.code}: ${tail(further)}`;
  if (further.mutations > 0) return `a further ${command} sent ${further.mutations} mutations`;
  if (command === 'start' && !existsSync(join(stage.state, 'state.json'))) return 'there is no state file';
  return '';
}

export function tail({ stdout, stderr }: { stdout: string; stderr: string }): string {
  return `${stdout}${stderr}`.trim().split('\n').slice(-12).join('\n');
}

function must(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
