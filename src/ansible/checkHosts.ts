import { isIP } from 'node:net';
import { usageError } from '../engine/types.ts';
import type { Host } from './types.ts';

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const GROUP = /^[a-z][a-z0-9_]*$/;
const USER = /^[a-z_][a-z0-9_-]{0,31}$/;
const INSTANCE = /^[a-z0-9][a-z0-9-]{0,62}$/;
const DOMAIN = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i;
const HOST_KEY = /^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,2}$/;

/**
 * Refuses what could mean something else in ssh_config, known_hosts or an inventory: each value comes from a cloud's answer or a file, and
 * both formats are lines of words. Throws CloudspaceError `BadHost` with the value.
 */
export function checkHosts(hosts: readonly Host[]): void {
  const seen = new Set<string>();
  for (const host of hosts) {
    check('name', host.name, NAME.test(host.name));
    if (seen.has(host.name))
      throw usageError(`two hosts are called "${host.name}"`, 'give each its own name', 'BadHost');
    seen.add(host.name);
    check('instance id', host.instanceId, INSTANCE.test(host.instanceId));
    check('user', host.user, USER.test(host.user));
    check('private address', host.privateIp, isIP(host.privateIp) > 0);
    if (host.publicIp !== undefined) check('public address', host.publicIp, isIP(host.publicIp) > 0);
    for (const group of host.groups) check('group', group, GROUP.test(group));
    for (const key of host.hostKeys) check('host key', key, HOST_KEY.test(key));
    if (host.reach) {
      check('address', host.reach.host, isIP(host.reach.host) > 0 || DOMAIN.test(host.reach.host));
      const { port } = host.reach;
      check('port', String(port), Number.isInteger(port) && port > 0 && port < 65_536);
    }
  }
}

/** The Cloudspace's name as it appears in host names. Throws CloudspaceError `BadHost`. */
export function checkName(name: string): void {
  check('Cloudspace', name, NAME.test(name));
}

function check(what: string, value: string, good: boolean): void {
  if (!good) {
    throw usageError(
      `${what} ${JSON.stringify(value)} cannot be used for a host`,
      'it came from the cloud or from the saved state: look there for what changed it',
      'BadHost',
    );
  }
}
