import { referenceDeployment } from '../ansible/paths.ts';
import { newState, openJournal } from '../engine/journal.ts';
import type { Lease } from '../engine/lease.ts';
import type { Run } from '../engine/run.ts';
import { CHAPTERS, type ChapterId, type Event, type Ui, usageError } from '../engine/types.ts';
import { walk } from '../steps/index.ts';
import { errorEvent } from '../ui/errorText.ts';
import { checkFlags, collectAnswers } from './answers.ts';
import { provideDatabase } from './applicationDatabase.ts';
import { byHandSteps, keysByHand } from './byHand.ts';
import { checkChapterDone, checkEverything } from './chapterChecks.ts';
import { chapterOrder } from './chapterOrder.ts';
import type { Context } from './context.ts';
import { checkCost, costCeiling, costUpTo } from './costCeiling.ts';
import { beforeLongWork, withLastingCredentials } from './credentialsLife.ts';
import { endpointsOf, writeEndpoints } from './endpointsFile.ts';
import { askHomework } from './homework.ts';
import { lastAct } from './lastAct.ts';
import { checkUnchanged, openLease } from './lease.ts';
import { explain, introduce, offerProfile, roleChooser, settled } from './login.ts';
import { onlyAnew } from './onlyAnew.ts';
import { isBegun } from './places.ts';
import type { PracticeSettings } from './practiceCloud.ts';
import { faceDrift } from './repair.ts';
import { deploymentDir, openSession, type Session } from './session.ts';
import { checkSystemFlags, prepareSystems, withSystems } from './systems.ts';
import { openWalkRun } from './walkRun.ts';
import { walkthrough } from './walkthrough.ts';

export async function run(context: Context): Promise<number> {
  if (context.options.practice) return (await import('./practice.ts')).run(context);
  return start(context, { practice: false });
}

/** The walkthrough, on AWS or on the practice cloud. */
export async function start(
  context: Context,
  how: { practice: boolean; settings?: PracticeSettings },
): Promise<number> {
  const { options, ui, signal } = context;
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
  let lease: Lease | undefined;
  try {
    if (session.state?.cycle !== undefined)
      throw usageError(
        'a cycle of hosts is not through yet',
        `go on with it first: cloudspace cycle all --name ${session.name}`,
        'CycleOpen',
      );
    if (interactive) await offerProfile(context, session);
    if (interactive && session.state === undefined) await explain(context, 'Your SSH key');
    const answers = await collectAnswers(context, session, { dryRun: false });
    const { config } = answers;
    const deployment = await deploymentDir(options, answers.saved.deployment);
    const ownDeployment = deployment !== referenceDeployment();
    const list = walk(config);
    if (!how.practice) await checkCost(costUpTo(list, config.region, until), ceiling, ui, interactive);
    const systems = await prepareSystems(context, session, ownDeployment, config);
    const { name, dir, account, region } = session;
    const journal = openJournal(dir, session.state ?? newState({ name, account, region, practice: how.practice }));
    await journal.update((state) => {
      state.answers = { ...answers.saved, ...systems.saved };
      systems.change(state);
      state.chapters.login = 'done';
    });
    await systems.keep();
    settled(context, session, config);
    prelude(ui, 'done');
    if (interactive && session.state === undefined) await askHomework({ ui, dir, name }, 'login');
    if (until === 'login') return 0;

    const byHand = byHandSteps(options.byHand, list);
    const order = chapterOrder((event) => ui.notify(event), list.chapterOf);
    // A machine gets events as they happen; who reads along is asked before anything of a chapter begins.
    const show = interactive || options.json ? (event: Event) => ui.notify(event) : order.notify;
    // What was found good before and was not touched since is not asked again: a run with nothing to do sends next to no requests.
    let untouched = journal.state.steps[PROVEN] === 'done';
    const notify = (event: Event): void => {
      if (isWork(event)) untouched = false;
      show(event);
    };
    const again = how.practice ? 'cloudspace practice' : `cloudspace start --name ${name}`;
    const knownBefore = Object.keys(journal.state.resources).length > 0;
    let found: Run | undefined;
    lease = await openLease(context, session, how.practice ? 'practice' : 'start', async () => {
      if (found) await checkUnchanged(session, list.resources, found.outputs);
    });
    const { run } = await openWalkRun({
      session,
      answers,
      deployment,
      mapping: withSystems(options.mapping ?? {}, systems),
      list,
      journal,
      notify,
      signal,
      hold: lease.hold,
      // Nobody is there to ask: what fails while it is made is made anew once, and what is made by hand has to be there.
      ...(interactive ? {} : { unattended: { replacements: 1, byHand: keysByHand(byHand, list) } }),
    });
    found = run;
    if (!options.skipPreflight) {
      const wanted = list.resources.filter(
        ({ key }) => CHAPTERS.indexOf(list.chapterOf(key)) <= CHAPTERS.indexOf(until),
      );
      const { lookAhead } = await import('./lookAhead.ts');
      const outcome = await lookAhead({
        aws: session.aws,
        config,
        resources: list.resources,
        missing: wanted.filter(({ key }) => !run.outputs.has(key)),
        foundElsewhere: knownBefore ? [] : wanted.filter(({ key }) => run.outputs.has(key)),
        journal,
        interactive,
        ui,
      });
      if (outcome === 'saved') return leave(ui, again);
    }
    const endpoints = () =>
      endpointsOf(run.outputs, how.practice, (address, port) => session.practice?.reach(address, port));
    const withoutHosts =
      answers.provision === 'skip'
        ? 'provisioning was skipped'
        : how.practice && session.settings.hosts === 'none'
          ? 'this practice has no hosts'
          : undefined;
    const checked = () => ({
      place: { name, dir, state: journal.state },
      aws: session.aws,
      account,
      practice: how.practice,
      endpoints: endpoints(),
      dns: session.dns,
      healthKnown: withoutHosts === undefined,
      ownDeployment,
      signal,
      ...(withoutHosts === undefined ? {} : { withoutHosts }),
    });
    await faceDrift({ run, walk: list, journal, ui, signal, interactive, repair: options.repair === true });
    for (const text of onlyAnew(list.resources, run.outputs, run.drift)) ui.notify({ type: 'warning', text });
    const outcome = await walkthrough({
      config,
      walk: list,
      run: withLastingCredentials(
        run,
        list.resources,
        {
          scale: how.practice ? 1 / session.settings.speed : 1,
          plays: answers.provision === 'ansible',
          played: (key) => journal.state.plays[key]?.status === 'done',
        },
        beforeLongWork(session.credentials, (event) => ui.notify(event)),
      ),
      journal,
      ui,
      signal,
      until,
      interactive,
      // Without hosts there is little to see from outside: who reads along is shown it, a script asks for it with `cloudspace check`.
      check: async (chapter) =>
        untouched || (withoutHosts !== undefined && !interactive) || (await checkChapterDone(checked(), chapter, ui)),
      homework: (chapter) => askHomework({ ui, dir, name }, chapter),
      open: order.open,
      region,
      resume: interactive ? again : `${again} --yes`,
      byHand,
    });
    await writeEndpoints(dir, endpoints());
    if (outcome === 'saved') return leave(ui, again);
    let good = outcome === 'done';
    let url: string | undefined;
    if (until === 'services' && withoutHosts === undefined) {
      try {
        const place = { name, dir, state: journal.state };
        const database = provideDatabase({ ...context, options: { ...options, name } });
        if (!ownDeployment && (!interactive || (await wantsSample(ui))))
          url = (await lastAct({ place, practice: how.practice, database, ui, signal })).urls[0];
      } catch (error) {
        signal.throwIfAborted();
        ui.notify(errorEvent(error));
        good = false;
      }
      good = (untouched || (await checkEverything(checked(), ui))) && good;
      await journal.update((state) => {
        if (good) state.steps[PROVEN] = 'done';
        else delete state.steps[PROVEN];
      });
    }
    ui.notify({
      type: 'summary',
      text: await summary(session, journal.state, answers.provision, until, url),
      data: {
        ...(url === undefined ? {} : { url }),
        name,
        account,
        region,
        requests: session.requests.length,
        mutations: session.requests.filter((request) => request.mutating).length,
      },
    });
    return good || interactive ? 0 : 1;
  } finally {
    await lease?.release();
    await session.close();
  }
}

