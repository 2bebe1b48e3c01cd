import { join } from 'node:path';
import { writeAtomically } from '../system/files.ts';
import { checkHosts } from './checkHosts.ts';
import type { Host } from './types.ts';

/** One group a role; they exist also while empty, so that a play on them is no mistake. */
const ROLE_GROUPS = ['bastion', 'controller', 'runners', 'builders', 'services'] as const;

export interface InventoryOptions {
  /** path of the ssh_config that reaches the hosts (see sshConfig.ts) */
  readonly sshConfig: string;
  /** variables of all hosts */
  readonly vars?: Readonly<Record<string, unknown>>;
}

type Vars = Record<string, unknown>;

/**
 * The inventory as Ansible's dynamic inventory scripts print it for `--list`: groups with their hosts, and all host variables under
 * `_meta.hostvars`. Throws CloudspaceError `BadHost` on a host that cannot be written safely.
 */
export function inventory(hosts: readonly Host[], options: InventoryOptions): Record<string, unknown> {
  checkHosts(hosts);
  const groups = membership(hosts);
  return {
    _meta: { hostvars: Object.fromEntries(hosts.map((host) => [host.name, hostVars(host)])) },
    all: { children: ['ungrouped', ...groups.keys()], vars: commonVars(options) },
    ...Object.fromEntries([...groups].map(([group, names]) => [group, { hosts: names }])),
    ungrouped: { hosts: hosts.filter((host) => host.groups.length === 0).map((host) => host.name) },
  };
}

/**
 * Writes the same inventory as a file for `ansible-playbook -i` and gives its path: `inventory.json` in `dir`, mode 0600. JSON is YAML:
 * Ansible's own reader takes it, no script has to be run.
 */
export async function writeInventory(dir: string, hosts: readonly Host[], options: InventoryOptions): Promise<string> {
  checkHosts(hosts);
  const file = {
    all: {
      hosts: Object.fromEntries(hosts.map((host) => [host.name, hostVars(host)])),
      children: Object.fromEntries(
        [...membership(hosts)].map(([group, names]) => [
          group,
          { hosts: Object.fromEntries(names.map((name) => [name, {}])) },
        ]),
      ),
      vars: commonVars(options),
    },
  };
  const path = join(dir, 'inventory.json');
  await writeAtomically(path, `${JSON.stringify(file, null, 2)}\n`);
  return path;
}

function membership(hosts: readonly Host[]): Map<string, string[]> {
  const groups = new Map<string, string[]>(ROLE_GROUPS.map((group) => [group, []]));
  for (const host of hosts) {
    for (const group of host.groups) groups.set(group, [...(groups.get(group) ?? []), host.name]);
  }
  return groups;
}

function hostVars(host: Host): Vars {
  return literal({
    ...host.vars,
    ansible_host: host.privateIp,
    ansible_user: host.user,
    instance_id: host.instanceId,
    private_ip: host.privateIp,
    ...(host.publicIp === undefined ? {} : { public_ip: host.publicIp }),
  }) as Vars;
}

function commonVars(options: InventoryOptions): Vars {
  return literal({
    ...options.vars,
    ansible_python_interpreter: '/usr/bin/python3',
    ansible_ssh_common_args: `-F ${shellWord(options.sshConfig)}`,
  }) as Vars;
}

/** Ansible splits ssh arguments as a POSIX shell splits words. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/**
 * Marks strings that Ansible would otherwise run as Jinja templates (a key's comment, a path): data is not code. The mark is the one that
 * Ansible's JSON reader knows.
 */
export function literal(value: unknown): unknown {
  if (typeof value === 'string') return /\{[{%#]/.test(value) ? { __ansible_unsafe: value } : value;
  if (Array.isArray(value)) return value.map(literal);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, literal(inner)]));
  return value;
}
