import { CloudspaceError, type Found, type Kind, type Output, type Scope } from '../engine/types.ts';
import { type Answering, answering } from './authoritative.ts';
import {
  type DnsPlace,
  type DnsProvider,
  type DnsRecord,
  isOwn,
  markedName,
  markerName,
  markerText,
  type NewRecord,
  readMarker,
  TTL,
} from './provider.ts';

/** A connection to the provider for one Cloudspace: part of the clients that the engine hands to the kinds. */
export interface Dns {
  readonly provider: DnsProvider;
  readonly account: string;
  readonly places: readonly DnsPlace[];
  /** servers to ask instead of the zones' own, as `address` or `address:port` */
  readonly nameServers?: readonly string[];
}

export interface DnsCloud {
  /** undefined: no DNS is configured, there is nothing of ours anywhere */
  readonly dns?: () => Promise<Dns | undefined>;
}

export interface RecordProps {
  /** the provider's id of the zone */
  readonly zone: string;
  readonly name: string;
  readonly type: 'A' | 'CNAME';
  /** an address, or the target's name */
  readonly content: string;
  /** Route 53 only: makes it an alias of a target in this hosted zone */
  readonly aliasZone?: string;
}

/** `id` is `<name>/<type>`. `content` is empty where only the marker is left. */
export interface RecordOutput extends Output {
  readonly zone: string;
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly answers: Answering;
}

const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '');

const wanted = (props: RecordProps): NewRecord => ({
  name: props.name,
  type: props.type,
  content: plain(props.content),
  ...(props.aliasZone === undefined ? { ttl: TTL } : { aliasZone: props.aliasZone }),
});

async function connected(cloud: DnsCloud): Promise<Dns> {
  const dns = await cloud.dns?.();
  if (dns) return dns;
  throw new CloudspaceError('no DNS provider is configured', {
    code: 'NoDns',
    hint: 'say in cloudspace.yaml which provider keeps the names (dns:)',
  });
}

/** What is at a name, of any type; and its marker, ours or another's. */
async function look(dns: Dns, zone: string, name: string) {
  const [records, markers] = await Promise.all([
    dns.provider.records(zone, name),
    dns.provider.records(zone, markerName(name)),
  ]);
  return {
    there: records.filter((one) => one.name === name),
    marker: markers.find((one) => one.name === markerName(name) && one.type === 'TXT'),
  };
}

/** Every marker of ours, with the record that it marks. */
async function list({ dns: open }: DnsCloud, scope: Scope): Promise<Found<RecordOutput>[]> {
  const dns = await open?.();
  if (!dns) return [];
  const owner = { name: scope.name, account: dns.account };
  const found = await Promise.all(
    dns.places.map(async ({ zone, under }) => {
      const records = await dns.provider.records(zone, under);
      const marked = records.flatMap((marker) => {
        const tags = readMarker(marker);
        return tags && isOwn(tags, owner) ? [{ tags, name: markedName(marker.name) ?? '' }] : [];
      });
      return Promise.all(
        marked.map(async ({ tags, name }): Promise<Found<RecordOutput>> => {
          const one = records.find((candidate) => candidate.name === name);
          const { 'cloudspace:key': key = '', 'cloudspace:chapter': chapter = '' } = tags;
          const answers = one ? await answering(dns, zone, one) : 'yes';
          return {
            out: output(zone, { name, type: one?.type ?? '', content: one?.content ?? '' }, answers),
            key,
            chapter,
          };
        }),
      );
    }),
  );
  return found.flat();
}

const output = (zone: string, one: NewRecord, answers: Answering): RecordOutput => ({
  id: one.name,
  zone,
  name: one.name,
  type: one.type,
  content: one.content,
  answers,
});

/** The error for a name that somebody else's record has. */
export function taken(records: readonly DnsRecord[]): CloudspaceError {
  const lines = records.map(({ name, type, content }) => `- ${name} ${type} ${content}`);
  return new CloudspaceError(
    `${records.length === 1 ? 'a DNS record is' : 'DNS records are'} there that this Cloudspace did not make:\n${lines.join('\n')}`,
    {
      code: 'RecordExists',
      hint: 'they are left alone: delete them where they were made if nobody needs them, or choose another --name, --host-domain or --app-domain',
      exitCode: 2,
    },
  );
}

