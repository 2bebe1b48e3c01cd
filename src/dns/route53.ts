import type { ResourceRecordSet, Change as Route53Change } from '@aws-sdk/client-route-53';
import type { Aws } from '../aws/clients.ts';
import { codeOf } from '../aws/errors.ts';
import { CloudspaceError } from '../engine/types.ts';
import type { Change, DnsProvider, DnsRecord, NewRecord } from './provider.ts';

/**
 * Route 53 by the account's own credentials. A change batch is a transaction (Route 53 API reference, ChangeResourceRecordSets): CREATE fails when the name has a
 * record already, and DELETE when the record is not exactly as it was read, so nothing of others is overwritten.
 */
export async function route53(aws: Aws): Promise<DnsProvider> {
  const sdk = await import('@aws-sdk/client-route-53');
  // As in the AWS configuration, a service's own endpoint wins over that for all.
  const endpoint = process.env.AWS_ENDPOINT_URL_ROUTE_53;
  const client = aws.another(
    'route53',
    (config) => new sdk.Route53Client({ ...config, ...(endpoint && { endpoint }) }),
  );

  return {
    label: 'Route 53',
    async zones() {
      const zones = [];
      for await (const page of sdk.paginateListHostedZones({ client }, {})) zones.push(...(page.HostedZones ?? []));
      return zones
        .filter(({ Config }) => Config?.PrivateZone !== true)
        .map(({ Id = '', Name = '' }) => ({ id: Id.replace(/^\/hostedzone\//, ''), name: plain(Name) }));
    },
    async records(zone, under) {
      const found: DnsRecord[] = [];
      // The list is ordered by the labels from the right: what is below a name follows it.
      let from:
        | { StartRecordName: string; StartRecordType?: ResourceRecordSet['Type']; StartRecordIdentifier?: string }
        | undefined = { StartRecordName: under };
      while (from) {
        const page: Awaited<ReturnType<typeof read>> = await read(zone, from);
        const sets = page.ResourceRecordSets ?? [];
        const ours = sets.filter(({ Name = '' }) => plain(Name) === under || plain(Name).endsWith(`.${under}`));
        found.push(...ours.flatMap(record));
        from =
          page.IsTruncated && page.NextRecordName !== undefined && ours.length === sets.length
            ? {
                StartRecordName: page.NextRecordName,
                ...(page.NextRecordType && { StartRecordType: page.NextRecordType }),
                ...(page.NextRecordIdentifier && { StartRecordIdentifier: page.NextRecordIdentifier }),
              }
            : undefined;
      }
      return found;
    },
    async change(zone, change) {
      try {
        await client.send(
          new sdk.ChangeResourceRecordSetsCommand({
            HostedZoneId: zone,
            ChangeBatch: { Comment: 'cloudspace', Changes: changes(change) },
          }),
        );
      } catch (error) {
        if (codeOf(error) !== 'InvalidChangeBatch') throw error;
        throw new CloudspaceError(`Route 53 refused the records: ${(error as Error).message}`, {
          code: 'RecordExists',
          hint: 'somebody changed them at the same moment, or has a record of that name; nothing was changed. Look at the zone, then run again',
          cause: error,
        });
      }
    },
    async nameServers(zone) {
      const { DelegationSet } = await client.send(new sdk.GetHostedZoneCommand({ Id: zone }));
      return DelegationSet?.NameServers ?? [];
    },
  };

  function read(zone: string, from: object) {
    return client.send(new sdk.ListResourceRecordSetsCommand({ HostedZoneId: zone, ...from }));
  }
}

/** `*` comes back as `\052`. */
const plain = (name: string): string =>
  name
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\\052/, '*');

function record(set: ResourceRecordSet): DnsRecord[] {
  const { Name = '', Type = '', TTL, ResourceRecords, AliasTarget } = set;
  const name = plain(Name);
  const common = { id: `${name}/${Type}`, name, type: Type, ...(TTL === undefined ? {} : { ttl: TTL }) };
  if (AliasTarget)
    return [{ ...common, content: plain(AliasTarget.DNSName ?? ''), aliasZone: AliasTarget.HostedZoneId ?? '' }];
  // Several values are one set, and only the whole of it can be changed.
  const values = (ResourceRecords ?? []).map(({ Value = '' }) => Value);
  const content =
    Type === 'TXT' ? values.map((value) => value.replace(/^"(.*)"$/, '$1')).join('" "') : values.map(plain).join('\n');
  return [{ ...common, content }];
}

function set({ name, type, content, ttl, aliasZone }: NewRecord): ResourceRecordSet {
  const common = { Name: name, Type: type as NonNullable<ResourceRecordSet['Type']> };
  if (aliasZone !== undefined)
    return { ...common, AliasTarget: { HostedZoneId: aliasZone, DNSName: content, EvaluateTargetHealth: false } };
  const values = type === 'TXT' ? content.split('" "').map((text) => `"${text}"`) : content.split('\n');
  return { ...common, TTL: ttl ?? 0, ResourceRecords: values.map((Value) => ({ Value })) };
}

function changes({ create = [], replace = [], remove = [] }: Change): Route53Change[] {
  return [
    ...[...remove, ...replace.map(({ was }) => was)].map((one) => ({
      Action: 'DELETE' as const,
      ResourceRecordSet: set(one),
    })),
    ...[...create, ...replace.map(({ now }) => now)].map((one) => ({
      Action: 'CREATE' as const,
      ResourceRecordSet: set(one),
    })),
  ];
}
