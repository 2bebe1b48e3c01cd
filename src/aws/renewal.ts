import { setTimeout as sleep } from 'node:timers/promises';
import { CloudspaceError, type Event, hasCode } from '../engine/types.ts';
import type { Credentials } from './credentials.ts';
import { codeOf } from './errors.ts';
import { profileSettings } from './profiles.ts';

/** The one place where a run waits for new credentials. */
export interface Renewal {
  /** resolves at once, unless credentials are being renewed */
  pass(): Promise<void>;
  /**
   * Gets credentials that work in place of those that `problem` says do not; whoever asks meanwhile waits for the same. Throws CloudspaceError
   * `ExpiredToken` (exit 1, with the command that goes on) when they do not come, `OtherAccount` when they are somebody else's, `Interrupted`.
   */
  renew(problem: CloudspaceError): Promise<void>;
}

export interface RenewalOptions {
  readonly credentials: Credentials;
  readonly profile: string | undefined;
  /** seconds that an unattended run looks for new ones */
  readonly wait: number;
  /** waits for the person's Enter; `withdraw` takes the question back. Left out, or without a terminal (`NoTerminal`): unattended */
  readonly ask?: ((withdraw: AbortSignal) => Promise<unknown>) | undefined;
  /** the credentials' source asks the person itself (MFA): it is asked when the person is ready, not every few seconds */
  readonly asksItself?: () => boolean;
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
  /** the command that goes on later */
  readonly resume: string;
  /** milliseconds between two looks (default 3000) */
  readonly every?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Codes with which AWS refuses keys that it knew before: deleted, or a session that was ended. */
const NO_LONGER_KNOWN = /^(?:InvalidClientTokenId|UnrecognizedClient|InvalidAccessKeyId|AuthFailure)$/;

/** Do the credentials end a command that would have gone through with others? `worked`: they did, earlier in this run. */
export function endsCredentials(error: CloudspaceError, worked: boolean): boolean {
  if (!worked) return false;
  return (
    error.code === 'ExpiredToken' ||
    error.code === 'NoCredentials' ||
    (error.code === 'InvalidCredentials' && NO_LONGER_KNOWN.test(codeOf(error)))
  );
}

export function renewal(options: RenewalOptions): Renewal {
  const { credentials, signal, notify } = options;
  const every = options.every ?? 3000;
  let going: Promise<void> | undefined;
  /** nobody is there to bring new ones: what failed once is not waited for again */
  let ended: unknown;

  /** One look; undefined when there are credentials that work. */
  async function look(): Promise<CloudspaceError | undefined> {
    try {
      await credentials.renew();
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof CloudspaceError && error.code !== 'Interrupted') return error;
      throw error;
    }
  }

  async function run(cause: CloudspaceError): Promise<void> {
    const first = await look();
    if (first === undefined) return;
    const known = await howToRenew(options.profile, options.env);
    // A source that asks, with nobody there to answer, will not give any later either.
    const how = first.code === 'NoTerminal' ? { ...known, fromOutside: false } : known;
    const progress = { type: 'progress', key: 'credentials', text: 'waiting for new credentials' } as const;
    if (first.code === 'OtherAccount' && options.ask === undefined) endFor(first);
    notify({
      type: 'warning',
      text: `${capital(inShort(cause))}. Everything waits, nothing is lost.\n\n${how.says}${first.code === 'OtherAccount' ? `\n\n${capital(first.message)}.` : ''}`,
    });
    notify({ ...progress, status: 'started' });
    try {
      if (!(await attended(first))) await unattended(cause, how).catch(endFor);
      notify({ ...progress, text: 'new credentials are there: going on', status: 'done' });
    } catch (error) {
      notify({ ...progress, status: 'failed' });
      throw error;
    }
  }

  function endFor(error: unknown): never {
    ended = error;
    throw error;
  }

