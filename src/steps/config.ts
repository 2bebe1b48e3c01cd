import { isIPv4 } from 'node:net';
import type { DnsConfig } from '../dns/settings.ts';
import { usageError } from '../engine/types.ts';
import type { RabbitmqConfig } from '../rabbitmq/settings.ts';

/** Everything the steps are a function of. No secret is in it; it is saved with the state. */
export interface Config {
  readonly name: string;
  readonly team: number;
  readonly region: string;
  readonly account: string;
  readonly cidr: string;
  /** the two availability zones, as names */
  readonly zones: readonly [string, string];
  readonly runners: number;
  /** who may reach the bastion's port 22, a CIDR */
  readonly sshFrom: string;
  /** OpenSSH public key line that the instances get */
  readonly publicKey: string;
  readonly ami: string;
  readonly rootDevice: string;
  readonly instanceType: string;
  readonly dbClass: string;
  readonly postgresVersion: string;
  readonly caCertificate: string;
  /** left out: no records are made, and names are computed from addresses */
  readonly dns?: DnsConfig;
  /** an existing RabbitMQ server; left out: there is only the one on the services host */
  readonly rabbitmq?: RabbitmqConfig;
}

export const DEFAULTS = {
  name: 'hackathon-01',
  practiceName: 'practice-01',
  region: 'eu-central-1',
  runners: 2,
  instanceType: 't3.small',
  dbClass: 'db.t4g.micro',
} as const;

/** At most 18 characters: load balancer and target group names end at 32, and `<name>-runners-https` needs 14 of them. */
const NAME = /^[a-z][a-z0-9-]{0,16}[a-z0-9]$/;

/** Throws a usage error (exit 2) on a name that AWS would refuse later. */
export function checkName(name: string): string {
  if (NAME.test(name)) return name;
  throw usageError(
    `the name "${name}" does not fit`,
    'use 2 to 18 characters: small letters, digits and hyphens, a letter first, no hyphen last; for example --name hackathon-07',
  );
}

/** The team's number: `--team`, else the number at the end of the name, else 0. 0 to 99: it becomes the second number of 10.N.0.0/16. */
export function teamNumber(name: string, team: string | number | undefined): number {
  const number = team === undefined ? Number(/(\d+)$/.exec(name)?.[1] ?? 0) : Number(team);
  if (Number.isInteger(number) && number >= 0 && number <= 99) return number;
  throw usageError(
    `the team number "${team ?? number}" is not between 0 and 99`,
    'give one with --team N, for example --team 7',
  );
}

/** A VPC's CIDR: a network address, /16 to /20 so that four /20-wide thirds of a subnet fit. Throws a usage error. */
export function checkVpcCidr(cidr: string): string {
  const parsed = parseCidr(cidr);
  if (!parsed)
    throw usageError(
      `"${cidr}" is not a CIDR`,
      'write an IPv4 network and a prefix length, for example --cidr 10.7.0.0/16',
    );
  if (parsed.network !== parsed.address)
    throw usageError(
      `"${cidr}" is not the start of a network`,
      `did you mean ${toText(parsed.network)}/${parsed.prefix}?`,
    );
  if (parsed.prefix < 16 || parsed.prefix > 24)
    throw usageError(
      `"${cidr}" is too ${parsed.prefix < 16 ? 'large' : 'small'} for the VPC`,
      'AWS allows /16 and smaller, and four subnets need /24 or larger',
    );
  return cidr;
}

/** Who may use the bastion. 0.0.0.0/0 (and ::/0) only with `allowWorld`. A bare address means itself alone. Throws a usage error. */
export function checkSshFrom(text: string, allowWorld: boolean): string {
  const cidr = isIPv4(text) ? `${text}/32` : text;
  const parsed = parseCidr(cidr);
  if (!parsed)
    throw usageError(
      `"${text}" is not an address or CIDR`,
      'give your own address, for example --ssh-from 198.51.100.7/32',
    );
  if (parsed.prefix === 0 && !allowWorld)
    throw usageError(
      `${cidr} opens the bastion's SSH port to the whole internet`,
      'give your own address; if you really mean it, add --allow-world-ssh',
      'WorldSsh',
    );
  if (parsed.network !== parsed.address)
    throw usageError(
      `"${text}" is not the start of a network`,
      `did you mean ${toText(parsed.network)}/${parsed.prefix}?`,
    );
  return cidr;
}

/** Everybody's addresses: what `--allow-world-ssh` accepts for port 22. */
export function isWorld(cidr: string): boolean {
  return cidr.endsWith('/0');
}

/** Checks that a text is an OpenSSH public key: the blob names the type that the line names. Throws a usage error; the text is never shown, as it may be a private key. */
export function checkPublicKey(text: string, from: string): string {
  const line =
    text
      .split('\n')
      .find((candidate) => candidate.trim() !== '' && !candidate.startsWith('#'))
      ?.trim() ?? '';
  const [type = '', blob = ''] = line.split(/\s+/);
  const data = Buffer.from(blob, 'base64');
  const length = data.length >= 4 ? data.readUInt32BE(0) : 0;
  const named = data.subarray(4, 4 + length).toString('latin1');
  const good = /^(ssh-ed25519|ssh-rsa)$/.test(type) && named === type && data.length > 32;
  if (good) return line;
  if (text.includes('PRIVATE KEY'))
    throw usageError(`${from} is a private key`, `give the public half, usually ${from}.pub`, 'NotAPublicKey');
  throw usageError(
    `${from} is not an OpenSSH public key of type ssh-ed25519 or ssh-rsa`,
    'these two are what EC2 imports; make one with: ssh-keygen -t ed25519',
    'NotAPublicKey',
  );
}

export function checkRunners(count: string | number): number {
  const number = Number(count);
  if (Number.isInteger(number) && number >= 1 && number <= 1000) return number;
  throw usageError(`"${count}" is not a number of runners`, 'give 1 to 1000, for example --runners 2');
}

/**
 * The four subnets of a VPC: for 10.7.0.0/16 the public ones are 10.7.0.0/20 and 10.7.16.0/20, the private ones 10.7.128.0/20 and
 * 10.7.144.0/20; smaller VPCs are cut in the same sixteenths.
 */
export function subnets(cidr: string): { publicA: string; publicB: string; privateA: string; privateB: string } {
  const { network, prefix } = parseCidr(cidr) as NonNullable<ReturnType<typeof parseCidr>>;
  const size = 2 ** (32 - prefix - 4);
  const part = (index: number): string => `${toText(network + index * size)}/${prefix + 4}`;
  return { publicA: part(0), publicB: part(1), privateA: part(8), privateB: part(9) };
}

function parseCidr(text: string): { address: number; network: number; prefix: number } | undefined {
  const [ip = '', length = '', ...rest] = text.split('/');
  if (rest.length > 0 || !isIPv4(ip) || !/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  const address = ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(length));
  return { address, network: Math.floor(address / size) * size, prefix: Number(length) };
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
