import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv, cli, folder, type Server, serve } from '../support/cli.ts';
import { laptop } from '../support/laptop.ts';

/** What bad input gets: a clear error, exit 2, nothing created, nothing lost. */
let server: Server;
const dir = folder();
const good = ['--state-dir', join(dir, 'state'), ...laptop(dir, () => server).answers];
const on = (words: readonly string[], env: Record<string, string> = {}) =>
  cli(words, { env: cleanEnv({ ...server.env, ...env }) });

beforeAll(async () => {
  writeFileSync(join(dir, 'private'), '-----BEGIN OPENSSH PRIVATE KEY-----\nnot-to-be-shown\n');
  server = await serve(join(dir, 'server'));
});
afterAll(() => server.close());

describe('refused with exit code 2 before anything is created', () => {
  it.each([
    [['--until', 'heaven'], /no chapter "heaven".*login, vpc/s],
    [['--name', 'Bad_Name'], /"Bad_Name" does not fit/],
    [['--name', 'a-name-that-is-far-too-long'], /does not fit/],
    [['--name', 'blue', '--team', '100'], /"100" is not between 0 and 99/],
    [['--name', 'team-123'], /not between 0 and 99/],
    [['--cidr', '10.7.0.0'], /"10\.7\.0\.0" is not a CIDR/],
    [['--ssh-from', '0.0.0.0/0'], /whole internet.*--allow-world-ssh/s],
    [['--ssh-from', 'home'], /"home" is not an address/],
    [['--ssh-public-key', join(dir, 'private')], /private key/],
    [['--ssh-public-key', join(dir, 'none')], /cannot read/],
    [['--runners', '0'], /"0" is not a number of runners/],
    [['--role-arn', 'me'], /"me" is not the ARN/],
    [['--account', '12'], /"12"/],
    [['--provision', 'magic'], /"magic"/],
    [['--ami', 'debian'], /"debian" is not the id of an image/],
    [['--ami', 'ami-0123456789abcdef0'], /no image ami-0123456789abcdef0 in \S+, or this account may not use it/],
    [['--region', 'Frankfurt'], /"Frankfurt"/],
    [['--endpoint-url', 'not a url'], /not a url/],
    [['--config', join(dir, 'none.yaml')], /cannot read the config file/],
    [['--speeed'], /unknown option/],
  ])('%j', async (words, message) => {
    const { code, stdout, stderr } = await on([
      'start',
      '--yes',
      ...(words.includes('--name') ? [] : ['--name', 'bad-01']),
      ...good,
      ...words,
    ]);
    expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(message);
    expect(stdout + stderr).not.toContain('not-to-be-shown');
    expect(code).toBe(2);
    expect(server.mutations()).toEqual([]);
  });

  it('an unreachable endpoint, named, within seconds', async () => {
    const started = Date.now();
    const { code, stdout, stderr } = await on([
      'start',
      '--yes',
      '--name',
      'bad-02',
      ...good,
      '--endpoint-url',
      'http://127.0.0.1:9',
    ]);
    expect(stdout + stderr).toContain('127.0.0.1:9');
    expect(code).toBe(2);
    // Seconds, not the minutes that eight attempts with growing waits would take; far above what a busy machine needs.
    expect(Date.now() - started).toBeLessThan(60_000);
  });

  it('no credentials: says where it looked', async () => {
    const { code, stdout, stderr } = await cli(
      ['start', '--yes', '--name', 'bad-03', '--region', 'eu-central-1', ...good],
      { env: cleanEnv({ AWS_EC2_METADATA_DISABLED: 'true' }) },
    );
    expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(/no AWS credentials found.*AWS_ACCESS_KEY_ID.*\.aws/);
    expect(code).toBe(2);
  });

  it('no terminal and a question open: names the flag', async () => {
    const { code, stdout, stderr } = await on(['start', ...good.slice(0, 2)]);
    expect(stdout + stderr).toContain('--name');
    expect(code).toBe(2);
  });

  it('a config file with a setting that is none', async () => {
    const file = join(dir, 'wrong.yaml');
    writeFileSync(file, 'name: ok-01\nregoin: eu-central-1\n');
    const { code, stdout, stderr } = await on(['plan', '--config', file]);
    expect(stdout + stderr).toMatch(/"regoin" is no setting/);
    expect(code).toBe(2);
  });
});

