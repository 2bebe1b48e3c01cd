import { setTimeout as sleep } from 'node:timers/promises';
import type { State } from '../../engine/journal.ts';
import { CloudspaceError } from '../../engine/types.ts';
import { RABBITMQ_USERS, type RabbitmqUser } from '../../rabbitmq/settings.ts';
import { KNOWN_SECRETS, type KnownSecret } from '../../steps/secrets.ts';
import type { Context } from '../context.ts';
import { underLease } from '../session/lease.ts';
import type { Session } from '../session/session.ts';

/** Seconds for RDS to take a new master password; it does so within a minute or two. */
const RDS_SECONDS = 600;

type Side = NonNullable<KnownSecret['at']>;

/** Where the vault keeps a new value until its other side has it. */
export const pendingName = (key: string): string => `${key}_next`;

/** Is there another side at this moment, which has to take a new value too? */
export const hasOtherSide = (state: State, key: string): boolean => {
  const at = KNOWN_SECRETS[key]?.at;
  return at !== undefined && otherSide(state, at, key) !== undefined;
};

/** The id there of what has the secret: a database, a user. */
function otherSide(state: State, at: Side, key: string): string | undefined {
  const resource = at === 'rds' ? 'database' : `rabbitmq-user-${rabbitmqUserOf(key)}`;
  return state.resources[resource]?.out?.id;
}

const rabbitmqUserOf = (key: string): string | undefined =>
  (Object.keys(RABBITMQ_USERS) as RabbitmqUser[]).find((user) => RABBITMQ_USERS[user].passwordSecret === key);

/**
 * Gives the other side the value that waits in the vault, and then it is the secret's own. The value is in the vault, under a name of its own, before anybody is
 * asked: a run that dies in between is finished by sending the same one again.
 */
export async function finishRotation(session: Session, state: State, key: string, signal: AbortSignal): Promise<void> {
  const { vault } = session;
  const at = KNOWN_SECRETS[key]?.at;
  const next = await vault.peek(pendingName(key));
  if (at === undefined || next === undefined) return;
  const id = otherSide(state, at, key);
  if (id !== undefined) await CHANGE[at](session, id, next, signal);
  await vault.set({ [key]: next, [pendingName(key)]: undefined });
}

/** The same for whatever an earlier run began and did not finish, under the lease of `command`. Gives the secrets' names. */
export async function finishRotations(context: Context, session: Session, command: string): Promise<string[]> {
  const { state, vault } = session;
  if (!state) return [];
  const keys = Object.keys(KNOWN_SECRETS).filter((key) => hasOtherSide(state, key));
  if (keys.length === 0) return [];
  const names = await vault.names();
  const begun = keys.filter((key) => names.includes(pendingName(key)));
  if (begun.length > 0)
    await underLease(context, session, command, async () => {
      for (const key of begun) await finishRotation(session, state, key, context.signal);
    });
  return begun;
}

const CHANGE: Readonly<
  Record<Side, (session: Session, id: string, password: string, signal: AbortSignal) => Promise<void>>
> = { rds: changeAtRds, rabbitmq: changeAtRabbitmq };

/**
 * `ModifyDBInstance` with MasterUserPassword applies as soon as possible, whatever ApplyImmediately says, and is refused while the database is busy with something
 * else, such as the change that an earlier run began (RDS API reference).
 */
async function changeAtRds(session: Session, id: string, password: string, signal: AbortSignal): Promise<void> {
  const { ModifyDBInstanceCommand } = await import('@aws-sdk/client-rds');
  await availableAtRds(session, id, signal);
  await session.aws.rds.send(
    new ModifyDBInstanceCommand({ DBInstanceIdentifier: id, MasterUserPassword: password, ApplyImmediately: true }),
  );
  await availableAtRds(session, id, signal);
  await session.practice?.settled();
}

async function availableAtRds(session: Session, id: string, signal: AbortSignal): Promise<void> {
  const { DescribeDBInstancesCommand } = await import('@aws-sdk/client-rds');
  for (const end = Date.now() + RDS_SECONDS * 1000; ; ) {
    const { DBInstances = [] } = await session.aws.rds.send(
      new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }),
    );
    const [one] = DBInstances;
    if (one?.DBInstanceStatus === 'available' && one.PendingModifiedValues?.MasterUserPassword === undefined) return;
    if (one?.DBInstanceStatus === 'stopped')
      throw new CloudspaceError(`the database ${id} is stopped`, {
        code: 'NotReady',
        hint: 'start it (AWS: `aws rds start-db-instance`), then run the same command again',
      });
    if (Date.now() > end)
      throw new CloudspaceError(
        `the database ${id} is still "${one?.DBInstanceStatus}" after ${RDS_SECONDS / 60} minutes`,
        {
          code: 'NotReady',
          hint: 'run the same command again: it goes on with the same new password',
        },
      );
    await sleep(Math.max(500, 5000 * session.pace), undefined, { signal });
  }
}

/** A user is written whole: what is not said is taken away. So the tags, which say whose it is, go along. */
async function changeAtRabbitmq(session: Session, user: string, password: string): Promise<void> {
  const connection = await session.rabbitmq.clients();
  const found = await connection?.server.call<{ tags?: readonly string[] | string }>('GET', ['users', user]);
  if (!connection || !found)
    throw new CloudspaceError(`the RabbitMQ server has no user "${user}"`, {
      code: 'NoRabbitmqUser',
      hint: 'the walkthrough makes it again, with the password of the vault (--repair)',
    });
  await connection.server.call('PUT', ['users', user], { password, tags: [found.tags ?? []].flat().join(',') });
}
