import type { Aws } from '../../aws/clients.ts';
import type { DnsNote } from '../../dns/note.ts';
import { findZones, placesOf, refuseForeign } from '../../dns/preflight.ts';
import type { DnsProvider } from '../../dns/provider.ts';
import type { Dns } from '../../dns/record.ts';
import { checkDnsDomain, checkDnsProvider, type DnsConfig } from '../../dns/settings.ts';
import type { State } from '../../engine/journal.ts';
import { usageError } from '../../engine/types.ts';
import { parseReference, referenceText } from '../../secrets/reference.ts';
import type { Options } from '../context.ts';
import { once } from '../once.ts';
import type { Beside } from './beside.ts';

/** The DNS of one session. Nothing is asked of a provider, and no secret read, before it is needed. */
export interface DnsConnection {
  /** what is configured, with nobody asked; undefined: no DNS */
  readonly wanted: Wanted | undefined;
  /** what the steps are told; undefined: no DNS. Zones are looked up once. */
  config(): Promise<DnsConfig | undefined>;
  /** for the kinds */
  clients(): Promise<Dns | undefined>;
  /** Throws when a name that is needed is somebody else's. */
  check(config: DnsConfig): Promise<void>;
  /** what is saved with the state: where the token is kept, never the token */
  readonly saved: SavedDns | undefined;
  /** a teardown's, where nothing but the VPC's tags says it */
  readonly noted: DnsNote | undefined;
  /** what `destroy --leave dns` leaves */
  readonly left: Pick<DnsConfig, 'provider' | 'hostDomain' | 'appDomain'> | undefined;
}

/** Part of the state's answers, so that destroy finds the records without cloudspace.yaml. */
export interface SavedDns extends DnsConfig {
  /** a reference, such as `env:DNSIMPLE_TOKEN` */
  readonly token?: string;
  readonly sandbox?: boolean | string;
  /** asked instead of the zones' own */
  readonly nameServers?: readonly string[];
}

export type Wanted = Omit<SavedDns, 'hostZone' | 'appZone'> & { readonly hostZone?: string; readonly appZone?: string };

/** Where a token is looked for when nothing else is said. */
const DEFAULT_TOKEN = 'env:DNSIMPLE_TOKEN';

/** Flags over cloudspace.yaml, checked; undefined when neither says anything, `none` when they say that there is none. */
export function wantedDns(options: Options): Wanted | 'none' | undefined {
  const file = options.settings?.dns;
  const given = options.dnsProvider ?? file?.provider;
  if (given === undefined) {
    if (options.hostDomain !== undefined || options.appDomain !== undefined)
      throw usageError(
        'a domain is given, and not who keeps its names',
        'add --dns-provider dnsimple or --dns-provider route53',
      );
    return undefined;
  }
  const provider = checkDnsProvider(given);
  if (provider === 'none') return 'none';
  const domain = (value: string | undefined, setting: string): string => {
    if (value !== undefined) return checkDnsDomain(value, setting);
    throw usageError(
      `DNS by ${provider} needs the ${setting}`,
      `add --${setting}, or dns: {${setting}: …} in cloudspace.yaml`,
    );
  };
  const hostDomain = domain(options.hostDomain ?? file?.hostDomain, 'host-domain');
  return {
    provider,
    hostDomain,
    appDomain: domain(options.appDomain ?? file?.appDomain ?? options.hostDomain, 'app-domain'),
    ...(file?.hostZoneId === undefined ? {} : { hostZone: file.hostZoneId }),
    ...(file?.appZoneId === undefined ? {} : { appZone: file.appZoneId }),
    ...(provider === 'dnsimple' ? { token: file?.token ? referenceText(file.token) : DEFAULT_TOKEN } : {}),
    ...(file?.sandbox === undefined ? {} : { sandbox: file.sandbox }),
    ...(file?.nameServers === undefined ? {} : { nameServers: file.nameServers }),
  };
}

