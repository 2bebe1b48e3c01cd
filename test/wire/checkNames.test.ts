import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { judgeCertificate } from '../../src/checks/certificates.ts';
import { judgeName, type Kept, look, type Seen, type Target } from '../../src/checks/names.ts';
import { certificateAt } from '../../src/commands/check/answer.ts';
import { delegation } from '../../src/dns/authoritative.ts';
import { folder } from '../support/cli.ts';
import { dnsStandIn, type StandInRecord } from '../support/dnsStandIn.ts';

const HOST = 'bastion.team-07.hosts.example.com';
const bastion: Target = {
  name: HOST,
  type: 'A',
  values: ['203.0.113.7'],
  record: '203.0.113.7',
  whose: 'the bastion host',
};
const kept =
  (...contents: string[]) =>
  async (): Promise<Kept> => ({ label: 'DNSimple', contents });
const unasked = async (): Promise<Kept> => ({ label: 'DNSimple', contents: undefined });
const never = async (): Promise<Kept> => {
  throw new Error('the provider was asked, and nothing was wrong');
};

describe('a name', () => {
  const own = (...answers: Seen['own'][number]['answer'][]): Seen['own'] =>
    answers.map((answer, index) => ({ server: `192.0.2.${index + 1}`, answer }));
  const right = ['203.0.113.7'];

  it.each<[string, Seen, () => Promise<Kept>, string, RegExp, RegExp | undefined]>([
    ['right everywhere', { own: own(right, right), here: right }, never, 'passed', /: 203\.0\.113\.7$/, undefined],
    ['one server does not answer', { own: own(right, 'unknown'), here: 'unknown' }, never, 'passed', /./, undefined],
    [
      'missing',
      { own: own('none', 'none') },
      kept(),
      'failed',
      /no record bastion\./,
      /walkthrough again: it makes the record$/,
    ],
    ['missing, nobody to ask', { own: own('none') }, unasked, 'failed', /no record/, /just made may take a minute/],
    [
      'elsewhere',
      { own: own(['192.0.2.99']) },
      kept('192.0.2.99'),
      'failed',
      /leads to 192\.0\.2\.99, and the bastion host is 203\.0\.113\.7/,
      /--repair/,
    ],
    [
      'at one server only',
      { zone: 'example.com', own: own(right, 'none') },
      kept('203.0.113.7'),
      'failed',
      /not yet propagated: DNSimple has .*, and 192\.0\.2\.2 answers with nothing/,
      /dig NS example\.com/,
    ],
    [
      'the old one at a server',
      { own: own(['192.0.2.99']) },
      kept('203.0.113.7'),
      'failed',
      /not yet propagated/,
      /wait a minute/,
    ],
    [
      'remembered here',
      { own: own(right), here: 'none' },
      never,
      'skipped',
      /this machine's resolver remembers nothing/,
      undefined,
    ],
    ['only the resolver can be asked', { own: own('unknown'), here: right }, never, 'passed', /./, undefined],
    [
      'and it says something else',
      { own: [], here: ['192.0.2.99'] },
      kept('192.0.2.99'),
      'failed',
      /leads to 192\.0\.2\.99/,
      /./,
    ],
    ['nobody can be asked', { own: [], here: 'unknown' }, never, 'skipped', /no name server can be asked/, undefined],
  ])('%s', async (_, seen, ask, status, detail, hint) => {
    const verdict = await judgeName(bastion, seen, ask);
    expect(verdict).toMatchObject({ status, detail: expect.stringMatching(detail) });
    if (hint) expect(verdict.hint).toMatch(hint);
    expect(verdict.pending).toBe(_ === 'remembered here' ? true : undefined);
  });

  it('an alias is answered with addresses, and holds a name', async () => {
    const alias = { ...bastion, name: '*.team-07.example.com', values: ['198.51.100.1'], record: 'lb.example.net' };
    expect(await judgeName(alias, { own: own(['198.51.100.1', '198.51.100.2']) }, never)).toMatchObject({
      status: 'passed',
    });
    expect((await judgeName(alias, { own: own('none') }, kept('lb.example.net'))).detail).toMatch(/not yet propagated/);
    // Its target's addresses are not known here: then any answer will do.
    expect((await judgeName({ ...alias, values: [] }, { own: own(['192.0.2.1']) }, never)).status).toBe('passed');
  });

  describe('asked over the network (of a stand-in)', () => {
    let records: StandInRecord[] = [];
    let names: Awaited<ReturnType<typeof dnsStandIn>>;
    beforeAll(async () => {
      names = await dnsStandIn(() => records);
    });
    afterAll(() => names.close());

    it('a host, a wildcard, what is not there', async () => {
      records = [
        { name: HOST, type: 'A', content: '203.0.113.7' },
        { name: '*.team-07.apps.example.com', type: 'CNAME', content: 'LB.example.net' },
      ];
      const own = async (name: string, type: 'A' | 'CNAME') => (await look({ name, type }, [names.address])).own;
      expect(await own(HOST, 'A')).toEqual([{ server: names.address, answer: ['203.0.113.7'] }]);
      expect((await own('*.team-07.apps.example.com', 'CNAME'))[0]?.answer).toEqual(['lb.example.net']);
      expect((await own('control.team-07.hosts.example.com', 'A'))[0]?.answer).toBe('none');
    });

    it('the zone is the one that the world is sent to; without one, the resolver alone is heard', async () => {
      records = [{ name: 'example.com', type: 'NS', content: 'ns1.nowhere.invalid' }];
      expect(await delegation(HOST, names.address)).toMatchObject({ zone: 'example.com' });
      expect(names.asked).toContain('team-07.hosts.example.com NS');
      records = [{ name: HOST, type: 'A', content: '203.0.113.7' }];
      expect(await look(bastion, undefined, names.address)).toEqual({ own: [], here: ['203.0.113.7'] });
    });

    it('a server that says nothing is no answer', async () => {
      expect((await look(bastion, ['127.0.0.1:9'])).own[0]?.answer).toBe('unknown');
    });
  });
});

