import { NOTES } from '../aws/resources/common.ts';
import type { EipOutput } from '../aws/resources/eip.ts';
import type { LoadBalancerOutput } from '../aws/resources/loadBalancer.ts';
import { vpcTag } from '../aws/resources/vpcTag.ts';
import { noteValues } from '../dns/note.ts';
import { dnsimpleRecord, route53Record } from '../dns/record.ts';
import { applicationsDomain, type DnsConfig, publicNameOf } from '../dns/settings.ts';
import { type Action, out, resource, type TypedResource } from '../engine/types.ts';
import type { Config } from './config.ts';
import { network } from './vpc.ts';

/** Notes on the VPC that say where the records are: made before the first of them, and gone after the last. */
function notes(config: Config & { readonly dns: DnsConfig }) {
  const vpcId = out(network.vpc(config), 'id');
  const { hosts, applications } = noteValues(config.dns);
  return {
    hosts: resource(vpcTag, 'note-dns-hosts', { vpcId, tag: NOTES.dnsHosts, value: hosts }),
    applications: resource(vpcTag, 'note-dns-applications', {
      vpcId,
      tag: NOTES.dnsApplications,
      value: applications,
    }),
  };
}

const recordKind = { dnsimple: dnsimpleRecord, route53: route53Record };

/** The A record of a public host; nothing without a DNS. */
export function hostRecord(config: Config, host: string, address: TypedResource<EipOutput>): Action[] {
  const name = publicNameOf(config, host);
  if (!config.dns || name === undefined) return [];
  const { hosts, applications } = notes({ ...config, dns: config.dns });
  const props = { zone: config.dns.hostZone, name, type: 'A' as const, content: out(address, 'publicIp') };
  const record = resource(recordKind[config.dns.provider], `dns-${host}`, props, [out(hosts, 'id')]);
  // The first name of all comes with the notes.
  return [...(host === 'bastion' ? [{ resource: hosts }, { resource: applications }] : []), { resource: record }];
}

/**
 * The wildcard of the applications, to the load balancer: its addresses change, so its name is the target. Route 53 answers an alias with the addresses
 * themselves; elsewhere it is a CNAME (DNSimple's ALIAS is for the zone's apex, where a CNAME may not be).
 */
export function applicationsRecord(config: Config, balancer: TypedResource<LoadBalancerOutput>): Action[] {
  if (!config.dns) return [];
  const common = {
    zone: config.dns.appZone,
    name: `*.${applicationsDomain(config)}`,
    content: out(balancer, 'dnsName', 'created'),
  };
  const props =
    config.dns.provider === 'route53'
      ? { ...common, type: 'A' as const, aliasZone: out(balancer, 'zoneId', 'created') }
      : { ...common, type: 'CNAME' as const };
  const { applications } = notes({ ...config, dns: config.dns });
  return [
    { resource: resource(recordKind[config.dns.provider], 'dns-applications', props, [out(applications, 'id')]) },
  ];
}