/** One DNS record with its marker, made and removed together, in one request. A name that somebody else's record has is left alone. */
const dnsRecord: Omit<Kind<RecordProps, RecordOutput, DnsCloud>, 'type' | 'cli'> = {
  label: 'DNS record',
  seconds: 30,
  list: (cloud, scope) => scope.once('DNS records', () => list(cloud, scope)),
  async create(cloud, props, { tags, name }) {
    const dns = await connected(cloud);
    const { there, marker } = await look(dns, props.zone, props.name);
    if (there.length > 0) throw taken(there);
    if (marker && !isOwn(readMarker(marker), { name, account: dns.account })) throw taken([marker]);
    const now = wanted(props);
    const mark = { name: markerName(props.name), type: 'TXT', content: markerText(tags, dns.account), ttl: TTL };
    await dns.provider.change(
      props.zone,
      marker ? { create: [now], replace: [{ was: marker, now: mark }] } : { create: [now, mark] },
    );
    return output(props.zone, now, await answering(dns, props.zone, now));
  },
  status: ({ answers, name }) =>
    answers === 'no' ? { state: 'pending', detail: `until the name servers answer for ${name}` } : { state: 'ready' },
  drift(props, { content }) {
    const want = plain(props.content);
    return content === want ? [] : [{ attribute: 'content', want, have: content }];
  },
  async update(cloud, props) {
    const dns = await connected(cloud);
    const { there } = await look(dns, props.zone, props.name);
    const now = wanted(props);
    const [was, ...others] = there;
    await dns.provider.change(props.zone, was ? { replace: [{ was, now }], remove: others } : { create: [now] });
    return output(props.zone, now, await answering(dns, props.zone, now));
  },
  async delete(cloud, { zone, name }) {
    const dns = await connected(cloud);
    const { there, marker } = await look(dns, zone, name);
    if (marker) await dns.provider.change(zone, { remove: [...there, marker] });
  },
};

const changeBatch = (props: RecordProps, content: string) => {
  const set =
    props.aliasZone === undefined
      ? { TTL, ResourceRecords: [{ Value: content }] }
      : { AliasTarget: { HostedZoneId: props.aliasZone, DNSName: content, EvaluateTargetHealth: false } };
  return { Action: 'CREATE', ResourceRecordSet: { Name: props.name, Type: props.type, ...set } };
};

const markChange = (props: RecordProps, text: string) => ({
  Action: 'CREATE',
  ResourceRecordSet: { Name: markerName(props.name), Type: 'TXT', TTL, ResourceRecords: [{ Value: `"${text}"` }] },
});

/** Route 53, whose change batches are transactions. */
export const route53Record: Kind<RecordProps, RecordOutput, DnsCloud> = {
  ...dnsRecord,
  type: 'aws_route53_record',
  cli: (props, { tags }) => [
    ...'aws route53 change-resource-record-sets --hosted-zone-id'.split(' '),
    props.zone,
    '--change-batch',
    JSON.stringify({ Changes: [changeBatch(props, props.content), markChange(props, markerText(tags, '$account'))] }),
  ],
};

/** DNSimple, through its endpoint for several changes at once. */
export const dnsimpleRecord: Kind<RecordProps, RecordOutput, DnsCloud> = {
  ...dnsRecord,
  type: 'dnsimple_zone_record',
  cli: (props, { tags }) => {
    const relative = (name: string): string => name.slice(0, -props.zone.length - 1);
    const { name, type, content } = props;
    const creates = [
      { name: relative(name), type, content, ttl: TTL },
      { name: relative(markerName(name)), type: 'TXT', content: markerText(tags, '$account'), ttl: TTL },
    ];
    return [
      ...'curl --oauth2-bearer $dnsimple_token --json'.split(' '),
      JSON.stringify({ creates }),
      `https://api.dnsimple.com/v2/$dnsimple_account/zones/${props.zone}/batch`,
    ];
  },
};
