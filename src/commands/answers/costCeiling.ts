import { usdPerHour } from '../../engine/render.ts';
import { CHAPTERS, type ChapterId, CloudspaceError, type Ui, usageError } from '../../engine/types.ts';
import type { Walk } from '../../steps/index.ts';
import type { Options } from '../context.ts';

/** The most that it may cost, in USD an hour: the flag's, else the organiser's; undefined: nobody said. Throws a usage error on what is no amount. */
export function costCeiling(options: Options): number | undefined {
  if (options.maxUsdPerHour === undefined) return options.settings?.maxUsdPerHour;
  const amount = Number(options.maxUsdPerHour);
  if (amount > 0) return amount;
  throw usageError(`"${options.maxUsdPerHour}" is no amount above 0`, 'for example --max-usd-per-hour 0.5');
}

/** What the walk costs while it stands, up to and with a chapter: USD an hour, list prices, traffic not counted. */
export function costUpTo(list: Walk, region: string, until: ChapterId): number {
  const last = CHAPTERS.indexOf(until);
  return usdPerHour(
    list.resources.filter(({ key }) => CHAPTERS.indexOf(list.chapterOf(key)) <= last),
    region,
  );
}

/** Before anything is made: a plan above the ceiling needs a yes; unattended it is refused. */
export async function checkCost(usd: number, ceiling: number | undefined, ui: Ui, interactive: boolean): Promise<void> {
  if (ceiling === undefined || usd <= ceiling) return;
  const what = `this plan costs ${usd.toFixed(3)} USD an hour, and ${ceiling} is the ceiling`;
  const hint =
    'smaller: --runners, --instance-type, --db-class, --until CHAPTER; or raise max-usd-per-hour (--max-usd-per-hour) together with whoever pays';
  if (!interactive) throw usageError(what, hint, 'CostCeiling');
  const anyway = await ui.ask({
    kind: 'confirm',
    id: 'cost',
    flag: '--max-usd-per-hour',
    message: `${what.charAt(0).toUpperCase()}${what.slice(1)}. Go on all the same?`,
    help: hint,
    default: false,
  });
  if (!anyway) throw new CloudspaceError(what, { code: 'CostCeiling', hint });
}
