import { CloudspaceError, type Event } from '../engine/types.ts';
import { childEnvironment } from '../system/environment.ts';
import { type EngineFacts, type Machine, programEnv } from './machine.ts';
import type { Prerequisite } from './prerequisite.ts';

/** Runs one command, telling each line of its output. `interactive` gives it the terminal, for sudo's password. Never throws. */
export type RunCommand = (
  command: readonly string[],
  options: { readonly onLine: (line: string) => void; readonly interactive?: boolean },
) => Promise<{ readonly exitCode: number | undefined; readonly message?: string }>;

export interface FixContext {
  readonly machine: Machine;
  readonly notify: (event: Event) => void;
  /** the practice hosts' way of starting Docker where no service manager does */
  readonly startDockerd: () => Promise<EngineFacts>;
  /** may sudo ask for a password at this terminal? */
  readonly interactive: boolean;
  readonly run?: RunCommand;
}

/** apt-get waits for another one to finish instead of failing, and asks nothing. */
const APT = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=120'];

/** The commands that put everything right, in order, whole as a person would type them: packages of several fixes with one command. */
export function fixCommands(broken: readonly Prerequisite[], machine: Machine): string[][] {
  const fixes = broken.flatMap(({ fix }) => (fix === undefined ? [] : [fix]));
  const packages = [...new Set(fixes.flatMap((fix) => fix.packages))];
  const sudo = machine.root ? [] : ['sudo'];
  const commands: string[][] = [];
  if (packages.length > 0) {
    if (machine.system === 'debian') {
      commands.push([...sudo, ...APT, 'update']);
      commands.push([...sudo, ...APT, 'install', '-y', '--no-install-recommends', ...packages]);
    } else if (machine.system === 'fedora') commands.push([...sudo, 'dnf', 'install', '-y', ...packages]);
    else commands.push(['brew', 'install', ...packages]);
  }
  commands.push(...fixes.flatMap((fix) => fix.commands.map((command) => [...command])));
  if (fixes.some((fix) => fix.startEngine)) commands.push(startCommand(machine));
  return commands;
}

const startCommand = ({ root, systemd }: Machine): string[] => {
  const sudo = root ? [] : ['sudo'];
  if (systemd) return [...sudo, 'systemctl', 'start', 'docker'];
  return root ? ['dockerd'] : ['sudo', 'service', 'docker', 'start'];
};

/**
 * Runs the commands of {@link fixCommands}; progress is told as events. Look again afterwards: what a command did not put right is seen there.
 * @throws CloudspaceError `FixFailed` with the failed command and its last words
 */
export async function fix(broken: readonly Prerequisite[], context: FixContext): Promise<void> {
  const { machine, notify, startDockerd, interactive, run = runCommand(machine.platform) } = context;
  const commands = fixCommands(broken, machine);
  if (commands.some(([first]) => first === 'sudo')) {
    // Before any progress is shown: its question for the password needs the terminal to itself.
    const { exitCode } = await run(['sudo', ...(interactive ? [] : ['-n']), '-v'], { onLine: () => {}, interactive });
    if (exitCode !== 0)
      throw new CloudspaceError('sudo gave no root rights', {
        code: 'FixFailed',
        hint: `Run this as root, or run by hand: ${commands.map((words) => `\`${words.join(' ')}\``).join(', ')}`,
      });
  }
  for (const [index, command] of commands.entries()) {
    const key = `fix-${index}`;
    const text = command
      .join(' ')
      .replace('env DEBIAN_FRONTEND=noninteractive ', '')
      .replace(`${APT.slice(3).join(' ')} `, '');
    notify({ type: 'progress', key, text, status: 'started' });
    const last: string[] = [];
    const outcome =
      command[0] === 'dockerd'
        ? await startDockerd().then(({ ok, reason }) => ({ exitCode: ok ? 0 : 1, message: reason ?? '' }))
        : await run(command, {
            onLine: (line) => {
              if (line.trim() === '') return;
              last.push(line.trim());
              if (last.length > 20) last.shift();
              const step = packageStep(line);
              if (step !== undefined) notify({ type: 'progress', key, text: step, status: 'going' });
            },
          });
    if (outcome.exitCode !== 0) {
      notify({ type: 'progress', key, text, status: 'failed' });
      // apt's and dnf's own errors say more than what came last.
      const errors = last.filter((line) => /^(E:|Err:|Error)/.test(line));
      const said = [...(errors.length > 0 ? errors : last).slice(-3), outcome.message ?? ''].filter(
        (one) => one !== '',
      );
      throw new CloudspaceError(
        `\`${command.join(' ')}\` failed: ${said.join('\n') || `exit code ${outcome.exitCode}`}`,
        {
          code: 'FixFailed',
          hint: 'Run the command by hand to see more, then start again: what was installed stays.',
        },
      );
    }
    notify({ type: 'progress', key, text, status: 'done' });
  }
}

/** What a person wants to see of a package manager's output. */
function packageStep(line: string): string | undefined {
  const apt = /^(Unpacking|Setting up) (\S+)/.exec(line);
  if (apt) return `${apt[1]?.toLowerCase()} ${apt[2]?.replace(/:.*/, '')}`;
  if (/^(Get|Hit):\d+ /.test(line)) return 'downloading';
  return /^==> (Downloading|Installing|Pouring) (\S+)/.exec(line)?.[0].slice(4);
}

const runCommand =
  (platform: NodeJS.Platform): RunCommand =>
  async ([command = '', ...args], { onLine, interactive = false }) => {
    const { execa } = await import('execa');
    const options = { reject: false, env: childEnvironment(programEnv(platform)), extendEnv: false } as const;
    if (interactive) {
      const { exitCode } = await execa(command, args, { stdio: 'inherit', ...options });
      return { exitCode };
    }
    const child = execa(command, args, { stdin: 'ignore', all: true, buffer: false, ...options });
    for await (const line of child.iterable({ from: 'all' })) onLine(line);
    const result = await child;
    // No exit code: it could not be started, or a signal ended it.
    if (result.exitCode !== undefined) return { exitCode: result.exitCode };
    return { exitCode: 1, message: result.shortMessage ?? `${command} could not be run` };
  };
