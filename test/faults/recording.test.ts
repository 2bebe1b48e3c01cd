/** What a person who is asked sees of faults, and that their answer takes the walk to its end: the commands in this process, a UI that records. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { run } from '../../src/commands/practice.ts';
import type { Answer, Event, Question } from '../../src/engine/types.ts';
import { folder, PUBLIC_KEY } from '../support/cli.ts';

vi.setConfig({ testTimeout: 600_000 });

/** Walks to the end; every default is taken, and failures are answered with `onFailure`. */
async function walk(faults: readonly string[], onFailure: (question: Question) => string) {
  const dir = folder();
  writeFileSync(join(dir, 'key.pub'), `${PUBLIC_KEY}\n`);
  const events: Event[] = [];
  const failures: Question[] = [];
  const code = await run({
    options: {
      ...{ hosts: 'none', speed: 'Infinity', provision: 'skip', fault: faults, stateDir: join(dir, 'state') },
      ...{ sshPublicKey: join(dir, 'key.pub'), sshFrom: '198.51.100.7/32' },
    },
    args: [],
    signal: new AbortController().signal,
    print: () => {},
    ui: {
      notify: (event) => events.push(event),
      ask: async <Q extends Question>(question: Q) => {
        if (question.id !== 'failure') return question.default as Answer<Q>;
        failures.push(question);
        return onFailure(question) as Answer<Q>;
      },
      close: () => {},
    },
  });
  const of = <T extends Event['type']>(type: T) =>
    events.filter((event): event is Extract<Event, { type: T }> => event.type === type);
  return { code, of, failures };
}

it('a full quota: what failed and why, what is there, what it costs; trying again goes on to the end', async () => {
  const { code, of, failures } = await walk(['AllocateAddress:error=AddressLimitExceeded'], () => 'retry');
  expect(code).toBe(0);
  expect(failures).toHaveLength(1);
  expect(of('failure')[0]).toMatchObject({
    code: 'QuotaExceeded',
    message: expect.stringMatching(/quota of Elastic IPs/),
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    missing: expect.arrayContaining([expect.stringMatching(/^eip-/)]),
    choices: expect.arrayContaining(['retry', 'quit']),
  });
  expect(of('chapter').filter(({ status }) => status === 'done')).toHaveLength(7);
});

it('a NAT gateway that ends failed is told when it is needed, and replaced when the person says so', async () => {
  const { code, of } = await walk(['CreateNatGateway:state=failed'], () => 'retry');
  expect(code).toBe(0);
  const seen = of('resource').filter(({ key }) => key === 'nat-gateway');
  expect(seen.map(({ status }) => status)).toEqual(expect.arrayContaining(['failed', 'replacing', 'created']));
  expect(seen.find(({ status }) => status === 'failed')?.detail).toMatch(/is in an invalid state/);
  expect(new Set(seen.flatMap(({ id }) => id ?? [])).size).toBe(2);
});

it('lost answers, throttling and server errors ask nobody', async () => {
  const { code, of, failures } = await walk(
    ['CreateVpc:drop,after', 'CreateSubnet:status=500', 'RunInstances:throttle=2', 'read#20:drop'],
    () => 'quit',
  );
  expect([code, failures, of('failure')]).toEqual([0, [], []]);
});

it('whoever saves and quits at a failure finds it saved', async () => {
  const { code, of } = await walk(['RunInstances:error=InsufficientInstanceCapacity'], () => 'quit');
  expect(code).toBe(0);
  expect(of('failure')[0]).toMatchObject({ code: 'InsufficientCapacity', resume: expect.stringMatching(/practice/) });
  expect(of('summary').at(-1)?.text).toMatch(/Saved/);
});
