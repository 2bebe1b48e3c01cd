import { referenceDeployment } from '../ansible/paths.ts';
import { newState, openJournal } from '../engine/journal.ts';
import { CHAPTERS, type Ui, usageError } from '../engine/types.ts';
import { walk } from '../steps/index.ts';
import { checkFlags, collectAnswers } from './answers/answers.ts';
import { checkCost, costCeiling, costUpTo } from './answers/costCeiling.ts';
import { explain, introduce, offerProfile, roleChooser, settled } from './answers/login.ts';
import { checkChapter } from './chapterName.ts';
import type { Context } from './context.ts';
import type { PracticeSettings } from './practice/practiceCloud.ts';
import { isBegun } from './session/places.ts';
import { deploymentDir, openSession } from './session/session.ts';
import { finishRotations } from './systems/rotationElsewhere.ts';
import { checkSystemFlags, prepareSystems, withSystems } from './systems/systems.ts';
import { askHomework } from './walk/homework.ts';
import { type Start, walkOn } from './walk/startWalk.ts';

export async function run(context: Context): Promise<number> {
  if (context.options.practice) return (await import('./practice.ts')).run(context);
  return start(context, { practice: false });
}

/** The walkthrough, on AWS or on the practice cloud. */
export async function start(
  context: Context,
  how: { practice: boolean; settings?: PracticeSettings },
): Promise<number> {
  const { options, ui } = context;
  checkFlags(options);
  checkSystemFlags(options);
  const ceiling = costCeiling(options);
  const until = checkChapter(options.until ?? 'services');
  if (options.dryRun) return (await import('./plan.ts')).plan(context, how);
  const interactive = options.yes !== true;
  prelude(ui, 'started');
  if (interactive && !(await isBegun(options, how.practice))) {
    await introduce(context);
    await explain(context, 'Region and name');
  }
  const session = await openSession(context, {
    ...how,
    command: how.practice ? 'practice' : 'start',
    ...(interactive ? { chooseRole: roleChooser(context) } : {}),
  });
  try {
    if (session.state?.cycle !== undefined)
      throw usageError(
        'a cycle of hosts is not through yet',
        `go on with it first: cloudspace cycle all --name ${session.name}`,
        'CycleOpen',
      );
    const begun = await logIn({ context, session, practice: how.practice, until, interactive }, ceiling);
    return until === 'login' ? 0 : await walkOn(begun);
  } finally {
    await session.close();
  }
}

/** The prelude: settles everything that the walk is a function of, and keeps it. Nothing is made in the account yet. */
async function logIn(
  who: Pick<Start, 'context' | 'session' | 'practice' | 'until' | 'interactive'>,
  ceiling: number | undefined,
): Promise<Start> {
  const { context, session, practice, until, interactive } = who;
  const { options, ui } = context;
  const { name, dir, account, region } = session;
  if (interactive) await offerProfile(context, session);
  if (interactive && session.state === undefined) await explain(context, 'Your SSH key');
  const answers = await collectAnswers(context, session, { dryRun: false });
  const { config } = answers;
  const deployment = await deploymentDir(options, answers.saved.deployment);
  const ownDeployment = deployment !== referenceDeployment();
  const list = walk(config);
  if (!practice) await checkCost(costUpTo(list, config.region, until), ceiling, ui, interactive);
  const systems = await prepareSystems(context, session, ownDeployment, config);
  const journal = openJournal(dir, session.state ?? newState({ name, account, region, practice }));
  await journal.update((state) => {
    state.answers = { ...answers.saved, ...systems.saved };
    systems.change(state);
    state.chapters.login = 'done';
  });
  await systems.keep();
  // Where a rotation broke off, the database may have a password that the vault has only as the next one.
  for (const key of await finishRotations(context, session, practice ? 'practice' : 'start'))
    ui.notify({ type: 'info', text: `The rotation of \`${key}\` that broke off is finished.` });
  settled(context, session, config);
  prelude(ui, 'done');
  if (interactive && session.state === undefined) await askHomework({ ui, dir, name }, 'login');
  const mapping = withSystems(options.mapping ?? {}, systems);
  return { ...who, answers, deployment, ownDeployment, mapping, list, journal };
}

/** Logging in is the prelude: before the chapters that are counted. */
function prelude(ui: Ui, status: 'started' | 'done'): void {
  ui.notify({ type: 'chapter', chapter: 'login', title: 'Logging in', index: 0, of: CHAPTERS.length - 1, status });
}
