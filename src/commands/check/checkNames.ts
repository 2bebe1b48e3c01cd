import { named } from '../../checks/api.ts';
import type { Facts } from '../../checks/facts.ts';
import { judgeName, type Kept, look, type Target } from '../../checks/names.ts';
import type { Question } from '../../checks/run.ts';
import { failed, passed, skipped, type Verdict } from '../../checks/types.ts';
import { answersAt, PROBE } from '../../dns/authoritative.ts';
import { applicationsDomain, publicNameOf } from '../../dns/settings.ts';
import type { ChapterId } from '../../engine/types.ts';
import { parseReference } from '../../secrets/reference.ts';
import type { Wanted } from '../systems/dns.ts';
import type { Ask, Checked } from './checkQuestions.ts';

const LABELS = { dnsimple: 'DNSimple', route53: 'Route 53' };

/** Do the names lead to what is there? A practice has none to judge, unless it was given some: browsers take `*.localhost` to this machine by themselves. */
export function nameQuestions(checked: Checked, facts: Ask<Facts>): Question[] {
  const { place, dns, practice } = checked;
  const { wanted } = dns;
  if (!wanted) return practice ? [] : [applicationsWithoutDns(facts)];
  const question = (
    chapter: ChapterId,
    title: string,
    target: (facts: Facts) => Promise<Target | string>,
  ): Question => ({
    chapter,
    layer: 'dns',
    key: 'name',
    title,
    judge: async () => {
      const found = await target(await facts());
      if (typeof found === 'string') return skipped(found);
      if (wanted.sandbox === true && !wanted.nameServers) return skipped("no name server knows a sandbox's names");
      return judgeName(found, await look(found, wanted.nameServers), () => keptAt(checked, wanted, found.name));
    },
  });
  const hosts = (['bastion', 'controller', 'services'] as const).map((host) =>
    question(host, `The name of the ${host} host leads to it`, async (found) => {
      const address = named(found, host)[0]?.publicIp;
      if (address === undefined) return 'it has no public address';
      const name = publicNameOf({ name: place.name, dns: wanted }, host) ?? '';
      return { name, type: 'A', values: [address], record: address, whose: `the ${host} host` };
    }),
  );
  return [
    ...hosts,
    question('ingress', 'The names of applications lead to the load balancer', async (found) => {
      const dnsName = found.loadBalancers[0]?.dnsName.toLowerCase();
      if (dnsName === undefined) return 'there is no load balancer';
      const common = {
        name: `*.${applicationsDomain({ name: place.name, dns: wanted })}`,
        record: dnsName,
        whose: 'the load balancer',
      };
      if (wanted.provider === 'dnsimple') return { ...common, type: 'CNAME', values: [dnsName] };
      // An alias is answered with its target's addresses.
      const addresses = await answersAt(undefined, dnsName, 'A');
      return { ...common, type: 'A', values: typeof addresses === 'string' ? [] : addresses };
    }),
  ];
}

/** What the provider has at a name. Nobody is asked for a secret here: it would only make the hint better. */
async function keptAt({ dns }: Checked, wanted: Wanted, name: string): Promise<Kept> {
  const label = LABELS[wanted.provider];
  const asks = wanted.token !== undefined && parseReference(wanted.token).kind === 'prompt';
  try {
    const client = asks ? undefined : await dns.clients();
    if (!client) return { label, contents: undefined };
    const records = await Promise.all(client.places.map(({ zone }) => client.provider.records(zone, name)));
    const there = records.flat().filter((one) => one.name === name && one.type !== 'TXT');
    return { label, contents: there.map(({ content }) => content) };
  } catch (error) {
    if ((error as { code?: string }).code === 'Interrupted') throw error;
    return { label, contents: undefined };
  }
}

/** Without a DNS of one's own sslip.io answers with the address that is in the name; some resolvers leave such answers out. */
function applicationsWithoutDns(facts: Ask<Facts>): Question {
  const judge = async (): Promise<Verdict> => {
    const dnsName = (await facts()).loadBalancers[0]?.dnsName;
    if (dnsName === undefined) return skipped('there is no load balancer');
    const addresses = await answersAt(undefined, dnsName, 'A');
    const [address] = typeof addresses === 'string' ? [] : addresses;
    if (address === undefined) return skipped(`${dnsName} is not known to this machine's resolver yet`);
    const name = `${PROBE}.${address.replaceAll('.', '-')}.sslip.io`;
    const found = await answersAt(undefined, name, 'A');
    if (found === 'unknown') return skipped('no name server can be asked from here');
    return found !== 'none' && found.includes(address)
      ? passed(`${name}: ${address}`)
      : failed(
          `${name} leads to ${found === 'none' ? 'nothing' : found.join(', ')} here`,
          'the resolver of this network does not pass on what sslip.io says: use another, or a DNS of your own (docs/dns.md)',
        );
  };
  const title = 'The names of applications lead to the load balancer';
  return { chapter: 'ingress', layer: 'dns', key: 'name', title, judge };
}
