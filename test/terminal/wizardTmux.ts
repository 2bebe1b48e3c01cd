import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach } from 'vitest';
import { CLI, folder } from '../support/cli.ts';

export const tmuxMissing = spawnSync('tmux', ['-V']).status !== 0;

const COLUMNS = 80;
const sockets: string[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) {
    try {
      execFileSync('tmux', ['-S', socket, 'kill-server'], { stdio: 'ignore' });
    } catch {
      // It ended with its last window.
    }
  }
});

export interface WizardTerminal {
  screen(): string;
  /** all that was ever shown; what the terminal itself had to break is one line again */
  history(): string;
  /** tmux's names of keys, or text */
  keys(...keys: string[]): void;
  until(pattern: RegExp, seconds?: number): Promise<string>;
  /** the same for what may have left the screen at its top by now */
  told(pattern: RegExp, seconds?: number): Promise<string>;
  /** Presses Enter whenever a question waits, until the pattern is there. */
  enterUntil(pattern: RegExp, seconds?: number): Promise<string>;
  /** Moves the pointer of an open choice to what begins so, and takes it. */
  choose(name: string): Promise<void>;
  /** the lines that were too long for the terminal; addresses and commands are there to be copied, and stay whole */
  tooLong(): string[];
}

/**
 * The built command line in a pseudo-terminal of 80×24, without anything of the machine's environment. `home` is the folder it runs in, unless `env` says
 * another. When it has ended the screen shows "exit code N".
 */
export function terminalOf(
  args: string,
  { cwd, env = {} }: { cwd: string; env?: Readonly<Record<string, string | undefined>> },
): WizardTerminal {
  const socket = join(folder(), 's');
  sockets.push(socket);
  const tmux = (...words: string[]) =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...words], { encoding: 'utf8' });
  const all = { PATH: process.env.PATH, HOME: cwd, TERM: 'screen-256color', LANG: 'C.UTF-8', ...env };
  const settings = Object.entries(all).map(([name, value]) => `${name}='${value}'`);
  const command = `env -i ${settings.join(' ')} '${process.execPath}' '${CLI}' ${args}; echo "exit code $?"; sleep 600`;
  tmux('new-session', '-d', '-x', String(COLUMNS), '-y', '24', '-c', cwd, command);
  const screen = () => tmux('capture-pane', '-p');
  const shown = () => tmux('capture-pane', '-p', '-J', '-S', '-');
  const keys = (...names: string[]) => void tmux('send-keys', ...names);
  const seen = async (look: () => string, pattern: RegExp, seconds = 60): Promise<string> => {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) {
      const now = look();
      if (pattern.test(now)) return now;
    }
    throw new Error(`${pattern} did not come; the screen is:\n${screen()}`);
  };
  return {
    screen,
    history: shown,
    keys,
    until: (pattern, seconds) => seen(screen, pattern, seconds),
    told: (pattern, seconds) => seen(shown, pattern, seconds),
    async enterUntil(pattern, seconds = 180) {
      let last = '';
      for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100)) {
        const now = screen();
        if (pattern.test(now)) return now;
        // A question is waiting when its mark is there and the screen has come to rest.
        if (/^\? /m.test(now) && now === last) {
          keys('Enter');
          last = '';
        } else last = now;
      }
      throw new Error(`${pattern} did not come; the screen is:\n${screen()}`);
    },
    async choose(name) {
      const pointer = (): string => /^❯ (.*)$/m.exec(screen())?.[1] ?? '';
      for (const direction of ['Down', 'Up'])
        for (let step = 0; step < 12; step++) {
          const before = pointer();
          if (before.startsWith(name)) return keys('Enter');
          keys(direction);
          for (let wait = 0; wait < 60 && pointer() === before; wait++) await sleep(30);
          if (pointer() === before) break;
        }
      throw new Error(`there is no choice "${name}"; the screen is:\n${screen()}`);
    },
    tooLong: () =>
      shown()
        .split('\n')
        .filter((line) => [...line.trimEnd()].length > COLUMNS && !/https:\/\/|^ +(aws|--)/.test(line)),
  };
}
