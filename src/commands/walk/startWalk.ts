import { differencesOf } from '../../engine/plan.ts';
import type { Run } from '../../engine/run.ts';
import { CHAPTERS, type ChapterId, type Event } from '../../engine/types.ts';
import { checkChapterDone } from '../check/chapterChecks.ts';
import type { Checked } from '../check/checkQuestions.ts';
import type { Context } from '../context.ts';
import { endpointsOf, writeEndpoints } from '../hosts/endpointsFile.ts';
import { commandAgain } from '../session/again.ts';
import { beforeLongWork, withLastingCredentials } from '../session/credentialsLife.ts';
import { checkUnchanged, openLease } from '../session/lease.ts';
import { byHandSteps, keysByHand } from './byHand.ts';
import { chapterOrder } from './chapterOrder.ts';
import { askHomework } from './homework.ts';
import { onlyAnew } from './onlyAnew.ts';
import { faceDrift } from './repair.ts';
import { finish, PROVEN } from './startFinish.ts';
import { openWalkRun, type WalkPlace } from './walkRun.ts';
import { walkthrough } from './walkthrough.ts';

/** Everything that is settled when the walk begins. */
export interface Start extends WalkPlace {
  readonly context: Context;
  readonly practice: boolean;
  /** the last chapter to do */
  readonly until: ChapterId;
  readonly interactive: boolean;
  readonly ownDeployment: boolean;
}

/** The chapters after the login, under a lease: looks ahead, at what was changed by hand, walks, and looks from outside. Gives the exit code. */
export async function walkOn(start: Start): Promise<number> {
  const { context, session, practice, until, interactive, list, journal } = start;
  const { options, ui, signal } = context;
  const { name, dir, region } = session;
  const byHand = byHandSteps(options.byHand, list);
  const told = telling(start);
  const again = commandAgain(options, practice ? 'practice' : 'start', name);
  const knownBefore = Object.keys(journal.state.resources).length > 0;
  let found: Run | undefined;
  const lease = await openLease(context, session, practice ? 'practice' : 'start', async () => {
    if (found) await checkUnchanged(session, list.resources, found.outputs);
  });
  try {
    const { run } = await openWalkRun({
      ...start,
      notify: told.notify,
      signal,
      hold: lease.hold,
      // Nobody is there to ask: what fails while it is made is made anew once, and what is made by hand has to be there.
      ...(interactive ? {} : { unattended: { replacements: 1, byHand: keysByHand(byHand, list) } }),
    });
    found = run;
    if (!options.skipPreflight && (await ahead(start, run, knownBefore)) === 'saved') return leave(start, again);
    await faceDrift({ run, walk: list, journal, ui, signal, interactive, repair: options.repair === true });
    const asAsked = list.resources.map((resource) => ({
      key: resource.key,
      type: resource.kind.type,
      differences: differencesOf(resource, run.outputs),
    }));
    for (const text of onlyAnew(asAsked, run.drift)) ui.notify({ type: 'warning', text });
    const outcome = await walkthrough({
      config: start.answers.config,
      walk: list,
      run: lasting(start, run),
      journal,
      ui,
      signal,
      until,
      interactive,
      // Without hosts there is little to see from outside: who reads along is shown it, a script asks for it with `cloudspace check`.
      check: async (chapter) =>
        told.untouched() ||
        (withoutHosts(start) !== undefined && !interactive) ||
        (await checkChapterDone(checked(start, run), chapter, ui)),
      homework: (chapter) => askHomework({ ui, dir, name }, chapter),
      open: told.open,
      region,
      resume: again,
      byHand,
    });
    await writeEndpoints(dir, checked(start, run).endpoints);
    if (outcome === 'saved') return leave(start, again);
    return await finish(start, {
      good: outcome === 'done',
      proven: told.untouched,
      look: withoutHosts(start) === undefined ? () => checked(start, run) : undefined,
    });
  } finally {
    await lease.release();
  }
}

/**
 * A machine gets events as they happen, and so does who reads along, who is asked before anything of a chapter begins; an unattended log reads
 * chapter by chapter. `untouched`: what was found good before and was not touched since is not asked again, so that a run with nothing to do
 * sends next to no requests.
 */
function telling({ context: { options, ui }, interactive, list, journal }: Start) {
  const order = chapterOrder((event) => ui.notify(event), list.chapterOf);
  const show = interactive || options.json ? (event: Event) => ui.notify(event) : order.notify;
  let untouched = journal.state.steps[PROVEN] === 'done';
  return {
    notify(event: Event): void {
      if (isWork(event)) untouched = false;
      show(event);
    },
    open: order.open,
    untouched: () => untouched,
  };
}

function isWork(event: Event): boolean {
  if (event.type === 'play') return event.status === 'started';
  return event.type === 'resource' && (event.status === 'creating' || event.status === 'updating');
}

/** Before anything is made: would AWS refuse it half way? */
async function ahead(
  { context: { ui }, session, until, interactive, answers, list, journal }: Start,
  run: Run,
  knownBefore: boolean,
): Promise<'go' | 'saved'> {
  const last = CHAPTERS.indexOf(until);
  const wanted = list.resources.filter(({ key }) => CHAPTERS.indexOf(list.chapterOf(key)) <= last);
  const { lookAhead } = await import('./lookAhead.ts');
  return lookAhead({
    aws: session.aws,
    config: answers.config,
    resources: list.resources,
    missing: wanted.filter(({ key }) => !run.outputs.has(key)),
    foundElsewhere: knownBefore ? [] : wanted.filter(({ key }) => run.outputs.has(key)),
    journal,
    interactive,
    ui,
  });
}

/** The run, with credentials that last for each of its parts. */
function lasting({ context: { ui }, session, practice, answers, list, journal }: Start, run: Run): Run {
  return withLastingCredentials(
    run,
    list.resources,
    {
      scale: practice ? 1 / session.settings.speed : 1,
      plays: answers.provision === 'ansible',
      played: (key) => journal.state.plays[key]?.status === 'done',
    },
    beforeLongWork(session.credentials, (event) => ui.notify(event)),
  );
}

/** Why there is nothing to see on hosts; undefined: there is. */
function withoutHosts({ session, practice, answers }: Start): string | undefined {
  if (answers.provision === 'skip') return 'provisioning was skipped';
  return practice && session.settings.hosts === 'none' ? 'this practice has no hosts' : undefined;
}

/** What a look from outside has to know, as it is now. */
function checked(start: Start, run: Run): Checked {
  const { context, session, practice, ownDeployment, journal } = start;
  const { name, dir, account, aws, dns } = session;
  const without = withoutHosts(start);
  return {
    place: { name, dir, state: journal.state },
    aws,
    account,
    practice,
    endpoints: endpointsOf(run.outputs, practice, (address, port) => session.practice?.reach(address, port)),
    dns,
    healthKnown: without === undefined,
    ownDeployment,
    signal: context.signal,
    ...(without === undefined ? {} : { withoutHosts: without }),
  };
}

/** The person leaves with everything saved. */
function leave({ context: { ui } }: Start, again: string): 0 {
  ui.notify({
    type: 'summary',
    text: `Saved. \`${again}\` goes on here; \`cloudspace destroy\` takes everything down.`,
  });
  return 0;
}
