import type { Stats } from 'node:fs';
import { chmod, lstat } from 'node:fs/promises';

/** Why a path is not its owner's alone. `mode` can be mended with chmod; the others are for a person to look at. */
export interface Exposure {
  readonly path: string;
  readonly kind: 'mode' | 'link' | 'owner';
  /** "can be read by others (mode 0644)" */
  readonly text: string;
  /** the mode it should have: 0600, folders 0700 (programs keep their x) */
  readonly wanted: number;
}

/**
 * Looks whether a file or folder belongs to who runs this, is no symbolic link, and can be read and changed by nobody else. undefined when all is well, or
 * nothing is there.
 */
export async function exposure(path: string): Promise<Exposure | undefined> {
  let found: Stats;
  try {
    found = await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const wanted = found.isDirectory() ? 0o700 : found.mode & 0o700;
  const of = (kind: Exposure['kind'], text: string): Exposure => ({ path, kind, text, wanted });
  if (found.isSymbolicLink()) return of('link', 'is a symbolic link');
  const uid = process.getuid?.();
  if (uid !== undefined && found.uid !== uid)
    return of('owner', `belongs to another user (uid ${found.uid}, not ${uid})`);
  const mode = found.mode & 0o777;
  if ((mode & 0o077) === 0) return undefined;
  return of('mode', `is open to others (mode 0${mode.toString(8).padStart(3, '0')})`);
}

/** Takes the rights of others away. False when that did not help: a file system that knows no modes. */
export async function close({ path, wanted }: Exposure): Promise<boolean> {
  await chmod(path, wanted);
  return (await exposure(path)) === undefined;
}
