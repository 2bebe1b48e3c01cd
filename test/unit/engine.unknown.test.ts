import { describe, expect, it } from 'vitest';
import { createPoller } from '../../src/engine/poll.ts';
import { CloudspaceError, type Output, resource } from '../../src/engine/types.ts';
import { LOOKS, sendKnowing } from '../../src/engine/unknown.ts';
import { many, net, newToy, type Toy } from '../support/toyCloud.ts';

const lost = new CloudspaceError('the answer is lost', { code: 'OutcomeUnknown' });
const around = (toy: Toy, signal = new AbortController().signal) => ({ cloud: toy, name: 'toy', pace: 0.001, signal });
const context = (key: string) => ({
  tags: { 'cloudspace:key': key },
  token: 't',
  name: 'toy',
  signal: new AbortController().signal,
});
const asked = (...keys: string[]) =>
  keys.map((key) => ({ resource: resource(keys.length > 1 ? many : net, key, {}), props: {} }));
const creates = (toy: Toy) => toy.calls.filter((call) => call.startsWith('create'));

describe('a creating request whose answer is lost', () => {
  it('is found by its tags when it arrived, and not sent again', async () => {
    const toy = newToy();
    const [made] = await sendKnowing(asked('a'), around(toy), async () => {
      await net.create(toy, {}, context('a'));
      throw lost;
    });
    expect([made?.id, creates(toy)]).toEqual([[...toy.things.keys()][0], ['create a']]);
  });

  it('is found though listings lag behind', async () => {
    const toy = newToy();
    let hidden: [string, Toy['things'] extends Map<string, infer T> ? T : never][] = [];
    const list = toy.calls;
    const [made] = await sendKnowing(asked('a'), around(toy), async () => {
      await net.create(toy, {}, context('a'));
      hidden = [...toy.things];
      toy.things.clear();
      setTimeout(() => {
        for (const [id, thing] of hidden) toy.things.set(id, thing);
      }, 4);
      throw lost;
    });
    expect([made?.id, creates(toy)]).toEqual([hidden[0]?.[0], ['create a']]);
    expect(list.filter((call) => call === 'list toy_net').length).toBeLessThanOrEqual(LOOKS);
  });

  it('is sent again when it did not arrive, three times in all', async () => {
    const toy = newToy();
    let sent = 0;
    const send = (fails: number) => async (): Promise<Output[]> => {
      sent += 1;
      if (sent <= fails) throw lost;
      return [await net.create(toy, {}, context('a'))];
    };
    expect(await sendKnowing(asked('a'), around(toy), send(2))).toHaveLength(1);
    expect([sent, toy.things.size]).toEqual([3, 1]);
    sent = 0;
    await expect(sendKnowing(asked('b'), around(toy), send(9))).rejects.toBe(lost);
    expect(sent).toBe(3);
  });

  it('is found whole, or not at all: a batch', async () => {
    const toy = newToy();
    const keys = ['m-1', 'm-2'];
    const made = await sendKnowing(asked(...keys), around(toy), async () => {
      await many.batch?.create(toy, {}, keys, context('m-1'));
      throw lost;
    });
    expect(made.map((one) => (one as { of?: string }).of)).toEqual(keys);
  });

  it('is not looked for when the cloud said no, or the person left', async () => {
    const toy = newToy();
    const no = new CloudspaceError('no', { code: 'AccessDenied' });
    await expect(sendKnowing(asked('a'), around(toy), () => Promise.reject(no))).rejects.toBe(no);
    expect(toy.calls).toEqual([]);
    await expect(
      sendKnowing(asked('a'), around(toy, AbortSignal.abort()), () => Promise.reject(lost)),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('waiting', () => {
  it('ends after an hour as AWS counts, and says that nothing failed', async () => {
    const toy = newToy();
    const stuck = { ...net, status: () => ({ state: 'pending' as const }), seconds: 420 };
    const made = await net.create(toy, {}, context('a'));
    const poller = createPoller(toy, 'toy', 0.000_001, new AbortController().signal);
    await expect(poller.ready(stuck, made)).rejects.toMatchObject({
      code: 'TooLong',
      message: expect.stringMatching(/is not ready after \d+ seconds, and nothing says that it failed/),
    });
    const looks = toy.calls.filter((call) => call.startsWith('list')).length;
    // 3600 s, 15 s apart in the end
    expect(looks).toBeGreaterThan(200);
    expect(looks).toBeLessThan(300);
  });
});
