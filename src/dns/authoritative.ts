import { Resolver, resolve4 } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { DnsProvider, NewRecord } from './provider.ts';

/** `unknown`: no name server could be asked from here (a network that lets no DNS out, a sandbox that answers nobody). */
export type Answering = 'yes' | 'no' | 'unknown';

/** Milliseconds for one server's answer. */
const PATIENCE = 2000;
/** Any name will do to see a wildcard. */
const PROBE = 'cloudspace-probe';

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
  const resolver = new Resolver({ timeout: PATIENCE, tries: 1 });
  resolver.setServers([server]);
  const asked = name.replace(/^\*/, PROBE);
  try {
    if (type === 'CNAME') {
      const targets = await resolver.resolveCname(asked);
      return targets.some((target) => target.toLowerCase().replace(/\.$/, '') === content) ? 'yes' : 'no';
    }
    const found = await resolver.resolve4(asked);
    // An alias answers with whatever addresses its target has now.
    return isIP(content) === 0 || found.includes(content) ? 'yes' : 'no';
  } catch (error) {
    return NO_SUCH.has((error as NodeJS.ErrnoException).code ?? '') ? 'no' : 'unknown';
  }
}

const known = new Map<string, Promise<readonly string[]>>();

/** Addresses of name servers, as `setServers` takes them; asked once a run. */
async function addresses(names: readonly string[]): Promise<string[]> {
  const all = await Promise.all(
    names.map((name) => {
      if (isIP(name) !== 0) return [name];
      const before = known.get(name);
      if (before) return before;
      const now = resolve4(name).then(
        (found) => found.slice(0, 1),
        () => [],
      );
      known.set(name, now);
      return now;
    }),
  );
  return all.flat();
}
