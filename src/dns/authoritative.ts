import { Resolver, resolve4 } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { DnsProvider, NewRecord } from './provider.ts';

/** `unknown`: no name server could be asked from here (a network that lets no DNS out, a sandbox that answers nobody). */
export type Answering = 'yes' | 'no' | 'unknown';

/** Milliseconds for one server's answer. */
const PATIENCE = 2000;
/** Any name will do to see a wildcard. */
export const PROBE = 'cloudspace-probe';

const NO_SUCH = new Set(['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'EREFUSED']);

/**
 * Do the servers that answer for the zone give this record? They are asked themselves: a resolver in between would go on saying "there is none" for as long
 * as it remembers (RFC 2308). All that can be reached have to say it.
 */
export async function answering(
  dns: { readonly provider: DnsProvider; readonly nameServers?: readonly string[] },
  zone: string,
  record: NewRecord,
): Promise<Answering> {
  const servers = dns.nameServers ?? (await addresses(await dns.provider.nameServers(zone)));
  const answers = await Promise.all(servers.map((server) => answeringAt(server, record)));
  if (answers.includes('no')) return 'no';
  return answers.includes('yes') ? 'yes' : 'unknown';
}

async function answeringAt(server: string, { name, type, content }: NewRecord): Promise<Answering> {
  const found = await answersAt(server, name, type);
  if (found === 'unknown') return 'unknown';
  // An alias answers with whatever addresses its target has now.
  const any = type !== 'CNAME' && isIP(content) === 0;
  return found !== 'none' && (any || found.includes(content)) ? 'yes' : 'no';
}

/** What a name leads to; `none`: there is no such name; `unknown`: no answer came. */
export type Answer = readonly string[] | 'none' | 'unknown';

/** Asks one server, or this machine's own resolver, for a name's addresses or its CNAME. Never throws. */
export async function answersAt(server: string | undefined, name: string, type: string): Promise<Answer> {
  const resolver = resolverAt(server);
  const asked = name.replace(/^\*/, PROBE);
  return known(async () =>
    type === 'CNAME' ? (await resolver.resolveCname(asked)).map(plain) : resolver.resolve4(asked),
  );
}

/** The zone that a name is in as the world sees it, and addresses of the servers that answer for it; `unknown`: nobody could be asked. */
export async function delegation(
  name: string,
  server?: string,
): Promise<{ readonly zone: string; readonly servers: readonly string[] } | 'none' | 'unknown'> {
  const resolver = resolverAt(server);
  const labels = name.replace(/^\*\./, '').split('.');
  // A top level domain is nobody's zone here.
  for (let from = 0; from < labels.length - 1; from++) {
    const zone = labels.slice(from).join('.');
    const found = await known(() => resolver.resolveNs(zone));
    if (found === 'unknown') return 'unknown';
    if (found !== 'none' && found.length > 0) return { zone, servers: await addresses(found) };
  }
  return 'none';
}

function resolverAt(server: string | undefined): Resolver {
  const resolver = new Resolver({ timeout: PATIENCE, tries: 1 });
  if (server !== undefined) resolver.setServers([server]);
  return resolver;
}

async function known(ask: () => Promise<readonly string[]>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    return NO_SUCH.has((error as NodeJS.ErrnoException).code ?? '') ? 'none' : 'unknown';
  }
}

const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '');

const seen = new Map<string, Promise<readonly string[]>>();

/** Addresses of name servers, as `setServers` takes them; asked once a run. */
async function addresses(names: readonly string[]): Promise<string[]> {
  const all = await Promise.all(
    names.map((name) => {
      if (isIP(name) !== 0) return [name];
      const before = seen.get(name);
      if (before) return before;
      const now = resolve4(name).then(
        (found) => found.slice(0, 1),
        () => [],
      );
      seen.set(name, now);
      return now;
    }),
  );
  return all.flat();
}
