import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { credentials, profiles, resolveEndpoint, resolveRegion, roleArn } from '../../src/aws/credentials.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cloudspace-credentials-'));
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_CONFIG_FILE', join(dir, 'config'));
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(dir, 'credentials'));
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true });
});

const config = (text: string) => writeFile(join(dir, 'config'), text);
const keys = (text: string) => writeFile(join(dir, 'credentials'), text);

describe('the chain', () => {
  it('takes the environment’s keys when no profile is named', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAENV');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    await keys('[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = secret\n');
    expect((await credentials().provider()).accessKeyId).toBe('AKIAENV');
  });

  it('takes the named profile before the environment’s keys', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAENV');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    await keys('[team]\naws_access_key_id = AKIATEAM\naws_secret_access_key = secret\n');
    expect((await credentials({ profile: 'team' }).provider()).accessKeyId).toBe('AKIATEAM');
  });

  it('runs a profile’s credential_process', async () => {
    const process_ = `${process.execPath} -e 'console.log(JSON.stringify({Version:1,AccessKeyId:"AKIAPROC",SecretAccessKey:"s"}))'`;
    await config(`[profile proc]\ncredential_process = ${process_}\n`);
    vi.stubEnv('AWS_PROFILE', 'proc');
    expect((await credentials().provider()).accessKeyId).toBe('AKIAPROC');
  });

  it('says where it looked when there is nothing', async () => {
    await expect(credentials().provider()).rejects.toMatchObject({ code: 'NoCredentials', exitCode: 2 });
    const message = await credentials()
      .provider()
      .catch((error: Error) => error.message);
    for (const place of [
      'AWS_ACCESS_KEY_ID',
      'the profile "default"',
      join(dir, 'config'),
      join(dir, 'credentials'),
      'SSO',
    ]) {
      expect(message).toContain(place);
    }
  });

  it('names the profiles that exist when the given one does not', async () => {
    await config('[profile one]\nregion = eu-west-1\n[sso-session corp]\nsso_region = eu-west-1\n');
    await expect(credentials({ profile: 'nope' }).provider()).rejects.toMatchObject({
      code: 'NoSuchProfile',
      exitCode: 2,
      hint: expect.stringContaining('Profiles there: one.') as string,
    });
    expect((await profiles()).names).toEqual(['one']);
  });

  it('is asked once for all clients, again when told to, and again before the end', async () => {
    let asked = 0;
    let seconds = 3600;
    const given = credentials({
      base: async () => {
        asked++;
        return { accessKeyId: `AKIA${asked}`, secretAccessKey: 's', expiration: new Date(Date.now() + seconds * 1000) };
      },
    });
    await Promise.all([given.provider(), given.provider(), given.provider()]);
    expect(asked).toBe(1);
    await given.renew();
    expect(asked).toBe(2);
    expect(await given.lastFor(1800)).toBe(true);
    expect(asked).toBe(2);
    expect(await given.lastFor(7200)).toBe(false);
    expect(asked).toBe(3);
    seconds = 60;
    await given.renew();
    expect((await given.provider()).accessKeyId).toBe('AKIA4');
    expect(given.expiration()?.getTime()).toBeLessThan(Date.now() + 61_000);
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 31_000);
    expect((await given.provider()).accessKeyId).toBe('AKIA5');
    vi.restoreAllMocks();
  });
});

