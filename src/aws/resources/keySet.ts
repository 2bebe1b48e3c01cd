import { CloudspaceError } from '../../engine/types.ts';

/** EC2's limit on the characters of a tag's value. */
const LONGEST_TAG = 256;

const NUMBERED = /^(.*?)(0|[1-9]\d*)$/;

/**
 * Several resource keys as one tag value, in shell's way: `runner-{1..3}`, `runner-{1..9..2}`, `runner-{3,7..9}`, `builder,runner-{1..2}`. All instances of one
 * RunInstances request get the same tags, so their key is the set's; each one's own is the member at its AmiLaunchIndex. One key stays itself.
 * The members' order is that of `decodeKeySet`. Throws CloudspaceError `TooManyKeys` when it is longer than a tag may be.
 */
export function encodeKeySet(keys: readonly string[]): string {
  const numbers = new Map<string, number[]>();
  const plain: string[] = [];
  for (const key of new Set(keys)) {
    const [, prefix = '', digits] = NUMBERED.exec(key) ?? [];
    if (digits === undefined || !Number.isSafeInteger(Number(digits))) plain.push(key);
    else numbers.set(prefix, [...(numbers.get(prefix) ?? []), Number(digits)]);
  }
  const sets = [...numbers].map(([prefix, members]) => {
    if (members.length === 1) return `${prefix}${members[0]}`;
    return `${prefix}{${ranges(members.sort((a, b) => a - b)).join(',')}}`;
  });
  const text = [...plain.sort(), ...sets.sort()].join(',');
  if (text.length <= LONGEST_TAG) return text;
  throw new CloudspaceError(
    `${keys.length} scattered keys do not fit into one tag (${text.length} of ${LONGEST_TAG} characters)`,
    {
      code: 'TooManyKeys',
      hint: 'Make them in several runs, for example with a smaller --runners first.',
    },
  );
}

/** Ascending numbers as `3`, `1..4`, or, with a step, `1..999..2`: runners alternate between two zones, so every other one is in a request. */
function ranges(members: readonly number[]): string[] {
  const texts: string[] = [];
  for (let start = 0; start < members.length; ) {
    const first = members[start] as number;
    const step = (members[start + 1] ?? first) - first;
    let end = start;
    while (end + 1 < members.length && (members[end + 1] as number) - (members[end] as number) === step) end++;
    // Two numbers with a gap are shorter alone, and the second may begin a longer range.
    if (end === start || (end === start + 1 && step > 1)) {
      texts.push(`${first}`);
      start += 1;
    } else {
      texts.push(`${first}..${members[end]}${step === 1 ? '' : `..${step}`}`);
      start = end + 1;
    }
  }
  return texts;
}

/** The keys of a tag's value, in the order of the instances' AmiLaunchIndex. A plain key is a set of one. */
export function decodeKeySet(text: string): string[] {
  return (text.match(/[^,{]+(?:\{[^}]*\})?/g) ?? []).flatMap((part) => {
    const [, prefix = '', list] = /^([^{]*)\{([^}]*)\}$/.exec(part) ?? [];
    if (list === undefined) return [part];
    return list.split(',').flatMap((range) => {
      const [, from, to = from, step = '1'] = /^(\d+)(?:\.\.(\d+)(?:\.\.([1-9]\d*))?)?$/.exec(range) ?? [];
      if (from === undefined) return [];
      const length = Math.floor((Number(to) - Number(from)) / Number(step)) + 1;
      return Array.from(
        { length: Math.max(0, Math.min(length, 10_000)) },
        (_, index) => `${prefix}${Number(from) + index * Number(step)}`,
      );
    });
  });
}
