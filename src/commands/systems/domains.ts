import { lookup } from 'node:dns/promises';
import { applicationsDomain, publicNameOf } from '../../dns/settings.ts';
import type { State } from '../../engine/journal.ts';
import { usageError } from '../../engine/types.ts';
import { readEndpoints } from '../hosts/endpointsFile.ts';
import type { Place } from '../session/places.ts';
import type { SavedDns } from './dns.ts';

const named = (name: string, state: Pick<State, 'answers'>) => {
  const dns = state.answers.dns as SavedDns | null | undefined;
  return { name, dns: dns ?? undefined };
};

/** The public name of a host; undefined where there is no DNS. */
export function publicName(name: string, state: Pick<State, 'answers'>, host: string): string | undefined {
  return publicNameOf(named(name, state), host);
}

/**
 * The domain that applications are under when they are given none: with a DNS `<name>.<app domain>`; in practice `localhost`, which leads every browser to this
 * machine; else sslip.io, which answers with the address that is in the name. Throws a usage error while there is no load balancer to name.
 */
export async function domainOfApplications(place: Place & { readonly state: State }): Promise<string> {
  const own = applicationsDomain(named(place.name, place.state));
  if (own !== undefined) return own;
  if (place.state.practice) return 'localhost';
  const endpoint = (await readEndpoints(place.dir)).loadBalancer['80'];
  if (!endpoint) throw usageError('there is no load balancer yet', 'go on with the walkthrough: chapter "ingress"');
  const { address } = await lookup(endpoint.host, { family: 4 });
  return `${address.replaceAll('.', '-')}.sslip.io`;
}
