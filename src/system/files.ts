import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes a file so that a reader, or a crash at any moment, sees the old content or the new, whole: temporary file, fsync, rename,
 * fsync of the folder. Mode 0600 unless `mode` says another, whatever the umask is; missing folders 0700. With `backup` the content
 * before is kept under that path. A write that fails leaves no temporary file.
 */
export async function writeAtomically(
  path: string,
  content: string,
  { backup, mode = 0o600 }: { readonly backup?: string; readonly mode?: number } = {},
): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.chmod(mode); // the umask may have taken bits away
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    if (backup !== undefined) await keep(path, backup, `${temporary}.bak`);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** A hard link keeps the old content without a moment in which `path` is missing. Nothing there, or no hard links: no backup. */
async function keep(path: string, backup: string, temporary: string): Promise<void> {
  try {
    await link(path, temporary);
  } catch {
    return;
  }
  await rename(temporary, backup);
}

async function syncFolder(folder: string): Promise<void> {
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } catch {
    // Some file systems cannot sync a folder; the rename is atomic all the same.
  } finally {
    await directory.close();
  }
}

/** Makes a folder that only its owner may enter, also when it was there with a wider mode. */
export async function privateFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  return path;
}
