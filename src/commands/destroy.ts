import { rmdir } from 'node:fs/promises';
import { type Doomed, findDoomed, findDoomedSettlingIntents } from '../engine/doomed.ts';
import { openJournal } from '../engine/journal.ts';
import { CHAPTERS, type ChapterId, CloudspaceError, type Event, type Found } from '../engine/types.ts';
import { type Config, DEFAULTS, teamNumber } from '../steps/config.ts';
import { walk } from '../steps/index.ts';
import { checkChapter } from './chapterName.ts';
import type { Context } from './context.ts';
import { checkFinalSnapshot, decideFinalSnapshot } from './destroy/finalSnapshot.ts';
import { leftOver, summaryOf } from './destroy/leftovers.ts';
import { checkWait, nothingToDo, takeDown, type Work } from './destroy/takeDown.ts';
import { commandAgain } from './session/again.ts';
import { leftBehind, tellNotes } from './session/noted.ts';
import { locateExisting } from './session/places.ts';
import { openSession, type Session } from './session/session.ts';

/**
 * `cloudspace destroy`: everything with this Cloudspace's tags, in the reverse of the graph; with `--to` only what came after a chapter. Ends with a fresh
 * listing: nothing is left (0), or what, why and at which cost (1).
 */
export async function run(context: Context): Promise<number> {
  const { options, ui, signal } = context;
  const to = options.to === undefined ? undefined : checkChapter(options.to);
  checkFinalSnapshot(options.finalSnapshot);
  if (options.wait !== undefined) checkWait(options.wait);
  const practice = options.practice ?? (await isPractice(context));
  const session = await openSession(context, {
    practice,
    command: 'destroy',
    look: options.dryRun === true,
    notes: true,
  });
  try {
    tellNotes(session, (event) => ui.notify(event));
    const list = walk(await configOf(session));
    const goes = (key: string, found: Found): boolean =>
      to === undefined || CHAPTERS.indexOf((found.chapter ?? list.chapterOf(key)) as ChapterId) > CHAPTERS.indexOf(to);
    const journal = session.state ? openJournal(session.dir, session.state) : undefined;
    const { pace } = session;
    const notify = (event: Event): void => ui.notify(event);
    const find = (): Promise<Doomed[]> => findDoomed(session.aws, list.resources, session.name, goes);
    const found = await findDoomedSettlingIntents(find, { journal, notify, pace, signal });
    if (options.dryRun) {
      show(context, session, found);
      return 0;
    }
    const work = { context, session, journal, list, to, find };
    if (found.length === 0)
      notify({
        type: 'info',
        text: `Nothing of ${session.name} is there in account ${session.account}, ${session.region}.`,
      });
    const outcome = found.length === 0 ? await nothingToDo(work) : await takeDown(work, await agreed(work, found));
    const left = [
      ...leftOver({ ...outcome, resources: list.resources, region: session.region }),
      ...(to === undefined && found.length > 0 ? leftBehind(session) : []),
    ];
    await session.practice?.settled();
    notify(
      summaryOf({
        left,
        deleted: outcome.deleted.size,
        adopted: found.filter(({ adopted, kind }) => adopted && kind.untag !== undefined),
        snapshots: outcome.snapshots,
        nothing: `Nothing is left${to === undefined ? '' : ` of what came after chapter "${to}"`}: a fresh listing of account ${session.account} in ${session.region} shows none of ${session.name}.`,
        again: commandAgain({ ...options, yes: false }, 'destroy', session.name, to === undefined ? [] : ['--to', to]),
        dir: journal && to === undefined ? session.dir : undefined,
      }),
    );
    return left.length === 0 ? 0 : 1;
  } finally {
    await session.close();
    // The lock made the folder of a Cloudspace that this machine never saw.
    if (!session.state) await rmdir(session.dir).catch(() => {});
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
async function configOf(session: Session): Promise<Config> {
  const saved = (session.state?.answers ?? {}) as Partial<Config>;
  const team = teamNumber(session.name, saved.team);
  const [dns, rabbitmq] = [await session.dns.config(), await session.rabbitmq.config()];
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
    ...(dns ? { dns } : {}),
    ...(rabbitmq ? { rabbitmq } : {}),
  };
}

/** Says what goes, asks about the database's data and then about all of it. Throws CloudspaceError `Declined`. */
async function agreed({ context, session, to }: Work, found: readonly Doomed[]): Promise<readonly Doomed[]> {
  const { options, ui } = context;
  const { doomed, snapshot } = await decideFinalSnapshot(context, session, found);
  const going = doomed.filter(({ adopted }) => !adopted);
  const staying = doomed.filter(({ adopted, kind }) => adopted && kind.untag !== undefined);
  const kinds = new Map<string, number>();
  for (const { kind } of going) kinds.set(kind.label, (kinds.get(kind.label) ?? 0) + 1);
  const database = going.some(({ kind }) => kind.type === 'aws_db_instance')
    ? snapshot === undefined
      ? 'The database goes with its data; no final snapshot is kept.'
      : `The database goes; its data stay in the snapshot \`${snapshot}\`, which costs until you delete it.`
    : '';
  const yours =
    staying.length === 0
      ? ''
      : `What you made yourself stays, without our tags: ${staying.map(({ key }) => `\`${key}\``).join(', ')}.`;
  ui.notify({
    type: 'info',
    text: [
      `**${session.name}** in account ${session.account}, ${session.region}${to === undefined ? '' : `, after chapter "${to}"`}: ${going.length} resources go.\n${[...kinds].map(([label, count]) => `- ${count} ${count === 1 || label.endsWith('s') ? label : `${label}s`}`).join('\n')}`,
      database,
      yours,
    ]
      .filter((part) => part !== '')
      .join('\n\n'),
  });
  if (options.yes) return doomed;
  const sure = await ui.ask({
    kind: 'confirm',
    id: 'destroy',
    flag: '--yes',
    message: 'Delete all of this?',
    default: false,
  });
  if (sure) return doomed;
  throw new CloudspaceError('nothing was deleted', { code: 'Declined', hint: 'run destroy again when you are sure' });
}

function show({ options, print }: Context, session: Session, doomed: readonly Doomed[]): void {
  const resources = doomed.map(({ key, kind, out, adopted }) => ({
    key,
    type: kind.type,
    id: out.id,
    action: adopted ? 'keep' : 'delete',
  }));
  if (options.json)
    print(
      `${JSON.stringify({ name: session.name, account: session.account, region: session.region, resources }, null, 2)}\n`,
    );
  else
    print(
      `${resources.map(({ key, type, id, action }) => `${action === 'keep' ? '=' : '-'} ${key.padEnd(34)} ${type.padEnd(36)} ${id}`).join('\n')}\n\n${resources.filter(({ action }) => action === 'delete').length} to delete. Nothing was changed.\n`,
    );
}
