import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fernetKey } from '../../src/ansible/vault.ts';
import { curlConfig } from '../../src/commands/applications/servicesApi.ts';
import { catalogDocument, checkParameters, findPlan, SERVICES } from '../../src/services-api/catalog.ts';
import { randomPassword, scramVerifier } from '../../src/services-api/drivers/scram.ts';
import { fernet } from '../../src/services-api/fernet.ts';
import { locks } from '../../src/services-api/locks.ts';
import { backingName, checkId } from '../../src/services-api/names.ts';
import { openApiDocument } from '../../src/services-api/openapi.ts';
import { routes } from '../../src/services-api/routes.ts';

describe('Fernet', () => {
  // The specification's own example (github.com/fernet/spec, verify.json).
  const key = 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=';
  const token = 'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==';

  it("reads the specification's example", () => expect(fernet([key]).decrypt(token)).toBe('hello'));

  it('reads what it wrote, with any of its keys, and writes with the first', () => {
    const [old, young] = [fernetKey(), fernetKey()];
    const text = 'Käse "and" 🧀\n'.repeat(20);
    const written = fernet([old]).encrypt(text);
    expect(fernet([young, old]).decrypt(written)).toBe(text);
    expect(() => fernet([young]).decrypt(written)).toThrow(/another key/);
    expect(fernet([young]).decrypt(fernet([young, old]).encrypt(text))).toBe(text);
  });

  it('refuses what was changed, cut off or is none, and keys that are none', () => {
    const own = fernet([key]);
    const bytes = Buffer.from(token, 'base64url');
    for (const at of [1, 10, 30, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const padded = changed.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
      expect(() => own.decrypt(padded)).toThrow(RangeError);
    }
    for (const text of ['', 'gAAAA', token.slice(0, 60), `${token}AAAA`, 'not a token!'])
      expect(() => own.decrypt(text)).toThrow(RangeError);
    for (const bad of ['', 'short', `${key}AAAA`, key.replace('=', '')])
      expect(() => fernet([bad])).toThrow(RangeError);
    expect(() => fernet([])).toThrow(RangeError);
  });

  const python = spawnSync('python3', ['-c', 'import cryptography']).status === 0;
  it.skipIf(!python)("agrees with Python's cryptography, both ways (skipped where it is not installed)", () => {
    const program = `
import sys
from cryptography.fernet import Fernet
key, token = sys.stdin.read().split()
print(Fernet(key).decrypt(token.encode()).decode())
print(Fernet(key).encrypt('from Python'.encode()).decode())`;
    const input = `${key} ${fernet([key]).encrypt('from Node')}`;
    const { stdout, stderr } = spawnSync('python3', ['-c', program], { input, encoding: 'utf8' });
    expect(stderr).toBe('');
    const [text, theirs = ''] = stdout.trim().split('\n');
    expect(text).toBe('from Node');
    expect(fernet([key]).decrypt(theirs)).toBe('from Python');
  });
});

describe('names', () => {
  it('are readable, differ, and fit PostgreSQL', () => {
    expect(backingName('shop-db')).toMatch(/^s_shop_db_[0-9a-f]{10}$/);
    expect(backingName('Shop.DB')).not.toBe(backingName('shop-db'));
    expect(backingName('a', 'b-c')).not.toBe(backingName('a-b', 'c'));
    expect(backingName('x'.repeat(100)).length).toBeLessThanOrEqual(62);
    expect(backingName('x'.repeat(100), 'y'.repeat(100)).length).toBeLessThanOrEqual(62);
    expect(backingName('...')).toMatch(/^s_[0-9a-f]{10}$/);
  });

  it.each(['', '-a', '.', 'a b', 'a/b', 'a\n', 'ä', 'x'.repeat(101), '"; DROP'])('%j is no id', (id) => {
    expect(() => checkId('the id', id)).toThrow(/does not fit/);
  });
});

describe('the catalog', () => {
  it('has plans with unique ids, found by id or by name', () => {
    const ids = SERVICES.flatMap(({ plans }) => plans.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    expect(findPlan('rabbitmq', 'small').plan.id).toBe('rabbitmq-small');
    expect(findPlan('rabbitmq', 'rabbitmq-small').plan.name).toBe('small');
    expect(() => findPlan('rabbitmq', 'postgresql-small')).toThrow(/its plans are small/);
    expect(() => findPlan('constructor', 'small')).toThrow(/postgresql, rabbitmq, s3/);
    expect(catalogDocument()).toMatchObject({ services: [{ bindable: true }, {}, {}] });
  });

  it('fills in defaults and refuses what does not fit', () => {
    const { plan } = findPlan('rabbitmq', 'small');
    expect(checkParameters(plan, undefined)).toEqual({ max_connections: 50, max_queues: 100 });
    expect(checkParameters(plan, { max_queues: 3 })).toEqual({ max_connections: 50, max_queues: 3 });
    for (const bad of [
      [],
      'x',
      { max_queues: 0 },
      { max_queues: 1.5 },
      { max_queues: '3' },
      { toString: 1 },
      JSON.parse('{"__proto__": 1}'),
    ])
      expect(() => checkParameters(plan, bad)).toThrow(/parameter/);
  });
});

it('the OpenAPI document describes the routes that there are, and no others', () => {
  const document = openApiDocument();
  const described = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((key) => key !== 'parameters')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  const none = {} as never;
  const served = routes({ broker: none, backups: none, trouble: none }).map(
    ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
  );
  expect(described.sort()).toEqual(served.sort());
  const text = JSON.stringify(document);
  for (const [, name = ''] of text.matchAll(/#\/components\/schemas\/(\w+)/g))
    expect(document.components.schemas).toHaveProperty(name);
});

it('makes the verifier that PostgreSQL stores', () => {
  // The salt and password of RFC 7677's example.
  const made = scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'));
  expect(made).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
  expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
  expect(randomPassword()).toMatch(/^[A-Za-z0-9]{40}$/);
});

it('works one after the other on one instance, side by side on two', async () => {
  const lock = locks();
  const seen: string[] = [];
  const work = (key: string, name: string, ms: number) =>
    lock(key, async () => {
      seen.push(`+${name}`);
      await sleep(ms);
      seen.push(`-${name}`);
    });
  const failing = lock('a', () => Promise.reject(new Error('no')));
  await Promise.all([
    work('a', 'a1', 30),
    work('a', 'a2', 1),
    work('b', 'b', 60),
    expect(failing).rejects.toThrow('no'),
  ]);
  expect(seen.filter((entry) => entry.includes('a'))).toEqual(['+a1', '-a1', '+a2', '-a2']);
  expect(seen.indexOf('+b')).toBeLessThan(seen.indexOf('-a1'));
});

it('gives curl its settings with nothing that could end a line or a string', () => {
  const config = curlConfig('t', 'PUT', '/v2/x', { a: 'quote " backslash \\ end\n' });
  const lines = config.trim().split('\n');
  expect(lines).toContain('header = "Authorization: Bearer t"');
  expect(lines).toContain('data-raw = "{\\"a\\":\\"quote \\\\\\" backslash \\\\\\\\ end\\\\n\\"}"');
  expect(lines.every((line) => /^[a-z-]+( = ".*")?$/.test(line))).toBe(true);
});
