import { rmdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { blockerFinder } from '../aws/blockers.ts';
import { readVpcs } from '../aws/resources/vpc.ts';
import { type DbSnapshot, keptSnapshots, type Swept, sweep } from '../aws/sweep.ts';
import { type Blocker, sentence } from '../engine/blocked.ts';
import { destroy } from '../engine/destroy.ts';
import { newScope } from '../engine/discover.ts';
import { type Doomed, findDoomed, findDoomedSettlingIntents, findRemains, type Leftover } from '../engine/doomed.ts';
import { type Journal, openJournal } from '../engine/journal.ts';
import { CHAPTERS, type ChapterId, CloudspaceError, type Event, type Found, usageError } from '../engine/types.ts';
import { type Config, DEFAULTS, teamNumber } from '../steps/config.ts';
import { type Walk, walk } from '../steps/index.ts';
import { commandAgain } from './again.ts';
import { checkChapter } from './chapterName.ts';
import type { Context } from './context.ts';
import { checkFinalSnapshot, decideFinalSnapshot } from './finalSnapshot.ts';
import { readHosts, writeHosts } from './hostsFile.ts';
import { openLease } from './lease.ts';
import { leftOver, summaryOf } from './leftovers.ts';
import { leftBehind, tellNotes } from './noted.ts';
import { locateExisting } from './places.ts';
import { openSession, type Session } from './session.ts';

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

function checkWait(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400) return seconds;
  throw usageError(`"${text}" is not a time to wait`, 'give whole seconds, for example --wait 600');
}

interface Work {
  readonly context: Context;
  readonly session: Session;
  readonly journal: Journal | undefined;
  readonly list: Walk;
  readonly to: ChapterId | undefined;
  readonly find: () => Promise<Doomed[]>;
}

interface Outcome extends Remains {
  /** ids of what was deleted */
  readonly deleted: ReadonlySet<string>;
  readonly failed: readonly Leftover[];
}

/** What fresh listings show at the end: of ours, of what else carries our tag, and the snapshots, which outlive the rest. */
interface Remains {
  readonly still: readonly Doomed[];
  readonly swept: readonly Swept[];
  readonly snapshots: readonly DbSnapshot[];
}

async function remains({ session, to, find, context }: Work, deleted: ReadonlySet<string>): Promise<Remains> {
  const { aws, name, pace } = session;
  const { signal } = context;
  const whole = to === undefined;
  const [still, swept, snapshots] = await Promise.all([
    findRemains(find, deleted, { pace, signal }),
    whole ? sweep(aws, name) : [],
    whole ? keptSnapshots(aws, name) : [],
  ]);
  if (swept.length === 0) return { still, swept, snapshots };
  // A volume may outlive its instance for a moment.
  await sleep(SECOND_SWEEP_MS * pace, undefined, { signal });
  return { still, swept: await sweep(aws, name), snapshots };
}

const SECOND_SWEEP_MS = 10_000;

async function nothingToDo(work: Work): Promise<Outcome> {
  const lease = await openLease(work.context, work.session, 'destroy'); // a killed run's is taken over and given back
  await lease.release();
  return { deleted: new Set(), failed: [], ...(await remains({ ...work, find: async () => [] }, new Set())) };
}

/** Kinds of other systems, whose whereabouts are noted on the VPC. */
const BESIDE_AWS = /^(dnsimple_|aws_route53_|rabbitmq_)/;

/** What arrives late (a request of a killed run) is taken down in a further round; more than this many point to somebody who builds meanwhile. */
const ROUNDS = 3;

/** The teardown itself. The journal forgets the chapters first: killed at any moment, the next walk does them again. */
async function takeDown(work: Work, first: readonly Doomed[]): Promise<Outcome> {
  const lease = await openLease(work.context, work.session, 'destroy');
  try {
    await lease.hold();
    return await inRounds(work, first, () => lease.hold());
  } finally {
    await lease.release();
  }
}