  /** Asks for Enter and looks by itself meanwhile; false when there is nobody to ask. */
  async function attended(problem: CloudspaceError): Promise<boolean> {
    let said = problem.message;
    for (;;) {
      if (options.ask === undefined) return false;
      const withdraw = new AbortController();
      const found = options.asksItself?.() ? new Promise<never>(() => {}) : lookUntilFound(withdraw.signal);
      const asked = options.ask(withdraw.signal).then(() => 'enter' as const);
      asked.catch(() => {});
      found.catch(() => {});
      try {
        if ((await Promise.race([asked, found])) === 'found') return true;
      } catch (error) {
        if (hasCode(error, 'NoTerminal')) return false;
        throw error;
      } finally {
        withdraw.abort(new CloudspaceError('the credentials came by themselves', { code: 'Withdrawn' }));
      }
      const still = await look();
      if (still === undefined) return true;
      if (still.message !== said) notify({ type: 'warning', text: `${capital(still.message)}.` });
      else notify({ type: 'info', text: 'Not yet: the credentials are still the old ones.' });
      said = still.message;
    }
  }

  async function lookUntilFound(withdraw: AbortSignal): Promise<'found'> {
    const either = AbortSignal.any([signal, withdraw]);
    for (;;) {
      await sleep(every, undefined, { signal: either });
      if ((await look()) === undefined) return 'found';
    }
  }

  async function unattended(cause: CloudspaceError, how: HowToRenew): Promise<void> {
    const end = Date.now() + (how.fromOutside ? options.wait * 1000 : 0);
    for (;;) {
      const left = end - Date.now();
      if (left > 0) await sleep(Math.min(every, left), undefined, { signal });
      const still = left > 0 ? await look() : cause;
      if (still === undefined) return;
      if (still.code === 'OtherAccount') throw still;
      if (Date.now() < end) continue;
      throw new CloudspaceError(
        `${inShort(cause)}; ${how.fromOutside ? `no new ones came within ${options.wait} seconds` : 'a running program cannot be given new ones'}`,
        { code: 'ExpiredToken', hint: `${how.says} Then go on: ${options.resume}`, requestId: cause.requestId, cause },
      );
    }
  }

  return {
    async pass() {
      // Its failure is told to those whose requests failed; the others find out with their own.
      await going?.catch(() => {});
    },
    async renew(problem) {
      if (ended !== undefined) throw ended;
      going ??= run(problem).finally(() => {
        going = undefined;
      });
      await going;
    },
  };
}

export interface HowToRenew {
  readonly says: string;
  /** can somebody else renew them while this program runs? */
  readonly fromOutside: boolean;
}

/** What a person does to renew credentials of this profile (else of the environment). Source: the AWS CLI's user guide, "Authentication and access credentials". */
export async function howToRenew(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<HowToRenew> {
  const profile = given ?? env.AWS_PROFILE;
  if (profile === undefined && env.AWS_ACCESS_KEY_ID !== undefined)
    return {
      says: 'The keys come from the environment (AWS_ACCESS_KEY_ID): a program that runs does not see new ones set outside. Leave with Ctrl-C, set the new keys, and run the same command again: it goes on.',
      fromOutside: false,
    };
  const name = profile ?? 'default';
  const settings = await profileSettings(name, env);
  const source = settings.source_profile === undefined ? {} : await profileSettings(settings.source_profile, env);
  const set = (key: string): boolean => settings[key] !== undefined || source[key] !== undefined;
  const signIn = settings.sso_session ?? settings.sso_start_url ?? settings.login_session;
  const at = signIn === undefined ? (settings.source_profile ?? name) : name;
  const outside = (says: string): HowToRenew => ({ says, fromOutside: true });
  if (set('sso_session') || set('sso_start_url'))
    return outside(`In another terminal: \`aws sso login --profile ${at}\`.`);
  if (set('login_session')) return outside(`In another terminal: \`aws login --profile ${at}\`.`);
  if (set('credential_process'))
    return outside(`The profile "${at}" gets them from its \`credential_process\`: sign in to what that asks.`);
  if (set('mfa_serial')) return outside(`The profile "${name}" asks for a new code of your MFA device.`);
  return outside(
    `In another terminal: \`aws configure --profile ${at}\`, or copy new keys of your sign-in page into the profile "${at}".`,
  );
}

/** Without the command that happened to meet it: all of them wait. */
const inShort = (cause: CloudspaceError): string =>
  cause.code === 'ExpiredToken' ? 'the temporary credentials have expired' : cause.message;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
