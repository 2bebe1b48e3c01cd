import { domainToASCII } from 'node:url';
import { usageError } from '../engine/types.ts';

/** Who keeps the names. `none`: names are computed (sslip.io; *.localhost in practice), and there is no record to make. */
const DNS_PROVIDERS = ['dnsimple', 'route53', 'none'] as const;
export type DnsProviderName = (typeof DNS_PROVIDERS)[number];

/** What the steps know of DNS: no secret, saved with the state. Zones are looked up once (see preflight.ts). */
export interface DnsConfig {
  readonly provider: Exclude<DnsProviderName, 'none'>;
  /** hosts are `<host>.<name>.<hostDomain>` */
  readonly hostDomain: string;
  /** applications are `*.<name>.<appDomain>` */
  readonly appDomain: string;
  /** the provider's id of the zone that holds `hostDomain`: DNSimple the zone's name, Route 53 an id such as Z0123 */
  readonly hostZone: string;
  readonly appZone: string;
  /** not DNSimple itself: its sandbox, or another server that speaks its API */
  readonly at?: 'sandbox' | 'elsewhere';
}

interface Named {
  readonly name: string;
  readonly dns?: Pick<DnsConfig, 'hostDomain' | 'appDomain'> | undefined;
}

/** The public name of a host (`bastion`, `controller`, `services`); undefined without a DNS. The guide calls the controller's `control`. */
export function publicNameOf(config: Named, host: string): string | undefined {
  if (!config.dns || !PUBLIC_HOSTS.includes(host)) return undefined;
  return `${host === 'controller' ? 'control' : host}.${config.name}.${config.dns.hostDomain}`;
}

const PUBLIC_HOSTS = ['bastion', 'controller', 'services'];

/** The domain that the applications are under; undefined without a DNS. */
export function applicationsDomain(config: Named): string | undefined {
  return config.dns && `${config.name}.${config.dns.appDomain}`;
}

/** A domain as the providers want it: ASCII, small letters, no dot at the end. Throws a usage error; `setting` names where it was written. */
export function checkDnsDomain(text: string, setting: string): string {
  const ascii = domainToASCII(text.replace(/\.$/, ''));
  const labels = ascii.split('.');
  const good = labels.length >= 2 && labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  // The longest name below it is `_cloudspace.services.<18 characters>.<domain>`, and a name has at most 253.
  if (good && ascii.length <= 200 && !/^\d+$/.test(labels.at(-1) ?? '')) return ascii;
  throw usageError(`"${text}" is no domain (${setting})`, 'give one that you hold, for example hosts.example.com');
}

export function checkDnsProvider(text: string): DnsProviderName {
  const found = DNS_PROVIDERS.find((one) => one === text);
  if (found) return found;
  throw usageError(`there is no DNS provider "${text}"`, `the providers are: ${DNS_PROVIDERS.join(', ')}`);
}
