import { checkDnsDomain, type DnsConfig } from './settings.ts';

/** What the VPC's tags say of the DNS: who keeps the names under a domain. Never where a token is: whoever may set tags would choose what is read, and who gets it. */
export type DnsNote = Pick<DnsConfig, 'provider' | 'hostDomain' | 'appDomain' | 'at'> &
  Partial<Pick<DnsConfig, 'hostZone' | 'appZone'>>;

const PROVIDERS = {
  dnsimple: { provider: 'dnsimple' },
  'dnsimple-sandbox': { provider: 'dnsimple', at: 'sandbox' },
  'dnsimple-elsewhere': { provider: 'dnsimple', at: 'elsewhere' },
  route53: { provider: 'route53' },
} as const;

/** The values of the two tags: `dnsimple hosts.example.com`, `route53 apps.example.com Z0123`. At DNSimple a zone is found by its name again. */
export function noteValues(dns: DnsConfig): { readonly hosts: string; readonly applications: string } {
  const word = dns.at === undefined ? dns.provider : `${dns.provider}-${dns.at}`;
  const value = (domain: string, zone: string): string =>
    [word, domain, ...(dns.provider === 'route53' ? [zone] : [])].join(' ');
  return { hosts: value(dns.hostDomain, dns.hostZone), applications: value(dns.appDomain, dns.appZone) };
}

/** Reads the two tags; one will do, when a run was interrupted between them. Undefined: they say nothing that could be ours. */
export function readNote(hosts: string | undefined, applications: string | undefined): DnsNote | undefined {
  const [host, app] = [hosts ?? applications, applications ?? hosts].map(parse);
  if (!host || !app) return undefined;
  return {
    ...PROVIDERS[host.word],
    hostDomain: host.domain,
    appDomain: app.domain,
    ...(host.zone === undefined ? {} : { hostZone: host.zone }),
    ...(app.zone === undefined ? {} : { appZone: app.zone }),
  };
}

function parse(value: string | undefined) {
  const [word = '', domain = '', zone] = (value ?? '').split(' ');
  if (!Object.hasOwn(PROVIDERS, word)) return undefined;
  try {
    return { word: word as keyof typeof PROVIDERS, domain: checkDnsDomain(domain, 'a tag of the VPC'), zone };
  } catch {
    return undefined;
  }
}
