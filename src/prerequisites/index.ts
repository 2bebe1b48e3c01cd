import { CloudspaceError, type Ui } from '../engine/types.ts';
import { prerequisites, unmet } from './checks.ts';
import { fix, fixCommands, type RunCommand } from './fix.ts';
import { type EngineFacts, type Machine, thisMachine } from './machine.ts';
import type { Prerequisite, Wanted } from './prerequisite.ts';

export { prerequisites, unmet } from './checks.ts';
export { type FixContext, fix, fixCommands, type RunCommand } from './fix.ts';
export { type EngineFacts, type Machine, thisMachine } from './machine.ts';
export type { Fix, Prerequisite, Wanted } from './prerequisite.ts';

/** What this part does not know itself; the practice hosts have both. */
export interface Engines {
  readonly detectEngine: () => Promise<EngineFacts>;
  readonly startDockerd: () => Promise<EngineFacts>;
}

export interface EnsureOptions extends Wanted, Engines {
  /** may sudo ask for its password? false under --yes and without a terminal */
  readonly interactive: boolean;
  /** for tests: looks at the machine anew, each time */
  readonly look?: () => Promise<Machine>;
  readonly run?: RunCommand;
}

/**
 * Names what is missing and why, asks once, installs it, and looks again. Silent when nothing is missing.
 * @returns what was found, all of it good or advisory
 * @throws CloudspaceError `MissingPrerequisite` or `FixFailed` (exit 1), `Declined` (exit 1), `NoTerminal` (exit 2)
 */
export async function ensurePrerequisites(options: EnsureOptions, ui: Ui): Promise<Prerequisite[]> {
  const look = options.look ?? (() => thisMachine(options.detectEngine));
  let machine = await look();
  let found = await prerequisites(options, machine);
  const first = unmet(found);
  if (first.length === 0) return found;
  const named = `This machine lacks something:\n\n${first.map(describe).join('\n')}`;
  const hopeless = first.filter((one) => one.fix === undefined);
  if (hopeless.length > 0) {
    ui.notify({ type: 'info', text: named });
    throw stillMissing(hopeless);
  }

  const commands = fixCommands(first, machine);
  ui.notify({
    type: 'info',
    text: `${named}\n\nThis puts it right:\n\n\`\`\`\n${commands.map((words) => words.join(' ')).join('\n')}\n\`\`\``,
  });
  const yes = await ui.ask({
    id: 'install',
    kind: 'confirm',
    message: 'Run these commands now?',
    default: true,
    flag: '--yes',
  });
  if (!yes)
    throw new CloudspaceError('declined: nothing was installed', {
      code: 'Declined',
      hint: `Run the commands yourself and start again. ${WITHOUT}`,
    });
  const { startDockerd, interactive, run } = options;
  await fix(first, {
    machine,
    notify: (event) => ui.notify(event),
    startDockerd,
    interactive,
    ...(run === undefined ? {} : { run }),
  });

  machine = await look();
  found = await prerequisites(options, machine);
  const left = unmet(found);
  if (left.length > 0) throw stillMissing(left);
  return found;
}

const WITHOUT = 'Without containers: `--hosts none`; without Ansible: `--provision skip`.';

/** One line of a Markdown list: what, what for, what was found, what to do */
export function describe(one: Prerequisite): string {
  const found = one.found === undefined ? one.status : `${one.status}: ${one.found}`;
  const advice = one.advice === undefined ? '' : ` ${one.advice}`;
  return `- **${one.title}** (${found}; needed: ${one.need}): ${one.why}.${advice}`;
}

function stillMissing(left: readonly Prerequisite[]): CloudspaceError {
  const names = left.map((one) => `${one.title} is ${one.status}${one.found === undefined ? '' : ` (${one.found})`}`);
  const advice = left.flatMap((one) => (one.advice === undefined ? [] : [one.advice]));
  return new CloudspaceError(names.join(', '), {
    code: 'MissingPrerequisite',
    hint: [...advice, '`cloudspace doctor` looks again.', WITHOUT].join(' '),
  });
}