describe('assuming a role', () => {
  let server: Server;
  let endpointUrl: string;
  const bodies: string[] = [];
  let answer: { status: number; xml: string };
  beforeEach(async () => {
    bodies.length = 0;
    answer = {
      status: 200,
      xml: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${new Date(Date.now() + 3_600_000).toISOString()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
    };
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        bodies.push(body);
        response.writeHead(answer.status, { 'content-type': 'text/xml' }).end(answer.xml);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endpointUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const base = { accessKeyId: 'AKIABASE', secretAccessKey: 's' };

  it('asks for the device’s code and gives the role’s temporary keys', async () => {
    const given = credentials({
      base,
      roleArn: roleArn('123456789012'),
      region: 'eu-central-1',
      endpointUrl,
      sessionName: 'ada lovelace',
      mfaSerial: 'arn:aws:iam::1:mfa/ada',
      mfaCode: async () => '123456',
    });
    const got = await given.provider();
    expect(got).toMatchObject({ accessKeyId: 'ASIAROLE', sessionToken: 't' });
    expect(given.expiration()).toBeInstanceOf(Date);
    const sent = new URLSearchParams(bodies[0]);
    expect(sent.get('RoleArn')).toBe('arn:aws:iam::123456789012:role/OrganizationAccountAccessRole');
    expect(sent.get('RoleSessionName')).toBe('ada-lovelace');
    expect(sent.get('TokenCode')).toBe('123456');
  });

  it('names the role that was refused', async () => {
    answer = {
      status: 403,
      xml: '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>',
    };
    const given = credentials({ base, roleArn: 'arn:aws:iam::1:role/x', region: 'eu-central-1', endpointUrl });
    await expect(given.provider()).rejects.toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining('assume the role arn:aws:iam::1:role/x') as string,
    });
  });

  it('says at once which endpoint does not answer', async () => {
    const given = credentials({
      base,
      roleArn: roleArn('123456789012'),
      region: 'eu-central-1',
      endpointUrl: 'http://127.0.0.1:9',
    });
    await expect(given.provider()).rejects.toMatchObject({
      code: 'Unreachable',
      message: expect.stringContaining('http://127.0.0.1:9') as string,
    });
  });

  it('refuses what is no account id', () => {
    expect(() => roleArn('12345')).toThrow(/"12345" is no AWS account id/);
  });
});

describe('region and endpoint', () => {
  it('prefers the flag, then AWS_REGION, AWS_DEFAULT_REGION, the profile', async () => {
    await config(
      '[default]\nregion = eu-west-3\nendpoint_url = http://localhost:3\n[profile team]\nregion = eu-north-1\n',
    );
    expect(await resolveRegion()).toEqual({ value: 'eu-west-3', from: 'the profile' });
    expect(await resolveRegion({ profile: 'team' })).toMatchObject({ value: 'eu-north-1' });
    vi.stubEnv('AWS_PROFILE', 'team');
    expect(await resolveRegion()).toMatchObject({ value: 'eu-north-1' });
    vi.stubEnv('AWS_DEFAULT_REGION', 'us-east-2');
    expect(await resolveRegion()).toEqual({ value: 'us-east-2', from: 'AWS_DEFAULT_REGION' });
    vi.stubEnv('AWS_REGION', 'us-west-2');
    expect(await resolveRegion()).toEqual({ value: 'us-west-2', from: 'AWS_REGION' });
    expect(await resolveRegion({ region: 'us-gov-west-1' })).toEqual({ value: 'us-gov-west-1', from: '--region' });
    await expect(resolveRegion({ region: 'Frankfurt' })).rejects.toThrow(/"Frankfurt" \(--region\) is no AWS region/);
  });

  it('gives no region where none is set', async () => {
    expect(await resolveRegion()).toBeUndefined();
  });

  it('finds an endpoint in the same way, and refuses what is no URL', async () => {
    await config('[default]\nendpoint_url = http://localhost:3\n');
    expect(await resolveEndpoint()).toEqual({ value: 'http://localhost:3', from: 'the profile' });
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://localhost:2');
    expect(await resolveEndpoint()).toEqual({ value: 'http://localhost:2', from: 'AWS_ENDPOINT_URL' });
    expect(await resolveEndpoint({ endpointUrl: 'https://e:1' })).toEqual({
      value: 'https://e:1',
      from: '--endpoint-url',
    });
    vi.stubEnv('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'true');
    expect(await resolveEndpoint()).toBeUndefined();
    await expect(resolveEndpoint({ endpointUrl: 'localhost:4566' })).rejects.toMatchObject({ exitCode: 2 });
  });
});
