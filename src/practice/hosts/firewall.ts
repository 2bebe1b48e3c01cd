import { isIPv4 } from 'node:net';
import { type FirewallRule, LAPTOP_ADDRESS } from './types.ts';

export interface FirewallOptions {
  /** the bridge's own address: everything that comes through published ports carries it */
  readonly gateway: string;
  /** false: the published ports of the host are closed, whatever the rules say, as without a public address */
  readonly public: boolean;
  /** nothing goes in or out, as with a network interface that is dead */
  readonly down?: boolean;
}

/**
 * Renders security group rules as an nftables ruleset that replaces the table `inet cloudspace` in one transaction and touches no other.
 *
 * The rules stand in prerouting after connection tracking and before address translation: so they see the port that was asked for, and
 * containers that a host runs itself are covered like its own services, as by a security group on the network interface.
 * The laptop's documentation address stands for the gateway. The gateway is inside the VPC's range, but it is no host of the VPC: its
 * traffic is judged by the rules that admit the laptop alone. Throws RangeError on a source that is no IPv4 range.
 */
export function renderFirewall(rules: readonly FirewallRule[], options: FirewallOptions): string {
  if (options.down) return DOWN;
  const laptop = new Set<string>();
  const others = new Set<string>();
  for (const rule of rules) {
    for (const source of rule.sources) parseCidr(source);
    const match = renderMatch(rule);
    if (options.public && rule.sources.some((source) => contains(source, LAPTOP_ADDRESS))) laptop.add(`${match}accept`);
    if (rule.sources.some((source) => parseCidr(source).bits === 0)) {
      others.add(`${match}accept`);
      continue;
    }
    // One line a source: overlapping ranges in one nftables set are an error.
    const hosts = rule.sources.filter((source) => !sameAddress(source, LAPTOP_ADDRESS));
    for (const host of hosts) others.add(`ip saddr ${host} ${match}accept`);
  }
  const lines = (chain: Set<string>) => [...chain].map((line) => `    ${line}`);
  return [
    'table inet cloudspace',
    'delete table inet cloudspace',
    'table inet cloudspace {',
    '  chain laptop {',
    ...lines(laptop),
    '    drop',
    '  }',
    '  chain ingress {',
    '    type filter hook prerouting priority mangle; policy drop;',
    '    iifname != "eth0" accept',
    '    ct state established,related accept',
    `    ip saddr ${options.gateway} goto laptop`,
    ...lines(others),
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Both directions of the host's one interface; what a host says to itself goes on. */
const DOWN = [
  'table inet cloudspace',
  'delete table inet cloudspace',
  'table inet cloudspace {',
  '  chain ingress {',
  '    type filter hook prerouting priority mangle; policy accept;',
  '    iifname "eth0" drop',
  '  }',
  '  chain egress {',
  '    type filter hook postrouting priority mangle; policy accept;',
  '    oifname "eth0" drop',
  '  }',
  '}',
  '',
].join('\n');

function renderMatch(rule: FirewallRule): string {
  if (rule.protocol === 'all') return '';
  if (rule.protocol === 'icmp') return 'meta l4proto icmp ';
  const ports = rule.fromPort === rule.toPort ? `${rule.fromPort}` : `${rule.fromPort}-${rule.toPort}`;
  return `${rule.protocol} dport ${ports} `;
}

function sameAddress(cidr: string, address: string): boolean {
  return cidr === address || cidr === `${address}/32`;
}

/** Is the IPv4 address inside the range? */
export function contains(cidr: string, address: string): boolean {
  const range = parseCidr(cidr);
  return mask(toNumber(address), range.bits) === range.base;
}

/** Do two IPv4 ranges share an address? */
export function overlaps(a: string, b: string): boolean {
  const [x, y] = [parseCidr(a), parseCidr(b)];
  const bits = Math.min(x.bits, y.bits);
  return mask(x.base, bits) === mask(y.base, bits);
}

/** The first address after the network's own: the VPC's router on AWS, the bridge's address here. */
export function gatewayOf(cidr: string): string {
  const first = parseCidr(cidr).base + 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.');
}

function parseCidr(cidr: string): { base: number; bits: number } {
  const [address = '', length = '32'] = cidr.split('/');
  const bits = Number(length);
  if (!isIPv4(address) || !/^\d{1,2}$/.test(length) || bits > 32) throw new RangeError(`"${cidr}" is no IPv4 range`);
  return { base: mask(toNumber(address), bits), bits };
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function mask(value: number, bits: number): number {
  const size = 2 ** (32 - bits);
  return Math.floor(value / size) * size;
}
