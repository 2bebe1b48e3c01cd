import { describe, expect, it } from 'vitest';
import { type Claim, createLease, type Held, type LeaseOptions, type LeaseStore } from '../../src/engine/lease.ts';
import type { Event } from '../../src/engine/types.ts';

interface Toy {
  time: number;
  denied: boolean;
  /** so many of the next answers to a claim are lost */
  loseAnswers: number;
  readonly calls: string[];
  readonly held: Held | undefined;
}

/** The cloud's side: one place, a clock that the test turns. */
function toyStore() {
  let held: Held | undefined;
  let serial = 0;
  const store: LeaseStore & Toy = {
    time: 1_000_000,
    denied: false,
    loseAnswers: 0,
    calls: [],
    get held() {
      return held;
    },
    now: (): number => store.time,
    async claim(claim: Claim) {
      store.calls.push('claim');
      await null;
      if (store.denied) return 'denied' as const;
      if (held) return 'held' as const;
      held = { ...claim, id: `lease-${++serial}`, since: store.time, renewed: store.time };
      return store.loseAnswers-- > 0 ? ('held' as const) : { id: held.id };
    },
    async read() {
      store.calls.push('read');
      return held;
    },
    async renew(id: string) {
      store.calls.push('renew');
      if (held?.id !== id) return false;
      held = { ...held, renewed: store.time };
      return true;
    },
    async drop(id: string) {
      store.calls.push('drop');
      if (held?.id === id) held = undefined;
    },
  };
  return store;
}

const claim = (who: string, more: Partial<Claim> = {}): Claim => ({
  who,
  command: 'start',
  machine: `machine-of-${who}`,
  pid: 4711,
  started: '1',
  ...more,
});

function open(store: LeaseStore, mine: Claim, more: Partial<LeaseOptions> = {}) {
  const events: Event[] = [];
  const lease = createLease({
    store,
    mine,
    name: 'team-07',
    takeOver: false,
    notify: (event) => events.push(event),
    pace: 0.001,
    signal: new AbortController().signal,
    ...more,
  });
  return { ...lease, events };
}

describe('a lease', () => {
  it('is taken once, however much is done at once, and given back', async () => {
    const store = toyStore();
    const lease = open(store, claim('alice'));
    await Promise.all(Array.from({ length: 20 }, () => lease.hold()));
    expect(store.calls).toEqual(['claim']);
    await lease.release();
    expect(store.held).toBeUndefined();
    await lease.release();
  });

  it('is had by one of many who claim at once; the others say who has it', async () => {
    const store = toyStore();
    const all = ['alice', 'bob', 'carol', 'dave'].map((who) => open(store, claim(who)));
    const results = await Promise.allSettled(all.map((lease) => lease.hold()));
    const refused = results.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(refused).toHaveLength(3);
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'LeaseHeld', exitCode: 1 });
      expect(error.message).toContain(`being worked on by ${store.held?.who} (cloudspace start, process 4711`);
      expect(error.hint).toContain('--take-over');
    }
  });

  it('is taken from a run that gave no sign of life for ten minutes by the cloud’s clock, whatever the clock here says', async () => {
    const store = toyStore();
    await open(store, claim('alice'), { pace: 1 }).hold();
    store.time += 599_000;
    await expect(open(store, claim('bob'), { pace: 1 }).hold()).rejects.toMatchObject({ code: 'LeaseHeld' });
    store.time += 2_000;
    const bob = open(store, claim('bob'), { pace: 1 });
    await bob.hold();
    expect(store.held?.who).toBe('bob');
    expect(JSON.stringify(bob.events)).toContain('no sign of life for 10 minutes');
    await bob.release();
  });

  it('tells a live run that it was taken over before its next change, and does not take it back', async () => {
    const store = toyStore();
    const alice = open(store, claim('alice'));
    await alice.hold();
    const bob = open(store, claim('bob'), { takeOver: true });
    await bob.hold();
    await new Promise((resolve) => setTimeout(resolve, 1100)); // longer than what a run may go on without making sure, at this pace
    await expect(alice.hold()).rejects.toMatchObject({ code: 'LeaseLost' });
    await alice.release();
    expect(store.held?.who).toBe('bob');
    await bob.release();
  });

  it('knows its own claim when the answer was lost', async () => {
    const store = toyStore();
    store.loseAnswers = 1;
    const lease = open(store, claim('alice'));
    await lease.hold();
    expect(store.calls).toEqual(['claim', 'read']);
    await lease.release();
    expect(store.held).toBeUndefined();
  });

  it('asks the person: look again until it is free', async () => {
    const store = toyStore();
    const alice = open(store, claim('alice'));
    await alice.hold();
    let asked = 0;
    const bob = open(store, claim('bob'), {
      decide: async (held, text) => {
        expect(held.who).toBe('alice');
        expect(text).toContain('alice');
        if (++asked === 3) await alice.release();
        return 'again';
      },
    });
    await bob.hold();
    expect(asked).toBe(3);
    expect(store.held?.who).toBe('bob');
    await bob.release();
  });

  it('throws what the look after taking it says, each time, and gives it back all the same', async () => {
    const store = toyStore();
    const lease = open(store, claim('alice'), {
      taken: async () => {
        throw new Error('changed');
      },
    });
    await expect(lease.hold()).rejects.toThrow('changed');
    await expect(lease.hold()).rejects.toThrow('changed');
    expect(store.calls).toEqual(['claim']);
    await lease.release();
    expect(store.held).toBeUndefined();
  });

  it('goes on with a warning where the credentials may not take one', async () => {
    const store = toyStore();
    store.denied = true;
    const lease = open(store, claim('alice'));
    await lease.hold();
    await lease.hold();
    expect(lease.events).toEqual([expect.objectContaining({ type: 'warning' })]);
    expect(store.calls).toEqual(['claim', 'read']);
  });

  it('where it may not take one, it respects that of a live run, and removes that of a killed one', async () => {
    const store = toyStore();
    await open(store, claim('bob')).hold();
    store.denied = true;
    await expect(open(store, claim('alice')).hold()).rejects.toMatchObject({ code: 'LeaseHeld' });
    expect(store.held).toBeDefined();
    store.time += 3_600_000;
    const lease = open(store, claim('alice'));
    await lease.hold();
    expect(store.held).toBeUndefined();
    expect(lease.events.at(-1)).toMatchObject({ type: 'warning' });
  });
});

describe('giving back', () => {
  it('is tried again after an accident, and says so when it does not work', async () => {
    const store = toyStore();
    const { drop } = store;
    let accidents = 2;
    store.drop = async (id) => {
      if (accidents-- > 0) throw new Error('DependencyViolation');
      await drop(id);
    };
    const first = open(store, claim('ada'));
    await first.hold();
    expect(await first.release()).toBe(true);
    expect(store.held).toBeUndefined();
    expect(first.events).toEqual([]);

    accidents = 100;
    const second = open(store, claim('bob'));
    await second.hold();
    expect(await second.release()).toBe(false);
    expect(second.events.at(-1)).toMatchObject({
      type: 'warning',
      text: expect.stringContaining('could not be given back'),
    });
  });
});
