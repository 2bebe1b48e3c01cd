import { setTimeout as sleep } from 'node:timers/promises';
import { blockerFinder } from '../../aws/blockers.ts';
import { readVpcs } from '../../aws/resources/vpc.ts';
import { type DbSnapshot, keptSnapshots, type Swept, sweep } from '../../aws/sweep.ts';
import { type Blocker, sentence } from '../../engine/blocked.ts';
import { destroy } from '../../engine/destroy.ts';
import { newScope } from '../../engine/discover.ts';
import { type Doomed, findRemains, type Leftover } from '../../engine/doomed.ts';
import type { Journal } from '../../engine/journal.ts';
import { CHAPTERS, type ChapterId, usageError } from '../../engine/types.ts';
import type { Walk } from '../../steps/index.ts';
import type { Context } from '../context.ts';
import { readHosts, writeHosts } from '../hosts/hostsFile.ts';
import { openLease } from '../session/lease.ts';
import type { Session } from '../session/session.ts';

/** A teardown, and how far it goes. */
export interface Work {
  readonly context: Context;
  readonly session: Session;
  readonly journal: Journal | undefined;
  readonly list: Walk;
  readonly to: ChapterId | undefined;
  readonly find: () => Promise<Doomed[]>;
}

export interface Outcome extends Remains {
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

/** `--wait`, in seconds. Throws a usage error. */
export function checkWait(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400) return seconds;
  throw usageError(`"${text}" is not a time to wait`, 'give whole seconds, for example --wait 600');
}

/** The teardown itself. */
export async function takeDown(work: Work, first: readonly Doomed[]): Promise<Outcome> {
  const lease = await openLease(work.context, work.session, 'destroy');
  try {
    await lease.hold();
    return await inRounds(work, first, () => lease.hold());
  } finally {
    await lease.release();
  }
}

/** There is nothing to take down; what a killed run left of a lease is given back, and the end is proven as ever. */
export async function nothingToDo(work: Work): Promise<Outcome> {
  const lease = await openLease(work.context, work.session, 'destroy'); // a killed run's is taken over and given back
  await lease.release();
  return { deleted: new Set(), failed: [], ...(await remains({ ...work, find: async () => [] }, new Set())) };
}

/** Kinds of other systems, whose whereabouts are noted on the VPC. */
const BESIDE_AWS = /^(dnsimple_|aws_route53_|rabbitmq_)/;

/** What arrives late (a request of a killed run) is taken down in a further round; more than this many point to somebody who builds meanwhile. */
const ROUNDS = 3;

async function inRounds(work: Work, first: readonly Doomed[], hold: () => Promise<void>): Promise<Outcome> {
  const { context, session, journal, list } = work;
  const { options, ui, signal } = context;
  await forgetSteps(work);
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
  await forgetGone(work, deleted, failed);
  return { deleted, failed, ...last };
}

const isLater = ({ to }: Work, chapter: ChapterId): boolean =>
  to === undefined || CHAPTERS.indexOf(chapter) > CHAPTERS.indexOf(to);

/** The journal forgets what is taken down before it is: killed at any moment, the next walk does it again. */
async function forgetSteps(work: Work): Promise<void> {
  const { journal, list, to } = work;
  await journal?.update((state) => {
    for (const chapter of CHAPTERS.filter((chapter) => isLater(work, chapter))) {
      delete state.chapters[chapter];
      for (const step of Object.keys(state.steps)) if (step.startsWith(`${chapter}/`)) delete state.steps[step];
    }
    for (const play of list.plays) if (isLater(work, list.chapterOf(play.key))) delete state.plays[play.key];
    if (to === undefined) {
      state.hostKeys = {};
      // Said of the hosts that were there; what is built next is provisioned unless that is said again.
      delete state.answers.provision;
    }
  });
}

/** Nothing that is gone stays in the journal and among the hosts. */
async function forgetGone(work: Work, deleted: ReadonlySet<string>, failed: readonly Leftover[]): Promise<void> {
  const { session, journal, list } = work;
  await journal?.update((state) => {
    const stays = new Set(failed.map(({ key }) => key));
    for (const key of Object.keys(state.resources))
      if (isLater(work, list.chapterOf(key)) && !stays.has(key)) delete state.resources[key];
  });
  const hosts = await readHosts(session.dir);
  const stay = hosts.filter((host) => !deleted.has(host.instanceId));
  if (stay.length < hosts.length) await writeHosts(session.dir, stay);
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
  return ui.ask({
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
  });
}
