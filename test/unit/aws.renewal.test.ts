import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { endsCredentials, howToRenew, type RenewalOptions, renewal } from '../../src/aws/renewal.ts';
import { CloudspaceError, type Event } from '../../src/engine/types.ts';

const expired = new CloudspaceError('could not CreateVpc: the temporary credentials have expired', {
  code: 'ExpiredToken',
});
const other = new CloudspaceError('the credentials now belong to account 2', { code: 'OtherAccount' });

/** A renewal whose credentials come with the look `comes` (counted from 1), and what it said. */
function bench(comes: number, more: Partial<RenewalOptions> & { fails?: CloudspaceError } = {}) {
  const events: Event[] = [];
  let looks = 0;
  const gate = renewal({
    credentials: {
      provider: async () => ({ accessKeyId: 'A', secretAccessKey: 's' }),
      expiration: () => undefined,
      lastFor: async () => true,
      pin() {},
      async renew() {
        if (++looks < comes) throw more.fails ?? expired;
      },
    },
    profile: 'team',
    wait: 60,
    notify: (event) => events.push(event),
    signal: new AbortController().signal,
    resume: '`cloudspace start --name a`',
    every: 5,
    env: { HOME: home() },
    ...more,
  });
  const said = () => events.flatMap((event) => ('text' in event ? [event.text] : [])).join('\n');
  return { gate, said, looks: () => looks };
}

function home(config = ''): string {
  const dir = mkdtempSync(join(tmpdir(), 'cloudspace-renewal-'));
  writeFileSync(join(dir, 'config'), config);
  return dir;
}

const never = () => new Promise<never>(() => {});

describe('while credentials are renewed', () => {
  it('everything waits for the same renewal, and goes on', async () => {
    const { gate, looks } = bench(3);
    let passed = false;
    const all = [gate.renew(expired), gate.renew(expired), gate.renew(expired)];
    const through = gate.pass().then(() => {
      passed = true;
    });
    expect(passed).toBe(false);
    await Promise.all([...all, through]);
    expect(looks()).toBe(3);
    await gate.pass();
  });

  it('nothing is said when the chain has new ones at once', async () => {
    const { gate, said } = bench(1);
    await gate.renew(expired);
    expect(said()).toBe('');
  });

  it('a person is told what to run, and need not press Enter: the question is taken back', async () => {
    let taken: AbortSignal | undefined;
    const ask = (withdraw: AbortSignal) => {
      taken = withdraw;
      return never();
    };
    const { gate, said } = bench(4, { ask });
    await gate.renew(expired);
    expect(said()).toMatch(/credentials have expired\. Everything waits.*aws configure --profile team/s);
    expect(said()).toMatch(/new credentials are there: going on/);
    expect(taken?.aborted).toBe(true);
  });

  it('Enter looks at once, and says that they are the old ones still', async () => {
    let enters = 0;
    const { gate, said } = bench(3, {
      every: 1e6,
      ask: async () => {
        enters++;
      },
    });
    await gate.renew(expired);
    expect(enters).toBe(2);
    expect(said()).toMatch(/Not yet/);
  });

  it('a source that asks by itself (MFA) is asked after Enter only', async () => {
    const { gate, looks } = bench(2, { asksItself: () => true, ask: async () => {} });
    await gate.renew(expired);
    expect(looks()).toBe(2);
  });

  it('credentials of another account are told and waited on; unattended they end it', async () => {
    const { gate, said } = bench(3, { ask: () => never(), fails: other });
    await gate.renew(expired);
    expect(said()).toMatch(/now belong to account 2/);
    const alone = bench(3, { fails: other });
    await expect(alone.gate.renew(expired)).rejects.toBe(other);
  });

  it('nobody comes: it ends, with exit code 1 and the command that goes on, and is not waited for again', async () => {
    const { gate, looks } = bench(Number.POSITIVE_INFINITY, { wait: 0 });
    const ended = {
      code: 'ExpiredToken',
      exitCode: 1,
      hint: expect.stringContaining('cloudspace start --name a') as string,
    };
    await expect(gate.renew(expired)).rejects.toMatchObject(ended);
    const before = looks();
    await expect(gate.renew(expired)).rejects.toMatchObject(ended);
    expect(looks()).toBe(before);
    await gate.pass();
  });

  it('without a terminal it is unattended; Ctrl-C ends the wait', async () => {
    const noTerminal = new CloudspaceError('there is no terminal', { code: 'NoTerminal', exitCode: 2 });
    const { gate } = bench(Number.POSITIVE_INFINITY, { wait: 0, ask: () => Promise.reject(noTerminal) });
    await expect(gate.renew(expired)).rejects.toMatchObject({ code: 'ExpiredToken' });
    const interrupt = new AbortController();
    const going = bench(Number.POSITIVE_INFINITY, { signal: interrupt.signal, ask: () => never() }).gate.renew(expired);
    interrupt.abort(new CloudspaceError('interrupted', { code: 'Interrupted', exitCode: 130 }));
    await expect(going).rejects.toMatchObject({ message: expect.stringMatching(/interrupted|aborted/) });
  });
});

describe('what ends credentials', () => {
  const wrong = (name: string) =>
    new CloudspaceError('m', { code: 'InvalidCredentials', cause: Object.assign(new Error('m'), { name }) });

  it('is what did work before', () => {
    expect(endsCredentials(expired, true)).toBe(true);
    expect(endsCredentials(expired, false)).toBe(false);
    expect(endsCredentials(wrong('InvalidClientTokenId'), true)).toBe(true);
    expect(endsCredentials(wrong('SignatureDoesNotMatch'), true)).toBe(false);
    expect(endsCredentials(new CloudspaceError('m', { code: 'AccessDenied' }), true)).toBe(false);
  });
});

describe('how to renew', () => {
  const of = async (config: string, profile: string | undefined, env: Record<string, string> = {}) =>
    howToRenew(profile, { AWS_CONFIG_FILE: join(home(config), 'config'), HOME: '/nonexistent', ...env });

  it('names the command for the profile', async () => {
    expect((await of('[profile a]\nsso_session = s\n', 'a')).says).toContain('aws sso login --profile a');
    expect((await of('[profile a]\nlogin_session = s\n', 'a')).says).toContain('aws login --profile a');
    expect((await of('[profile a]\ncredential_process = x --secret\n', 'a')).says).toContain('`credential_process`');
    expect((await of('[profile a]\ncredential_process = x --secret\n', 'a')).says).not.toContain('secret');
    expect((await of('[profile a]\nmfa_serial = arn\nrole_arn = r\n', 'a')).says).toContain('MFA');
    const chained = await of('[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nsso_session = s\n', 'a');
    expect(chained.says).toContain('aws sso login --profile b');
    expect((await of('', undefined)).says).toContain('aws configure --profile default');
  });

  it('knows that nobody can change the environment of a program that runs', async () => {
    const how = await of('', undefined, { AWS_ACCESS_KEY_ID: 'ASIA' });
    expect(how).toMatchObject({ fromOutside: false, says: expect.stringContaining('run the same command again') });
    expect((await of('', 'a', { AWS_ACCESS_KEY_ID: 'ASIA' })).fromOutside).toBe(true);
  });
});
