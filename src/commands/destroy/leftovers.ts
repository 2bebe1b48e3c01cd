import { HOURS_A_MONTH } from '../../aws/prices.ts';
import type { DbSnapshot, Swept } from '../../aws/sweep.ts';
import type { Blocker } from '../../engine/blocked.ts';
import type { Doomed, Leftover } from '../../engine/doomed.ts';
import { priceOf } from '../../engine/render.ts';
import type { Event, Resource } from '../../engine/types.ts';

/** One line of the table at the end of a teardown, and one object of its `--json` document. */
export interface Left {
  readonly id: string;
  readonly type: string;
  readonly label: string;
  /** left out: not one of ours */
  readonly key?: string;
  readonly reason: string;
  /** left out: not known */
  readonly usdPerHour?: number;
  readonly usdPerMonth?: number;
  /** deletes it */
  readonly command?: string;
}

/**
 * What is left of ours, what holds it, and what else carries our tag: each with its reason and what it costs. `still` is what a fresh listing shows;
 * `failed` says why.
 */
export function leftOver(of: {
  readonly still: readonly Doomed[];
  readonly failed: readonly Leftover[];
  readonly swept: readonly Swept[];
  readonly resources: readonly Resource[];
  readonly region: string;
}): Left[] {
  const reasons = new Map(of.failed.map((one) => [one.id, one]));
  const described = new Map(of.resources.map((resource) => [resource.key, resource]));
  const there = new Set(of.still.filter(({ kind }) => !kind.partOf).map(({ out }) => out.id));
  const whole = of.still.filter(({ kind, out }) => !there.has(kind.partOf?.(out) ?? ''));
  const ours = whole.map(({ key, kind, out }): Left => {
    const resource = described.get(key);
    return withCost({
      id: out.id,
      type: kind.type,
      label: kind.label,
      key,
      reason: reasons.get(out.id)?.reason ?? 'still listed; it may be on its way out',
      usdPerHour: resource ? priceOf(resource, of.region) : 0,
    });
  });
  const ids = new Set(ours.map(({ id }) => id));
  const others = new Map<string, Blocker>();
  for (const { id, blockers } of of.failed)
    if (ids.has(id)) for (const one of blockers) if (!ids.has(one.id)) others.set(one.id, one);
  return [
    ...ours,
    ...[...others.values()].map(({ id, label, whose, usdPerHour }) =>
      withCost({ id, type: label, label, reason: `${whose}: things of others stay`, usdPerHour }),
    ),
    ...of.swept.map(({ id, type, usdPerHour, command }) =>
      withCost({
        id,
        type,
        label: type.replaceAll('-', ' '),
        reason: 'carries our tag, but no step makes such a thing by itself: look at it before you delete it',
        usdPerHour,
        command,
      }),
    ),
  ];
}

function withCost({
  usdPerHour,
  command,
  ...rest
}: Omit<Left, 'usdPerHour' | 'command'> & {
  readonly usdPerHour: number | undefined;
  readonly command?: string | undefined;
}): Left {
  return {
    ...rest,
    ...(usdPerHour === undefined ? {} : { usdPerHour, usdPerMonth: usdPerHour * HOURS_A_MONTH }),
    ...(command === undefined ? {} : { command }),
  };
}

function money(usdPerHour: number | undefined): string {
  if (usdPerHour === undefined) return 'its cost is not known';
  if (usdPerHour === 0) return 'costs nothing';
  return `${usdPerHour.toFixed(4)} USD an hour, ${(usdPerHour * HOURS_A_MONTH).toFixed(2)} a month`;
}

/** The last event of a teardown: nothing is left, or what, why and at which cost; and what stays because it was to stay. */
export function summaryOf(of: {
  readonly left: readonly Left[];
  /** how many are really gone */
  readonly deleted: number;
  readonly adopted: readonly Doomed[];
  readonly snapshots: readonly DbSnapshot[];
  /** the sentence for "nothing is left" */
  readonly nothing: string;
  /** the command that tries again */
  readonly again: string;
  /** the folder on this machine; left out: there is none */
  readonly dir: string | undefined;
}): Extract<Event, { type: 'summary' }> {
  const { left, adopted, snapshots } = of;
  const shortId = (id: string): string => (id.startsWith('arn:') ? id.split('/').slice(1).join('/') : id);
  const usd = left.reduce((sum, one) => sum + (one.usdPerHour ?? 0), 0);
  const lines =
    left.length === 0
      ? [of.nothing]
      : [
          `**${left.length} ${left.length === 1 ? 'thing is' : 'things are'} left**, ${money(usd)}:`,
          '',
          ...left.map(
            ({ id, label, reason, usdPerHour, command }) =>
              `- ${label} \`${shortId(id)}\`: ${reason}; ${money(usdPerHour)}${command === undefined ? '' : `; \`${command}\``}`,
          ),
          '',
          `Mend the cause, then: \`${of.again}\``,
        ];
  if (adopted.length > 0)
    lines.push(
      '',
      'Left as they were, they are yours (our tags are off):',
      '',
      ...adopted.map(({ kind, out }) => `- ${kind.label} \`${shortId(out.id)}\``),
    );
  if (snapshots.length > 0)
    lines.push(
      '',
      'Kept, and paid for until you delete it:',
      '',
      ...snapshots.map(
        ({ id, gigabytes, usdPerHour, command }) =>
          `- database snapshot \`${id}\`, ${gigabytes} GB: at most ${money(usdPerHour)}; \`${command}\``,
      ),
    );
  if (of.dir !== undefined)
    lines.push('', `Your notes, answers and generated secrets stay on this machine: \`${of.dir}\``);
  return {
    type: 'summary',
    text: lines.join('\n'),
    data: {
      deleted: of.deleted,
      left,
      adopted: adopted.map(({ key, kind, out }) => ({ key, type: kind.type, id: out.id })),
      snapshots,
      ...(of.dir === undefined ? {} : { dir: of.dir }),
    },
  };
}