/** Logging in is the prelude: before the chapters that are counted. */
function prelude(ui: Ui, status: 'started' | 'done'): void {
  ui.notify({ type: 'chapter', chapter: 'login', title: 'Logging in', index: 0, of: CHAPTERS.length - 1, status });
}

/** The person leaves with everything saved. */
function leave(ui: Ui, again: string): 0 {
  ui.notify({
    type: 'summary',
    text: `Saved. \`${again}\` goes on here; \`cloudspace destroy\` takes everything down.`,
  });
  return 0;
}

/** Key of the journal's steps: the whole chain was seen to work after the last change. */
const PROVEN = 'services/proven';

function isWork(event: Event): boolean {
  if (event.type === 'play') return event.status === 'started';
  return event.type === 'resource' && (event.status === 'creating' || event.status === 'updating');
}

export function checkChapter(text: string): ChapterId {
  const found = CHAPTERS.find((chapter) => chapter === text);
  if (found) return found;
  throw usageError(`there is no chapter "${text}"`, `the chapters are: ${CHAPTERS.join(', ')}`, 'UnknownChapter');
}

function wantsSample(ui: Ui): Promise<boolean> {
  return ui.ask({
    kind: 'confirm',
    id: 'sample',
    message: 'Everything stands. Deploy the sample application, with a database of its own?',
    help: 'It is built on a builder, runs on the runners and answers through the load balancer. A second deployment of the same changes nothing.',
    default: true,
  });
}

async function summary(
  session: Session,
  state: { resources: Readonly<Record<string, { usdPerHour?: number }>> },
  provision: string,
  until: ChapterId,
  url: string | undefined,
): Promise<string> {
  const entries = Object.values(state.resources);
  const usd = entries.reduce((sum, entry) => sum + (entry.usdPerHour ?? 0), 0);
  const flag = session.practice ? '' : ` --name ${session.name}`;
  return [
    `**${session.name}**: ${until === 'services' ? 'all chapters are done' : `done up to chapter "${until}"`}. ${entries.length} resources, ${session.practice ? 'practice: costs nothing; on AWS ' : ''}about ${usd.toFixed(3)} USD an hour.`,
    '',
    provision === 'skip'
      ? '- provisioning was skipped: the hosts are as they came'
      : `- \`cloudspace ssh controller\`, \`cloudspace ssh runner-1 -- hostname\`: your hosts, through the bastion`,
    ...(url === undefined
      ? []
      : [
          `- ${url}: the sample application; your own: \`cloudspace deploy DIR --domain NAME\``,
          '- `cloudspace check`: looks from the outside whether all of it works',
        ]),
    '- `cloudspace status`: what is there and what it costs',
    `- \`cloudspace destroy${flag}\`: take everything down again`,
  ].join('\n');
}
