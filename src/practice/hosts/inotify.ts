import { readdir, readFile, readlink, stat } from 'node:fs/promises';

/**
 * The kernel's inotify instances of root: how many there may be, and how many there are (inotify(7)). All hosts in containers share them: systemd
 * and the services of one host take about six, and the usual limit is 128.
 */
export interface Inotify {
  readonly limit: number;
  /** as far as this user may see: who is not root sees none of root's */
  readonly used: number;
}

const LIMIT = '/proc/sys/fs/inotify/max_user_instances';

/** Undefined where there is no such limit: on macOS, or without /proc. */
export async function inotifyInstances(): Promise<Inotify | undefined> {
  const limit = Number(await readFile(LIMIT, 'utf8').catch(() => ''));
  if (!(limit > 0)) return undefined;
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const counts = await Promise.all(processes.map((id) => ofProcess(`/proc/${id}`)));
  return { limit, used: counts.reduce((sum, count) => sum + count, 0) };
}

/** 0 for a process that is not root's, has ended, or may not be looked at. */
async function ofProcess(path: string): Promise<number> {
  try {
    if ((await stat(path)).uid !== 0) return 0;
    const descriptors = await readdir(`${path}/fd`);
    const links = await Promise.all(descriptors.map((name) => readlink(`${path}/fd/${name}`).catch(() => '')));
    return links.filter((link) => link === 'anon_inode:inotify').length;
  } catch {
    return 0;
  }
}

/** Fewer than a host needs to boot. */
const TOO_FEW = 6;

/** What to add to the error of a host that did not come up: nothing, unless this limit is the likely cause. */
export async function inotifyHint(look: () => Promise<Inotify | undefined> = inotifyInstances): Promise<string> {
  const found = await look();
  if (!found || found.limit - found.used >= TOO_FEW) return '';
  return `; this machine's inotify instances are used up (${found.used} of ${found.limit}), and no further host can boot: cloudspace doctor --fix raises the limit`;
}
