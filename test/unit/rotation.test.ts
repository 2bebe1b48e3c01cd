import { expect, it } from 'vitest';
import { makeDue, playsOf } from '../../src/commands/secretsRotate.ts';
import type { Session } from '../../src/commands/session/session.ts';
import { finishRotation } from '../../src/commands/systems/rotationElsewhere.ts';
import { newState, type State } from '../../src/engine/journal.ts';
import { KNOWN_SECRETS } from '../../src/steps/secrets.ts';

const KEY = 'database_master_password';
const state = {
  ...newState({ name: 'team-07', account: '1', region: 'r', practice: false }),
  resources: { database: { out: { id: 'db-1' } } },
} as unknown as State;

/** A database that is in these states, one a look, and in the last for good; like RDS it refuses a change unless it is available. */
function sessionWith(statuses: readonly string[]) {
  const values = new Map([
    [KEY, 'old'],
    [`${KEY}_next`, 'new'],
  ]);
  const asked: string[] = [];
  let looks = 0;
  const rds = {
    async send(command: { constructor: { name: string }; input: { MasterUserPassword?: string } }) {
      const now = statuses[Math.min(Math.max(looks - 1, 0), statuses.length - 1)];
      if (command.constructor.name === 'ModifyDBInstanceCommand') {
        if (now !== 'available') throw new Error(`InvalidDBInstanceState: ${now}`);
        asked.push(command.input.MasterUserPassword ?? '');
        return {};
      }
      looks += 1;
      return { DBInstances: [{ DBInstanceStatus: statuses[Math.min(looks - 1, statuses.length - 1)] }] };
    },
  };
  const vault = {
    peek: async (name: string) => values.get(name),
    async set(changes: Record<string, string | undefined>) {
      for (const [name, value] of Object.entries(changes))
        if (value === undefined) values.delete(name);
        else values.set(name, value);
    },
  };
  return { session: { aws: { rds }, vault, pace: 0 } as unknown as Session, asked, values };
}

it('waits while the database is busy with the change that an earlier run began', async () => {
  const { session, asked, values } = sessionWith(['resetting-master-credentials', 'available']);
  await finishRotation(session, state, KEY, new AbortController().signal);
  expect(asked).toEqual(['new']);
  expect([...values]).toEqual([[KEY, 'new']]);
});

it('says so when the database is stopped, and keeps both values', async () => {
  const { session, asked, values } = sessionWith(['stopped']);
  const done = finishRotation(session, state, KEY, new AbortController().signal);
  await expect(done).rejects.toMatchObject({ code: 'NotReady', message: 'the database db-1 is stopped' });
  expect([asked, values.size]).toEqual([[], 2]);
});

it('plays that were due when a rotation broke off are due in the next one too', () => {
  const play = { fingerprint: 'x', at: 'y', status: 'done' } as const;
  const now = { ...state, plays: { 'play-bastion': play, 'play-services': play }, steps: {} } as State;
  const plays = playsOf(now, KNOWN_SECRETS[KEY]);
  expect(plays).toEqual(['play-services']);
  makeDue(now, plays);
  expect(now.plays).toMatchObject({ 'play-bastion': { status: 'done' }, 'play-services': { status: 'due' } });
  expect(playsOf(now, KNOWN_SECRETS[KEY])).toEqual(plays);
});
