import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AllocateAddressCommand,
  CreateSecurityGroupCommand,
  CreateVpcCommand,
  DeleteSecurityGroupCommand,
  DescribeVpcsCommand,
  ModifyVpcAttributeCommand,
  ReleaseAddressCommand,
} from '@aws-sdk/client-ec2';
import { DescribeDBSnapshotsCommand, ModifyDBInstanceCommand } from '@aws-sdk/client-rds';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVault } from '../../src/ansible/vault.ts';
import type { Aws } from '../../src/aws/clients.ts';
import { assumeRole } from '../support/assumeRole.ts';
import { clients } from '../support/aws.ts';
import { cleanEnv, cli, folder, type Server, serve } from '../support/cli.ts';
import { dnsimpleStandIn } from '../support/dnsimpleStandIn.ts';
import { type Laptop, laptop, named } from '../support/laptop.ts';

import { terminalOf, tmuxMissing, type WizardTerminal } from './wizardTmux.ts';

/** The questions that come when something is not as usual, in a pseudo-terminal: each is answered, and each is left with Ctrl-C. */
const dir = folder();
let server: Server;
let aws: Aws;
let person: Laptop;
const words = (name: string) => `--name ${name} --state-dir ${join(dir, 'state')}`;
const terminal = (args: string, env: Readonly<Record<string, string>> = {}): WizardTerminal =>
  terminalOf(args, { cwd: dir, env: { ...server.env, ...env } });
const flags = () =>
  `--ssh-public-key ${join(dir, 'key.pub')} --provision skip --ssh-from 198.51.100.7/32 --config ${join(dir, 'none.yaml')}`;
const vpcsOf = async (name: string) =>
  (await aws.ec2.send(new DescribeVpcsCommand({ Filters: named(name) }))).Vpcs?.length;
const plain = (text: string): string => text.replaceAll(/[\s│]+/g, ' ');

/** Ctrl-C at an open question: out at once, with what to do next, and nobody else is kept out. */
async function leave(tty: WizardTerminal, name: string): Promise<void> {
  tty.keys('C-c');
  const end = plain(await tty.until(/exit code \d+/, 10));
  expect(end).toContain('exit code 130');
  expect(end).toMatch(/Interrupted\. What was done is saved: run the same command again/);
  expect(existsSync(join(dir, 'state', name, 'lock'))).toBe(false);
}

beforeAll(async () => {
  server = await serve(join(dir, 'server'));
  aws = clients(server);
  writeFileSync(join(dir, 'none.yaml'), '{}\n');
  person = laptop(dir, () => server);
});
afterAll(async () => {
  aws.close();
  await server.close();
});

