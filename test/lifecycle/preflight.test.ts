import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AllocateAddressCommand,
  CreateVpcCommand,
  EC2Client,
  ImportKeyPairCommand,
  ReleaseAddressCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv, cli, folder, PUBLIC_KEY, type Server, serve } from '../support/cli.ts';

/** What is told before anything is made: the built command line against a practice API whose account others have filled. */
const dir = folder();
const key = join(dir, 'key.pub');
const servers: Server[] = [];
afterAll(() => Promise.all(servers.map((server) => server.close())));

let ec2: EC2Client | undefined;
afterEach(() => ec2?.destroy());
beforeAll(() => writeFileSync(key, `${PUBLIC_KEY}\n`));

async function account(...more: readonly string[]) {
  const server = await serve(folder(), more);
  servers.push(server);
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = server.env;
  const client = new EC2Client({
    endpoint: server.endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId, secretAccessKey },
  });
  ec2 = client;
  const state = folder();
  const run = async (...words: readonly string[]) => {
    const { code, stdout, stderr } = await cli(words, { env: cleanEnv(server.env) });
    return { code, stdout, said: (stdout + stderr).replaceAll(/\s+/g, ' ') };
  };
  const start = (...words: readonly string[]) =>
    run(
      ...['start', '--yes', '--name', 'team-07', '--state-dir', state, '--ssh-public-key', key],
      ...['--provision', 'skip', '--ssh-from', '198.51.100.7/32', ...words],
    );
  return { server, client, start, run, state };
}

/** Requests before the first that makes something. */
function beforeTheFirst(server: Server): string[] {
  const first = server.requests.findIndex(({ operation }) => operation === 'CreateVpc');
  return server.requests.slice(0, first === -1 ? undefined : first).map(({ operation }) => operation);
}

describe('a quota that is full', () => {
  it('stops an unattended run before anything is made, names who does not use theirs, and goes on when one is freed', async () => {
    const { server, client, start } = await account();
    const address = await client.send(new AllocateAddressCommand({ Domain: 'vpc' }));
    await client.send(new AllocateAddressCommand({ Domain: 'vpc' }));
    const refused = await start();
    expect(refused.code, refused.said).toBe(1);
    expect(refused.said).toContain('EC2-VPC Elastic IPs: 2 of 5 are used, 4 more are needed');
    expect(refused.said).toContain(`aws ec2 release-address --allocation-id ${address.AllocationId}`);
    expect(refused.said.replaceAll(' ', '')).toContain(
      'https://eu-central-1.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/L-0263D0A3',
    );
    expect(refused.said).toContain('QuotaExceeded');
    expect(server.mutations()).toEqual(['AllocateAddress', 'AllocateAddress']);

    await client.send(new ReleaseAddressCommand({ AllocationId: address.AllocationId }));
    const done = await start();
    expect(done.code, done.said).toBe(0);
    expect(done.said).toMatch(/Looked ahead: room in \d quotas, network, names, clock: good/);
  });

  it('is told all at once, with the empty networks', async () => {
    const { client, start } = await account('--quota', 'vpc=1', '--quota', 'vcpu=8', '--quota', 'rule=2');
    const { Vpc } = await client.send(new CreateVpcCommand({ CidrBlock: '10.99.0.0/16' }));
    const { code, said } = await start();
    expect(code, said).toBe(1);
    expect(said).toContain('VPCs per Region: 1 of 1 is used, 1 more is needed');
    expect(said).toContain(`aws ec2 delete-vpc --vpc-id ${Vpc?.VpcId}`);
    expect(said).toMatch(/Running On-Demand Standard .*: 0 of 8 are used, 10 more are needed/);
    expect(said).toMatch(/rules per security group: 2 is the most/);
  });

  it('can be passed over, and is told again where AWS refuses', async () => {
    const { server, start } = await account('--quota', 'eip=0');
    const { code, said } = await start('--skip-preflight', '--until', 'vpc');
    expect(code, said).toBe(1);
    expect(beforeTheFirst(server)).not.toContain('GetServiceQuota');
    expect(said).toContain('AddressLimitExceeded');
    expect(said).toContain('EC2-VPC Elastic IPs: 0 of 0 are used, 1 more is needed');
    expect(said.replaceAll(' ', '')).toContain('/services/ec2/quotas/L-0263D0A3');
  });

  it('counts what is still to come only, and up to the chapter that was asked for', async () => {
    const { start } = await account('--quota', 'eip=1', '--quota', 'vcpu=0');
    const first = await start('--until', 'vpc');
    expect(first.code, first.said).toBe(0);
    const second = await start('--until', 'bastion');
    expect(second.code, second.said).toBe(1);
    expect(second.said).toContain('EC2-VPC Elastic IPs: 1 of 1 is used, 1 more is needed');
  });

  it('is not taken from AWS’s defaults when the account’s own cannot be read', async () => {
    const { start } = await account(
      '--fault',
      'ListServiceQuotas:error=AccessDenied,times=all',
      '--fault',
      'GetServiceQuota:error=AccessDenied,times=all',
    );
    const { code, said } = await start();
    expect(code, said).toBe(0);
    expect(said).toMatch(/0 of 5 are used \(AWS's default; the account's own value could not be read\), 10 more/);
  });
});

