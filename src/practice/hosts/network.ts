import { readFile } from 'node:fs/promises';
import type { Engine, Run } from './engine.ts';
import { gatewayOf, overlaps } from './firewall.ts';
import { hash, LABEL } from './machine.ts';

/** The engine's network of a VPC. */
export function networkName(practice: string, vpcId: string): string {
  return `cloudspace-${practice.slice(0, 6)}-${vpcId}`;
}

/** Makes a VPC's network: a bridge with the VPC's range. Throws an Error that names what is in the way when the range is taken. */
export async function createNetwork(
  engine: Engine,
  run: Run,
  practice: string,
  network: { readonly vpcId: string; readonly cidr: string },
): Promise<void> {
  const { vpcId, cidr } = network;
  const mtu = await uplinkMtu();
  const option = engine.command === 'podman' ? 'mtu' : 'com.docker.network.driver.mtu';
  try {
    await run([
      ...['network', 'create', '--driver', 'bridge', '--subnet', cidr, '--gateway', gatewayOf(cidr)],
      ...['--label', `${LABEL.practice}=${practice}`, '--label', `${LABEL.id}=${vpcId}`],
      ...['--label', `${LABEL.spec}=${hash(cidr)}`],
      // Packets larger than the way out takes would be lost where ICMP is filtered.
      ...(mtu === undefined || mtu === 1500 ? [] : ['--opt', `${option}=${mtu}`]),
      networkName(practice, vpcId),
    ]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!/overlap|already (used|in use)|pool/i.test(message)) throw error;
    const other = await overlapping(run, cidr);
    const who =
      other === undefined ? 'another network of this machine' : `the network "${other.name}" (${other.subnet})`;
    const hint = `choose another range with --cidr or --team, or remove that network`;
    throw new Error(`the VPC's range ${cidr} is taken by ${who} of the container engine: ${hint}`, { cause: error });
  }
}

async function overlapping(run: Run, cidr: string): Promise<{ name: string; subnet: string } | undefined> {
  const ids = (await run(['network', 'ls', '-q'])).split('\n').filter(Boolean);
  const text = await run(['network', 'inspect', ...ids]).catch(() => '[]');
  const found = JSON.parse(text) as {
    Name?: string;
    name?: string;
    IPAM?: { Config?: { Subnet?: string }[] | null };
    subnets?: { subnet?: string }[];
  }[];
  for (const network of found) {
    const docker = (network.IPAM?.Config ?? []).map((entry) => entry.Subnet);
    const podman = (network.subnets ?? []).map((entry) => entry.subnet);
    const subnet = [...docker, ...podman].find((range) => range && !range.includes(':') && overlaps(range, cidr));
    if (subnet) return { name: network.Name ?? network.name ?? '?', subnet };
  }
  return undefined;
}

/** Largest packet of the interface with the default route, on Linux; undefined elsewhere. */
async function uplinkMtu(): Promise<number | undefined> {
  const routes = await readFile('/proc/net/route', 'utf8').catch(() => '');
  const route = routes.split('\n').find((line) => line.split('\t')[1] === '00000000');
  const name = route?.split('\t')[0];
  if (!name) return undefined;
  const text = await readFile(`/sys/class/net/${name}/mtu`, 'utf8').catch(() => '');
  const mtu = Number(text.trim());
  return Number.isInteger(mtu) && mtu >= 576 && mtu <= 1500 ? mtu : undefined;
}
