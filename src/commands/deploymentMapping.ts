import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Host } from '../ansible/types.ts';
import { type Play, usageError } from '../engine/types.ts';
import { writeAtomically } from '../system/files.ts';

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

export const MAPPING_KEYS = ['playbooks', 'groups', 'extra_vars', 'vault_ids', 'vault_password_command'] as const;

const GROUP_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const VAULT_ID = /^[A-Za-z0-9_.-]+$/;

/**
 * Checks the keys of `cloudspace.yaml` that describe a deployment repository. `file` is named in errors, relative paths are from its folder `base`.
 * Throws a usage error that names file, key and what would fit.
 */
export function parseMapping(
  content: Readonly<Record<string, unknown>>,
  file: string,
  base: string,
): DeploymentMapping {
  const problem = (key: string, what: string, hint: string): never => {
    throw usageError(`${file}: ${key}: ${what}`, hint, 'BadMapping');
  };
  const entries = (key: string): [string, unknown][] => {
    const value = content[key];
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return problem(key, 'is no mapping', `write lines below it, such as\n${EXAMPLES[key] ?? ''}`);
    return Object.entries(value);
  };
  const known = <T extends string>(key: string, name: string, names: readonly T[]): T =>
    names.find((one) => one === name) ?? problem(key, `"${name}" is not known`, `it knows ${names.join(', ')}`);

  const mapping: { -readonly [K in keyof DeploymentMapping]: DeploymentMapping[K] } = {};
  if (content.playbooks !== undefined)
    mapping.playbooks = Object.fromEntries(
      entries('playbooks').map(([name, value]) => {
        const role = known('playbooks', name, ROLES);
        if (value === false || value === null) return [role, false];
        if (typeof value === 'string' && /\.ya?ml$/.test(value) && !value.split('/').includes('..'))
          return [role, value];
        return problem(
          `playbooks.${role}`,
          `${JSON.stringify(value)} is no playbook inside the repository`,
          'name a .yml file, from its playbooks folder or its root; or false, when it has none for this role',
        );
      }),
    );
  if (content.groups !== undefined)
    mapping.groups = Object.fromEntries(
      entries('groups').map(([name, value]) => {
        const group = known('groups', name, GROUPS);
        const names: unknown[] = Array.isArray(value) ? value : [value];
        if (names.length > 0 && names.every((one) => typeof one === 'string' && GROUP_NAME.test(one)))
          return [group, names as string[]];
        return problem(
          `groups.${group}`,
          `${JSON.stringify(value)} names no inventory groups`,
          'a name or a list of names, of letters, digits and underscores',
        );
      }),
    );
  if (content.extra_vars !== undefined) {
    const vars = entries('extra_vars');
    for (const [name] of vars) {
      if (!GROUP_NAME.test(name))
        problem('extra_vars', `"${name}" is no name of a variable`, 'letters, digits and underscores, no digit first');
      if (name.startsWith('cloudspace_'))
        problem(
          'extra_vars',
          `"${name}" is the wizard's own`,
          'names that begin with cloudspace_ are passed by the wizard',
        );
    }
    mapping.extraVars = Object.fromEntries(vars);
  }
  if (content.vault_ids !== undefined)
    mapping.vaultIds = Object.fromEntries(
      entries('vault_ids').map(([id, value]) => {
        if (!VAULT_ID.test(id) || id === OWN_VAULT)
          problem(
            'vault_ids',
            `"${id}" cannot be used`,
            `"${OWN_VAULT}" is the wizard's own: give its password with vault_password_command`,
          );
        if (typeof value !== 'string' || value === '')
          return problem(
            `vault_ids.${id}`,
            'is no path',
            'name the file with the password, or an executable that prints it',
          );
        const path = resolve(base, value);
        if (!statSync(path, { throwIfNoEntry: false })?.isFile())
          return problem(
            `vault_ids.${id}`,
            `there is no file ${path}`,
            'name the file with the password, or an executable that prints it',
          );
        return [id, path];
      }),
    );
  if (content.vault_password_command !== undefined) {
    const value = content.vault_password_command;
    const words: unknown[] = typeof value === 'string' ? value.trim().split(/\s+/) : Array.isArray(value) ? value : [];
    if (words.length === 0 || !words.every((word) => typeof word === 'string' && word !== ''))
      problem(
        'vault_password_command',
        'is no command',
        'write it as text or as a list of words: [op, read, "op://team/vault/password"]',
      );
    mapping.vaultPasswordCommand = words as string[];
  }
  return mapping;
}

/** The vault id of the wizard's own vault. */
export const OWN_VAULT = 'development';

const EXAMPLES: Readonly<Record<string, string>> = {
  playbooks: '  runners: site-runners.yml',
  groups: '  runners: [app_servers]',
  extra_vars: '  ntp_server: time.example.com',
  vault_ids: '  production: ./production-password',
};

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
