import { describeDrift } from '../../engine/drift.ts';
import type { DriftItem } from '../../engine/types.ts';

/** What was changed or removed by hand, for `plan` and `status --refresh`. */
export function driftText(drift: readonly DriftItem[]): string[] {
  return drift.length === 0
    ? []
    : [
        'Changed or removed outside of cloudspace:',
        ...drift.map((item) => `  - ${describeDrift(item).replaceAll('`', '')}`),
      ];
}
