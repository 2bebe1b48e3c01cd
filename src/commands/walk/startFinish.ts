import type { State } from '../../engine/journal.ts';
import type { ChapterId, Ui } from '../../engine/types.ts';
import { errorEvent } from '../../ui/errorText.ts';
import { provideDatabase } from '../applications/applicationDatabase.ts';
import { checkEverything } from '../check/chapterChecks.ts';
import type { Checked } from '../check/checkQuestions.ts';
import type { Session } from '../session/session.ts';
import { lastAct } from './lastAct.ts';
import type { Start } from './startWalk.ts';

/** Key of the journal's steps: the whole chain was seen to work after the last change. */
export const PROVEN = 'services/proven';

/** The end of a walk: the sample application, a look at the whole chain, and the last words. Gives the exit code. */
export async function finish(
  start: Start,
  walked: {
    readonly good: boolean;
    /** seen to work before, and not touched since */
    readonly proven: () => boolean;
    /** what a look from outside has to know; undefined: there are no hosts to see */
    readonly look: (() => Checked) | undefined;
  },
): Promise<number> {
  const { context, session, until, interactive, answers, journal } = start;
  const { ui } = context;
  const { name, account, region } = session;
  let { good } = walked;
  let url: string | undefined;
  if (until === 'services' && walked.look) {
    const sample = await deploySample(start);
    url = sample.url;
    good = (walked.proven() || (await checkEverything(walked.look(), ui))) && sample.good && good;
    await journal.update((state) => {
      if (good) state.steps[PROVEN] = 'done';
      else delete state.steps[PROVEN];
    });
  }
  ui.notify({
    type: 'summary',
    text: summary(session, journal.state, answers.provision, until, url),
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
}

/** A team's own deployment repository may have no place for it. What goes wrong is told, and the walk ends as not good. */
async function deploySample({
  context,
  session: { name, dir },
  practice,
  ownDeployment,
  interactive,
  journal,
}: Start): Promise<{ good: boolean; url: string | undefined }> {
  const { options, ui, signal } = context;
  try {
    if (ownDeployment || (interactive && !(await wantsSample(ui)))) return { good: true, url: undefined };
    const place = { name, dir, state: journal.state };
    const database = provideDatabase({ ...context, options: { ...options, name } });
    const { urls } = await lastAct({ place, practice, database, ui, signal });
    return { good: true, url: urls[0] };
  } catch (error) {
    signal.throwIfAborted();
    ui.notify(errorEvent(error));
    return { good: false, url: undefined };
  }
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

function summary(session: Session, state: State, provision: string, until: ChapterId, url: string | undefined): string {
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
