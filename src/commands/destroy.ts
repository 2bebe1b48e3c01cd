import { type Doomed, destroy, findDoomed } from '../engine/destroy.ts';
import { openJournal } from '../engine/journal.ts';
import { CHAPTERS, type ChapterId, CloudspaceError, type Found } from '../engine/types.ts';
import { type Config, DEFAULTS, teamNumber } from '../steps/config.ts';
import { walk } from '../steps/index.ts';
import { readHosts, writeHosts } from './hostsFile.ts';
import type { Context } from './index.ts';
import { locateExisting } from './places.ts';
import { openSession, type Session } from './session.ts';
import { checkChapter } from './start.ts';

/** `cloudspace destroy`: everything with this Cloudspace's tags, in the reverse of the graph; with `--to` only what came after a chapter. */
export async function run(context: Context): Promise<number> {
  const { options, ui, signal } = context;
  const to = options.to === undefined ? undefined : checkChapter(options.to);
  const practice = options.practice ?? (await isPractice(context));
  const session = await openSession(context, { practice, command: 'destroy', look: options.dryRun === true });
  try {
    const list = walk(configOf(session));
    const goes = (key: string, found: Found): boolean =>
      to === undefined || CHAPTERS.indexOf((found.chapter ?? list.chapterOf(key)) as ChapterId) > CHAPTERS.indexOf(to);
    const doomed = await findDoomed(session.aws, list.resources, session.name, goes);
    if (options.dryRun) {
      show(context, session, doomed);
      return 0;
    }
    if (doomed.length === 0)
      ui.notify({
        type: 'info',
        text: `Nothing of ${session.name} is there in account ${session.account}, ${session.region}.`,
      });
    else await confirm(context, session, doomed, to);
    const journal = session.state ? openJournal(session.dir, session.state) : undefined;
    const leftovers = await destroy({
      cloud: session.aws,
      name: session.name,
      resources: list.resources,
      doomed,
      journal,
      notify: (event) => ui.notify(event),
      signal,
      pace: session.pace,
    });
    const still = await findDoomed(session.aws, list.resources, session.name, goes);
    if (leftovers.length > 0 || still.length > 0) {
      const reasons = new Map(leftovers.map((leftover) => [leftover.id, leftover.reason]));
      const lines = (
        still.length > 0 ? still.map((item) => ({ label: item.kind.label, id: item.out.id })) : leftovers
      ).map(({ label, id }) => `- ${label} ${id}: ${reasons.get(id) ?? 'still there'}`);
      throw new CloudspaceError(`${lines.length} of ${doomed.length} resources are left:\n${lines.join('\n')}`, {
        code: 'Leftovers',
        hint: 'mend the cause and run destroy again',
      });
    }
    await journal?.update((state) => {
      for (const chapter of CHAPTERS) {
        if (to !== undefined && CHAPTERS.indexOf(chapter) <= CHAPTERS.indexOf(to)) continue;
        delete state.chapters[chapter];
        for (const step of Object.keys(state.steps)) if (step.startsWith(`${chapter}/`)) delete state.steps[step];
      }
      for (const key of Object.keys(state.resources))
        if (to === undefined || goes(key, { out: { id: '' } })) delete state.resources[key];
      for (const play of list.plays)
        if (to === undefined || goes(play.key, { out: { id: '' } })) delete state.plays[play.key];
      if (to === undefined) state.hostKeys = {};
    });
    const gone = new Set(doomed.map((item) => item.out.id));
    await writeHosts(
      session.dir,
      (await readHosts(session.dir)).filter((host) => !gone.has(host.instanceId)),
    );
    await session.practice?.settled();
    ui.notify({
      type: 'summary',
      text: `Nothing is left${to === undefined ? '' : ` of what came after chapter "${to}"`}: a fresh listing of account ${session.account} in ${session.region} shows none of ${session.name}.`,
      data: { deleted: doomed.length },
    });
    return 0;
  } finally {
    await session.close();
  }
}

async function isPractice(context: Context): Promise<boolean> {
  return locateExisting(context).then(
    ({ state }) => state.practice,
    (error: unknown) => {
      // Without a state file, tags decide: on AWS, unless --practice says otherwise.
      if (error instanceof CloudspaceError && error.code === 'NoCloudspace' && context.options.name !== undefined)
        return false;
      throw error;
    },
  );
}

/** For the order of the kinds alone; what is deleted comes from the listing. */
function configOf(session: Session): Config {
  const saved = (session.state?.answers ?? {}) as Partial<Config>;
  const team = teamNumber(session.name, saved.team);
  return {
    name: session.name,
    region: session.region,
    account: session.account,
    team,
    cidr: saved.cidr ?? `10.${team}.0.0/16`,
    zones: saved.zones ?? [`${session.region}a`, `${session.region}b`],
    runners: saved.runners ?? DEFAULTS.runners,
    sshFrom: saved.sshFrom ?? '192.0.2.1/32',
    publicKey: saved.publicKey ?? '',
    ami: saved.ami ?? '',
    rootDevice: saved.rootDevice ?? '/dev/xvda',
    instanceType: saved.instanceType ?? DEFAULTS.instanceType,
    dbClass: saved.dbClass ?? DEFAULTS.dbClass,
    postgresVersion: saved.postgresVersion ?? '',
    caCertificate: saved.caCertificate ?? '',
  };
}

async function confirm(
  { options, ui }: Context,
  session: Session,
  doomed: readonly Doomed[],
  to: ChapterId | undefined,
): Promise<void> {
  const kinds = new Map<string, number>();
  for (const { kind } of doomed) kinds.set(kind.label, (kinds.get(kind.label) ?? 0) + 1);
  ui.notify({
    type: 'info',
    text: `**${session.name}** in account ${session.account}, ${session.region}${to === undefined ? '' : `, after chapter "${to}"`}: ${doomed.length} resources go.\n${[...kinds].map(([label, count]) => `- ${count} ${label}`).join('\n')}\n\nThe database goes with its data; no final snapshot is kept.`,
  });
  if (options.yes) return;
  const sure = await ui.ask({
    kind: 'confirm',
    id: 'destroy',
    flag: '--yes',
    message: 'Delete all of this?',
    default: false,
  });
  if (!sure)
    throw new CloudspaceError('nothing was deleted', { code: 'Declined', hint: 'run destroy again when you are sure' });
}

function show({ options, print }: Context, session: Session, doomed: readonly Doomed[]): void {
  const resources = doomed.map(({ key, kind, out }) => ({ key, type: kind.type, id: out.id, action: 'delete' }));
  if (options.json)
    print(
      `${JSON.stringify({ name: session.name, account: session.account, region: session.region, resources }, null, 2)}\n`,
    );
  else
    print(
      `${resources.map(({ key, type, id }) => `- ${key.padEnd(34)} ${type.padEnd(36)} ${id}`).join('\n')}\n\n${resources.length} to delete. Nothing was changed.\n`,
    );
}