/** The names of this Cloudspace, and the connection to whoever serves them. Asks nobody before it is used. */
export function openDns(how: Beside<DnsNote> & { readonly aws: Aws }): DnsConnection {
  const { name, account, options, state } = how;
  const saved = (state?.answers.dns ?? undefined) as SavedDns | undefined;
  const wanted = wantedDns(options);
  if (!how.leave) refuseChange(saved, wanted, state);
  const said = wanted === 'none' ? undefined : (wanted ?? saved);
  const noted = said === undefined ? how.noted : undefined;
  const all = said ?? (noted && fromNote(noted, options));
  const use = how.leave ? undefined : all;
  const provider = once((): Promise<DnsProvider> => connectTo(use as Wanted, how));
  let found: SavedDns | undefined;

  const settled = once(async (): Promise<SavedDns | undefined> => {
    if (!use) return undefined;
    const known = saved && sameNames(saved, use) ? saved : undefined;
    const hostZone = use.hostZone ?? known?.hostZone;
    const appZone = use.appZone ?? known?.appZone;
    found =
      hostZone !== undefined && appZone !== undefined
        ? { ...use, hostZone, appZone }
        : { ...use, ...(await findZones(await provider(), use)) };
    return found;
  });

  async function config(): Promise<DnsConfig | undefined> {
    const all = await settled();
    if (!all) return undefined;
    const { token: _token, sandbox, nameServers: _nameServers, ...rest } = all;
    return { ...rest, ...(sandbox ? { at: sandbox === true ? 'sandbox' : 'elsewhere' } : {}) };
  }

  return {
    wanted: use,
    config,
    async clients() {
      const dns = await config();
      if (!dns) return undefined;
      return {
        provider: await provider(),
        account,
        places: placesOf(name, dns),
        ...(found?.nameServers === undefined ? {} : { nameServers: found.nameServers }),
      };
    },
    async check(dns) {
      await refuseForeign(await provider(), { name, dns }, { name, account });
    },
    get saved() {
      return found;
    },
    noted,
    left: how.leave ? all : undefined,
  };
}

/** Whoever could set a tag would choose where a token comes from and goes to: so neither is in it. */
function fromNote(note: DnsNote, options: Options): Wanted {
  const { at, ...rest } = note;
  const asked = process.env.DNSIMPLE_TOKEN === undefined && options.yes !== true;
  return {
    ...rest,
    ...(note.provider === 'dnsimple' ? { token: asked ? 'prompt' : DEFAULT_TOKEN } : {}),
    ...(at === 'sandbox' ? { sandbox: true } : {}),
    ...(at === 'elsewhere' ? { sandbox: '' } : {}),
  };
}

async function connectTo(
  use: Wanted,
  how: Pick<Parameters<typeof openDns>[0], 'aws' | 'readSecret' | 'readOnly' | 'signal'>,
): Promise<DnsProvider> {
  if (use.provider === 'route53') return (await import('../../dns/route53.ts')).route53(how.aws);
  if (use.sandbox === '')
    throw usageError(
      `the names (${use.hostDomain}, ${use.appDomain}) are kept by another server than DNSimple itself, and nothing here says which`,
      'say it in cloudspace.yaml (dns:, with its address as sandbox:); `--leave dns` leaves the records',
      'DnsElsewhere',
    );
  const { dnsimple } = await import('../../dns/dnsimple.ts');
  return dnsimple({
    token: await how.readSecret(parseReference(use.token ?? DEFAULT_TOKEN), 'dns.token'),
    ...(use.sandbox === undefined ? {} : { sandbox: use.sandbox }),
    readOnly: how.readOnly,
    signal: how.signal,
  });
}

const sameNames = (a: Wanted, b: Wanted): boolean =>
  a.provider === b.provider && a.hostDomain === b.hostDomain && a.appDomain === b.appDomain;

/** Records that are there would be forgotten where they are. */
function refuseChange(
  saved: SavedDns | undefined,
  wanted: Wanted | 'none' | undefined,
  state: State | undefined,
): void {
  const made = Object.keys(state?.resources ?? {}).filter((key) => key.startsWith('dns-'));
  if (!saved || wanted === undefined || made.length === 0) return;
  if (wanted !== 'none' && sameNames(saved, wanted)) return;
  throw usageError(
    `the names are kept at ${saved.provider} (${saved.hostDomain}, ${saved.appDomain}), and ${made.length} records are there`,
    'leave these settings as they were; to change them take the Cloudspace down to the VPC first: cloudspace destroy --to vpc',
    'OtherDns',
  );
}
