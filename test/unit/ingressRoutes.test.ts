import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';

// The pure part of the ingress is Lua; its tests are too (ingressRoutes.lua). nginx runs it with LuaJIT; plain Lua 5.1 is the same language.

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

async function interpreter(): Promise<string | undefined> {
  for (const name of ['luajit', 'lua5.1']) {
    const { failed } = await execa(name, ['-v'], { reject: false, stdin: 'ignore' });
    if (!failed) return name;
  }
  return undefined;
}

const lua = await interpreter();

test.skipIf(lua === undefined)('routes are read and backends chosen (needs luajit or lua5.1)', async () => {
  const { stdout } = await execa(lua ?? '', [
    here('./ingressRoutes.lua'),
    here('../../deployment/roles/ingress/files/lua'),
  ]);
  const lines = stdout.split('\n');
  expect(lines.filter((line) => !line.startsWith('ok '))).toEqual([]);
  expect(lines.length).toBe(12);
});
