import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { privateFolder, writeAtomically } from '../../src/system/files.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'cs-system-'));
const mode = (path: string): number => statSync(path).mode & 0o777;

describe('writeAtomically', () => {
  it.each([0o000, 0o022, 0o277])('is private under umask %o, and so are the folders it makes', async (umask) => {
    const dir = folder();
    const before = process.umask(umask);
    try {
      if (umask === 0o277) mkdirSync(join(dir, 'a'), { mode: 0o700 });
      if (umask === 0o277) chmodSync(join(dir, 'a'), 0o700);
      await writeAtomically(join(dir, 'a/file'), 'x');
    } finally {
      process.umask(before);
    }
    expect(mode(join(dir, 'a/file'))).toBe(0o600);
    expect(mode(join(dir, 'a'))).toBe(0o700);
  });

  it('takes another mode, which the umask does not change', async () => {
    const file = join(folder(), 'config');
    await writeAtomically(file, 'x', { mode: 0o644 });
    expect(mode(file)).toBe(0o644);
  });

  it('keeps what was there as the backup, and nothing when nothing was', async () => {
    const dir = folder();
    const file = join(dir, 'state');
    const backup = join(dir, 'state.bak');
    await writeAtomically(file, 'one', { backup });
    expect(readdirSync(dir)).toEqual(['state']);
    await writeAtomically(file, 'two', { backup });
    await writeAtomically(file, 'three', { backup });
    expect([readFileSync(file, 'utf8'), readFileSync(backup, 'utf8')]).toEqual(['three', 'two']);
    expect(readdirSync(dir).sort()).toEqual(['state', 'state.bak']);
  });

  it('leaves no temporary file when it fails, and does not write through a symbolic link', async () => {
    const dir = folder();
    mkdirSync(join(dir, 'folder/inside'), { recursive: true });
    await expect(writeAtomically(join(dir, 'folder'), 'x')).rejects.toThrow();
    expect(readdirSync(dir)).toEqual(['folder']);
    writeFileSync(join(dir, 'precious'), 'precious');
    symlinkSync(join(dir, 'precious'), join(dir, 'link'));
    await writeAtomically(join(dir, 'link'), 'x');
    expect(readFileSync(join(dir, 'precious'), 'utf8')).toBe('precious');
  });
});

it('privateFolder closes a folder that was open', async () => {
  const dir = folder();
  mkdirSync(join(dir, 'open'));
  chmodSync(join(dir, 'open'), 0o777);
  await privateFolder(join(dir, 'open'));
  expect(mode(join(dir, 'open'))).toBe(0o700);
});
