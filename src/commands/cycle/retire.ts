import { CreateTagsCommand } from '@aws-sdk/client-ec2';
import { TAG } from '../../aws/resources/common.ts';
import { type InstanceOutput, instance } from '../../aws/resources/instance.ts';
import { newScope, statusOf } from '../../engine/discover.ts';
import type { Journal } from '../../engine/journal.ts';
import { createPoller } from '../../engine/poll.ts';
import { CloudspaceError } from '../../engine/types.ts';
import type { Session } from '../session/session.ts';

/**
 * A host on its way out gives its key to its successor: its own tag becomes `retiring-<key>`, so that the walk makes a new instance for the key while the old one still works.
 * The tag is all that a later run needs to go on.
 */
const PREFIX = 'retiring-';

export const retiringName = (key: string): string => `${PREFIX}${key}`;

/** Instances of this Cloudspace that are there, by the key of their tag. */
export async function instancesByKey(session: Session): Promise<Map<string, InstanceOutput>> {
  const found = await instance.list(session.aws, newScope(session.name));
  return new Map(
    found.flatMap(({ key, out }): [string, InstanceOutput][] =>
      key === undefined || !['ready', 'pending'].includes(statusOf(instance, out).state) ? [] : [[key, out]],
    ),
  );
}

/** Hosts that a cycle was interrupted at: an old one is still there under its retired key. */
export function unfinished(there: ReadonlyMap<string, InstanceOutput>): string[] {
  return [...there.keys()].flatMap((key) => (key.startsWith(PREFIX) ? [key.slice(PREFIX.length)] : []));
}

/** Takes the key from the instance that has it. Called again after an interruption it finds the retired one. */
export async function retire(session: Session, journal: Journal, key: string): Promise<InstanceOutput> {
  const there = await instancesByKey(session);
  const before = there.get(retiringName(key));
  if (before) return before;
  const old = there.get(key);
  if (!old)
    throw new CloudspaceError(`there is no host "${key}"`, {
      code: 'NoSuchHost',
      hint: `it may be gone: the walkthrough makes it anew`,
    });
  await session.aws.ec2.send(
    new CreateTagsCommand({
      Resources: [old.id],
      Tags: [
        { Key: TAG.key, Value: retiringName(key) },
        { Key: 'Name', Value: `${session.name}-${retiringName(key)}` },
      ],
    }),
  );
  await journal.update((state) => {
    delete state.resources[key];
  });
  return old;
}

/** Terminates a retired instance and waits until it is gone. */
export async function terminate(
  session: Session,
  journal: Journal,
  old: InstanceOutput,
  signal: AbortSignal,
): Promise<void> {
  await instance.delete(session.aws, old, signal);
  const poller = createPoller(session.aws, session.name, session.pace, signal);
  await poller.gone(instance, { ...old, state: 'shutting-down' } as InstanceOutput);
  await journal.update((state) => {
    delete state.hostKeys[old.id];
  });
}
