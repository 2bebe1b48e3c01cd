import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Set {
  name: string;
  type: string;
  /** everything but name and type, as it came */
  body: string;
}

const decode = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
const tag = (xml: string, name: string): string | undefined =>
  new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(xml)?.[1];

/** The order of ListResourceRecordSets: by the name with its labels reversed, as text with dots. */
const key = ({ name, type }: { name: string; type: string }): string =>
  `${name.split('.').slice(0, -1).reverse().join('.')}. ${type}`;

/**
 * A stand-in for the used part of Route 53's REST-XML API (version 2013-04-01), over plain HTTP on loopback: ListHostedZones, GetHostedZone,
 * ListResourceRecordSets in its order and with pages, ChangeResourceRecordSets as the transaction that it is.
 */
export async function route53StandIn(zones: Readonly<Record<string, string>>, pageSize = 100) {
  const sets = new Map<string, Set[]>(Object.keys(zones).map((id) => [id, []]));
  const standIn = {
    url: '',
    requests: [] as string[],
    /** answers AccessDenied to everything */
    denied: false,
    /** the zone's records, for a name server and for looking; an alias of `aliases` answers with its address */
    records: (aliases: Readonly<Record<string, string>> = {}) =>
      [...sets.values()].flat().map(({ name, type, body }) => {
        const alias = tag(body, 'DNSName')?.replace(/\.$/, '');
        const value = decode(tag(body, 'Value') ?? '').replace(/^"|"$/g, '');
        return {
          name: name.replace(/\.$/, '').replace('\\052', '*'),
          type,
          content: alias ? (aliases[alias] ?? alias) : value,
        };
      }),
    add(zone: string, name: string, type: string, value: string): void {
      sets.get(zone)?.push({
        name: `${name}.`,
        type,
        body: `<TTL>300</TTL><ResourceRecords><ResourceRecord><Value>${value}</Value></ResourceRecord></ResourceRecords>`,
      });
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function error(status: number, code: string, message: string): [number, string] {
    return [
      status,
      `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`,
    ];
  }

  function answer(method: string, url: URL, body: string): [number, string] {
    if (standIn.denied) return error(403, 'AccessDenied', 'User is not authorized to access this resource');
    const [, , what, id = '', sub] = url.pathname.split('/');
    const zone = (zoneId: string, name: string): string =>
      `<HostedZone><Id>/hostedzone/${zoneId}</Id><Name>${name}.</Name><CallerReference>x</CallerReference><Config><PrivateZone>false</PrivateZone></Config></HostedZone>`;
    if (what === 'hostedzone' && id === '')
      return [
        200,
        `<ListHostedZonesResponse><HostedZones>${Object.entries(zones)
          .map(([zoneId, name]) => zone(zoneId, name))
          .join('')}</HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>`,
      ];
    const there = sets.get(id);
    if (!there) return error(404, 'NoSuchHostedZone', `No hosted zone found with ID: ${id}`);
    if (sub === undefined)
      return [
        200,
        `<GetHostedZoneResponse>${zone(id, zones[id] ?? '')}<DelegationSet><NameServers><NameServer>ns-1.stand-in</NameServer></NameServers></DelegationSet></GetHostedZoneResponse>`,
      ];
    if (method === 'GET') {
      const from = {
        name: `${url.searchParams.get('name') ?? ''}.`.replace(/\.\.$/, '.').replace('*', '\\052'),
        type: url.searchParams.get('type') ?? '',
      };
      const sorted = [...there].sort((a, b) => (key(a) < key(b) ? -1 : 1)).filter((set) => key(set) >= key(from));
      const next = sorted[pageSize];
      const listed = sorted
        .slice(0, pageSize)
        .map(
          ({ name, type, body: rest }) =>
            `<ResourceRecordSet><Name>${name}</Name><Type>${type}</Type>${rest}</ResourceRecordSet>`,
        );
      const more = next
        ? `<NextRecordName>${next.name}</NextRecordName><NextRecordType>${next.type}</NextRecordType>`
        : '';
      return [
        200,
        `<ListResourceRecordSetsResponse><ResourceRecordSets>${listed.join('')}</ResourceRecordSets><IsTruncated>${next !== undefined}</IsTruncated>${more}<MaxItems>${pageSize}</MaxItems></ListResourceRecordSetsResponse>`,
      ];
    }
    return change(id, there, body);
  }

  function change(id: string, there: Set[], body: string): [number, string] {
    const copy = [...there];
    for (const [, one = ''] of body.matchAll(/<Change>([\s\S]*?)<\/Change>/g)) {
      const name = `${tag(one, 'Name')}`.replace(/\.?$/, '.').replace('*', '\\052');
      const type = tag(one, 'Type') ?? '';
      const rest = (tag(one, 'ResourceRecordSet') ?? '').replace(/<Name>[\s\S]*?<\/Name><Type>[\s\S]*?<\/Type>/, '');
      const at = copy.findIndex((set) => set.name === name && set.type === type);
      // DELETE has to name the record exactly as it is.
      if (tag(one, 'Action') === 'DELETE') {
        const same = (text: string | undefined): string => (text ?? '').replaceAll(/\.(?=<\/DNSName>)/g, '');
        if (at === -1 || same(copy[at]?.body) !== same(rest))
          return error(
            400,
            'InvalidChangeBatch',
            `[Tried to delete resource record set [name='${name}', type='${type}'] but it was not found]`,
          );
        copy.splice(at, 1);
      } else {
        if (at !== -1)
          return error(
            400,
            'InvalidChangeBatch',
            `[Tried to create resource record set [name='${name}', type='${type}'] but it already exists]`,
          );
        copy.push({ name, type, body: rest });
      }
    }
    sets.set(id, copy);
    return [
      200,
      `<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-01T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`,
    ];
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://stand-in');
    let body = '';
    for await (const chunk of request) body += chunk;
    const [status, xml] = answer(request.method ?? 'GET', url, body);
    standIn.requests.push(`${request.method} ${url.pathname} ${status}`);
    response.writeHead(status, { 'content-type': 'text/xml' });
    response.end(`<?xml version="1.0"?>\n${xml}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  standIn.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return standIn;
}
