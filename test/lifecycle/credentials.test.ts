import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assumeRole, SIGNED } from '../support/assumeRole.ts';
import { cleanEnv, cli, folder, PUBLIC_KEY, type Server, serve } from '../support/cli.ts';

/** Credentials that end while the walk goes on, and what comes in their place: the built command line against the practice API. */
let server: Server;
const dir = folder();
const key = join(dir, 'key.pub');
/** The practice cloud reads whose key it is, and checks no signature. */

/**
 * A home with a profile whose `credential_process` assumes the role of the account that the file `account` names. It does not say when its keys
 * end, so that they end in the middle; while the file `stuck` is there, it gives the old ones again.
 */
function home(account: string): { env: NodeJS.ProcessEnv; at: (file: string) => string } {
  const at = (file: string) => join(here, file);
  const here = folder();
  writeFileSync(at('account'), account);
  const script = `
    const { readFileSync, writeFileSync, existsSync } = require('node:fs');
    const at = (file) => '${here}/' + file;
    if (existsSync(at('stuck'))) process.stdout.write(readFileSync(at('last'), 'utf8'));
    else (async () => {
      const arn = 'arn:aws:iam::' + readFileSync(at('account'), 'utf8') + ':role/OrganizationAccountAccessRole';
      const answer = await fetch('${server.endpoint}', {
        method: 'POST',
        headers: { authorization: '${SIGNED}' },
        body: new URLSearchParams({ Action: 'AssumeRole', RoleArn: arn, RoleSessionName: 'process' }),
      });
      const xml = await answer.text();
      const value = (name) => new RegExp('<' + name + '>([^<]*)<').exec(xml)[1];
      const keys = JSON.stringify({ Version: 1, AccessKeyId: value('AccessKeyId'), SecretAccessKey: value('SecretAccessKey'), SessionToken: value('SessionToken') });
      writeFileSync(at('last'), keys);
      process.stdout.write(keys);
    })();`;
  writeFileSync(at('keys.cjs'), script);
  mkdirSync(at('.aws'));
  writeFileSync(at('.aws/config'), `[profile team]\ncredential_process = "${process.execPath}" "${at('keys.cjs')}"\n`);
  const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, ...more } = server.env;
  return { env: cleanEnv({ ...more, HOME: here, AWS_PROFILE: 'team' }), at };
}

const flags = (name: string) => [
  ...['--name', name, '--state-dir', join(dir, 'state'), '--ssh-public-key', key],
  ...['--provision', 'skip', '--ssh-from', '198.51.100.7/32'],
];
const expired = () => server.requests.filter(({ errorCode }) => /Expired/.test(errorCode ?? '')).length;

beforeAll(async () => {
  writeFileSync(key, `${PUBLIC_KEY}\n`);
  // With this latency the walk takes some seconds: sessions of three seconds end in the middle.
  server = await serve(join(dir, 'server'), ['--latency', '250', '--session-life', '3']);
});
afterAll(() => server.close());

describe('credentials that end every three seconds', () => {
  it('are renewed in the middle; the world is the same, once', async () => {
    const { env } = home('100000000101');
    const { code, stdout, stderr } = await cli(['start', '--yes', ...flags('renew-01')], { env });
    expect(code, stdout + stderr).toBe(0);
    expect(expired()).toBeGreaterThan(0);
    const plan = JSON.parse((await cli(['plan', '--json', ...flags('renew-01')], { env })).stdout);
    expect(plan.resources.filter((one: { action: string }) => one.action !== 'keep')).toEqual([]);
    expect(plan.extra).toEqual([]);
    const mutations = server.mutations().length;
    expect((await cli(['start', '--yes', ...flags('renew-01')], { env })).code).toBe(0);
    expect(server.mutations().length).toBe(mutations);
  });

  it('of an assumed role, which say when they end, are renewed before', async () => {
    const before = expired();
    const env = cleanEnv(server.env);
    const { code, stdout, stderr } = await cli(['start', '--yes', '--account', '100000000102', ...flags('renew-02')], {
      env,
    });
    expect(code, stdout + stderr).toBe(0);
    expect(server.requests.filter(({ operation }) => operation === 'AssumeRole').length).toBeGreaterThan(2);
    const destroyed = await cli(['destroy', '--yes', '--name', 'renew-02', '--state-dir', join(dir, 'state')], { env });
    expect(destroyed.code, destroyed.stderr).toBe(0);
    // A second's rounding may let one through; they are not waited for.
    expect(expired() - before).toBeLessThan(20);
  });
});

