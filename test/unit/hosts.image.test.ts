import { execa } from 'execa';
import { expect, test } from 'vitest';
import { sourceUris, usefulSettings } from '../../src/practice/hosts/apt.ts';
import { baseLayer, variantLayer } from '../../src/practice/hosts/recipe.ts';
import { tar } from '../../src/practice/hosts/tar.ts';

test('apt sources in both formats; of the configuration only what downloads need', () => {
  const deb822 =
    'Types: deb\n# http://old/debian\nURIs: http://mirror/debian/\nSuites: bookworm\n\nEnabled: no\nURIs: http://off/debian\n';
  expect(sourceUris(deb822)).toEqual(['http://mirror/debian']);
  expect(sourceUris('# deb http://no/debian x\ndeb [signed-by=/k] https://m/debian bookworm main\n')).toEqual([
    'https://m/debian',
  ]);
  const dump =
    'Acquire::http::Proxy "http://p:3128";\nAcquire::https::Proxy "";\nDir "/";\nAcquire::Check-Date "false";\n';
  expect(usefulSettings(dump)).toEqual(['Acquire::http::Proxy "http://p:3128";', 'Acquire::Check-Date "false";']);
});

test('an image is named by everything that goes into it', () => {
  const apt = { mirror: 'http://m/debian', security: 'http://m/debian-security', conf: '', authorities: [] };
  const base = baseLayer(apt, 'x64');
  expect(baseLayer({ ...apt }, 'x64').hash).toBe(base.hash);
  expect(baseLayer(apt, 'arm64').hash).not.toBe(base.hash);
  expect(baseLayer({ ...apt, conf: 'Acquire::http::Proxy "x";' }, 'x64').hash).not.toBe(base.hash);
  expect(variantLayer('haproxy', base).hash).not.toBe(variantLayer('haproxy', baseLayer(apt, 'arm64')).hash);
});

test('the archive is one that tar reads, with mode and owner', async () => {
  const text = 'ü'.repeat(700);
  const data = tar([
    { path: '/etc/cloudspace/a', text, mode: 0o600 },
    { path: '/b', text: '', mode: 0o755 },
  ]);
  const list = await execa('tar', ['-tvf', '-', '--numeric-owner'], { input: data });
  expect(list.stdout).toMatch(/^-rw------- 0\/0 +1400 .* etc\/cloudspace\/a\n-rwxr-xr-x 0\/0 +0 .* b$/);
  const content = await execa('tar', ['-xOf', '-', 'etc/cloudspace/a'], { input: data });
  expect(content.stdout).toBe(text);
  expect(() => tar([{ path: `/${'x'.repeat(100)}`, text: '' }])).toThrow(/too long/);
});
