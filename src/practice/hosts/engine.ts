import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { childEnvironment } from '../../system/environment.ts';

/** A container engine as its command line program sees it. */
export interface Engine {
  readonly command: 'docker' | 'podman';
  readonly ok: boolean;
  /** why it cannot be used, and what to do; only when `ok` is false */
  readonly reason?: string;
  readonly version?: string;
}

/** An engine command that failed; `stderr` is what the engine said. */
export class EngineError extends Error {
  readonly stderr: string;
  readonly exitCode: number | undefined;
  constructor(message: string, stderr: string, exitCode: number | undefined) {
    super(message);
    this.name = 'EngineError';
    this.stderr = stderr;
    this.exitCode = exitCode;
  }
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  /** milliseconds; the default is two minutes, so that a hanging engine is noticed */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** called with each line of output as it comes */
  readonly onLine?: (line: string) => void;
}

/** Runs an engine command with the given words and returns its standard output, trimmed. */
export type Run = (args: readonly string[], options?: RunOptions) => Promise<string>;

/** Binds the engine's command. The returned function throws EngineError with the engine's own last words. */
export function runner(engine: Pick<Engine, 'command'>): Run {
  return async (args, options = {}) => {
    const child = execa(engine.command, args, {
      reject: false,
      env: childEnvironment(),
      extendEnv: false,
      timeout: options.timeout ?? 120_000,
      all: true,
      ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
      ...(options.signal ? { cancelSignal: options.signal } : {}),
    });
    if (options.onLine) for await (const line of child.iterable({ from: 'all' })) options.onLine(line);
    const result = await child;
    if (!result.failed) return result.stdout.trim();
    const words = [engine.command, ...args.slice(0, 2)].join(' ');
    const said = lastLines(result.stderr || result.stdout);
    const why = result.timedOut
      ? `no answer within ${(options.timeout ?? 120_000) / 1000} s`
      : said || result.shortMessage;
    throw new EngineError(`${words} failed: ${why}`, result.stderr, result.exitCode);
  };
}

function lastLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(-3)
    .join(' / ');
}

/**
 * Looks for an engine that answers: Docker, then Podman. Never throws: `ok` false comes with the reason.
 * `timeout` in milliseconds is for each of the two.
 */
export async function detectEngine(timeout = 5000): Promise<Engine> {
  const docker = await probe('docker', timeout);
  if (docker.ok) return docker;
  const podman = await probe('podman', timeout);
  if (podman.ok) return podman;
  // Where Docker is installed its trouble is worth more to a person than Podman's absence.
  return /not installed/.test(docker.reason ?? '') && !/not installed/.test(podman.reason ?? '') ? podman : docker;
}

async function probe(command: Engine['command'], timeout: number): Promise<Engine> {
  const remote = command === 'docker' ? process.env.DOCKER_HOST : process.env.CONTAINER_HOST;
  if (remote && !/^(unix|npipe|fd):/.test(remote)) {
    const reason = `${command} works on another machine (${remote.replace(/\/\/[^@/]*@/, '//')}), but practice hosts are reached through this machine's loopback: unset ${command === 'docker' ? 'DOCKER_HOST' : 'CONTAINER_HOST'}`;
    return { command, ok: false, reason };
  }
  const result = await execa(command, ['info', '--format', '{{json .}}'], {
    reject: false,
    timeout,
    stdin: 'ignore',
    env: childEnvironment(),
    extendEnv: false,
  });
  if (result.code === 'ENOENT') return { command, ok: false, reason: `${command} is not installed` };
  if (result.timedOut) {
    return { command, ok: false, reason: `${command} gave no answer within ${timeout / 1000} s: restart the engine` };
  }
  const info = parseInfo(result.stdout ?? '');
  if (result.failed || info.error !== undefined) {
    return { command, ok: false, reason: explain(command, `${result.stderr ?? ''} ${info.error ?? ''}`) };
  }
  if (info.os !== undefined && info.os !== 'linux') {
    return { command, ok: false, reason: `${command} runs ${info.os} containers: switch it to Linux containers` };
  }
  return {
    command,
    ok: true,
    ...(info.version === undefined ? {} : { version: info.version }),
  };
}

function explain(command: string, said: string): string {
  if (/permission denied/i.test(said)) {
    return `${command} refuses this user (permission denied on its socket): add the user to the group "docker" and log in again`;
  }
  if (/cannot connect|is the docker daemon running|connection refused|no such file/i.test(said)) {
    return `${command} is installed, but its daemon does not run: start it (Linux: systemctl start ${command}; else open Docker Desktop)`;
  }
  return `${command} info failed: ${lastLines(said).slice(0, 300)}`;
}

interface Info {
  readonly version?: string;
  readonly os?: string;
  readonly error?: string;
}

/** Docker and Podman answer `info` with different JSON; Docker reports an absent daemon inside the answer. */
function parseInfo(text: string): Info {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { error: text };
  }
  const at = (...path: string[]): string | undefined => {
    let value: unknown = json;
    for (const key of path) value = isRecord(value) ? value[key] : undefined;
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const errors = isRecord(json) && Array.isArray(json.ServerErrors) ? json.ServerErrors.join('; ') : undefined;
  const version = at('ServerVersion') ?? at('version', 'Version');
  const os = at('OSType') ?? at('host', 'os');
  return {
    ...(version === undefined ? {} : { version }),
    ...(os === undefined ? {} : { os }),
    ...(errors ? { error: errors } : {}),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Starts Docker's daemon on a Linux machine whose package is installed: by systemd where that is PID 1, else detached, its output in
 * `logFile`. Waits until it answers, at most `timeout` ms. Needs root. Returns the engine, `ok` or with the reason.
 */
export async function startDockerd(options: { logFile?: string; timeout?: number } = {}): Promise<Engine> {
  const failed = (reason: string): Engine => ({ command: 'docker', ok: false, reason });
  const before = await probe('docker', 5000);
  if (before.ok) return before;
  if (process.platform !== 'linux') return failed('the Docker daemon cannot be started from here: open Docker Desktop');
  if (process.getuid?.() !== 0)
    return failed('starting the Docker daemon needs root: run `sudo systemctl start docker`');
  const logFile = options.logFile ?? '/var/log/dockerd.log';
  if (readFileSync('/proc/1/comm', 'utf8').trim() === 'systemd') {
    const started = await execa('systemctl', ['start', 'docker'], {
      reject: false,
      stdin: 'ignore',
      env: childEnvironment(),
      extendEnv: false,
    });
    if (started.failed)
      return failed(`systemctl start docker failed: ${lastLines(started.stderr || (started.shortMessage ?? ''))}`);
  } else {
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a', 0o600);
    const daemon = spawn('dockerd', [], {
      detached: true,
      stdio: ['ignore', log, log],
      env: childEnvironment(),
    });
    const missing = await new Promise<boolean>((resolve) => {
      daemon.once('error', () => resolve(true));
      daemon.once('spawn', () => resolve(false));
    });
    if (missing) return failed('dockerd is not installed: install the package docker.io');
    daemon.unref();
  }
  const end = Date.now() + (options.timeout ?? 30_000);
  let engine = before;
  while (Date.now() < end) {
    engine = await probe('docker', 5000);
    if (engine.ok) return engine;
    await sleep(300);
  }
  return failed(
    `the Docker daemon was started but does not answer (${engine.reason ?? 'no reason given'}); its log: ${logFile}`,
  );
}
