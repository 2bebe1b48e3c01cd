/** Where a cell plays: a practice API as a process of its own, a folder for its world and one for the wizard's state, the real command line. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cleanEnv, cli, folder, PUBLIC_KEY, type Result, type Server, serve } from '../support/cli.ts';
import { describeWorld } from './worlds.ts';

export const MOMENTS = ['before', 'effect', 'journal'] as const;
export type Moment = (typeof MOMENTS)[number];

/** Kill the process at its n-th mutating request. */
export interface Crash {
  readonly mutation: number;
  readonly moment: Moment;
}

export type Command = 'start' | 'destroy';

export interface Outcome extends Result {
  /** by the crash that was asked for */
  readonly killed: boolean;
  /** mutating requests that reached the server meanwhile */
  readonly mutations: number;
}

export interface Stage {
  readonly dir: string;
  readonly server: Server;
  /** the folder of state.json */
  readonly state: string;
  /** Runs `start --yes` or `destroy --yes`, to its end or to the crash. */
  run(command: Command, more?: { crash?: Crash; states?: string; words?: readonly string[] }): Promise<Outcome>;
  /** every resource in a line */
  world(): string[];
  end(keep: boolean): Promise<void>;
}

const NAME = 'crash-07';
/** CLOUDSPACE_TEST_PRELOAD names it where this runs bundled. */
const PRELOAD = pathToFileURL(
  resolve(process.env.CLOUDSPACE_TEST_PRELOAD ?? fileURLToPath(new URL('./preload.mjs', import.meta.url))),
).href;
/** How much faster the wizard looks again: its waits are for AWS's pace. */
const HURRY = 40;

/** A new stage, empty or with a copy of what a stage had when it was saved. */
export async function newStage(from?: string, faults: readonly string[] = []): Promise<Stage> {
  const dir = folder();
  if (from !== undefined) cpSync(from, dir, { recursive: true });
  const key = join(dir, 'key.pub');
  writeFileSync(key, `${PUBLIC_KEY}\n`);
  const server = await serve(
    join(dir, 'server'),
    faults.flatMap((rule) => ['--fault', rule]),
    'ignore',
  );
  const home = join(dir, 'home');
  mkdirSync(home, { recursive: true });
  const root = join(dir, 'state');
  return {
    dir,
    server,
    state: join(root, NAME),
    async run(command, { crash, states, words = [] } = {}) {
      const before = server.mutations().length;
      // Given as a flag: the state may come from a stage whose server was another one.
      const base = ['--yes', '--name', NAME, '--state-dir', root, '--endpoint-url', server.endpoint, ...words];
      const walk = ['--provision', 'skip', '--ssh-from', '198.51.100.7/32', '--ssh-public-key', key];
      const result = await cli([command, ...base, ...(command === 'start' ? walk : [])], {
        cwd: home,
        env: cleanEnv({
          ...server.env,
          HOME: home,
          NODE_OPTIONS: `--import ${PRELOAD}`,
          CRASH: JSON.stringify({ at: crash, states, hurry: HURRY, log: join(dir, 'crashes.log') }),
        }),
      });
      // What a killed process had sent may still be on its way in.
      if (result.code === null) await quiet(server);
      return { ...result, killed: result.code === null, mutations: server.mutations().length - before };
    },
    world: () => describeWorld(readFileSync(join(dir, 'server/practice-serve/practice/world.json'), 'utf8')),
    async end(keep) {
      await server.close();
      if (!keep) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Saves a stage's world and state, to begin others from; it has to be over. */
export function saved(stage: Stage): string {
  const to = folder();
  for (const part of ['server', 'state']) cpSync(join(stage.dir, part), join(to, part), { recursive: true });
  // The lock of the server names a process that is gone.
  for (const name of readdirSync(join(to, 'server/practice-serve')))
    if (name === 'lock') rmSync(join(to, 'server/practice-serve', name));
  return to;
}

/** What the last crash of a stage met: operation and what it was about. */
export function crashedAt(stage: Stage): string {
  try {
    return readFileSync(join(stage.dir, 'crashes.log'), 'utf8').trim().split('\n').at(-1) ?? '';
  } catch {
    return '';
  }
}

/** Resolves when no request has come for a moment. */
async function quiet(server: Server): Promise<void> {
  for (let count = -1; count !== server.requests.length; ) {
    count = server.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}
