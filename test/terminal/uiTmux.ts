import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'tsdown';

const run = promisify(execFile);

export const tmuxMissing = spawnSync('tmux', ['-V']).status !== 0;

/** Bundles one TypeScript program with all it imports into a temporary folder. Returns the file to run and how to remove it. */
export async function bundle(entry: string): Promise<{ file: string; remove: () => Promise<void> }> {
  const outDir = await mkdtemp(join(tmpdir(), 'cloudspace-bundle-'));
  await build({
    entry: { program: entry },
    config: false,
    outDir,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    dts: false,
    logLevel: 'silent',
    deps: { alwaysBundle: [/.*/] },
    inputOptions: { resolve: { mainFields: ['module', 'main'] } },
  });
  const file = (await readdir(outDir)).find((name) => name.startsWith('program.'));
  if (file === undefined) throw new Error(`bundling ${entry} made no program`);
  return { file: join(outDir, file), remove: () => rm(outDir, { recursive: true, force: true }) };
}

export interface Terminal {
  /** tmux key names: Enter, Down, C-c; other text is typed */
  keys(...keys: string[]): Promise<void>;
  /** what stands on the screen, and above it, without trailing blanks */
  screen(): Promise<string>;
  /** polls the screen until it matches; throws with the screen when it does not within the time */
  until(what: RegExp | ((screen: string) => boolean), seconds?: number): Promise<string>;
  /** is any cell on the screen in color or another weight? */
  colored(): Promise<boolean>;
  close(): Promise<void>;
}

/** Runs a command in a terminal of its own (a tmux server of its own, without the person's configuration). When it ends the screen shows "exit N". */
export async function terminal(
  command: string,
  { columns = 80, rows = 24, env = {} }: { columns?: number; rows?: number; env?: Record<string, string> } = {},
): Promise<Terminal> {
  const socket = `cloudspace-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const tmux = (...args: string[]) => run('tmux', ['-f', '/dev/null', '-L', socket, ...args]);
  const settings = Object.entries({ LANG: 'C.UTF-8', ...env }).map(([name, value]) => `${name}='${value}'`);
  await tmux(
    ...['-u', 'new-session', '-d', '-x', String(columns), '-y', String(rows)],
    `env -u NO_COLOR -u FORCE_COLOR -u CI -u LC_ALL ${settings.join(' ')} sh -c 'trap : INT; ${command}; echo exit $?; cat'`,
  );
  const screen = async () => (await tmux('capture-pane', '-p', '-S', '-500')).stdout.trimEnd();
  return {
    async keys(...keys) {
      await tmux('send-keys', ...keys);
    },
    screen,
    async until(what, seconds = 15) {
      const end = Date.now() + seconds * 1000;
      for (;;) {
        const now = await screen();
        if (typeof what === 'function' ? what(now) : what.test(now)) return now;
        if (Date.now() > end) throw new Error(`the screen does not show ${String(what)} after ${seconds} s:\n${now}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async colored() {
      return (await tmux('capture-pane', '-p', '-e')).stdout.includes('\u001b[');
    },
    async close() {
      await tmux('kill-server').catch(() => undefined);
    },
  };
}
