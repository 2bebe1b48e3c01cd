import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** CLOUDSPACE_TEST_CLI names another build. */
export const CLI = process.env.CLOUDSPACE_TEST_CLI ?? fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
/** The 60th of a real public key's life: a well-formed Ed25519 key whose private half nobody has. */
export const PUBLIC_KEY = `ssh-ed25519 ${Buffer.concat([
  Buffer.from([0, 0, 0, 11]),
  Buffer.from('ssh-ed25519'),
  Buffer.from([0, 0, 0, 32]),
  Buffer.alloc(32, 7),
]).toString('base64')} test`;

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Server {
  readonly endpoint: string;
  readonly env: Readonly<Record<string, string>>;
  readonly requests: {
    readonly operation: string;
    readonly mutating: boolean;
    readonly status: number;
    readonly errorCode?: string;
  }[];
  /** called for each request as it is logged */
  onRequest: ((count: number) => void) | undefined;
  mutations(): string[];
  /** the same, once the log has everything that was answered before: it comes by a pipe and may lag behind answers to this process */
  mutationsByNow(): Promise<string[]>;
  close(): Promise<void>;
}

export function folder(): string {
  return mkdtempSync(join(tmpdir(), 'cloudspace-test-'));
}

/** An environment with nothing of the machine's: empty home, no agent, no AWS settings. */
export function cleanEnv(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: folder(), LANG: 'C.UTF-8', ...more };
}

/** Runs the built command line to its end. */
export function cli(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; started?: (child: ChildProcess) => void } = {},
): Promise<Result> {
  if (!existsSync(CLI)) throw new Error('dist/cli.js is missing: npm run build');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: options.env ?? cleanEnv(),
      cwd: options.cwd ?? folder(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    options.started?.(child);
  });
}

/** The practice API as a process of its own, on a free port, without waits. */
export async function serve(
  dir = folder(),
  more: readonly string[] = [],
  errors: 'inherit' | 'ignore' = 'inherit',
): Promise<Server> {
  const child = spawn(
    process.execPath,
    [CLI, 'practice', 'serve', '--json', '--speed', 'Infinity', '--state-dir', dir, ...more],
    { env: cleanEnv(), stdio: ['ignore', 'pipe', errors] },
  );
  const requests: Server['requests'] = [];
  let marks = 0;
  let watcher: Server['onRequest'];
  const serving = await new Promise<{ endpoint: string; accessKeyId: string; secretAccessKey: string; region: string }>(
    (resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`practice serve ended with ${code}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const event = JSON.parse(line);
        if (event.type === 'serving') resolve(event);
        if (event.type !== 'request') return;
        requests.push(event);
        watcher?.(requests.length);
      });
    },
  );
  const mutations = (): string[] =>
    requests
      .filter((request) => request.mutating && request.operation !== 'AssumeRole')
      .map((request) => request.operation);
  return {
    endpoint: serving.endpoint,
    env: {
      AWS_ENDPOINT_URL: serving.endpoint,
      AWS_ACCESS_KEY_ID: serving.accessKeyId,
      AWS_SECRET_ACCESS_KEY: serving.secretAccessKey,
      AWS_REGION: serving.region,
    },
    requests,
    get onRequest() {
      return watcher;
    },
    set onRequest(value) {
      watcher = value;
    },
    mutations,
    async mutationsByNow() {
      // A request is logged before it is answered, this one too, though it is refused: what came before it is before it in the log.
      marks += 1;
      const mark = `Mark${marks}`;
      await fetch(`${serving.endpoint}/?Action=${mark}`);
      while (!requests.some(({ operation }) => operation === mark)) await sleep(5);
      return mutations();
    },
    close: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit');
        child.once('exit', () => resolve());
        child.kill('SIGINT');
      }),
  };
}