describe.skipIf(tmuxMissing)('destroy asks', () => {
  it('whether to keep a last snapshot, and then for a yes; Ctrl-C and Enter delete nothing', async () => {
    await person.up('team-07', 'controller');
    const destroy = `destroy ${words('team-07')}`;
    const first = terminal(destroy);
    await first.until(/Keep a final snapshot of the database\?[\s\S]*❯ No/);
    await leave(first, 'team-07');

    const second = terminal(destroy);
    await second.until(/❯ No/);
    second.keys('Enter');
    expect(plain(await second.until(/Delete all of this\? \(y\/N\)/))).toContain('no final snapshot is kept');
    await leave(second, 'team-07');

    const third = terminal(destroy);
    await third.until(/❯ No/);
    third.keys('Enter');
    await third.until(/Delete all of this\?/);
    third.keys('Enter');
    expect(await third.until(/exit code \d/)).toMatch(/nothing was deleted[\s\S]*exit code 1/);
    expect((await server.mutationsByNow()).filter((one) => /^(Delete|Terminate|Release)/.test(one))).toEqual([
      'DeleteKeyPair',
    ]); // the lease of `up`
    expect(await vpcsOf('team-07')).toBe(1);

    const last = terminal(destroy);
    await last.until(/❯ No/);
    await last.choose('Yes, as team-07-final-');
    expect(plain(await last.until(/Delete all of this\?/))).toMatch(/data stay in the snapshot `?team-07-final-\d{14}/);
    last.keys('y', 'Enter');
    expect(plain(await last.until(/exit code \d/))).toMatch(/Kept, and paid for until you delete it.*exit code 0/);
    const { DBSnapshots } = await aws.rds.send(new DescribeDBSnapshotsCommand({}));
    expect(DBSnapshots?.map(({ DBSnapshotIdentifier }) => DBSnapshotIdentifier)).toEqual([
      expect.stringMatching(/^team-07-final-\d{14}$/),
    ]);
    expect(await vpcsOf('team-07')).toBe(0);
    for (const tty of [third, last]) expect(tty.tooLong()).toEqual([]);
  }, 180_000);
});

describe.skipIf(tmuxMissing)('destroy asks about what is in the way', () => {
  it('protection that somebody switched on, things of others; left with Ctrl-C it goes on there', async () => {
    await person.up('team-03', 'controller');
    const database = { DBInstanceIdentifier: 'team-03-database', ApplyImmediately: true };
    await aws.rds.send(new ModifyDBInstanceCommand({ ...database, DeletionProtection: true }));
    const { Vpcs } = await aws.ec2.send(new DescribeVpcsCommand({ Filters: named('team-03') }));
    const { GroupId } = await aws.ec2.send(
      new CreateSecurityGroupCommand({ GroupName: 'of-others', Description: 'x', VpcId: Vpcs?.[0]?.VpcId }),
    );
    const destroy = async (last: RegExp): Promise<WizardTerminal> => {
      const tty = terminal(`destroy ${words('team-03')} --final-snapshot none`);
      await tty.until(/Delete all of this\?/);
      tty.keys('y', 'Enter');
      await tty.until(last);
      return tty;
    };
    const lift = /is protected against deletion\. Lift\s+that\s+and\s+delete\s+it\? \(y\/N\)/;
    const held = /is held by [\s\S]*What now\?[\s\S]*❯ Look again/;
    await leave(await destroy(lift), 'team-03');

    const second = await destroy(lift);
    second.keys('y', 'Enter');
    await second.until(held);
    await leave(second, 'team-03');

    const third = await destroy(held);
    expect(plain(third.screen())).toContain(String(GroupId));
    await aws.ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
    await third.choose('Look again');
    expect(plain(await third.until(/exit code \d/))).toMatch(/Nothing is left.*exit code 0/);
    for (const tty of [second, third]) expect(tty.tooLong()).toEqual([]);
  }, 180_000);

  it('the token of the DNS, on a machine that knows nothing: it is typed in unseen', async () => {
    const TOKEN = 'the-secret-token-of-dnsimple';
    const dnsimple = await dnsimpleStandIn(['example.com'], { [TOKEN]: { rights: 'all' } });
    try {
      // DNSimple's own address leads to the stand-in.
      const redirect = join(dir, 'redirect.mjs');
      const body = `const real = globalThis.fetch;
globalThis.fetch = (url, more) => real(String(url).replace('https://api.dnsimple.com', '${dnsimple.url}'), more);
`;
      writeFileSync(redirect, body);
      const env = { NODE_OPTIONS: `--import=${redirect}` };
      writeFileSync(
        join(dir, 'dns.yaml'),
        'dns: {provider: dnsimple, host-domain: example.com, app-domain: example.com, token: "env:DNSIMPLE_TOKEN", name-servers: ["127.0.0.1:9"]}\n',
      );
      const built = ['start', ...person.walk, '--until', 'bastion', '--config', join(dir, 'dns.yaml')];
      const { code, stderr, stdout } = await person.on(
        [...built, '--name', 'team-02', '--state-dir', join(dir, 'lost')],
        {
          env: cleanEnv({ ...server.env, ...env, DNSIMPLE_TOKEN: TOKEN }),
        },
      );
      expect(code, stderr + stdout).toBe(0);
      expect(dnsimple.records()).toHaveLength(2);
      const destroy = `destroy ${words('team-02')}`;
      const first = terminal(destroy, env);
      expect(plain(await first.until(/dns\.token:/))).toContain('names of team-02 are kept at DNSimple (example.com)');
      await leave(first, 'team-02');
      expect(dnsimple.records()).toHaveLength(2);

      const second = terminal(destroy, env);
      await second.until(/dns\.token:/);
      second.keys(TOKEN, 'Enter');
      await second.until(/Delete all of this\?/);
      second.keys('y', 'Enter');
      expect(plain(await second.until(/exit code \d/))).toMatch(/Nothing is left.*exit code 0/);
      expect(dnsimple.records()).toEqual([]);
      expect(second.history()).not.toContain(TOKEN);
      expect(second.tooLong()).toEqual([]);
    } finally {
      await dnsimple.close();
    }
  }, 180_000);
});

describe.skipIf(tmuxMissing)('a quota that is full', () => {
  it('is told before anything is made; the person makes room, and the walk goes on', async () => {
    const own = await serve(join(dir, 'quota'));
    const mine = clients(own);
    try {
      const addresses = await Promise.all(
        [1, 2].map(() => mine.ec2.send(new AllocateAddressCommand({ Domain: 'vpc' }))),
      );
      const start = `start ${words('team-08')} ${flags()}`;
      const first = terminal(start, own.env);
      const full = await first.enterUntil(/AWS would refuse this half way\. What now\?/);
      expect(plain(full)).toMatch(/EC2-VPC Elastic IPs.* 2 of 5 are used, 4 more are needed/);
      await leave(first, 'team-08');
      expect(await own.mutationsByNow()).toEqual(['AllocateAddress', 'AllocateAddress']);

      const second = terminal(start, own.env);
      await second.enterUntil(/AWS would refuse this half way\. What now\?/);
      await mine.ec2.send(new ReleaseAddressCommand({ AllocationId: addresses[0]?.AllocationId }));
      await second.choose('Look again');
      await second.until(/The network: do this step\?/);
      expect(plain(second.history())).toMatch(/Looked ahead: room in \d+ quotas/);
      expect(second.tooLong()).toEqual([]);
      await second.choose('Save and quit');
      const saved = plain(await second.until(/exit code \d/));
      expect(saved).toContain(`Saved. cloudspace start ${words('team-08')} goes on here`);
      expect(saved).toContain('exit code 0');
    } finally {
      mine.close();
      await own.close();
    }
  }, 180_000);
});

describe.skipIf(tmuxMissing)('credentials that expire in the middle', () => {
  it('are waited for: what to run is said, and with new ones the walk goes on by itself', async () => {
    // Sessions of four seconds: they end while the person reads.
    const own = await serve(join(dir, 'expiring'), ['--session-life', '4']);
    const home = folder();
    mkdirSync(join(home, '.aws'));
    writeFileSync(join(home, '.aws/config'), '[profile team]\nregion = eu-central-1\n');
    const renew = async (): Promise<void> => {
      const session = await assumeRole(own.endpoint, '100000000101', 'person');
      writeFileSync(
        join(home, '.aws/credentials'),
        `[team]\naws_access_key_id = ${session.accessKeyId}\naws_secret_access_key = ${session.secretAccessKey}\naws_session_token = ${session.sessionToken}\n`,
      );
    };
    try {
      const env = { AWS_ENDPOINT_URL: own.endpoint, AWS_PROFILE: 'team', HOME: home };
      const start = () => terminalOf(`start ${words('team-09')} ${flags()}`, { cwd: dir, env });
      await renew();
      const first = start();
      const asked = /Press Enter when that is done\./;
      const ended = plain(await first.enterUntil(asked));
      expect(ended).toMatch(/temporary credentials have expired\. Everything waits, nothing is lost/);
      expect(ended).toMatch(/In another terminal: aws configure --profile team/);
      await leave(first, 'team-09');

      await renew();
      const second = start();
      await second.enterUntil(asked);
      // Enter alone changes nothing.
      second.keys('Enter');
      await second.told(/the credentials are still the old ones/);
      await second.until(asked);
      // Again and again: on a slow machine four seconds pass before the wizard has looked.
      const again = setInterval(() => void renew(), 1000);
      await second.told(/new credentials are there: going on/).finally(() => clearInterval(again));
      expect(second.tooLong()).toEqual([]);
    } finally {
      await own.close();
    }
  }, 180_000);
});

describe.skipIf(tmuxMissing)('secrets show', () => {
  const KEY = 'database_master_password';
  it('shows one after a yes, to a terminal only', async () => {
    await person.up('team-05', 'controller');
    const vault = openVault({ dir: join(dir, 'state/team-05'), vaultId: 'development' });
    const value = (await vault.peek(KEY)) ?? '';
    expect(value.length).toBe(64);
    const show = `secrets show ${KEY} ${words('team-05')}`;

    const left = terminal(show);
    await left.until(/Show database_master_password on this screen\? \(y\/N\)/);
    await leave(left, 'team-05');
    const declined = terminal(show);
    await declined.until(/on this screen\?/);
    declined.keys('Enter');
    expect(await declined.until(/exit code \d/)).toMatch(/declined: nothing was shown[\s\S]*exit code 1/);
    for (const tty of [left, declined]) expect(tty.history()).not.toContain(value);

    const shown = terminal(show);
    await shown.until(/on this screen\?/);
    shown.keys('y', 'Enter');
    expect(await shown.until(/exit code \d/)).toContain('exit code 0');
    expect(shown.history().split('\n')).toContain(value);

    const json = terminal(`${show} --json`);
    expect(await json.until(/exit code \d/)).toContain('exit code 2');
    const piped = await cli(show.split(' '), { env: cleanEnv(server.env), cwd: dir });
    expect(piped.code).toBe(2);
    expect(piped.stderr + piped.stdout).toMatch(/shown at a terminal only[\s\S]*ansible-vault view/);
    expect(json.history() + piped.stdout + piped.stderr).not.toContain(value);
  }, 120_000);
});

describe.skipIf(tmuxMissing)('"I do it myself"', () => {
  it('says what is needed, looks for it, and uses it; Ctrl-C keeps nothing from going on', async () => {
    const own = await serve(join(dir, 'by-hand'));
    const mine = clients(own);
    try {
      const start = `start ${words('team-04')} ${flags()}`;
      const first = terminal(start, own.env);
      await first.enterUntil(/The network: do this step\?/);
      await first.choose('I do it myself');
      const needs = plain(await first.until(/The network: made it\?/));
      expect(needs).toMatch(/aws ec2 create-vpc --cidr-block 10\.4\.0\.0\/16/);
      await leave(first, 'team-04');

      const second = terminal(start, own.env);
      await second.enterUntil(/The network: do this step\?/);
      await second.choose('I do it myself');
      await second.until(/The network: made it\?/);
      await second.choose('Look now');
      await second.told(/no VPC that fits is there yet/);
      await second.until(/The network: made it\?[\s\S]*❯/);
      const { Vpc } = await mine.ec2.send(new CreateVpcCommand({ CidrBlock: '10.4.0.0/16' }));
      await mine.ec2.send(new ModifyVpcAttributeCommand({ VpcId: Vpc?.VpcId, EnableDnsHostnames: { Value: true } }));
      await second.choose('Look now');
      expect(await second.until(/Which VPC is vpc\?/)).toContain(`❯ ${Vpc?.VpcId}`);
      await leave(second, 'team-04');

      const third = terminal(start, own.env);
      await third.enterUntil(/The network: do this step\?/);
      await third.choose('I do it myself');
      await third.until(/The network: made it\?/);
      await third.choose('Look now');
      await third.until(/Which VPC is vpc\?/);
      third.keys('Enter');
      await third.until(/Subnets in two zones: do this step\?/);
      for (const tty of [first, second, third]) expect(tty.tooLong()).toEqual([]);
      expect((await own.mutationsByNow()).filter((one) => one === 'CreateVpc')).toHaveLength(1);
    } finally {
      mine.close();
      await own.close();
    }
  }, 180_000);
});
