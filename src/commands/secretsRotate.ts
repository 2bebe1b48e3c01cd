import { fernetKey, password, type Vault } from '../ansible/vault.ts';
import { openJournal, type State } from '../engine/journal.ts';
import { CloudspaceError, usageError } from '../engine/types.ts';
import { parseReference } from '../secrets/reference.ts';
import { KNOWN_SECRETS, type KnownSecret } from '../steps/secrets.ts';
import type { Context } from './context.ts';
import { checkKnown, withVault } from './secrets.ts';
import { underLease } from './session/lease.ts';
import { openSession } from './session/session.ts';
import { finishRotation, hasOtherSide, pendingName } from './systems/rotationElsewhere.ts';
import { secretsOf } from './systems/secrets.ts';

/**
 * `cloudspace secrets rotate KEY`: a new value, and the plays that put it to use run again. A former Fernet key stays readable. Throws usage errors:
 * `NoSuchSecret`; on a secret of the team's own without `--from`; `Declined` (exit 1).
 */
export async function run(context: Context): Promise<number> {
  const { args, options, ui } = context;
  const [key = ''] = args;
  const from = options.from === undefined ? undefined : parseReference(options.from);
  const { state, plays } = await withVault(context, 'secrets rotate', async (place, vault) => {
    await checkKnown(vault, key);
    const secret = KNOWN_SECRETS[key];
    if ((secret === undefined || secret.external) && from === undefined)
      throw usageError(
        `"${key}" is not the wizard's own: it cannot make a new value that its other side accepts`,
        `set it there, then: cloudspace secrets rotate ${key} --from prompt (or op://vault/item/field, file:PATH, env:NAME)`,
      );
    const plays = playsOf(place.state, secret);
    const sure = await ui.ask({
      kind: 'confirm',
      id: 'secrets.rotate',
      flag: '--yes',
      message: `Give ${key} a new value?`,
      help: explain(secret, plays),
      default: true,
    });
    if (!sure) throw new CloudspaceError('declined: nothing was changed', { code: 'Declined' });
    const fresh = from === undefined ? generate(key) : await secretsOf(context).read(from, key);
    if ((await vault.peek(key)) === fresh)
      throw usageError(`the new value of ${key} is the one that it has`, 'change it at its source first');
    // First what has to run again, then the secret: a crash in between costs a play that changes nothing.
    await openJournal(place.dir, place.state).update((now) => makeDue(now, plays));
    if (hasOtherSide(place.state, key))
      await changeAtBoth(context, place.state, vault, { key, fresh, given: from !== undefined });
    else await vault.set({ [key]: fresh, ...(await formerOf(vault, key, secret)) });
    return { state: place.state, plays };
  });
  ui.notify({ type: 'info', text: `\`${key}\` has a new value.` });
  if (plays.length === 0) {
    ui.notify({ type: 'info', text: 'No play uses it here: there is nothing to run again.' });
    return 0;
  }
  const again = `cloudspace ${state.practice ? 'practice' : 'start'} --name ${state.name}`;
  const now =
    options.later !== true &&
    (await ui.ask({
      kind: 'confirm',
      id: 'secrets.run',
      flag: '--later',
      message: `Run ${plays.join(', ')} now?`,
      help: `Until then the hosts work with the old value. Later: ${again} --yes`,
      default: true,
    }));
  if (!now) {
    ui.notify({
      type: 'summary',
      text: `The hosts have the old value until \`${again}\` has run ${plays.join(', ')}.`,
    });
    return 0;
  }
  const { start } = await import('./start.ts');
  return start({ ...context, options: { ...options, name: state.name, yes: true } }, { practice: state.practice });
}

const generate = (key: string): string => (key.endsWith('_fernet_key') ? fernetKey() : password());

/** Those of the plays that have run, or are due again: what never ran will get the new value anyway. A team's own secret may be used by all. */
export function playsOf(state: Pick<State, 'plays'>, secret: KnownSecret | undefined): string[] {
  const known = Object.keys(state.plays);
  return secret === undefined ? known : secret.plays.filter((play) => known.includes(play));
}

/** A play that is due is run by the next walk, on all its hosts, and what was seen to work has to be seen again. */
export function makeDue(state: Pick<State, 'plays' | 'steps'>, plays: readonly string[]): void {
  for (const play of plays) {
    const entry = state.plays[play];
    if (entry) state.plays[play] = { ...entry, status: 'due' };
  }
  if (plays.length > 0) delete state.steps['services/proven'];
}

function explain(secret: KnownSecret | undefined, plays: readonly string[]): string {
  return [
    secret?.former === undefined
      ? ''
      : `The former one is kept under ${secret.former}: what was encrypted with it stays readable.`,
    plays.length === 0 ? '' : `Afterwards these have to run again: ${plays.join(', ')}.`,
    secret?.at === 'rds' ? 'The database takes it at once; who is connected stays so.' : '',
    secret?.at === 'rabbitmq' ? 'The RabbitMQ server takes it at once; who is connected stays so.' : '',
    secret === undefined || secret.external ? 'Only the vault changes: its other side is yours to change.' : '',
  ]
    .filter(Boolean)
    .join(' ');
}

/** What keeps the former value: newest first, none twice. */
async function formerOf(vault: Vault, key: string, secret: KnownSecret | undefined): Promise<Record<string, string[]>> {
  if (secret?.former === undefined) return {};
  const before = await vault.peek(key);
  const list = await vault.list(secret.former);
  return { [secret.former]: [...new Set([...(before === undefined ? [] : [before]), ...list])] };
}

/** A secret that changes at two places: first the new value is in the vault, under a name of its own. A value under way is used again, unless another was given. */
async function changeAtBoth(
  context: Context,
  state: State,
  vault: Vault,
  change: { readonly key: string; readonly fresh: string; readonly given: boolean },
): Promise<void> {
  const { key, fresh, given } = change;
  const pending = given ? undefined : await vault.peek(pendingName(key));
  await vault.set({ [pendingName(key)]: pending ?? fresh });
  const session = await openSession(context, { practice: state.practice, command: 'secrets rotate', locked: true });
  try {
    await underLease(context, session, 'secrets rotate', () => finishRotation(session, state, key, context.signal));
  } finally {
    await session.close();
  }
}
