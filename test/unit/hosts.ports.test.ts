import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPorts } from '../../src/practice/hosts/ports.ts';

test('loopback ports stay the same, are never given twice, and a damaged book is no obstacle', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cloudspace-ports-'));
  try {
    const ports = await openPorts(dir);
    const given = await Promise.all(['a', 'b', 'c', 'd'].map((id) => ports.allocate(id, [22, 80])));
    const all = given.flatMap((one) => Object.values(one));
    expect(new Set(all).size).toBe(8);
    const server = createServer().listen(given[0]?.[22], '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const again = await openPorts(dir);
    expect(await again.allocate('a', [22])).toEqual({ 22: given[0]?.[22] });
    server.close();
    await again.forget(['a']);
    await again.adopt('b', { 22: 12345 });
    expect((await openPorts(dir)).of('a')).toEqual({});
    expect((await openPorts(dir)).of('b')).toEqual({ ...given[1], 22: 12345 });
    expect((await stat(join(dir, 'ports.json'))).mode & 0o777).toBe(0o600);
    await writeFile(join(dir, 'ports.json'), '{');
    const anew = await openPorts(dir);
    expect(anew.ids).toEqual([]);
    await anew.allocate('e', [22]);
    expect(JSON.parse(await readFile(join(dir, 'ports.json'), 'utf8'))).toHaveProperty('e');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
