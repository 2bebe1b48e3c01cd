import { named } from '../checks/api.ts';
import { type Facts, gatherFacts } from '../checks/facts.ts';
import { CHAPTER_HOSTS } from '../checks/hosts.ts';
import { firstBroken, type Result, runChecks } from '../checks/run.ts';
import { CHAPTERS, type ChapterId } from '../engine/types.ts';
import { checkChapter } from './chapterName.ts';
import { questionsOf } from './check/checkQuestions.ts';
import type { Context } from './context.ts';
import { readEndpoints } from './hosts/endpointsFile.ts';
import { readHosts } from './hosts/hostsFile.ts';
import { locateExisting } from './session/places.ts';
import { deploymentDir, openSession } from './session/session.ts';

/**
 * `cloudspace check [CHAPTER]`: looks from the outside at what is there, and names the first layer that is broken. Changes nothing, on the hosts of a practice
 * neither. Without a chapter: all that have begun.
 */
export async function run(context: Context): Promise<number> {
  const { options, ui, signal, args } = context;
  const wanted = args[0] === undefined ? undefined : checkChapter(args[0]);
  const practice = options.practice ?? (await locateExisting(context)).state.practice;
  const session = await openSession(context, { practice, command: 'check', look: true });
  try {
    const { reference, used } = await repositories(context, session.state?.answers.deployment);
    const hosts = await readHosts(session.dir);
    const chapters = wanted
      ? [wanted]
      : await begun(session.state?.chapters ?? {}, await gatherFacts(session.aws, session.name, session.account));
    const questions = await questionsOf({
      place: session,
      aws: session.aws,
      account: session.account,
      practice,
      endpoints: await readEndpoints(session.dir),
      dns: session.dns,
      ownDeployment: used !== reference,
      healthKnown: !practice,
      signal,
      ...(practice && hosts.length === 0 ? { withoutHosts: 'this practice has no hosts that were provisioned' } : {}),
    });
    const results = await runChecks(questions, chapters, (event) => ui.notify(event));
    const later = CHAPTERS.filter((chapter) => wanted === undefined && !chapters.includes(chapter));
    ui.notify({
      type: 'summary',
      text: summaryOf(results, later),
      data: { ok: firstBroken(results) === undefined, results, later },
    });
    return firstBroken(results) === undefined ? 0 : 1;
  } finally {
    await session.close();
  }
}

async function repositories({ options }: Context, saved: unknown): Promise<{ reference: string; used: string }> {
  const { referenceDeployment } = await import('../ansible/paths.ts');
  return { reference: referenceDeployment(), used: await deploymentDir(options, saved) };
}

/** The chapters up to the last of which something is there, by the API or by what was done. */
export async function begun(done: Readonly<Partial<Record<ChapterId, string>>>, facts: Facts): Promise<ChapterId[]> {
  const isThere = (chapter: ChapterId): boolean => {
    if (done[chapter] === 'done' || chapter === 'login') return true;
    if (chapter === 'vpc') return facts.vpcs.length > 0;
    if (chapter === 'ingress') return facts.loadBalancers.length > 0;
    const role = CHAPTER_HOSTS[chapter];
    return role !== undefined && named(facts, role).length > 0;
  };
  return CHAPTERS.slice(0, CHAPTERS.findLastIndex(isThere) + 1);
}

/** For people: how it stands, or where it breaks first. */
export function summaryOf(results: readonly Result[], later: readonly ChapterId[]): string {
  const broken = firstBroken(results);
  const count = (status: Result['status']): number => results.filter((result) => result.status === status).length;
  const rest = later.length > 0 ? [`- not begun yet: ${later.join(', ')}`] : [];
  if (!broken)
    return [
      `All is well: ${count('passed')} checks passed${count('skipped') > 0 ? `, ${count('skipped')} could not be asked` : ''}.`,
      ...(rest.length > 0 ? ['', ...rest] : []),
    ].join('\n');
  return [
    `**Broken first:** chapter "${broken.chapter}", ${broken.title}: ${broken.detail ?? ''}`,
    '',
    ...(broken.hint === undefined ? [] : [`- ${broken.hint}`]),
    ...rest,
  ].join('\n');
}
