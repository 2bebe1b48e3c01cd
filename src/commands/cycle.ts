import { referenceDeployment } from '../ansible/paths.ts';
import { openJournal } from '../engine/journal.ts';
import type { Lease } from '../engine/lease.ts';
import { CloudspaceError, type Event, usageError } from '../engine/types.ts';
import { walk } from '../steps/index.ts';
import { checkFlags, collectAnswers } from './answers/answers.ts';
import { checkCost, costCeiling, costUpTo } from './answers/costCeiling.ts';
import type { Context } from './context.ts';
import { instancesByKey, unfinished } from './cycle/retire.ts';
import { replaceHost } from './cycle/succession.ts';
import { endpointsOf, writeEndpoints } from './hosts/endpointsFile.ts';
import { needHosts, readHosts, writeHosts } from './hosts/hostsFile.ts';
import { openLease } from './session/lease.ts';
import { locateExisting } from './session/places.ts';
import { deploymentDir, openSession, type Session } from './session/session.ts';
import { prepareSystems, withSystems } from './systems/systems.ts';
import { openWalkRun, type WalkPlace } from './walk/walkRun.ts';

/**
 * `cloudspace cycle [HOST|all]`: the homework's question, answered. Replaces hosts one by one: runners first, then services, controller and
 * bastion. What an earlier run did is not done again: a host that was launched after the cycle began is new.
 */
export async function run(context: Context): Promise<number> {
  const { options, ui } = context;
  checkFlags(options);
  const ceiling = costCeiling(options);
  const place = await locateExisting(context);
  await needHosts(place.dir, place.name);
  const session = await openSession(
    { ...context, options: { ...options, name: place.name } },
    { practice: place.state.practice, command: 'cycle' },
  );
  let lease: Lease | undefined;
  try {
    const cycle = await prepare(context, session, ceiling);
    const { todo, journal } = cycle;
    const { ami, rootDevice, instanceType } = cycle.answers.config;
    if (todo.length === 0) ui.notify({ type: 'info', text: 'All of these are new already.' });
    else await confirm(context, todo, cycle.begun, `${instanceType} with ${ami}`);
    lease = await openLease(context, session, 'cycle');
    if (todo.length > 0) await lease.hold();
    await journal.update((draft) => {
      draft.cycle = cycle.since;
      // An image or a type that was given with this command is that of every host from here on.
      draft.answers = { ...draft.answers, ami, rootDevice, instanceType };
    });
    for (const index of todo.keys()) await replace(cycle, index, lease.hold);
    await forgetGone(session);
    await journal.update((draft) => {
      delete draft.cycle;
    });
    await session.practice?.settled();
    ui.notify({
      type: 'summary',
      text: `${todo.length} ${todo.length === 1 ? 'host is' : 'hosts are'} new: ${todo.join(', ') || 'none'}. \`cloudspace check\` looks from the outside.`,
      data: { name: session.name, replaced: todo },
    });
    return 0;
  } finally {
    await lease?.release();
    await session.close();
  }
}

/** What a cycle works with, and the hosts that are to be replaced. */
interface Cycle extends WalkPlace {
  readonly context: Context;
  /** when the cycle began, maybe in an earlier run: hosts that were launched since are new */
  readonly since: string;
  readonly todo: readonly string[];
  /** those that an earlier run left half way */
  readonly begun: readonly string[];
}

async function prepare(context: Context, session: Session, ceiling: number | undefined): Promise<Cycle> {
  const { options, ui } = context;
  if (!session.state) throw usageError(`there is no Cloudspace "${session.name}"`);
  const answers = await collectAnswers(context, session, { dryRun: false });
  if (answers.provision === 'skip' || (session.practice && session.settings.hosts === 'none'))
    throw usageError(
      'hosts that nothing provisions cannot be cycled',
      'go through the walkthrough with provisioning first',
    );
  const journal = openJournal(session.dir, session.state);
  const { config } = answers;
  const list = walk(config);
  if (!session.practice) await checkCost(costUpTo(list, config.region, 'services'), ceiling, ui, options.yes !== true);
  const deployment = await deploymentDir(options, answers.saved.deployment);
  const systems = await prepareSystems(context, session, deployment !== referenceDeployment(), config);
  const mapping = withSystems(options.mapping ?? {}, systems);
  const there = await instancesByKey(session);
  const begun = unfinished(there);
  const order = cycleOrder((await readHosts(session.dir)).map(({ name }) => name));
  const chosen = choose(order, context.args[0] ?? 'all', begun);
  const since = journal.state.cycle ?? new Date().toISOString();
  const todo = chosen.filter((key) => begun.includes(key) || !((there.get(key)?.launchedAt ?? '') > since));
  return { context, session, answers, deployment, mapping, list, journal, since, todo, begun };
}

