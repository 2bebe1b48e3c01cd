import { type Answer, answersAt, delegation } from '../dns/authoritative.ts';
import { failed, passed, pending, skipped, type Verdict } from './types.ts';

/** What a name has to lead to. */
export interface Target {
  /** fully qualified; may begin with `*.` */
  readonly name: string;
  readonly type: 'A' | 'CNAME';
  /** one of these has to be among the answers; empty: it is not known from here, any will do */
  readonly values: readonly string[];
  /** what the record has to hold; an alias is answered with other values than it holds */
  readonly record: string;
  /** what it is, as in "the bastion's address" */
  readonly whose: string;
}

/** What was answered when a name was asked for. */
export interface Seen {
  /** left out: no zone was looked for, or none was found */
  readonly zone?: string;
  /** by the servers that answer for the zone */
  readonly own: readonly { readonly server: string; readonly answer: Answer }[];
  /** by this machine's resolver; left out: it was not asked */
  readonly here?: Answer;
}

/** Where the records are kept, and what is there: the provider's own word, without its name servers. */
export interface Kept {
  readonly label: string;
  /** contents of the records at the name; undefined: it could not be asked */
  readonly contents: readonly string[] | undefined;
}

/** Asks the servers that answer for the name's zone, and this machine's resolver. With `nameServers` (address or address:port) only these. */
export async function look(
  { name, type }: Pick<Target, 'name' | 'type'>,
  nameServers?: readonly string[],
  resolver?: string,
): Promise<Seen> {
  const ask = async (server: string) => ({ server, answer: await answersAt(server, name, type) });
  if (nameServers) return { own: await Promise.all(nameServers.map(ask)) };
  const [zone, here] = await Promise.all([delegation(name, resolver), answersAt(resolver, name, type)]);
  if (typeof zone === 'string') return { own: [], here };
  return { zone: zone.zone, own: await Promise.all(zone.servers.map(ask)), here };
}

/** Does the name lead where it has to? `kept` is asked only when it does not, to tell what is missing from what is on its way. */
export async function judgeName(target: Target, seen: Seen, kept: () => Promise<Kept>): Promise<Verdict> {
  const { name, values, record, whose } = target;
  const right = (answer: Answer): boolean =>
    typeof answer !== 'string' && (values.length === 0 || answer.some((one) => values.includes(one)));
  const told = (answer: Answer): string => (typeof answer === 'string' ? 'nothing' : answer.join(', '));
  const asked = seen.own.filter(({ answer }) => answer !== 'unknown');
  // A network may let nobody but its own resolver out: then that one's word is all there is.
  if (asked.length === 0 && seen.here !== undefined && seen.here !== 'unknown')
    asked.push({ server: "this machine's resolver", answer: seen.here });
  if (asked.length === 0) return skipped('no name server can be asked from here');
  const wrong = asked.find(({ answer }) => !right(answer));
  if (!wrong) {
    const first = told(asked[0]?.answer ?? 'none');
    return seen.here === undefined || seen.here === 'unknown' || right(seen.here)
      ? passed(`${name}: ${first}`)
      : pending(
          `${name} leads to ${first}; this machine's resolver remembers ${told(seen.here)}, for some minutes at most`,
        );
  }
  const { label, contents } = await kept();
  if (contents?.includes(record))
    return failed(
      `not yet propagated: ${label} has ${name}, and ${wrong.server} answers with ${told(wrong.answer)}`,
      `wait a minute and look again; if it stays so, the world asks other servers than ${label}'s: compare \`dig NS ${seen.zone ?? name.replace(/^\*\./, '')}\` with what ${label} shows for the zone`,
    );
  if (wrong.answer === 'none')
    return failed(
      `there is no record ${name}`,
      `run the walkthrough again: it makes the record${contents ? '' : '; one that was just made may take a minute'}`,
    );
  return failed(
    `${name} leads to ${told(wrong.answer)}, and ${whose} is ${values.length > 0 ? values.join(', ') : record}`,
    '`cloudspace start --repair` puts the record right; one that somebody else made has to go first',
  );
}