async function inRounds(work: Work, first: readonly Doomed[], hold: () => Promise<void>): Promise<Outcome> {
  const { context, session, journal, list, to } = work;
  const { options, ui, signal } = context;
  const later = (chapter: ChapterId): boolean => to === undefined || CHAPTERS.indexOf(chapter) > CHAPTERS.indexOf(to);
  await journal?.update((state) => {
    for (const chapter of CHAPTERS.filter(later)) {
      delete state.chapters[chapter];
      for (const step of Object.keys(state.steps)) if (step.startsWith(`${chapter}/`)) delete state.steps[step];
    }
    for (const play of list.plays) if (later(list.chapterOf(play.key))) delete state.plays[play.key];
    if (to === undefined) {
      state.hostKeys = {};
      // Said of the hosts that were there; what is built next is provisioned unless that is said again.
      delete state.answers.provision;
    }
  });
  const readOurs = async (): Promise<string[]> =>
    (await readVpcs(session.aws, newScope(session.name))).flatMap(({ VpcId }) => VpcId ?? []);
  const deleted = new Set<string>();
  const failed: Leftover[] = [];
  let doomed = first;
  let last: Remains;
  for (let round = 1; ; round++) {
    failed.push(
      ...(await destroy({
        cloud: session.aws,
        name: session.name,
        resources: list.resources,
        doomed,
        journal,
        notify: (event) => ui.notify(event),
        signal,
        pace: session.pace,
        hold,
        ...(options.wait === undefined ? {} : { patience: checkWait(options.wait) }),
        blockers: blockerFinder(session.aws, session.name, readOurs),
        keep: ({ kind }, lost) =>
          ['aws_vpc', 'aws_ec2_tag'].includes(kind.type) && lost.some((one) => BESIDE_AWS.test(one.kind.type))
            ? 'its tags say where the names or queues are that could not be removed'
            : undefined,
        lift: async (item) => options.force === true || (options.yes !== true && (await mayLift(context, item))),
        ...(options.yes ? {} : { decide: (item, blockers) => decide(context, item, blockers) }),
      })),
    );
    const lost = new Set(failed.map(({ id }) => id));
    for (const { kind, out, adopted } of doomed)
      if (!adopted && !lost.has(out.id) && !lost.has(kind.partOf?.(out) ?? '')) deleted.add(out.id);
    last = await remains(work, deleted);
    doomed = last.still.filter(
      ({ kind, out }) => !deleted.has(out.id) && !lost.has(out.id) && !lost.has(kind.partOf?.(out) ?? ''),
    );
    if (doomed.length === 0 || round === ROUNDS) break;
  }
  await journal?.update((state) => {
    const stays = new Set(failed.map(({ key }) => key));
    for (const key of Object.keys(state.resources))
      if (later(list.chapterOf(key)) && !stays.has(key)) delete state.resources[key];
  });
  const hosts = await readHosts(session.dir);
  const stay = hosts.filter((host) => !deleted.has(host.instanceId));
  if (stay.length < hosts.length) await writeHosts(session.dir, stay);
  return { deleted, failed, ...last };
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

async function mayLift({ ui }: Context, { kind, out }: Doomed): Promise<boolean> {
  return ui.ask({
    kind: 'confirm',
    id: 'lift-protection',
    flag: '--force',
    message: `${kind.label} ${out.id} is protected against deletion. Lift that and delete it?`,
    help: 'Somebody switched the protection on by hand: know why before you lift it.',
    default: false,
  });
}

async function decide({ ui }: Context, item: Doomed, blockers: readonly Blocker[]): Promise<'wait' | 'leave'> {
  return (await ui.ask({
    kind: 'select',
    id: 'blocked',
    flag: '--yes',
    message: `${item.kind.label} ${item.out.id} is held by ${sentence(blockers)}. What now?`,
    default: 'wait',
    choices: [
      {
        value: 'wait',
        name: 'Look again',
        description: 'You remove it elsewhere, or have done so: this goes on as soon as it is gone.',
      },
      {
        value: 'leave',
        name: 'Leave it and go on',
        description: 'It and what it holds stay, are listed at the end, and cost what they cost.',
      },
    ],
  })) as 'wait' | 'leave';
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
