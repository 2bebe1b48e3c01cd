import { CloudspaceError } from '../engine/types.ts';
import type { Context } from './context.ts';
import { type PracticeSettings, practiceSettings } from './practice/practiceCloud.ts';
import { start } from './start.ts';

/**
 * `cloudspace practice`: first what this machine lacks for hosts in containers, then the walkthrough. Who declines, or whose machine cannot,
 * practises with the API alone, and is told so.
 */
export async function run(context: Context): Promise<number> {
  const { options, ui } = context;
  const settings = practiceSettings(options);
  if (options.dryRun || settings.hosts === 'none') return start(context, { practice: true, settings });
  const { ensurePrerequisites } = await import('../prerequisites/index.ts');
  const { detectEngine, startDockerd } = await import('../practice/hosts/engine.ts');
  const interactive = options.yes !== true && process.stdin.isTTY === true;
  const provision = options.provision === 'skip' ? 'skip' : 'ansible';
  try {
    await ensurePrerequisites(
      {
        hosts: settings.hosts,
        provision,
        interactive,
        detectEngine: () => detectEngine(),
        startDockerd: () => startDockerd(),
      },
      ui,
    );
  } catch (error) {
    const optional =
      error instanceof CloudspaceError && ['Declined', 'MissingPrerequisite', 'FixFailed'].includes(error.code);
    if (!optional || options.hosts === 'containers') throw error;
    ui.notify({ type: 'warning', text: `${error.message}. ${error.hint ?? ''}`.trim() });
    return withoutHosts(context, settings);
  }
  return start(context, { practice: true, settings });
}

function withoutHosts(context: Context, settings: PracticeSettings): Promise<number> {
  context.ui.notify({
    type: 'warning',
    text: 'Going on without hosts: the API is practised in full, instances are not real and provisioning is skipped.',
  });
  return start(
    { ...context, options: { ...context.options, hosts: 'none' } },
    { practice: true, settings: { ...settings, hosts: 'none' } },
  );
}
