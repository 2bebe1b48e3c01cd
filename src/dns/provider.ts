/** What the wizard needs of a DNS provider, and how it knows its own records there. */

export interface Zone {
  readonly id: string;
  /** without the dot at the end */
  readonly name: string;
}

export interface DnsRecord {
  /** the provider's own; where it has none, `name/type` */
  readonly id: string;
  /** fully qualified, small letters, no dot at the end */
  readonly name: string;
  readonly type: string;
  /** address, target's name or text; for an alias its target's name */
  readonly content: string;
  /** Route 53: an alias record's target is in this hosted zone */
  readonly aliasZone?: string;
  readonly ttl?: number;
}

export type NewRecord = Omit<DnsRecord, 'id'>;

/** All of it, or nothing: one request. */
export interface Change {
  readonly create?: readonly NewRecord[];
  readonly replace?: readonly { readonly was: DnsRecord; readonly now: NewRecord }[];
  readonly remove?: readonly DnsRecord[];
}

export interface DnsProvider {
  readonly label: string;
  /** all zones that the credentials can see */
  zones(): Promise<readonly Zone[]>;
  /** the zone's records at a name and below it */
  records(zone: string, under: string): Promise<readonly DnsRecord[]>;
  /** Throws CloudspaceError `OutcomeUnknown` when the answer was lost, `RecordExists` when a new record's name is taken. */
  change(zone: string, change: Change): Promise<void>;
  /** names of the servers that answer for the zone; empty: none can be asked (a sandbox) */
  nameServers(zone: string): Promise<readonly string[]>;
}

/** Whose records these are. DNS is shared by all teams, so the name alone says too little: two accounts may each have a hackathon-07. */
export interface Owner {
  readonly name: string;
  readonly account: string;
}

/** What a Cloudspace looks for: its own part of each of the two domains. */
export interface DnsPlace {
  readonly zone: string;
  /** `<name>.<domain>` */
  readonly under: string;
}

/** Seconds that resolvers may keep an answer: short, because hosts are replaced while people watch. */
export const TTL = 60;

/** The zone of a name: the one with the longest name among those that it is in. */
export function zoneOf<Z extends Zone>(zones: readonly Z[], name: string): Z | undefined {
  return zones
    .filter((zone) => name === zone.name || name.endsWith(`.${zone.name}`))
    .sort((a, b) => b.name.length - a.name.length)[0];
}

const MARK = '_cloudspace.';
const WILDCARD_MARK = '_cloudspace-wildcard.';

/**
 * Records have no tags: a TXT record beside each says whose it is. A wildcard's is its sibling, because a name below a wildcard takes that name out of it
 * (RFC 4592, section 2.2.2).
 */
export function markerName(name: string): string {
  return name.startsWith('*.') ? `${WILDCARD_MARK}${name.slice(2)}` : `${MARK}${name}`;
}

/** The name of the record that a marker is for. */
export function markedName(marker: string): string | undefined {
  if (marker.startsWith(WILDCARD_MARK)) return `*.${marker.slice(WILDCARD_MARK.length)}`;
  return marker.startsWith(MARK) ? marker.slice(MARK.length) : undefined;
}

/** The text of a marker: the tags that the engine gives, and the account. */
export function markerText(tags: Readonly<Record<string, string>>, account: string): string {
  const { Name: _, ...own } = tags;
  return Object.entries({ ...own, 'cloudspace:account': account })
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** The tags of a marker's text; undefined for what is none. */
export function readMarker(record: DnsRecord): Readonly<Record<string, string>> | undefined {
  if (record.type !== 'TXT' || markedName(record.name) === undefined) return undefined;
  const tags = Object.fromEntries(
    record.content.split(',').map((part): [string, string] => {
      const at = part.indexOf('=');
      return [part.slice(0, at), part.slice(at + 1)];
    }),
  );
  return tags['cloudspace:name'] === undefined ? undefined : tags;
}

/** Is it the marker of a record of ours? */
export function isOwn(marker: Readonly<Record<string, string>> | undefined, owner: Owner): boolean {
  return marker?.['cloudspace:name'] === owner.name && marker['cloudspace:account'] === owner.account;
}
