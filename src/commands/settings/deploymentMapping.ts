import { join } from 'node:path';
import type { Host } from '../../ansible/types.ts';
import type { Play } from '../../engine/types.ts';
import { writeAtomically } from '../../system/files.ts';

/** The roles that a deployment repository is asked for, by the reference playbooks' names. `connect` runs last, on all hosts. */
export const ROLES = ['bastion', 'controller', 'runners', 'services', 'connect'] as const;
/** Inventory groups that the wizard makes, and that a team may call otherwise. */
export const GROUPS = ['bastion', 'controller', 'runners', 'builders', 'services'] as const;

type Role = (typeof ROLES)[number];
type Group = (typeof GROUPS)[number];

/** How a team's own deployment repository is used: what `cloudspace.yaml` says of it, checked. Paths are absolute. */
export interface DeploymentMapping {
  /** role → playbook, from the repository's `playbooks` folder or its root; false: the repository has none, the play is skipped */
  readonly playbooks?: Readonly<Partial<Record<Role, string | false>>>;
  /** our group → the repository's groups that the host is in instead */
  readonly groups?: Readonly<Partial<Record<Group, readonly string[]>>>;
  /** extra variables for every play; they win over the repository's own, as Ansible's extra variables do */
  readonly extraVars?: Readonly<Record<string, unknown>>;
  /** vault id → file with its password (or an executable that prints it), for what is encrypted in the repository */
  readonly vaultIds?: Readonly<Record<string, string>>;
  /** words of the command that prints the password of the wizard's own vault (id `development`) */
  readonly vaultPasswordCommand?: readonly string[];
}

/** The vault id of the wizard's own vault. */
export const OWN_VAULT = 'development';

/** The play as the repository has it: its own playbook's name; undefined when it has none for this role. */
export function mapPlay(play: Play, mapping: DeploymentMapping): Play | undefined {
  const role = play.playbook.replace(/\.yml$/, '') as Role;
  const mapped = mapping.playbooks?.[role];
  if (mapped === false) return undefined;
  return mapped === undefined ? play : { ...play, playbook: mapped };
}

/** The host in the repository's groups. The order and the bastion's own group stay: our ssh_config goes through the group `bastion`. */
export function mapGroups<T extends Pick<Host, 'groups'>>(host: T, mapping: DeploymentMapping): T {
  if (!mapping.groups) return host;
  const groups = host.groups.flatMap((group) => {
    const mapped = mapping.groups?.[group as Group];
    return mapped === undefined ? [group] : group === 'bastion' ? [group, ...mapped] : mapped;
  });
  return { ...host, groups: [...new Set(groups)] };
}

/**
 * Gives the password file for the wizard's vault: an executable in `dir` that runs the team's command, which `ansible-vault` and `ansible-playbook`
 * take as well as we do; undefined without a command. The command's words are in it, no secret.
 */
export async function vaultPasswordFile(dir: string, mapping: DeploymentMapping): Promise<string | undefined> {
  const words = mapping.vaultPasswordCommand;
  if (!words) return undefined;
  const file = join(dir, 'vault-password-command');
  const { chmod } = await import('node:fs/promises');
  await writeAtomically(
    file,
    `#!/bin/sh\nexec ${words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}\n`,
  );
  await chmod(file, 0o700);
  return file;
}
