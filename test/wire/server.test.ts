import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateVpcCommand, DescribeHostsCommand, DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { AssumeRoleCommand, GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, it } from 'vitest';
import { startPractice } from '../../src/practice/index.ts';
import { type Bench, bench, codeOf } from './practice.ts';

async function withCloud<T>(act: (cloud: Bench) => Promise<T>, options = {}): Promise<T> {
  const cloud = await bench(options);
  try {
    return await act(cloud);
  } finally {
    await cloud.end();
  }
}

/** A plain HTTP request: its status and text. */
function plain(endpoint: string, options: { host?: string; body?: string; headers?: Record<string, string> }) {
  const { hostname, port } = new URL(endpoint);
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const headers = { ...options.headers, ...(options.host === undefined ? {} : { host: options.host }) };
    const request = httpRequest({ hostname, port, method: 'POST', headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('error', reject);
    request.end(options.body ?? 'Action=DescribeVpcs&Version=2016-11-15');
  });
}

describe('the server', () => {
  it('answers its own host names only, on loopback only', async () => {
    await withCloud(async ({ practice }) => {
      const { port } = new URL(practice.endpoint);
      expect(practice.endpoint).toBe(`http://127.0.0.1:${port}`);
      const status = async (host: string) => (await plain(practice.endpoint, { host })).status;
      for (const host of ['evil.example', 'localhost.evil.example', '10.0.0.1:80', `evil.example:${port}`]) {
        expect(await status(host), host).toBe(403);
      }
      expect(practice.requests).toEqual([]);
      for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, `ec2.localhost:${port}`]) {
        const { text } = await plain(practice.endpoint, { host });
        expect(text, host).toContain('MissingAuthenticationToken');
      }
    });
  });

  it('names operations, services and parameters that it does not have', async () => {
    await withCloud(async ({ ec2, practice }) => {
      const error = (await ec2.send(new DescribeHostsCommand({})).catch((caught) => caught)) as Error;
      expect(error).toMatchObject({ Code: 'InvalidAction' });
      expect(error.message).toContain('DescribeHosts');
      const sign = (service: string) => ({
        authorization: `AWS4-HMAC-SHA256 Credential=AKIAPRACTICE00000000/20261104/eu-central-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
      });
      expect((await plain(practice.endpoint, { headers: sign('lambda') })).text).toContain('lambda');
      const body = 'Action=DescribeVpcs&Version=2016-11-15&Nonsense=1';
      expect((await plain(practice.endpoint, { headers: sign('ec2'), body })).text).toContain('UnknownParameter');
      const query = sign('ec2').authorization.replace(/.*Credential=([^,]+).*/, '$1');
      const presigned = `Action=DescribeVpcs&X-Amz-Credential=${encodeURIComponent(query)}`;
      expect((await plain(practice.endpoint, { body: presigned })).status).toBe(403);
      const huge = `Action=DescribeVpcs&Filter.1.Name=${'x'.repeat(1_100_000)}`;
      expect((await plain(practice.endpoint, { headers: sign('ec2'), body: huge })).status).toBe(413);
    });
  });

  it('logs names and outcomes, no parameters', async () => {
    const records: unknown[] = [];
    await withCloud(
      async ({ ec2, practice }) => {
        await ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }));
        await codeOf(ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/8' })));
        await ec2.send(new DescribeVpcsCommand({}));
        expect(practice.requests.map(({ at: _, ...rest }) => rest)).toEqual([
          { service: 'ec2', operation: 'CreateVpc', mutating: true, status: 200 },
          { service: 'ec2', operation: 'CreateVpc', mutating: true, status: 400, errorCode: 'InvalidVpc.Range' },
          { service: 'ec2', operation: 'DescribeVpcs', mutating: false, status: 200 },
        ]);
        expect(records).toEqual(practice.requests);
      },
      { log: (record: unknown) => records.push(record) },
    );
  });

  it('adds latency when told to', async () => {
    await withCloud(
      async ({ ec2 }) => {
        const start = performance.now();
        await ec2.send(new DescribeVpcsCommand({}));
        expect(performance.now() - start).toBeGreaterThanOrEqual(100);
      },
      { latency: 100 },
    );
  });

  it('says what is wrong with a speed, a port and a damaged world', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'practice-'));
    await expect(startPractice({ dir, speed: 0 })).rejects.toThrow('speed 0 is not above zero');
    const first = await startPractice({ dir });
    await expect(startPractice({ dir, port: Number(new URL(first.endpoint).port) })).rejects.toThrow('is taken');
    await first.close();
    writeFileSync(join(dir, 'world.json'), '{"version":1');
    await expect(startPractice({ dir })).rejects.toThrow(/world\.json is damaged/);
    writeFileSync(join(dir, 'world.json'), '{"version":99}');
    await expect(startPractice({ dir })).rejects.toThrow(/has version 99/);
    rmSync(dir, { recursive: true });
  });
});

describe('the world', () => {
  it('is on disk before the answer, private, and there again after a restart', async () => {
    await withCloud(async ({ ec2, dir }) => {
      const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }));
      const file = join(dir, 'world.json');
      expect(readFileSync(file, 'utf8')).toContain(Vpc?.VpcId);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(statSync(dir).mode & 0o777).toBe(0o700);
      const before = readFileSync(file, 'utf8');
      await codeOf(
        ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16', TagSpecifications: [{ ResourceType: 'image' }] })),
      );
      expect(readFileSync(file, 'utf8')).toBe(before);
      const again = await startPractice({ dir });
      const client = new EC2Client({
        endpoint: again.endpoint,
        region: 'eu-central-1',
        credentials: again.credentials,
      });
      expect((await client.send(new DescribeVpcsCommand({}))).Vpcs).toMatchObject([{ VpcId: Vpc?.VpcId }]);
      client.destroy();
      await again.close();
    });
  });

  it('stays as it was when it cannot be saved', async () => {
    await withCloud(async ({ ec2, dir }) => {
      // A folder in the way of the temporary file stops every write, also root's.
      mkdirSync(join(dir, 'world.json.tmp'));
      expect(await codeOf(ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' })))).toBe('InternalError');
      expect((await ec2.send(new DescribeVpcsCommand({}))).Vpcs).toEqual([]);
    });
  });
});

describe('accounts', () => {
  it('are entered by assuming the role, as the guide does, and keep their resources apart', async () => {
    await withCloud(async ({ sts, ec2, practice }) => {
      expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({ Account: '100000000000' });
      const RoleArn = 'arn:aws:iam::100000000107:role/OrganizationAccountAccessRole';
      const { Credentials, AssumedRoleUser } = await sts.send(
        new AssumeRoleCommand({ RoleArn, RoleSessionName: 'me' }),
      );
      expect(AssumedRoleUser?.Arn).toBe('arn:aws:sts::100000000107:assumed-role/OrganizationAccountAccessRole/me');
      const credentials = {
        accessKeyId: Credentials?.AccessKeyId ?? '',
        secretAccessKey: Credentials?.SecretAccessKey ?? '',
        sessionToken: Credentials?.SessionToken ?? '',
      };
      const settings = { endpoint: practice.endpoint, region: 'eu-central-1', maxAttempts: 1 };
      const inside = new STSClient({ ...settings, credentials });
      expect((await inside.send(new GetCallerIdentityCommand({}))).Account).toBe('100000000107');
      const theirs = new EC2Client({ ...settings, credentials });
      await theirs.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }));
      expect((await theirs.send(new DescribeVpcsCommand({}))).Vpcs?.[0]?.OwnerId).toBe('100000000107');
      expect((await ec2.send(new DescribeVpcsCommand({}))).Vpcs).toEqual([]);

      const { sessionToken: _, ...withoutToken } = credentials;
      expect(
        await codeOf(new EC2Client({ ...settings, credentials: withoutToken }).send(new DescribeVpcsCommand({}))),
      ).toBe('AuthFailure');
      const wrong = { accessKeyId: 'AKIAWRONG00000000000', secretAccessKey: 'x' };
      expect(
        await codeOf(new STSClient({ ...settings, credentials: wrong }).send(new GetCallerIdentityCommand({}))),
      ).toBe('InvalidClientTokenId');
      const roles = [
        'arn:aws:iam::999999999999:role/OrganizationAccountAccessRole',
        RoleArn.replace(/role.*/, 'role/x'),
      ];
      for (const one of roles) {
        expect(await codeOf(sts.send(new AssumeRoleCommand({ RoleArn: one, RoleSessionName: 'me' })))).toBe(
          'AccessDenied',
        );
      }
      expect(practice.requests.filter((one) => one.operation === 'AssumeRole').every((one) => !one.mutating)).toBe(
        true,
      );
    });
  });

  it('have sessions that expire', async () => {
    await withCloud(async ({ sts, practice, dir }) => {
      const { Credentials } = await sts.send(new GetSessionTokenCommand({ DurationSeconds: 900 }));
      const hidden = [Credentials?.SecretAccessKey ?? '?', Credentials?.SessionToken ?? '?'];
      const file = join(dir, 'world.json');
      const text = readFileSync(file, 'utf8');
      for (const secret of hidden) expect(text).not.toContain(secret);
      await practice.close();
      writeFileSync(file, text.replace(/"expiresAt":\d+/, `"expiresAt":${Date.now() - 1000}`));
      const again = await startPractice({ dir });
      const settings = {
        endpoint: again.endpoint,
        region: 'eu-central-1',
        maxAttempts: 1,
        credentials: {
          accessKeyId: Credentials?.AccessKeyId ?? '',
          secretAccessKey: Credentials?.SecretAccessKey ?? '',
          sessionToken: Credentials?.SessionToken ?? '',
        },
      };
      expect(await codeOf(new STSClient(settings).send(new GetCallerIdentityCommand({})))).toMatch(/^ExpiredToken/);
      expect(await codeOf(new EC2Client(settings).send(new DescribeVpcsCommand({})))).toBe('RequestExpired');
      await again.close();
    });
  });
});
