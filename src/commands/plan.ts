import { makePlan, type Plan } from '../engine/plan.ts';
import { CHAPTERS } from '../engine/types.ts';
import { type Walk, walk } from '../steps/index.ts';
import { type Answers, checkFlags, collectAnswers } from './answers/answers.ts';
import type { Context } from './context.ts';
import { type Permission, permissionLines, permissionsFor } from './doctor/permissions.ts';
import type { PracticeSettings } from './practice/practiceCloud.ts';
import { openSession, type Session } from './session/session.ts';
import { driftText } from './walk/driftText.ts';
import { onlyAnew } from './walk/onlyAnew.ts';

const HOURS_A_MONTH = 730;

export async function run(context: Context): Promise<number> {
  checkFlags(context.options);
  return plan(context, { practice: context.options.practice === true });
}

/** The whole dry run: the list that the walkthrough walks, with clients that refuse every mutation. Writes nothing, asks nothing but the name. */
export function plan(context: Context, how: { practice: boolean; settings?: PracticeSettings }): Promise<number> {
  return planned(context, { ...how, command: 'plan' }, async (session, answers, list, result) => {
    const plays = list.plays.map((play) => play.key);
    const notes = [...answers.notes, ...onlyAnew(result.resources, result.drift)];
    const permissions = context.options.checkPermissions
      ? await permissionsFor(session, list.resources, result.outputs, context.signal)
      : undefined;
    if (context.options.json)
      context.print(
        `${JSON.stringify(document(session, { ...answers, notes }, result, plays, permissions), null, 2)}\n`,
      );
    else context.print(text(session, { ...answers, notes }, result, plays.length, permissions));
    return 0;
  });
}

/** Compares the whole description with what is there, and gives that to `use` while the session is open. */
export async function planned<T>(
  context: Context,
  how: { practice: boolean; settings?: PracticeSettings; command: string },
  use: (session: Session, answers: Answers, list: Walk, plan: Plan) => Promise<T>,
): Promise<T> {
  const session = await openSession(context, { ...how, look: true });
  try {
    const answers = await collectAnswers(context, session, { dryRun: true });
    const list = walk(answers.config);
    const result = await makePlan({
      cloud: session.aws,
      name: session.name,
      region: session.region,
      resources: list.resources,
      chapterOf: list.chapterOf,
      entries: session.state?.resources,
    });
    return await use(session, answers, list, result);
  } finally {
    await session.close();
  }
}

function document(
  session: Session,
  answers: Answers,
  plan: Plan,
  plays: readonly string[],
  permissions: readonly Permission[] | undefined,
) {
  return {
    name: session.name,
    account: session.account,
    region: session.region,
    practice: session.practice !== undefined,
    config: answers.config,
    chapters: CHAPTERS.map((id) => ({ id, status: session.state?.chapters[id] ?? 'open' })),
    resources: plan.resources,
    plays: plays.map((key) => ({ key, action: session.state?.plays[key]?.status === 'done' ? 'keep' : 'run' })),
    extra: plan.extra,
    drift: plan.drift,
    usdPerHour: Number(plan.usdPerHour.toFixed(4)),
    seconds: plan.seconds,
    ...(permissions === undefined ? {} : { permissions }),
    notes: [...answers.notes, ...unchecked(permissions !== undefined)],
  };
}

/** What a dry run cannot know. */
const unchecked = (permissions: boolean): string[] => [
  `not checked: ${permissions ? '' : 'permissions (--check-permissions), '}quotas (cloudspace doctor), and whether capacity is there`,
  'not counted: traffic, and work that applications cause',
];

function text(
  session: Session,
  answers: Answers,
  plan: Plan,
  plays: number,
  permissions: readonly Permission[] | undefined,
): string {
  const sign = { create: '+', keep: ' ', change: '~', delete: '-' };
  const lines = [
    `Plan of ${session.name}: account ${session.account}, ${session.region}${session.practice ? ', practice cloud' : ''}`,
  ];
  for (const chapter of CHAPTERS) {
    const mine = plan.resources.filter((resource) => resource.chapter === chapter);
    if (mine.length === 0) continue;
    lines.push('', chapter);
    for (const { key, label, action, id, differences, adopted } of mine) {
      const what =
        action === 'change'
          ? `${differences.map(({ attribute }) => attribute).join(', ')} of ${id}`
          : `${id ?? ''}${adopted ? ' (adopted)' : ''}`;
      lines.push(`  ${sign[action]} ${key.padEnd(34)} ${label.padEnd(28)} ${what}`.trimEnd());
    }
  }
  const count = (action: string): number => plan.resources.filter((resource) => resource.action === action).length;
  lines.push(
    '',
    `${count('create')} to create, ${count('change')} to change, ${count('keep')} to keep; ${plays} Ansible plays.`,
  );
  if (plan.drift.length > 0) lines.push('', ...driftText(plan.drift));
  if (plan.drift.some(({ mendable }) => mendable)) lines.push('`--repair` puts it back.');
  if (plan.extra.length > 0)
    lines.push(
      '',
      'There, but described by no step (left alone; destroy removes them):',
      ...plan.extra.map(({ key, type, id }) => `  ${key ?? '-'} ${type} ${id}`),
    );
  lines.push(
    `About ${plan.usdPerHour.toFixed(3)} USD an hour, ${(plan.usdPerHour * HOURS_A_MONTH).toFixed(0)} a month${session.practice ? ' on AWS; practice costs nothing' : ''}. About ${Math.ceil(plan.seconds / 60)} minutes on AWS, Ansible not counted.`,
    '',
    ...(permissions === undefined
      ? []
      : ["Permissions, by EC2's dry runs (advice, no promise):", ...permissionLines(permissions), '']),
    ...[...answers.notes, ...unchecked(permissions !== undefined)].map((note) => `- ${note.replaceAll('`', '')}`),
    '',
    'Nothing was changed.',
  );
  return `${lines.join('\n')}\n`;
}
