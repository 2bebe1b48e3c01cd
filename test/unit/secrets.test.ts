import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Question, usageError } from '../../src/engine/types.ts';
import { servePassword, writePasswordClient } from '../../src/secrets/passwordClient.ts';
import { hide, redact, redactDeep } from '../../src/secrets/redact.ts';
import { parseName, parseReference, referenceText } from '../../src/secrets/reference.ts';
import { secretSource } from '../../src/secrets/source.ts';
import { type StandInOp, standInOp } from '../support/standInOp.ts';

let dir: string;
let op: StandInOp;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cloudspace-secrets-'));
  op = standInOp({ 'op://team/dns/token': 'the-dns-token', 'op://team/aws/key/secret': 'a/section' });
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
  op.remove();
});

const nobody = async (): Promise<never> => {
  throw usageError('there is no terminal', undefined, 'NoTerminal');
};
const source = (env: NodeJS.ProcessEnv = {}, ask: Parameters<typeof secretSource>[0]['ask'] = nobody) =>
  secretSource({ ask, env: { PATH: `${op.bin}:${process.env.PATH}`, ...env } });
const failure = (reading: Promise<string>) =>
  reading.then(
    () => expect.unreachable('it was read'),
    (error: unknown) => error,
  );

describe('references', () => {
  it.each([
    ['op://vault/item/field', { kind: 'op', uri: 'op://vault/item/field' }],
    ['op://my vault/item/section/field', { kind: 'op', uri: 'op://my vault/item/section/field' }],
    ['env:TOKEN', { kind: 'env', name: 'TOKEN' }],
    ['file:token', { kind: 'file', path: '/base/token' }],
    ['file:/run/token', { kind: 'file', path: '/run/token' }],
    ['prompt', { kind: 'prompt' }],
    ['command: pass show "my item"', { kind: 'command', words: ['pass', 'show', 'my item'] }],
    [{ command: ['pass', 'show', 'it'] }, { kind: 'command', words: ['pass', 'show', 'it'] }],
    [{ command: "vault 'kv get' x" }, { kind: 'command', words: ['vault', 'kv get', 'x'] }],
  ])('%j', (text, expected) => {
    const ref = parseReference(text, '/base');
    expect(ref).toEqual(expected);
    expect(parseReference(referenceText(ref), '/base')).toEqual(ref);
  });

  it.each([
    'op://vault/item',
    'op://vault//field',
    'op://a/b/c/d/e',
    'env:1A',
    'env:',
    'file:',
    'command:',
    7,
    null,
    [],
  ])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ exitCode: 2, code: 'BadReference' }));
  });

  it.each(['hunter2hunter2', 'AKIAEXAMPLE', '', 'https://user:pass@host'])('takes no secret in clear: %j', (text) => {
    const error = (() => {
      try {
        return parseReference(text);
      } catch (caught) {
        return caught as Error & { hint: string };
      }
    })();
    expect(error).toMatchObject({ code: 'SecretInClear' });
    if (text !== '') expect(`${(error as Error).message}${(error as { hint: string }).hint}`).not.toContain(text);
  });

  it('lets a name be a name', () => {
    expect(parseName('admin')).toEqual({ kind: 'plain', text: 'admin' });
    expect(parseName('op://a/b/c')).toEqual({ kind: 'op', uri: 'op://a/b/c' });
  });
});

