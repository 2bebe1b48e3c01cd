import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { loadState, recoverState, type State, setAside } from '../../engine/journal.ts';
import { CloudspaceError, usageError } from '../../engine/types.ts';
import { checkName, DEFAULTS } from '../../steps/config.ts';
import type { Context, Options } from '../context.ts';
import { keepPrivate } from './privacy.ts';
import { askTeam } from './teamName.ts';

/** Where one Cloudspace keeps its things on this machine: `<state-dir>/<name>/`. */
export interface Place {
  readonly name: string;
  readonly dir: string;
  readonly state: State | undefined;
}

export function stateDir(options: Options): string {
  return resolve(options.stateDir ?? '.cloudspace');
}

/** The folder of practice containers' bookkeeping and of the simulated world. */
export function practiceDir(dir: string): string {
  return join(dir, 'practice');
}

/**
 * Which Cloudspace is meant: `--name`, else the only one there is (of practice, or of AWS, when `practice` is given), else a question.
 * A damaged state file is dealt with here: the backup is offered, else the state is rebuilt from tags.
 */
export async function locate(context: Context, practice: boolean): Promise<Place> {
  const root = stateDir(context.options);
  const name =
    context.options.name !== undefined ? checkName(context.options.name) : await chooseName(context, root, practice);
  const dir = join(root, name);
  const state = await load(context, dir);
  if (state && state.practice !== practice) {
    const where = (isPractice: boolean): string => (isPractice ? 'the practice cloud' : 'AWS');
    throw usageError(
      `"${name}" was begun on ${where(state.practice)}, not on ${where(practice)}`,
      practice
        ? 'choose another name: cloudspace practice --name practice-02'
        : `go on there with: cloudspace practice --name ${name}; or choose another --name`,
      'OtherCloud',
    );
  }
  return { name, dir, state };
}

/** For commands that only look: the Cloudspace that is there. Throws a usage error when there is none, or several and no `--name`. */
export async function locateExisting(context: Context): Promise<Place & { state: State }> {
  const root = stateDir(context.options);
  const names = context.options.name !== undefined ? [checkName(context.options.name)] : await namesIn(root);
  const [name, ...others] = names;
  if (name === undefined)
    throw usageError(
      `there is no Cloudspace in ${root}`,
      'begin with: cloudspace practice; or name the folder with --state-dir',
      'NoCloudspace',
    );
  if (others.length > 0) throw severalError(root, names);
  const dir = join(root, name);
  const state = await load(context, dir);
  if (!state)
    throw usageError(
      `there is no Cloudspace "${name}" in ${root}`,
      'begin with: cloudspace practice; or name the folder with --state-dir',
      'NoCloudspace',
    );
  return { name, dir, state };
}

/** Whether the Cloudspace that is meant was begun before: the one called `--name`, else any on AWS, or of practice. */
export async function isBegun(options: Options, practice: boolean): Promise<boolean> {
  const root = stateDir(options);
  const { name } = options;
  return name === undefined ? (await namesOf(root, practice)).length > 0 : (await namesIn(root)).includes(name);
}

async function namesOf(root: string, practice: boolean): Promise<string[]> {
  const known: string[] = [];
  for (const name of await namesIn(root)) {
    // A damaged state file says nothing of where it belongs; it counts, so that it is offered for repair.
    const state = await loadState(join(root, name)).catch(() => undefined);
    if (!state || state.practice === practice) known.push(name);
  }
  return known;
}

async function chooseName(context: Context, root: string, practice: boolean): Promise<string> {
  const known = await namesOf(root, practice);
  if (known.length > 1) throw severalError(root, known);
  if (known[0] !== undefined) return known[0];
  if (practice) return DEFAULTS.practiceName;
  if (context.options.nameTemplate !== undefined) return askTeam(context.options.nameTemplate, context.ui);
  const answer = await context.ui.ask({
    kind: 'input',
    id: 'name',
    flag: '--name',
    message: 'What is your Cloudspace called?',
    help: "It names everything that is made. A team's number at its end picks the network: hackathon-07 gets 10.7.0.0/16.",
    default: DEFAULTS.name,
    validate: (text) => {
      try {
        checkName(text);
        return true;
      } catch (error) {
        return `${(error as Error).message}: ${(error as CloudspaceError).hint}`;
      }
    },
  });
  return checkName(answer);
}

async function namesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const withState = await Promise.all(
    names.map(async (name) =>
      (await readdir(join(root, name))).some((file) => file.startsWith('state.json')) ? name : undefined,
    ),
  );
  return withState.filter((name) => name !== undefined).sort();
}

function severalError(root: string, names: readonly string[]): CloudspaceError {
  return usageError(
    `there are several Cloudspaces in ${root}: ${names.join(', ')}`,
    `say which: --name ${names[0]}`,
    'WhichCloudspace',
  );
}

async function load(context: Context, dir: string): Promise<State | undefined> {
  await keepPrivate(dir, context.ui);
  try {
    return await loadState(dir);
  } catch (error) {
    if (!(error instanceof CloudspaceError) || error.code !== 'StateDamaged') throw error;
    context.ui.notify({ type: 'warning', text: `${error.message}.` });
    const backup = await context.ui.ask({
      kind: 'confirm',
      id: 'state.recover',
      flag: '--yes',
      message:
        'Repair it? (the backup is used if it is good, else the state is rebuilt from the tags; the damaged file is kept)',
      default: true,
    });
    if (!backup) throw error;
    const recovered = await recoverState(dir);
    const kept = recovered?.kept ?? (await setAside(dir));
    context.ui.notify({
      type: 'info',
      text: recovered
        ? `Using the backup of ${recovered.state.updatedAt}. The damaged file is now \`${kept}\`.`
        : `There is no good backup: the state is rebuilt from the tags. The damaged file is now \`${kept}\`.`,
    });
    return recovered?.state;
  }
}
