import { instance } from '../../aws/resources/instance.ts';
import type { PlannedResource } from '../../engine/plan.ts';
import type { DriftItem } from '../../engine/types.ts';

/** Keys that are named in one line; a Cloudspace may have a thousand runners. */
const NAMED = 5;

/**
 * What is asked for now and what is there cannot become, such as another image: one line of Markdown for each difference. What somebody changed by
 * hand is told as drift and is not repeated.
 */
export function onlyAnew(
  resources: readonly Pick<PlannedResource, 'key' | 'type' | 'differences'>[],
  drift: readonly DriftItem[],
): string[] {
  const byDifference = new Map<string, { keys: string[]; remedy: string }>();
  const told = new Set(drift.map(({ key }) => key));
  for (const { key, type, differences } of resources) {
    if (told.has(key)) continue;
    for (const { attribute, want, have, fixed } of differences) {
      if (!fixed) continue;
      const difference = `${attribute} is ${String(have)}, and ${String(want)} is asked for`;
      const remedy = type === instance.type ? '`cloudspace cycle` replaces hosts' : 'it stays as it is';
      const same = byDifference.get(difference) ?? { keys: [], remedy };
      same.keys.push(key);
      byDifference.set(difference, same);
    }
  }
  return [...byDifference].map(([difference, { keys, remedy }]) => {
    const more = keys.length > NAMED ? ` and ${keys.length - NAMED} more` : '';
    return `${keys.slice(0, NAMED).join(', ')}${more}: ${difference}; ${remedy}`;
  });
}