describe('other things in the account', () => {
  it('a name that is taken stops it, a network that overlaps is only told', async () => {
    const { server, client, start } = await account();
    await client.send(new ImportKeyPairCommand({ KeyName: 'team-07', PublicKeyMaterial: Buffer.from(PUBLIC_KEY) }));
    const { Vpc } = await client.send(new CreateVpcCommand({ CidrBlock: '10.7.128.0/20' }));
    const { code, said } = await start();
    expect(code, said).toBe(1);
    expect(said).toContain('key pair `team-07` is there already, without the tags of team-07');
    expect(said).toContain(`addresses in common with ${Vpc?.VpcId}`);
    expect(said).toContain('NameTaken');
    expect(server.mutations()).toEqual(['ImportKeyPair', 'CreateVpc']);
  });

  it('a Cloudspace of this name that was made elsewhere is told', async () => {
    const { server, start, run } = await account();
    expect((await start('--until', 'vpc')).code).toBe(0);
    const elsewhere = await run(
      ...['start', '--yes', '--name', 'team-07', '--state-dir', folder(), '--ssh-public-key', key],
      ...['--provision', 'skip', '--ssh-from', '198.51.100.7/32', '--until', 'bastion'],
    );
    expect(elsewhere.code, elsewhere.said).toBe(0);
    expect(elsewhere.said).toMatch(/A Cloudspace "team-07" is in account 100000000000 already/);
    expect(server.requests.filter(({ operation }) => operation === 'CreateVpc')).toHaveLength(1);
  });
});

describe('doctor', () => {
  const doctor = ['doctor', '--json', '--hosts', 'none', '--provision', 'skip', '--name', 'team-07'];

  it('looks at the account, asks EC2 for permissions, and changes nothing', async () => {
    const { server, run } = await account(
      '--quota',
      'eip=2',
      '--fault',
      'CreateVpc:error=UnauthorizedOperation,times=all',
    );
    const { code, stdout } = await run(...doctor, '--check-permissions', '--state-dir', folder());
    expect(code).toBe(1);
    const { ok, prerequisites, account: found } = JSON.parse(stdout);
    expect(ok).toBe(false);
    expect(prerequisites.map(({ id }: { id: string }) => id)).toContain('node');
    expect(found).toMatchObject({ account: '100000000000', region: 'eu-central-1', credentialsUntil: null });
    expect(found.findings).toContainEqual(
      expect.objectContaining({
        status: 'blocking',
        quota: expect.objectContaining({ code: 'L-0263D0A3', limit: 2, used: 0, needed: 4, source: 'account' }),
      }),
    );
    const verdict = (label: string) => found.permissions.find((one: { label: string }) => one.label === label)?.verdict;
    expect([verdict('VPC'), verdict('Elastic IP'), verdict('key pair'), verdict('subnet')]).toEqual([
      ...['denied', 'allowed', 'allowed', 'unknown'],
    ]);
    expect(verdict('load balancer')).toBe('unknown');
    // Dry runs are refused (412 and the like); nothing else that could change something was sent.
    expect(server.requests.filter(({ mutating, status }) => mutating && status < 300)).toEqual([]);
  });

  it('is of use without credentials', async () => {
    const { code, stdout, stderr } = await cli([...doctor, '--region', 'eu-central-1', '--state-dir', folder()], {
      env: cleanEnv({ AWS_EC2_METADATA_DISABLED: 'true' }),
    });
    expect(code, stderr).toBe(0);
    const { ok, account: found } = JSON.parse(stdout);
    expect(ok).toBe(true);
    expect(found.reason).toMatch(/no AWS credentials found/);
    const people = await cli(['doctor', '--hosts', 'none', '--provision', 'skip', '--state-dir', folder()], {
      env: cleanEnv({ AWS_EC2_METADATA_DISABLED: 'true' }),
    });
    expect(people.stdout.replaceAll(/\s+/g, ' ')).toMatch(/not looked at: no region is set/);
  });
});

describe('plan --check-permissions', () => {
  it('asks more of what is there, and says what it could not ask', async () => {
    const { server, start, run, state } = await account();
    expect((await start('--until', 'vpc')).code).toBe(0);
    const made = server.requests.length;
    const { code, said } = await run('plan', '--check-permissions', '--name', 'team-07', '--state-dir', state);
    expect(code, said).toBe(0);
    expect(said).toMatch(/allowed: .*security group/);
    expect(said).toMatch(
      /not known, because the service has no dry run: .*load balancer|not known, because it refers to what is not there yet: .*load balancer/,
    );
    expect(server.requests.slice(made).filter(({ mutating, status }) => mutating && status < 300)).toEqual([]);
  });
});

describe('its cost', () => {
  it('is at most thirteen requests, once', async () => {
    const { server, start } = await account();
    const plain = await account();
    expect((await start()).code).toBe(0);
    expect((await plain.start('--skip-preflight')).code).toBe(0);
    const more = beforeTheFirst(server).length - beforeTheFirst(plain.server).length;
    expect(more).toBeGreaterThan(8);
    expect(more).toBeLessThanOrEqual(13);
    const requests = server.requests.length;
    expect((await start()).code).toBe(0);
    expect(server.requests.length - requests).toBeLessThanOrEqual(25);
    expect(server.requests.slice(requests).map(({ operation }) => operation)).not.toContain('GetServiceQuota');
  });
});
