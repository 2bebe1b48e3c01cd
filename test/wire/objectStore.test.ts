import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { objectStore } from '../../src/services-api/drivers/objectStore.ts';
import type { Instance } from '../../src/services-api/store.ts';

// The object store's driver with the real SDK, against a stand-in for S3 and IAM that answers as their API references say. No test of AWS itself.

const INSTANCE = {
  id: 'files',
  service: 's3',
  plan: 's3-bucket',
  parameters: {},
  name: 's_files_0123456789',
} as unknown as Instance;
const BUCKET = 'practice-99-s-files-0123456789';
const log: string[] = [];
const buckets = new Map<string, Set<string>>();
const users = new Map<string, Set<string>>();
let denied = false;
let keys = 0;

const server = createServer((request, response) => void answer(request, response));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  let body = '';
  for await (const chunk of request) body += chunk;
  const url = new URL(request.url ?? '/', 'http://x');
  const send = (status: number, xml = ''): unknown =>
    response.writeHead(status, { 'content-type': 'application/xml' }).end(xml);
  if (denied) return send(403, '<Error><Code>AccessDenied</Code><Message>not you</Message></Error>');
  const form = new URLSearchParams(body);
  const action = form.get('Action');
  if (action === null) return s3(request.method ?? '', url, body, send);
  log.push(`IAM ${action}`);
  const name = form.get('UserName') ?? '';
  const result = (inner = ''): unknown =>
    send(200, `<${action}Response><${action}Result>${inner}</${action}Result></${action}Response>`);
  const known = users.get(name);
  const failure = (code: string): unknown =>
    send(
      409,
      `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${code}</Message></Error></ErrorResponse>`,
    );
  if (action === 'CreateUser') {
    if (known) return failure('EntityAlreadyExists');
    users.set(name, new Set());
    return result();
  }
  if (!known) return failure('NoSuchEntity');
  if (action === 'CreateAccessKey') {
    const id = `AKIA${++keys}`;
    known.add(id);
    return result(
      `<AccessKey><UserName>${name}</UserName><AccessKeyId>${id}</AccessKeyId><Status>Active</Status><SecretAccessKey>secret-${id}</SecretAccessKey></AccessKey>`,
    );
  }
  if (action === 'ListAccessKeys')
    return result(
      `<AccessKeyMetadata>${[...known].map((id) => `<member><AccessKeyId>${id}</AccessKeyId></member>`).join('')}</AccessKeyMetadata>`,
    );
  if (action === 'DeleteAccessKey') known.delete(form.get('AccessKeyId') ?? '');
  if (action === 'DeleteUser') {
    if (known.size > 0) return failure('DeleteConflict');
    users.delete(name);
  }
  if (action === 'PutUserPolicy') expect(form.get('PolicyDocument')).toContain(`arn:aws:s3:::${BUCKET}/*`);
  return result();
}

function s3(method: string, url: URL, body: string, send: (status: number, xml?: string) => unknown): unknown {
  const bucket = url.pathname.split('/')[1] ?? '';
  const sub = ['publicAccessBlock', 'versioning', 'versions', 'delete'].find((key) => url.searchParams.has(key)) ?? '';
  log.push(`S3 ${method} ${bucket}${sub === '' ? '' : `?${sub}`}`);
  const found = buckets.get(bucket);
  if (method === 'PUT' && sub === '') {
    if (found) return send(409, '<Error><Code>BucketAlreadyOwnedByYou</Code><Message>yours</Message></Error>');
    expect(body).toContain('<LocationConstraint>eu-central-1</LocationConstraint>');
    buckets.set(bucket, new Set(['a', 'b']));
    return send(200);
  }
  if (!found)
    return send(404, method === 'HEAD' ? '' : '<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>');
  if (sub === 'versions')
    return send(
      200,
      `<ListVersionsResult>${[...found].map((key) => `<Version><Key>${key}</Key><VersionId>1</VersionId></Version>`).join('')}</ListVersionsResult>`,
    );
  if (sub === 'delete') {
    for (const [, key = ''] of body.matchAll(/<Key>(\w+)<\/Key>/g)) found.delete(key);
    return send(200, '<DeleteResult></DeleteResult>');
  }
  if (method === 'DELETE') {
    if (found.size > 0) return send(409, '<Error><Code>BucketNotEmpty</Code><Message>full</Message></Error>');
    buckets.delete(bucket);
    return send(204);
  }
  return send(200);
}

let driver: ReturnType<typeof objectStore>;
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => server.close());
beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  driver = objectStore(
    { region: 'eu-central-1', prefix: 'practice-99' },
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  );
});
afterEach(() => {
  vi.unstubAllEnvs();
  denied = false;
});

it('makes a private, versioned bucket, once', async () => {
  await driver.create(INSTANCE);
  await driver.create(INSTANCE);
  expect([...buckets.keys()]).toEqual([BUCKET]);
  expect(log).toContain(`S3 PUT ${BUCKET}?publicAccessBlock`);
  expect(log).toContain(`S3 PUT ${BUCKET}?versioning`);
});

it('gives each binding a user with one key; asked again, a new one', async () => {
  const first = await driver.bind(INSTANCE, 's_files_web');
  expect(first).toMatchObject({ uri: `s3://${BUCKET}`, access_key_id: 'AKIA1', secret_access_key: 'secret-AKIA1' });
  expect((await driver.bind(INSTANCE, 's_files_web')).access_key_id).toBe('AKIA2');
  expect(users.get('s_files_web')).toEqual(new Set(['AKIA2']));
  await driver.unbind(INSTANCE, 's_files_web');
  await driver.unbind(INSTANCE, 's_files_web');
  expect(users.size).toBe(0);
});

it('empties a bucket with all its versions before it deletes it', async () => {
  await driver.delete(INSTANCE);
  await driver.delete(INSTANCE);
  expect(buckets.size).toBe(0);
});

it('says what AWS said, and what to do without credentials', async () => {
  denied = true;
  await expect(driver.create(INSTANCE)).rejects.toMatchObject({
    status: 502,
    message: 'AWS refused: AccessDenied: not you',
  });
  for (const name of [
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_PROFILE',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  ])
    vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  const without = objectStore({ region: 'eu-central-1', prefix: 'x' });
  await expect(without.create(INSTANCE)).rejects.toMatchObject({ status: 501, code: 'NoObjectStore' });
});
