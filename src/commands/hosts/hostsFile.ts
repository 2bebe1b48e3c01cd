import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SshOptions } from '../../ansible/sshConfig.ts';
import type { Host } from '../../ansible/types.ts';
import type { State } from '../../engine/journal.ts';
import { usageError } from '../../engine/types.ts';
import { writeAtomically } from '../../system/files.ts';

/**
 * The hosts as the last run knew them, in `<dir>/hosts.json`, so that ssh, ssh-config, inventory and status need no cloud. Addresses and
 * public host keys only.
 */
export async function readHosts(dir: string): Promise<Host[]> {
  try {
    return JSON.parse(await readFile(join(dir, 'hosts.json'), 'utf8')) as Host[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export async function writeHosts(dir: string, hosts: readonly Host[]): Promise<void> {
  await writeAtomically(join(dir, 'hosts.json'), `${JSON.stringify(hosts, null, 1)}\n`);
}

/** The hosts, or a usage error that says what to do when there are none yet. */
export async function needHosts(dir: string, name: string): Promise<Host[]> {
  const hosts = await readHosts(dir);
  if (hosts.length > 0) return hosts;
  throw usageError(
    `"${name}" has no hosts that can be reached yet`,
    'go on with the walkthrough: its second chapter makes the first host',
    'NoHosts',
  );
}

/** How ssh authenticates: with the key that was chosen at login, from its file or from the agent. */
export function sshOptions(name: string, state: Pick<State, 'answers'>): SshOptions {
  const { identityFile } = state.answers;
  return typeof identityFile === 'string' ? { name, useAgent: false, identityFile } : { name, useAgent: true };
}
