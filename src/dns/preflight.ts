import { CloudspaceError, usageError } from '../engine/types.ts';
import {
  type DnsPlace,
  type DnsProvider,
  type DnsRecord,
  isOwn,
  markerName,
  type Owner,
  readMarker,
  type Zone,
  zoneOf,
} from './provider.ts';
import { taken } from './record.ts';
import { applicationsDomain, type DnsConfig, publicNameOf } from './settings.ts';

/** Finds the zones of the two domains. Throws CloudspaceError `NoZone` that lists the zones there are, before anything is made. */
export async function findZones(
  provider: DnsProvider,
  domains: { readonly hostDomain: string; readonly appDomain: string },
): Promise<Pick<DnsConfig, 'hostZone' | 'appZone'>> {
  const zones = await provider.zones();
  const find = (domain: string, setting: string): string => {
    const zone = zoneOf(zones, domain);
    if (zone) return zone.id;
    throw usageError(
      `${provider.label} has no zone for ${domain} (${setting})`,
      `${visible(zones)}; add the zone there, or use credentials that may see it`,
      'NoZone',
    );
  };
  return {
    hostZone: find(domains.hostDomain, 'host-domain'),
    appZone: find(domains.appDomain, 'app-domain'),
  };
}

function visible(zones: readonly Zone[]): string {
  if (zones.length === 0) return 'these credentials see no zone at all';
  const names = zones.map(({ name }) => name);
  return `these credentials see ${names.slice(0, 8).join(', ')}${names.length > 8 ? ' and more' : ''}`;
}

/** A Cloudspace's own part of each domain; once, when both are the same. */
export function placesOf(name: string, dns: DnsConfig): DnsPlace[] {
  const hosts = { zone: dns.hostZone, under: `${name}.${dns.hostDomain}` };
  const applications = { zone: dns.appZone, under: `${name}.${dns.appDomain}` };
  return hosts.under === applications.under ? [hosts] : [hosts, applications];
}

/** The names that records will be made for. */
export function namesOf(config: {
  readonly name: string;
  readonly dns: Pick<DnsConfig, 'hostDomain' | 'appDomain'>;
}): string[] {
  const hosts = ['bastion', 'controller', 'services'].flatMap((host) => publicNameOf(config, host) ?? []);
  return [...hosts, `*.${applicationsDomain(config)}`];
}

/**
 * Throws when a name that the Cloudspace needs has a record that it did not make (`RecordExists`), or when another account's Cloudspace of the same name has
 * it (`NameTaken`).
 */
export async function refuseForeign(
  provider: DnsProvider,
  config: { readonly name: string; readonly dns: DnsConfig },
  owner: Owner,
): Promise<void> {
  const places = placesOf(config.name, config.dns);
  const records = (await Promise.all(places.map(({ zone, under }) => provider.records(zone, under)))).flat();
  const foreign: DnsRecord[] = [];
  for (const name of namesOf(config)) {
    const marker = records.find((one) => one.type === 'TXT' && one.name === markerName(name));
    const tags = marker && readMarker(marker);
    if (isOwn(tags, owner)) continue;
    if (tags)
      throw new CloudspaceError(
        `${name} belongs to the Cloudspace ${tags['cloudspace:name']} of account ${tags['cloudspace:account']}`,
        {
          code: 'NameTaken',
          hint: 'choose another --name: each team has its own below the shared domains',
          exitCode: 2,
        },
      );
    foreign.push(...records.filter((one) => one.name === name), ...(marker ? [marker] : []));
  }
  if (foreign.length > 0) throw taken(foreign);
}