describe('reading', () => {
  it('1Password: once, the reference as the only argument, no newline', async () => {
    const secrets = source();
    const ref = parseReference('op://team/dns/token');
    expect(await Promise.all([secrets.read(ref, 'a'), secrets.read(ref, 'b')])).toEqual([
      'the-dns-token',
      'the-dns-token',
    ]);
    expect(await secrets.read(parseReference('op://team/aws/key/secret'), 'c')).toBe('a/section');
    expect(op.calls()).toEqual(['read --no-newline op://team/dns/token', 'read --no-newline op://team/aws/key/secret']);
  });

  it.each([
    [
      'op://team/dns/tokne',
      'SecretNotFound',
      /item "dns" of 1Password has no field "tokne"/,
      /op item get "dns" --vault "team"/,
    ],
    ['op://team/dnss/token', 'SecretNotFound', /no item "dnss" in the vault "team"/, /op item list --vault "team"/],
    ['op://teem/dns/token', 'SecretNotFound', /no vault "teem"/, /op vault list/],
  ])('1Password: %s names nothing', async (uri, code, message, hint) => {
    expect(await failure(source().read(parseReference(uri), 'dns.token'))).toMatchObject({
      code,
      exitCode: 2,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
    expect(await failure(source().read(parseReference(uri), 'dns.token'))).toMatchObject({
      message: expect.stringMatching(/^dns\.token: /),
    });
  });

  it('1Password: not signed in, then signed in: the same source goes on', async () => {
    op.signOut();
    const secrets = source();
    const ref = parseReference('op://team/dns/token');
    expect(await failure(secrets.read(ref, 'dns.token'))).toMatchObject({
      code: 'OpNotSignedIn',
      exitCode: 2,
      message: expect.stringMatching(/^dns\.token: 1Password is not signed in/),
      hint: expect.stringMatching(/op signin/),
    });
    op.signIn();
    expect(await secrets.read(ref, 'dns.token')).toBe('the-dns-token');
  });

  it('1Password: not installed', async () => {
    const secrets = secretSource({ ask: nobody, env: { PATH: dir } });
    expect(await failure(secrets.read(parseReference('op://team/dns/token'), 'dns.token'))).toMatchObject({
      code: 'OpMissing',
      hint: expect.stringMatching(/install it: https/),
    });
  });

  it('a variable: taken out of the environment, so that no child has it', async () => {
    const env = { MY_TOKEN: 'from-env' };
    const secrets = secretSource({ ask: nobody, env });
    expect(await secrets.read(parseReference('env:MY_TOKEN'), 'dns.token')).toBe('from-env');
    expect(env).toEqual({});
    expect(await secrets.read(parseReference('env:MY_TOKEN'), 'dns.token')).toBe('from-env');
    expect(await failure(secrets.read(parseReference('env:OTHER'), 'dns.token'))).toMatchObject({
      code: 'SecretNotFound',
      message: 'dns.token: the environment variable OTHER is not set',
    });
  });

  it('a file that only its owner may read', async () => {
    const path = join(dir, 'token');
    writeFileSync(path, 'in a file\n', { mode: 0o600 });
    const ref = parseReference(`file:${path}`);
    expect(await source().read(ref, 't')).toBe('in a file');
    chmodSync(path, 0o644);
    expect(await failure(source().read(ref, 't'))).toMatchObject({ code: 'SecretFileMode', hint: `chmod 600 ${path}` });
    writeFileSync(path, '\n');
    chmodSync(path, 0o600);
    expect(await failure(source().read(ref, 't'))).toMatchObject({ code: 'SecretEmpty' });
    rmSync(path);
    expect(await failure(source().read(ref, 't'))).toMatchObject({ code: 'SecretNotFound' });
  });

  it('a command: its output, without a shell; failures without its output', async () => {
    expect(await source().read(parseReference({ command: ['printf', '%s\n', '$HOME `x`'] }), 't')).toBe('$HOME `x`');
    const leaky = { command: [join(dir, 'leaky')] };
    writeFileSync(join(dir, 'leaky'), '#!/bin/sh\necho half-a-secret; echo locked >&2; exit 3\n', { mode: 0o700 });
    const error = await failure(source().read(parseReference(leaky), 'dns.token'));
    expect(error).toMatchObject({
      code: 'SecretUnavailable',
      message: expect.stringMatching(/^dns\.token: ".*leaky" ended with exit code 3: locked$/),
    });
    expect(JSON.stringify(error)).not.toContain('half-a-secret');
    expect(await failure(source().read(parseReference('command: no-such-command-here'), 't'))).toMatchObject({
      message: expect.stringMatching(/there is no command "no-such-command-here"/),
    });
  });

  it('a question: without echo, once; unattended it is refused with what to set', async () => {
    const asked: Question[] = [];
    const ask = (async (question: Question) => {
      asked.push(question);
      return 'typed';
    }) as Parameters<typeof secretSource>[0]['ask'];
    const secrets = source({}, ask);
    expect(await secrets.read({ kind: 'prompt' }, 'dns.token')).toBe('typed');
    expect(await secrets.read({ kind: 'prompt' }, 'dns.token')).toBe('typed');
    expect(await secrets.read({ kind: 'prompt' }, 'rabbitmq.password')).toBe('typed');
    expect(asked.map(({ kind, message }) => [kind, message])).toEqual([
      ['secret', 'dns.token:'],
      ['secret', 'rabbitmq.password:'],
    ]);
    expect(await failure(source().read({ kind: 'prompt' }, 'dns.token'))).toMatchObject({
      code: 'NoTerminal',
      exitCode: 2,
      message: expect.stringMatching(/^dns\.token would have to be asked/),
      hint: expect.stringMatching(/cloudspace\.yaml.*op:\/\/vault\/item\/field/),
    });
  });
});

describe('the redactor', () => {
  it('hides what was read, in any form, longest first, and leaves short texts alone', async () => {
    await source().read(parseReference('op://team/dns/token'), 't');
    hide('pass"word/1');
    hide('pass"word/1 and more');
    hide('abc');
    expect(redact('x the-dns-token y')).toBe('x [hidden] y');
    expect(redact('pass"word/1 and more')).toBe('[hidden]');
    expect(redact(JSON.stringify({ a: 'pass"word/1' }))).toBe('{"a":"[hidden]"}');
    expect(redact('?p=pass%22word%2F1')).toBe('?p=[hidden]');
    expect(redact('abc')).toBe('abc');
    const event = { type: 'info', text: 'the-dns-token', deep: [{ a: 'the-dns-token!' }], count: 1 };
    expect(redactDeep(event)).toEqual({ type: 'info', text: '[hidden]', deep: [{ a: '[hidden]!' }], count: 1 });
  });
});

describe('the vault password client', () => {
  const run = (file: string, env: NodeJS.ProcessEnv = {}) =>
    execFileSync(file, ['--vault-id', 'development'], {
      encoding: 'utf8',
      env: { PATH: `${op.bin}:${process.env.PATH}`, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  it.each([
    ['op://team/dns/token', 'the-dns-token'],
    ['command: printf %s "it\'s me"', "it's me"],
    ['env:VAULT_PASSWORD', 'in the environment'],
  ])('prints what %s stands for, and holds no secret', async (text, expected) => {
    const file = await writePasswordClient(dir, parseReference(text));
    expect(statSync(file).mode & 0o777).toBe(0o700);
    expect(run(file, { VAULT_PASSWORD: 'in the environment' })).toBe(expected);
    expect(readFileSync(file, 'utf8')).not.toContain('the-dns-token');
  });

  it.each(['prompt', 'env:VAULT_PASSWORD', 'op://team/dns/token'])(
    '%s: takes it from the run that knows it',
    async (text) => {
      const file = await writePasswordClient(dir, parseReference(text));
      const server = await servePassword(async () => 'asked before');
      try {
        // The server is this process: the client may not block it.
        const { execFile } = await import('node:child_process');
        const { promisify } = await import('node:util');
        const { stdout } = await promisify(execFile)(file, [], { env: { PATH: process.env.PATH, ...server.env } });
        expect(stdout).toBe('asked before');
        const [path = ''] = Object.values(server.env);
        expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
      } finally {
        await server.close();
      }
    },
  );
});
