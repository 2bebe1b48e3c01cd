import { createHash } from 'node:crypto';
import { CloudspaceError } from '../engine/types.ts';
import type { Host } from './types.ts';

const BEGIN = '-----BEGIN SSH HOST KEY KEYS-----';
const END = '-----END SSH HOST KEY KEYS-----';
const KEY = /(?:^|\s)((?:ssh-|ecdsa-)[a-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,2})(?:\s|$)/;

/**
 * The public host keys ("type base64", without comment) that cloud-init prints on an instance's console, in the order printed and without
 * repetition. Of several blocks (one a boot) the last whole one counts. Knows cloud-init's plain form, the older one in which each line
 * begins with "ec2: ", and lines that a kernel's or systemd's time stamp precedes.
 */
export function parseConsoleHostKeys(console: string): string[] {
  let block: string[] | undefined;
  let newest: string[] = [];
  for (const line of console.split(/\r\n|\n|\r/)) {
    if (line.includes(BEGIN)) block = [];
    else if (line.includes(END)) {
      if (block && block.length > 0) newest = block;
      block = undefined;
    } else if (block) {
      const key = KEY.exec(line)?.[1];
      if (key && isConsistent(key)) block.push(key);
    }
  }
  return [...new Set(newest)];
}

/** An OpenSSH key blob begins with its own type: what does not is a line that the console cut or mixed with another. */
function isConsistent(key: string): boolean {
  const [type = '', blob = ''] = key.split(' ');
  const bytes = Buffer.from(blob, 'base64');
  if (bytes.length < 4) return false;
  const length = bytes.readUInt32BE(0);
  return bytes.subarray(4, 4 + length).toString('latin1') === type;
}

/**
 * known_hosts of these hosts. Each is known by its instance id, not by its address: addresses are given to other machines, ids are not
 * (ssh_config says so with HostKeyAlias).
 */
export function knownHosts(hosts: readonly Host[]): string {
  return hosts.flatMap((host) => host.hostKeys.map((key) => `${host.instanceId} ${key}\n`)).join('');
}

/** "ED25519 SHA256:…" of a "type base64" key, as `ssh-keygen -l` prints them. */
export function fingerprint(key: string): string {
  const [type = '', blob = ''] = key.split(' ');
  const digest = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '');
  return `${type.replace(/^(ssh|ecdsa-sha2)-/, '').toUpperCase()} SHA256:${digest}`;
}

/** What ssh says of a host whose key is not the pinned one. `instanceId` is the name it is pinned under. */
export interface KeyChange {
  readonly instanceId: string;
  /** "ED25519 SHA256:…", or the type alone where ssh does not say more */
  readonly came: string;
}

/**
 * Finds in ssh's own words that a host showed another key than the pinned one, also when it is the bastion on the way to the host that was asked
 * for. Source: OpenSSH, sshconnect.c: a changed key of a known type has the long warning, one of another type a line alone.
 */
export function keyChange(stderr: string): KeyChange | undefined {
  const changed = /^Host key for (\S+) has changed and you have requested strict checking/m.exec(stderr)?.[1];
  if (changed !== undefined) {
    const [, type = 'a', print = ''] =
      /^The fingerprint for the (\S+) key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]+)/m.exec(stderr) ?? [];
    return { instanceId: changed, came: `${type} ${print || 'key'}` };
  }
  const [, type, unknown] =
    /^No (\S+) host key is known for (\S+) and you have requested strict checking/m.exec(stderr) ?? [];
  return type === undefined || unknown === undefined ? undefined : { instanceId: unknown, came: `${type} key` };
}

/** The warning for a person: what was pinned, what came, what that can mean, and the two ways on. Code `HostKeyChanged`. */
export function keyChangeError(
  change: KeyChange,
  hosts: readonly Pick<Host, 'name' | 'instanceId' | 'hostKeys'>[],
): CloudspaceError {
  const host = hosts.find(({ instanceId }) => instanceId === change.instanceId);
  const name = host?.name ?? change.instanceId;
  const pinned = host?.hostKeys.map(fingerprint).join(', ') || 'unknown';
  return new CloudspaceError(
    [
      `the host key of ${name} (${change.instanceId}) is not the one that was pinned`,
      `  pinned: ${pinned}`,
      `  came: ${change.came}`,
      'Either another machine answers in its place, which can be an attack, or its keys were made anew. Nothing was done on it.',
    ].join('\n'),
    {
      code: 'HostKeyChanged',
      hint: `find out which; \`cloudspace hosts trust ${name}\` compares with the instance's console and pins the new key after a yes. Or replace the host: terminate its instance and run the same command again`,
    },
  );
}
