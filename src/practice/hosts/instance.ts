import { renderFirewall } from './firewall.ts';
import type { Machine } from './machine.ts';
import { BOOT_PROGRAM, BOOTED_FILE, FIREWALL_FILE, KEYS_FILE } from './paths.ts';
import type { DesiredInstance } from './types.ts';

/**
 * Ports of an instance that are published on loopback. Also of a private one, whose firewall keeps them closed: an instance can become
 * public when a route is added, and a container's published ports cannot be changed.
 */
const INSTANCE_PORTS: readonly number[] = [22, 80, 443, 8443];

/** Container of an EC2 instance: systemd as PID 1, sshd, the key pair's key for the user admin. */
export function instanceMachine(instance: DesiredInstance, gateway: string): Machine {
  const hostname = `ip-${instance.privateIp.replaceAll('.', '-')}`;
  return {
    id: instance.id,
    kind: 'instance',
    name: instance.name,
    vpcId: instance.vpcId,
    address: instance.privateIp,
    running: instance.state === 'running',
    variant: 'base',
    hostname,
    aliases: [hostname, `${hostname}.ec2.internal`],
    ports: INSTANCE_PORTS,
    systemd: true,
    volumes: ['/var/lib/docker'],
    stopSignal: 'SIGRTMIN+3',
    command: [BOOT_PROGRAM],
    files: [
      {
        path: FIREWALL_FILE,
        text: renderFirewall(instance.ingress, {
          gateway,
          public: instance.public,
          down: instance.network === 'down',
        }),
        mode: 0o600,
      },
      { path: KEYS_FILE, text: instance.publicKey ? `${instance.publicKey.trim()}\n` : '', mode: 0o600 },
    ],
    apply: [
      `nft -f ${FIREWALL_FILE}`,
      'again=yes',
      `until [ -e ${BOOTED_FILE} ] && systemctl -q is-active ssh; do`,
      '  if systemctl -q is-failed ssh cloudspace-firewall cloudspace-init; then',
      '    [ "$again" = yes ] || { journalctl -q --no-pager -n 3 -p warning >&2; exit 1; }',
      '    again=no',
      '    systemctl restart ssh || true',
      '  else',
      '    wait_a_little',
      '  fi',
      'done',
      'cat /etc/ssh/ssh_host_*_key.pub',
    ],
  };
}

/** The console's text with the host keys as cloud-init prints them: tools that pin host keys read this block. */
export function consoleText(log: string, hostKeys: string, hostname: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of systemd's messages
  const colours = /\u001b\[[0-9;]*[A-Za-z]/g;
  const lines = log
    .replace(colours, '')
    .replaceAll('\r', '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const keys = hostKeys
    .split('\n')
    .filter((line) => line.trim() !== '')
    // cloud-init prints each key with root@host as its comment
    .map((line) => `${line.split(' ').slice(0, 2).join(' ')} root@${hostname}`);
  return [
    ...lines,
    '-----BEGIN SSH HOST KEY KEYS-----',
    ...keys,
    '-----END SSH HOST KEY KEYS-----',
    '',
    `Debian GNU/Linux 12 ${hostname} console`,
    '',
  ].join('\n');
}