describe('a certificate', () => {
  const dir = folder();
  const DAY = 86_400_000;
  const make = (names: string, issuer: string, days = 90): X509Certificate => {
    const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'.split(' ');
    const files = ['-keyout', join(dir, 'it.key'), '-out', join(dir, 'it.crt')];
    const about = ['-days', String(days), '-subj', issuer, '-addext', `subjectAltName=${names}`];
    execFileSync('openssl', [...words, ...about, ...files], { stdio: 'ignore' });
    return new X509Certificate(readFileSync(join(dir, 'it.crt')));
  };
  const renewOurs = 'deploy the application again';
  let server: Server | undefined;
  afterEach(() => void server?.close());

  it('is good, near its end, over, not begun, or another name’s', () => {
    const ours = make('DNS:hello.example.com', '/O=Cloudspace/CN=x');
    const at = (days: number, name = 'hello.example.com') =>
      judgeCertificate(ours, { name, renewOurs, now: Date.now() + days * DAY });
    expect(at(0)).toMatchObject({
      status: 'passed',
      detail: expect.stringMatching(/^hello\.example\.com: until \d{4}-/),
    });
    expect(at(75).status).toBe('passed');
    expect(at(77)).toMatchObject({
      status: 'failed',
      detail: expect.stringMatching(/ends in 12 days, on /),
      hint: renewOurs,
    });
    expect(at(88.5).detail).toMatch(/ends in 1 day, /);
    expect(at(91)).toMatchObject({ status: 'failed', detail: expect.stringMatching(/ended on/) });
    expect(at(-2)).toMatchObject({ status: 'failed', hint: expect.stringMatching(/clock/) });
    expect(at(0, 'other.example.com')).toMatchObject({
      status: 'failed',
      detail: 'other.example.com is shown a certificate for hello.example.com',
      hint: expect.stringMatching(/deploy the application again/),
    });
  });

  it('of the wildcard fits every name below it; whose end is near has its renewal looked at', () => {
    const wildcard = make('DNS:*.team-07.example.com', '/O=An Authority', 10);
    const verdict = judgeCertificate(wildcard, { name: 'cloudspace-probe.team-07.example.com', renewOurs });
    expect(verdict).toMatchObject({ status: 'failed', hint: expect.stringMatching(/journalctl -u certbot/) });
    expect(judgeCertificate(wildcard, { name: 'cloudspace-probe.team-08.example.com', renewOurs }).hint).toMatch(
      /certbot certificates/,
    );
  });

  it('is read from the endpoint, whoever signed it; why there is none is told', async () => {
    make('DNS:hello.example.com', '/O=Cloudspace');
    const asked: string[] = [];
    server = createServer({
      key: readFileSync(join(dir, 'it.key')),
      cert: readFileSync(join(dir, 'it.crt')),
      SNICallback: (name, done) => {
        asked.push(name);
        done(null);
      },
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const endpoint = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const found = await certificateAt(endpoint, 'hello.example.com');
    expect(found).toBeInstanceOf(X509Certificate);
    expect((found as X509Certificate).subjectAltName).toBe('DNS:hello.example.com');
    expect(asked).toEqual(['hello.example.com']);
    await new Promise<void>((resolve) => server?.close(() => resolve()));
    expect(await certificateAt(endpoint, 'hello.example.com')).toBe('the connection was refused');
  });
});
