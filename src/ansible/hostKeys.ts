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
