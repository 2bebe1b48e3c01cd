import type { Aws } from '../../aws/clients.ts';
import { fromTagList, NOTES } from '../../aws/resources/common.ts';
import { readVpcs } from '../../aws/resources/vpc.ts';
import { type DnsNote, readNote } from '../../dns/note.ts';
import { namesOf } from '../../dns/preflight.ts';
import { markerName } from '../../dns/provider.ts';
import { newScope } from '../../engine/discover.ts';
import { type Event, usageError } from '../../engine/types.ts';
import { RABBITMQ_USERS, type RabbitmqUser, rabbitmqName } from '../../rabbitmq/settings.ts';
import type { Options } from '../context.ts';
import type { Left } from '../destroy/leftovers.ts';
import type { Place } from './places.ts';
import type { Session } from './session.ts';

/** Systems beside AWS that a teardown may leave alone (`--leave`). */
const LEAVABLE = ['dns', 'rabbitmq'] as const;

/** Throws a usage error on `--leave` of something else. */
export function leaves({ leave }: Options, what: (typeof LEAVABLE)[number]): boolean {
  const words = leave?.split(',').map((word) => word.trim()) ?? [];
  const unknown = words.find((word) => !LEAVABLE.some((one) => one === word));
  if (unknown !== undefined)
    throw usageError(`--leave ${unknown}: there is no such thing to leave`, `it is ${LEAVABLE.join(' or ')}`);
  return words.includes(what);
}

export interface Notes {
  readonly dns?: DnsNote | undefined;
  /** management address */
  readonly rabbitmq?: string | undefined;
}

/** What the tags of the Cloudspace's VPC say of the systems that the state says nothing of. */
export async function readNotes(aws: Aws, { name, state }: Place): Promise<Notes> {
  if (state?.answers.dns && state.answers.rabbitmq) return {};
  const vpcs = await readVpcs(aws, newScope(name));
  const tags = Object.assign({}, ...vpcs.map(({ Tags }) => fromTagList(Tags))) as Record<string, string>;
  const url = tags[NOTES.rabbitmq];
  return {
    dns: readNote(tags[NOTES.dnsHosts], tags[NOTES.dnsApplications]),
    rabbitmq: url !== undefined && URL.canParse(url) && /^https?:/.test(url) ? url : undefined,
  };
}

/** Says what is known from the VPC's tags alone, and whose credentials that takes, before anybody is asked for them. */
export function tellNotes({ name, dns, rabbitmq }: Session, notify: (event: Event) => void): void {
  const how = (what: string): string => `\`--leave ${what}\` leaves them, and lists them at the end.`;
  const tell = (text: string): void =>
    notify({ type: 'info', text: `Nothing here says so, but the tags of the VPC do: ${text}` });
  if (dns.noted) {
    const needs =
      dns.noted.provider === 'dnsimple'
        ? 'To remove them takes its token: `dns.token` in cloudspace.yaml, or the variable `DNSIMPLE_TOKEN`.'
        : 'To remove them takes credentials that may change these zones.';
    tell(`names of ${name} are kept at ${LABELS[dns.noted.provider]} (${domains(dns.noted)}). ${needs} ${how('dns')}`);
  }
  if (rabbitmq.noted !== undefined)
    tell(
      `${name} has virtual hosts at RabbitMQ, ${rabbitmq.noted}. To remove them takes an administrator of that server (\`rabbitmq:\` in cloudspace.yaml). ${how('rabbitmq')}`,
    );
}

const LABELS = { dnsimple: 'DNSimple', route53: 'Route 53' };
const domains = ({ hostDomain, appDomain }: Pick<DnsNote, 'hostDomain' | 'appDomain'>): string =>
  [...new Set([hostDomain, appDomain])].join(', ');

/** What was left on the person's word, with how to remove it: nothing finds it again once the VPC is gone. */
export function leftBehind({ name, dns, rabbitmq }: Session): Left[] {
  const free = { usdPerHour: 0, usdPerMonth: 0 };
  const names = dns.left ? namesOf({ name, dns: dns.left }) : [];
  const queues = rabbitmq.left === undefined ? [] : (Object.keys(RABBITMQ_USERS) as RabbitmqUser[]);
  return [
    ...names.map((id): Left => {
      const at = LABELS[dns.left?.provider ?? 'route53'];
      const reason = `left at ${at}, if it was made: delete it there, with the TXT record \`${markerName(id)}\`; the address that it leads to may soon be somebody else's`;
      return { id, type: 'dns-record', label: 'DNS record', reason, ...free };
    }),
    ...queues.map((user): Left => {
      const id = rabbitmqName(name, user);
      const reason = `left at ${rabbitmq.left}, if it was made, with the user of the same name`;
      const command = `rabbitmqctl delete_vhost ${id}; rabbitmqctl delete_user ${id}`;
      return { id, type: 'rabbitmq_vhost', label: 'RabbitMQ virtual host', reason, command, ...free };
    }),
  ];
}
