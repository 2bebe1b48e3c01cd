import { itemOf } from '../../engine/drift.ts';
import type { Journal } from '../../engine/journal.ts';
import type { Run } from '../../engine/run.ts';
import type { Ui } from '../../engine/types.ts';
import type { Walk } from '../../steps/index.ts';

/**
 * What somebody changed or removed by hand is listed before anything is done, and put back only when that is wanted: a question, or `--repair`.
 * What a person made is changed only after a question of its own. A host that is made anew is provisioned anew.
 */
export async function faceDrift(options: {
  readonly run: Run;
  readonly walk: Walk;
  readonly journal: Journal;
  readonly ui: Ui;
  readonly signal: AbortSignal;
  readonly interactive: boolean;
  /** `--repair` */
  readonly repair: boolean;
}): Promise<void> {
  const { run, walk, journal, ui, signal } = options;
  if (run.drift.length === 0) return;
  ui.notify({ type: 'drift', items: run.drift.map(itemOf) });
  const mendable = run.drift.filter((item) => item.mendable);
  const yours = mendable.filter((item) => item.adopted && item.what !== 'missing');
  const ours = mendable.filter((item) => !yours.includes(item));
  const wanted = [
    ...((await wants(ours.length, 'Put it back as the guide has it?', true)) ? ours : []),
    ...(options.interactive && (await wants(yours.length, 'Change what you made yourself, too?', false)) ? yours : []),
  ];
  if (wanted.length < mendable.length)
    ui.notify({
      type: 'warning',
      text: `${mendable.length - wanted.length} of these are left as they are; \`--repair\` puts back what cloudspace made.`,
    });
  if (wanted.length === 0) return;
  const remade = new Set(wanted.flatMap(({ what, key, hanging }) => (what === 'missing' ? [key, ...hanging] : [])));
  await journal.update((state) => {
    for (const play of walk.plays) if (play.hosts.some((host) => remade.has(host))) delete state.plays[play.key];
  });
  // What cannot be put back fails again in its own step, and is told and asked about there.
  await run.repair(wanted.map(({ key }) => key)).catch(() => signal.throwIfAborted());

  async function wants(count: number, message: string, preset: boolean): Promise<boolean> {
    if (count === 0) return false;
    if (options.repair && preset) return true;
    if (!options.interactive) return false;
    return ui.ask({
      kind: 'confirm',
      id: preset ? 'repair' : 'repair.adopted',
      ...(preset ? { flag: '--repair' } : {}),
      message,
      default: preset,
    });
  }
}
