import { describe, expect, it } from 'vitest';
import { isStandard, vcpusOf } from '../../src/aws/vcpus.ts';
import { beforeLongWork, lifeOf } from '../../src/commands/session/credentialsLife.ts';
import { overlaps } from '../../src/commands/walk/preflight.ts';
import type { Event } from '../../src/engine/types.ts';

describe('vCPUs of a type', () => {
  it.each([
    ['t3.small', 2],
    ['t2.small', 1],
    ['t2.medium', 2],
    ['t4g.nano', 2],
    ['m7g.medium', 1],
    ['c7i.large', 2],
    ['m6i.xlarge', 4],
    ['r5.24xlarge', 96],
    ['m5.metal', undefined],
  ])('%s: %s', (type, cpus) => {
    expect(vcpusOf(type)).toBe(cpus);
  });

  it('share one quota in the standard families only', () => {
    expect(['t3.small', 'm7g.medium', 'im4gn.large', 'z1d.large'].every(isStandard)).toBe(true);
    expect(
      ['g5.xlarge', 'p4d.24xlarge', 'inf2.xlarge', 'x2idn.xlarge', 'mac2.metal', 'trn1.2xlarge'].some(isStandard),
    ).toBe(false);
  });
});

describe('networks', () => {
  it.each([
    ['10.7.0.0/16', '10.7.128.0/20', true],
    ['10.7.0.0/16', '10.8.0.0/16', false],
    ['10.0.0.0/8', '10.7.0.0/16', true],
    ['172.31.0.0/16', '10.7.0.0/16', false],
  ])('%s and %s: %s', (one, other, common) => {
    expect(overlaps(one, other)).toBe(common);
    expect(overlaps(other, one)).toBe(common);
  });
});

describe('before something long', () => {
  function credentials(minutes: readonly number[]) {
    let at = 0;
    const expiration = () => new Date(Date.now() + (minutes[at] ?? 0) * 60_000);
    return {
      expiration,
      async lastFor(seconds: number) {
        if ((minutes[at] ?? 0) * 60 < seconds && at < minutes.length - 1) at++;
        return (minutes[at] ?? 0) * 60 >= seconds;
      },
    };
  }

  it('credentials that would end are renewed, and that is told', async () => {
    const events: Event[] = [];
    await beforeLongWork(credentials([3, 60]), (event) => events.push(event))(600);
    expect(events).toEqual([
      { type: 'info', text: 'Renewed before the work begins: credentials for 60 more minutes.' },
    ]);
  });

  it('when even the new ones end, that is told once', async () => {
    const events: Event[] = [];
    const ready = beforeLongWork(credentials([3]), (event) => events.push(event));
    await ready(600);
    await ready(600);
    expect(events.filter(({ type }) => type === 'warning')).toHaveLength(1);
    expect(events.some((event) => 'text' in event && /about 10 minutes.*for 3 more minutes/.test(event.text))).toBe(
      true,
    );
  });

  it('says how long they last', () => {
    expect(lifeOf({ expiration: () => undefined })).toBeUndefined();
    expect(lifeOf(credentials([45]))).toBe('credentials for 45 more minutes');
    expect(lifeOf(credentials([480]))).toBe('credentials for 8 more hours');
    expect(lifeOf(credentials([0]))).toBe('credentials for less than a minute');
  });
});