describe('credentials that do not come back', () => {
  it('end the unattended run with exit code 1 and the command that goes on; with new ones it does', async () => {
    const { env, at } = home('100000000103');
    const before = server.mutations().length;
    server.onRequest = () => {
      if (server.mutations().length - before >= 5) writeFileSync(at('stuck'), '');
    };
    const first = await cli(['start', '--yes', '--credentials-wait', '2', ...flags('stuck-01')], { env });
    server.onRequest = undefined;
    const said = (first.stdout + first.stderr).replaceAll(/\s+/g, ' ');
    expect(first.code, said).toBe(1);
    expect(said).toMatch(/temporary credentials have expired/);
    expect(said).toMatch(/no new ones came within 2 seconds/);
    expect(said).toMatch(/credential_process/);
    expect(said).toMatch(/cloudspace start --name stuck-01 --state-dir \S+ --yes/);
    expect(said.match(/Everything waits/g)).toHaveLength(1);

    rmSync(at('stuck'));
    const second = await cli(['start', '--yes', ...flags('stuck-01')], { env });
    expect(second.code, second.stdout + second.stderr).toBe(0);
    const plan = JSON.parse((await cli(['plan', '--json', ...flags('stuck-01')], { env })).stdout);
    expect(plan.resources.filter((one: { action: string }) => one.action !== 'keep')).toEqual([]);
    expect(plan.extra).toEqual([]);
  });

  it('of the environment are not waited for: a program that runs cannot be given others', async () => {
    const session = await assumeRole(server.endpoint, '100000000104', 'shell');
    const { code, stdout, stderr } = await cli(['start', '--yes', ...flags('env-01')], {
      env: cleanEnv({
        ...server.env,
        AWS_ACCESS_KEY_ID: session.accessKeyId,
        AWS_SECRET_ACCESS_KEY: session.secretAccessKey,
        AWS_SESSION_TOKEN: session.sessionToken,
      }),
    });
    const said = (stdout + stderr).replaceAll(/\s+/g, ' ');
    expect(code, said).toBe(1);
    expect(said).toMatch(/a running program cannot be given new ones/);
    expect(said).toMatch(/set the new keys, and run the same command again/);
  });
});

describe('another account in the middle', () => {
  it('is refused before anything is sent there', async () => {
    const { env, at } = home('100000000105');
    const before = server.requests.length;
    // Within the first session, which ends after three seconds: the walk takes longer on any machine.
    server.onRequest = () => {
      if (server.requests.length - before >= 5) writeFileSync(at('account'), '100000000106');
    };
    const first = await cli(['start', '--yes', ...flags('switch-01')], { env });
    server.onRequest = undefined;
    const said = (first.stdout + first.stderr).replaceAll(/\s+/g, ' ');
    expect(first.code, said).not.toBe(0);
    expect(said).toMatch(/now belong to account 100000000106, and this run works in account 100000000105/);
    const other = JSON.parse((await cli(['plan', '--json', ...flags('switch-02')], { env })).stdout);
    expect(other.account).toBe('100000000106');
    expect(new Set(other.resources.map((one: { action: string }) => one.action))).toEqual(new Set(['create']));

    writeFileSync(at('account'), '100000000105');
    const second = await cli(['start', '--yes', ...flags('switch-01')], { env });
    expect(second.code, second.stdout + second.stderr).toBe(0);
  });
});