/** Replaces one host, and notes where the services are reached since. */
async function replace(cycle: Cycle, index: number, hold: Lease['hold']): Promise<void> {
  const { session, journal, todo } = cycle;
  const { ui, signal } = cycle.context;
  const key = todo[index] ?? '';
  const progress = (status: Extract<Event, { type: 'progress' }>['status'], text: string): void =>
    ui.notify({ type: 'progress', key: `cycle-${key}`, status, text });
  progress('started', `replacing ${key} (${index + 1} of ${todo.length})`);
  try {
    const outputs = await replaceHost(
      {
        session,
        journal,
        signal,
        open: () => openWalkRun({ ...cycle, signal, hold, notify: (event) => quiet(event) && ui.notify(event) }),
        tell: (text) => progress('going', `replacing ${key}: ${text}`),
      },
      key,
    );
    await writeEndpoints(
      session.dir,
      endpointsOf(outputs, session.practice !== undefined, (address, port) => session.practice?.reach(address, port)),
    );
  } catch (error) {
    progress('failed', `replacing ${key}`);
    throw error;
  }
  progress('done', `replaced ${key}`);
}

/** Takes hosts off the list that are no more. */
async function forgetGone(session: Session): Promise<void> {
  const all = await readHosts(session.dir);
  const known = new Set([...(await instancesByKey(session)).values()].map(({ id }) => id));
  await writeHosts(
    session.dir,
    all.filter(({ instanceId }) => known.has(instanceId)),
  );
}

/** Runners first, the bastion last: the way to the others leads through it. */
export function cycleOrder(hosts: readonly string[]): string[] {
  const rank = (name: string): number => {
    const at = ['services', 'controller', 'bastion'].indexOf(name);
    return at < 0 ? 0 : at + 1;
  };
  return [...hosts].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en', { numeric: true }));
}

/** Which hosts are meant. One that an interrupted cycle left half way comes first, whatever is asked for. */
export function choose(order: readonly string[], what: string, begun: readonly string[]): string[] {
  const all = [...order, ...begun.filter((key) => !order.includes(key))];
  if (what !== 'all' && !all.includes(what))
    throw usageError(`there is no host "${what}"`, `there are: ${all.join(', ')}; or all`, 'NoSuchHost');
  return [...begun, ...(what === 'all' ? order : [what]).filter((key) => !begun.includes(key))];
}

/** What did not change is not news here. */
function quiet(event: Event): boolean {
  if (event.type === 'resource' || event.type === 'play') return event.status !== 'kept';
  return true;
}

async function confirm(
  { options, ui }: Context,
  todo: readonly string[],
  begun: readonly string[],
  hosts: string,
): Promise<void> {
  ui.notify({
    type: 'info',
    text: [
      `**${todo.length === 1 ? 'One host' : `${todo.length} hosts`}** will be replaced by new instances, one after the other: ${todo.join(', ')}. They will be ${hosts}.`,
      ...(begun.length > 0 ? [`An earlier cycle stopped at ${begun.join(', ')}: it goes on there.`] : []),
      'While one is replaced both are there, and both cost. Addresses, applications, queues, backups and certificates stay.',
    ].join('\n\n'),
  });
  if (options.yes) return;
  const sure = await ui.ask({
    kind: 'confirm',
    id: 'cycle',
    flag: '--yes',
    message: 'Replace them now?',
    default: true,
  });
  if (!sure)
    throw new CloudspaceError('nothing was replaced', { code: 'Declined', hint: 'run cycle again when you like' });
}
