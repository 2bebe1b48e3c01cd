import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { leaseStore } from '../../aws/leaseStore.ts';
import { taggedIds } from '../../aws/sweep.ts';
import { discover } from '../../engine/discover.ts';
import { createLease, type Lease } from '../../engine/lease.ts';
import { CloudspaceError, type Output, type Resource } from '../../engine/types.ts';
import { thisProcess } from '../../system/processes.ts';
import type { Context } from '../context.ts';
import type { Session } from './session.ts';

/** A file that is there while this machine holds the lease: after a crash the next run takes it over and gives it back, even when it has nothing to do. */
const marker = (dir: string): string => join(dir, 'lease');

/** The lease of this run on its Cloudspace. Nothing is sent before it is held. */
export async function openLease(
  { options, ui, signal }: Context,
  session: Session,
  command: string,
  taken?: () => Promise<void>,
): Promise<Lease> {
  const { name, dir, pace } = session;
  const store = leaseStore(session.aws, name);
  const crashed = existsSync(marker(dir));
  const lease = createLease({
    store: {
      ...store,
      async claim(claim) {
        mkdirSync(dir, { recursive: true, mode: 0o700 });
        writeFileSync(marker(dir), '', { mode: 0o600 });
        return store.claim(claim);
      },
    },
    mine: { ...thisProcess(), who: `${user()}@${hostname()}`, command },
    name,
    takeOver: options.takeOver === true,
    notify: (event) => ui.notify(event),
    pace,
    signal,
    ...(taken ? { taken } : {}),
    ...(options.yes
      ? {}
      : {
          decide: async (_held, text) => {
            const answer = await ui.ask({
              kind: 'select',
              id: 'lease',
              flag: '--take-over',
              message: `${name} is being worked on by ${text.replaceAll('`', '')}. What now?`,
              default: 'again',
              choices: [
                { value: 'again', name: 'Look again', description: 'When that run has ended, this one goes on.' },
                {
                  value: 'take',
                  name: 'Take over',
                  description: 'The other run stops before its next change. For runs that are gone or forgotten.',
                },
                { value: 'quit', name: 'Quit', description: 'Nothing was changed.' },
              ],
            });
            if (answer === 'quit')
              throw new CloudspaceError('nothing was changed', {
                code: 'Declined',
                hint: `run it again when the other run on "${name}" has ended`,
              });
            return answer === 'take' ? 'take' : 'again';
          },
        }),
  });
  const own: Lease = {
    hold: () => lease.hold(),
    async release() {
      const released = await lease.release();
      // Else the next run here finds it, and gives the lease back.
      if (released) rmSync(marker(dir), { force: true });
      return released;
    },
  };
  if (crashed) await own.hold();
  return own;
}

/** One change under the lease, which is given back afterwards. Throws what `work` throws, and `LeaseHeld` while another run works. */
export async function underLease(
  context: Context,
  session: Session,
  command: string,
  work: () => Promise<void>,
): Promise<void> {
  const lease = await openLease(context, session, command);
  try {
    await lease.hold();
    await work();
  } finally {
    await lease.release();
  }
}

/**
 * Whether the cloud is still as this run saw it: what another run made between our look and our lease must not be made twice. One request; a
 * listing only when that shows something unknown. Throws CloudspaceError `Changed`.
 */
export async function checkUnchanged(
  session: Pick<Session, 'aws' | 'name'>,
  resources: readonly Resource[],
  outputs: ReadonlyMap<string, Output>,
): Promise<void> {
  const known = new Set([...outputs.values()].map(({ id }) => id));
  const unknown = (await taggedIds(session.aws, session.name)).filter((id) => !known.has(id));
  if (unknown.length === 0) return;
  // What is gone keeps its tags for a while: only what a listing shows counts.
  const now = await discover(session.aws, resources, session.name);
  const changed = [...now.outputs].filter(([key, { id }]) => outputs.get(key)?.id !== id).map(([key]) => key);
  if (changed.length === 0) return;
  throw new CloudspaceError(
    `"${session.name}" was worked on by somebody else since this run looked: ${changed.slice(0, 5).join(', ')}${changed.length > 5 ? ' and more' : ''} ${changed.length === 1 ? 'is' : 'are'} new`,
    { code: 'Changed', hint: 'nothing was changed here; run it again: it goes on from what is there now' },
  );
}

function user(): string {
  try {
    return userInfo().username;
  } catch {
    return 'somebody'; // a process without an entry in the user database
  }
}