describe('state files', () => {
  const words = ['--name', 'state-01', ...good];
  const path = join(dir, 'state', 'state-01', 'state.json');

  beforeAll(async () => {
    const { code, stderr } = await on(['start', '--yes', '--until', 'vpc', ...words]);
    expect(code, stderr).toBe(0);
  });

  it('damaged: refused without a yes, repaired from the backup with one, and the damaged file is kept', async () => {
    const whole = readFileSync(path, 'utf8');
    writeFileSync(path, whole.slice(0, whole.length / 2));
    const refused = await on(['status', ...words.slice(0, 4)]);
    expect(refused.stdout + refused.stderr).toMatch(/damaged/);
    expect(refused.code).toBe(2);
    const mutations = server.mutations().length;
    const { code, stdout, stderr } = await on(['start', '--yes', '--until', 'vpc', ...words]);
    expect(code, stderr).toBe(0);
    expect(stdout + stderr).toMatch(/damaged/);
    expect(server.mutations().length).toBe(mutations);
  });

  it('damaged with a damaged backup: rebuilt from the tags', async () => {
    writeFileSync(path, '{');
    writeFileSync(`${path}.bak`, '');
    const mutations = server.mutations().length;
    const { code, stderr } = await on(['start', '--yes', '--until', 'vpc', ...words]);
    expect(code, stderr).toBe(0);
    expect(server.mutations().length).toBe(mutations);
  });

  it('of another account or region: stops before anything happens', async () => {
    const mutations = server.mutations().length;
    const account = await on(['start', '--yes', ...words, '--account', '100000000109']);
    expect((account.stdout + account.stderr).replaceAll(/\s+/g, ' ')).toMatch(/belongs to account 100000000000/);
    const region = await on(['start', '--yes', ...words, '--region', 'us-east-1']);
    expect((region.stdout + region.stderr).replaceAll(/\s+/g, ' ')).toMatch(/belongs to region eu-central-1/);
    expect([account.code, region.code]).toEqual([2, 2]);
    expect(server.mutations().length).toBe(mutations);
  });

  it('from a newer version', async () => {
    mkdirSync(join(dir, 'state', 'state-02'));
    const { checksum: _, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
    const { createHash } = await import('node:crypto');
    const newer = { ...rest, version: 99 };
    const checksum = createHash('sha256').update(JSON.stringify(newer)).digest('hex');
    writeFileSync(join(dir, 'state', 'state-02', 'state.json'), JSON.stringify({ checksum, ...newer }));
    const { code, stdout, stderr } = await on(['start', '--yes', '--name', 'state-02', ...good]);
    expect(stdout + stderr).toMatch(/version 99/);
    expect(code).toBe(2);
  });

  it('in use: says who holds the lock; a dead holder’s lock is taken over', async () => {
    const lock = join(dir, 'state', 'state-01', 'lock');
    writeFileSync(
      lock,
      JSON.stringify({ pid: process.pid, host: hostname(), since: '2026-01-01', command: 'start', started: '' }),
    );
    const { code, stdout, stderr } = await on(['start', '--yes', ...words]);
    expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(new RegExp(`process ${process.pid} on`));
    expect(code).toBe(2);
    writeFileSync(
      lock,
      JSON.stringify({ pid: 2 ** 22 - 3, host: hostname(), since: '2026-01-01', command: 'start', started: '1' }),
    );
    expect((await on(['start', '--yes', '--until', 'vpc', ...words])).code).toBe(0);
  });

  it('a network that something is built on cannot change', async () => {
    const { code, stdout, stderr } = await on(['start', '--yes', ...words, '--cidr', '10.99.0.0/16']);
    expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(
      /cidr is 10\.1\.0\.0\/16 and cannot become 10\.99\.0\.0\/16/,
    );
    expect(code).toBe(2);
  });
});
