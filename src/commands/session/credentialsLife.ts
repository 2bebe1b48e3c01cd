import type { Credentials } from '../../aws/credentials.ts';
import { remainingSeconds } from '../../engine/graph.ts';
import type { Run } from '../../engine/run.ts';
import type { Action, Event, Resource } from '../../engine/types.ts';

/** How long the credentials last, for people; undefined: they do not end, or do not say. */
export function lifeOf(credentials: Pick<Credentials, 'expiration'>): string | undefined {
  const end = credentials.expiration();
  if (end === undefined) return undefined;
  const minutes = Math.round((end.getTime() - Date.now()) / 60_000);
  if (minutes < 1) return 'credentials for less than a minute';
  if (minutes < 120) return `credentials for ${minutes} more ${minutes === 1 ? 'minute' : 'minutes'}`;
  return `credentials for ${Math.round(minutes / 60)} more hours`;
}

/**
 * Before something long: credentials that would end in it are renewed first; when even the new ones would, that is told, once. Gives a function to
 * call with the typical seconds. Throws what the credentials throw when they are another account's.
 */
export function beforeLongWork(
  credentials: Pick<Credentials, 'expiration' | 'lastFor'>,
  notify: (event: Event) => void,
): (seconds: number) => Promise<void> {
  let told = false;
  return async (seconds) => {
    if (seconds <= 0) return;
    const before = credentials.expiration();
    const lasts = await credentials.lastFor(seconds);
    const now = credentials.expiration();
    if (now !== undefined && now.getTime() !== before?.getTime())
      notify({ type: 'info', text: `Renewed before the work begins: ${lifeOf(credentials)}.` });
    if (lasts || told) return;
    told = true;
    notify({
      type: 'warning',
      text: `This takes about ${Math.ceil(seconds / 60)} minutes, and you have ${lifeOf(credentials)}. They are renewed on the way if their source can; else everything waits for you to sign in again, and nothing is lost.`,
    });
  };
}

/** The run, with `beforeLongWork` before each of its parts: the slowest chain of what is missing, and the plays after it. `scale` as for the shown durations. */
export function withLastingCredentials(
  run: Run,
  resources: readonly Resource[],
  settings: { readonly scale: number; readonly plays: boolean; readonly played: (key: string) => boolean },
  ready: (seconds: number) => Promise<void>,
): Run {
  const prepare = (actions: readonly Action[]): Promise<void> => {
    const keys = new Set(actions.flatMap((action) => ('resource' in action ? [action.resource.key] : [])));
    const plays = settings.plays
      ? actions.flatMap((action) =>
          'play' in action && !settings.played(action.play.key) ? [action.play.seconds ?? 60] : [],
        )
      : [];
    const seconds = remainingSeconds(
      resources.filter(({ key }) => keys.has(key)),
      run.outputs,
    );
    return ready((seconds + plays.reduce((sum, one) => sum + one, 0)) * settings.scale);
  };
  return {
    ...run,
    async do(actions) {
      await prepare(actions);
      return run.do(actions);
    },
    async begin(actions) {
      await prepare(actions);
      return run.begin(actions);
    },
  };
}
