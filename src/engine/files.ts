import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes a file so that a reader, or a crash at any moment, sees the old content or the new, whole: temporary file, fsync, rename,
 * fsync of the folder. Mode 0600, folder 0700. With `backup` the content before is kept under that path.
 */
export async function writeAtomically(path: string, content: string, options: { backup?: string } = {}): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  if (options.backup !== undefined) {
    // A hard link keeps the old content without a moment in which `path` is missing.
    const held = `${temporary}.bak`;
    const linked = await link(path, held).then(
      () => true,
      () => false,
    );
    if (linked) await rename(held, options.backup);
  }
  await rename(temporary, path);
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } catch {
    // Some file systems cannot sync a folder; the rename is atomic all the same.
  } finally {
    await directory.close();
  }
}

/** Removes a file; not there = done. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
}
