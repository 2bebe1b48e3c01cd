import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  appFromFolder,
  checkApp,
  checkDomains,
  versionOf,
  wanted,
} from '../../src/commands/applications/application.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspace-app-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it.each([
  ['/x/hello', 'hello'],
  ['/x/My Shop!', 'my-shop'],
  ['/x/2048-game', 'game'],
  [`/x/${'a'.repeat(40)}`, 'a'.repeat(31)],
  [`/x/${'a'.repeat(30)}-b`, 'a'.repeat(30)],
])('names an application by its folder: %s', (path, name) => {
  expect(appFromFolder(path)).toBe(name);
});

it.each(['/x/2048', '/x/...', '/x/root', '/'])('asks for a name when the folder %s makes none', (path) => {
  expect(() => appFromFolder(path)).toThrow(/makes no name/);
});

it.each(['Hello', '-a', 'a-', '1a', 'a_b', 'a'.repeat(32), '', 'cloudspace', 'root'])(
  'refuses the name "%s"',
  (name) => {
    expect(() => checkApp(name)).toThrow(expect.objectContaining({ exitCode: 2 }));
  },
);

it.each([
  ['hello.localhost', ['hello.localhost']],
  ['Hello.Example.COM.', ['hello.example.com']],
  ['bücher.example', ['xn--bcher-kva.example']],
  ['a.example, b.example,a.example', ['a.example', 'b.example']],
])('takes %s as a browser would ask for it', (text, domains) => {
  expect(checkDomains(text)).toEqual(domains);
});

it.each([
  'localhost',
  'http://a.example',
  'a.example:80',
  'a.example/x',
  '*.example.com',
  '10.0.0.1',
  '[::1]',
  'a..b',
  '-a.example',
  'a_b.example',
  `${'a'.repeat(64)}.example`,
  `${'abcdefgh.'.repeat(32)}example`,
  '',
  ',',
  'a b.example',
  '$(id).example',
])('refuses "%s" as a domain', (text) => {
  expect(() => checkDomains(text)).toThrow(expect.objectContaining({ exitCode: 2 }));
});

it('gives one version to one content, and another to any other', async () => {
  const seen = new Set<string>();
  const note = async () => {
    const version = await versionOf(folder);
    expect(version).toMatch(/^[0-9a-f]{12}$/);
    const fresh = !seen.has(version);
    seen.add(version);
    return fresh;
  };
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\n');
  expect(await note()).toBe(true);
  await mkdir(join(folder, '.git'));
  await writeFile(join(folder, '.git', 'HEAD'), 'x');
  expect(await note()).toBe(false);
  await writeFile(join(folder, 'run'), 'true\n', { mode: 0o644 });
  expect(await note()).toBe(true);
  await chmod(join(folder, 'run'), 0o755);
  expect(await note()).toBe(true);
  await symlink('run', join(folder, 'again'));
  expect(await note()).toBe(true);
  await rm(join(folder, 'again'));
  await rm(join(folder, 'run'));
  expect(await note()).toBe(false);
  // The bytes of both files together are the same in both.
  await writeFile(join(folder, 'a'), 'bc');
  await writeFile(join(folder, 'd'), '');
  expect(await note()).toBe(true);
  await writeFile(join(folder, 'a'), 'b');
  await writeFile(join(folder, 'd'), 'c');
  expect(await note()).toBe(true);
});

it('checks everything before a host is asked', async () => {
  const of = (options: Parameters<typeof wanted>[1]) =>
    wanted(folder, { app: 'shop', domain: 'a.example', ...options }, async () => 'apps.example');
  await expect(wanted(join(folder, 'none'), { domain: 'a.example' }, async () => 'apps.example')).rejects.toThrow(
    /there is no folder/,
  );
  await expect(of({})).rejects.toThrow(/has no Dockerfile/);
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\n');
  expect(await of({})).toMatchObject({ folder, app: 'shop', domains: ['a.example'], replicas: undefined });
  expect(await of({ replicas: '3', service: 'postgres', http: 'redirect', port: '80' })).toMatchObject({
    replicas: 3,
    service: 'postgres',
    http: 'redirect',
    port: 80,
  });
  expect((await wanted(folder, { app: 'shop' }, async () => 'apps.example')).domains).toEqual(['shop.apps.example']);
  for (const replicas of ['0', '-1', '1.5', 'two', '', '101'])
    await expect(of({ replicas }), replicas).rejects.toThrow(expect.objectContaining({ exitCode: 2 }));
  await expect(of({ service: 'mysql' })).rejects.toThrow(/no service "mysql"/);
  await expect(of({ http: 'off' })).rejects.toThrow(/no way to treat port 80/);
  await expect(of({ port: '65536' })).rejects.toThrow(/is not a port/);
});
