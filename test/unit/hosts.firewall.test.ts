import { expect, test } from 'vitest';
import { contains, gatewayOf, overlaps, renderFirewall } from '../../src/practice/hosts/firewall.ts';
import type { FirewallRule } from '../../src/practice/hosts/types.ts';

const GATEWAY = '10.7.0.1';
const tcp = (fromPort: number, toPort: number, ...sources: string[]): FirewallRule => ({
  protocol: 'tcp',
  fromPort,
  toPort,
  sources,
});
const chain = (ruleset: string, name: string) =>
  (new RegExp(`chain ${name} \\{\n([^}]*)\\}`).exec(ruleset)?.[1] ?? '').split('\n').map((line) => line.trim());

test('a rule for hosts of the VPC admits them and not the laptop, although the gateway has an address of the VPC', () => {
  const ruleset = renderFirewall([tcp(22, 22, '10.7.0.0/16')], { gateway: GATEWAY, public: true });
  expect(chain(ruleset, 'ingress')).toContain('ip saddr 10.7.0.0/16 tcp dport 22 accept');
  expect(chain(ruleset, 'ingress').indexOf(`ip saddr ${GATEWAY} goto laptop`)).toBeLessThan(
    chain(ruleset, 'ingress').indexOf('ip saddr 10.7.0.0/16 tcp dport 22 accept'),
  );
  expect(chain(ruleset, 'laptop').filter(Boolean)).toEqual(['drop']);
});

test('the laptop comes in by its own address, by a range that holds it, and by 0.0.0.0/0', () => {
  for (const source of ['198.51.100.7/32', '198.51.100.7', '198.51.100.0/24', '0.0.0.0/0']) {
    const ruleset = renderFirewall([tcp(22, 22, source)], { gateway: GATEWAY, public: true });
    expect(chain(ruleset, 'laptop').filter(Boolean)).toEqual(['tcp dport 22 accept', 'drop']);
    const closed = renderFirewall([tcp(22, 22, source)], { gateway: GATEWAY, public: false });
    expect(chain(closed, 'laptop').filter(Boolean)).toEqual(['drop']);
  }
  const only = renderFirewall([tcp(22, 22, '198.51.100.7/32')], { gateway: GATEWAY, public: true });
  expect(chain(only, 'ingress').filter((line) => line.includes('dport'))).toEqual([]);
});

test('protocols, port ranges and overlapping sources; the default is to drop', () => {
  const ruleset = renderFirewall(
    [
      { protocol: 'all', fromPort: 0, toPort: 0, sources: ['10.7.0.9/32'] },
      { protocol: 'icmp', fromPort: -1, toPort: -1, sources: ['10.7.0.0/16'] },
      { protocol: 'udp', fromPort: 4789, toPort: 4789, sources: ['10.7.0.0/16', '10.7.1.0/24'] },
      tcp(8000, 8100, '0.0.0.0/0'),
    ],
    { gateway: GATEWAY, public: false },
  );
  expect(chain(ruleset, 'ingress').slice(3)).toEqual([
    `ip saddr ${GATEWAY} goto laptop`,
    'ip saddr 10.7.0.9/32 accept',
    'ip saddr 10.7.0.0/16 meta l4proto icmp accept',
    'ip saddr 10.7.0.0/16 udp dport 4789 accept',
    'ip saddr 10.7.1.0/24 udp dport 4789 accept',
    'tcp dport 8000-8100 accept',
    '',
  ]);
  expect(ruleset).toContain('policy drop;');
  expect(ruleset).not.toContain('flush ruleset');
});

test('a source that is no range is refused: nothing of it may reach nft as commands', () => {
  for (const source of ['10.7.0.0/33', 'sg-1', '10.7.0.1; flush ruleset', '::/0', '']) {
    expect(() => renderFirewall([tcp(1, 1, source)], { gateway: GATEWAY, public: true })).toThrow(/no IPv4 range/);
  }
});

test('address arithmetic', () => {
  expect(gatewayOf('10.7.0.0/16')).toBe('10.7.0.1');
  expect(gatewayOf('172.31.255.0/24')).toBe('172.31.255.1');
  expect(contains('10.7.0.0/16', '10.7.255.255')).toBe(true);
  expect(contains('10.7.0.0/16', '10.8.0.0')).toBe(false);
  expect(contains('200.0.0.0/8', '200.1.2.3')).toBe(true);
  expect(overlaps('10.0.0.0/8', '10.7.0.0/16')).toBe(true);
  expect(overlaps('10.7.0.0/17', '10.7.128.0/17')).toBe(false);
});
