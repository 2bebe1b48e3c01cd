import type { ChildProcess } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { keyChange, keyChangeError } from '../../ansible/hostKeys.ts';
import { writeSshFiles } from '../../ansible/sshConfig.ts';
import type { Host } from '../../ansible/types.ts';
import { CloudspaceError } from '../../engine/types.ts';
import { childEnvironment } from '../../system/environment.ts';
import type { Place } from '../session/places.ts';
import { needHosts, sshOptions } from './hostsFile.ts';

/** What a command on a host left. `exitCode` 255 is ssh's own: the host was not reached. */
export interface RemoteResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RemoteOptions {
  /** written to the command's standard input: the place for secrets, which arguments are not */
  readonly input?: string;
  /** seconds; default 120 */
  readonly timeout?: number;
  /** sees each line of both outputs as it comes */
  readonly onLine?: (line: string) => void;
  /** standard output is only seen by `onLine`, and not kept: for what goes on for hours */
  readonly discard?: boolean;
  /** over a connection of its own, so that the remote command ends with it: for what is stopped by the person */
  readonly alone?: boolean;
  readonly signal?: AbortSignal;
}

/** Several commands at once may each try to be the first of a shared connection; the others go their own way, and say so. */
const RACED = /^ControlSocket .* already exists, disabling multiplexing\r?\n?/gm;

/** The hosts of one Cloudspace over our ssh_config: through the bastion, with pinned host keys. */
export interface Remote {
  readonly hosts: readonly Host[];
  readonly sshConfig: string;
  /** Runs a shell command as the login user. Never throws for what the command does; throws `Interrupted` when the signal aborts, `HostKeyChanged`. */
  run(host: string, command: string, options?: RemoteOptions): Promise<RemoteResult>;
  /** As `run`, but a command that fails is an error with its last lines. Gives its standard output. */
  must(host: string, command: string, what: string, options?: RemoteOptions): Promise<string>;
  /** Sends the content of a local folder, without `.git`, as a tar stream to a command's standard input. */
  sendFolder(
    host: string,
    folder: string,
    command: string,
    options?: Omit<RemoteOptions, 'input'>,
  ): Promise<RemoteResult>;
}

/** Opens the way to the hosts that the last run wrote down. Throws a usage error when there are none. */
export async function openRemote(place: Place, signal: AbortSignal): Promise<Remote> {
  const hosts = await needHosts(place.dir, place.name);
  const { sshConfig } = await writeSshFiles(place.dir, hosts, sshOptions(place.name, place.state ?? { answers: {} }));
  return remoteOver(sshConfig, hosts, signal);
}

/** The same over an ssh_config that is there already. */
export function remoteOver(sshConfig: string, hosts: readonly Host[], signal: AbortSignal): Remote {
  const words = (host: string, command: string, alone = false): string[] => [
    '-F',
    sshConfig,
    '-o',
    'BatchMode=yes',
    ...(alone ? ['-o', 'ControlPath=none'] : []),
    '-T',
    host,
    '--',
    command,
  ];
  const common = (options: RemoteOptions) =>
    ({
      reject: false,
      timeout: (options.timeout ?? 120) * 1000,
      cancelSignal: options.signal ?? signal,
      forceKillAfterDelay: 2000,
      env: childEnvironment({ SSH_ASKPASS_REQUIRE: 'never' }),
      extendEnv: false,
      maxBuffer: 50_000_000,
      ...(options.discard ? { buffer: { stdout: false } } : {}),
    }) as const;

  async function run(host: string, command: string, options: RemoteOptions = {}): Promise<RemoteResult> {
    const running = execa('ssh', words(host, command, options.alone), {
      ...common(options),
      ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    });
    const lines = follow(running, options.onLine);
    letGo(running);
    return outcome(host, await running, lines);
  }

  async function outcome(host: string, ended: Ended, lines: Promise<void>): Promise<RemoteResult> {
    await lines;
    if (ended.isCanceled) throw new CloudspaceError('interrupted', { code: 'Interrupted', exitCode: 130 });
    if (ended.code === 'ENOENT')
      throw new CloudspaceError('cannot start ssh', {
        code: 'NoSsh',
        hint: 'install OpenSSH: cloudspace doctor --fix',
      });
    const stderr = String(ended.stderr ?? '').replaceAll(RACED, '');
    const change = ended.exitCode === 255 ? keyChange(stderr) : undefined;
    if (change) throw keyChangeError(change, hosts);
    if (ended.timedOut)
      return { exitCode: 255, stdout: String(ended.stdout ?? ''), stderr: `${stderr}\n${host} took too long` };
    return { exitCode: ended.exitCode ?? 255, stdout: String(ended.stdout ?? ''), stderr };
  }

  return {
    hosts,
    sshConfig,
    run,
    async must(host, command, what, options) {
      const result = await run(host, command, options);
      if (result.exitCode === 0) return result.stdout;
      throw remoteError(host, what, result);
    },
    async sendFolder(host, folder, command, options = {}) {
      const tar = execa('tar', ['-C', folder, '--exclude', './.git', '-cf', '-', '.'], {
        ...common(options),
        // Else macOS adds a file of attributes for each file.
        env: childEnvironment({ COPYFILE_DISABLE: '1' }),
        buffer: { stdout: false },
        encoding: 'buffer',
      });
      const running = execa('ssh', words(host, command), { ...common(options), stdin: 'pipe' });
      const lines = follow(running, options.onLine);
      letGo(running);
      // A remote command that ends early breaks the pipe; its own result says why.
      pipeline(tar.stdout, running.stdin).catch(() => {});
      const ended = await running;
      const packed = await tar;
      if (ended.exitCode === 0 && packed.failed)
        throw new CloudspaceError(`cannot pack ${folder}: ${String(packed.stderr ?? '').trim()}`, {
          code: 'PackFailed',
        });
      return outcome(host, ended, lines);
    },
  };
}

interface Ended {
  readonly exitCode?: number | undefined;
  readonly stdout?: unknown;
  readonly stderr?: unknown;
  readonly timedOut: boolean;
  readonly isCanceled: boolean;
  readonly code?: string | undefined;
}

/**
 * A shared connection holds the outputs of its users open as long as the remote command runs, also when the local ssh was stopped: nobody waits for
 * what comes after that.
 */
function letGo(running: ChildProcess): void {
  running.once('exit', (_, signal) => {
    if (signal === null && !running.killed) return;
    running.stdout?.destroy();
    running.stderr?.destroy();
  });
}

type Lines = { iterable(options: { from: 'all' | 'stdout' | 'stderr' }): AsyncIterable<unknown> };

async function follow(running: Lines, onLine: ((line: string) => void) | undefined): Promise<void> {
  if (!onLine) return;
  const each = async (from: 'stdout' | 'stderr'): Promise<void> => {
    try {
      for await (const line of running.iterable({ from })) onLine(String(line));
    } catch {
      // The process could not be started or was stopped; its result says so.
    }
  };
  await Promise.all([each('stdout'), each('stderr')]);
}

/** The error for a command that failed on a host: its last lines, or why the host was not reached. */
export function remoteError(host: string, what: string, { exitCode, stdout, stderr }: RemoteResult): CloudspaceError {
  const words = lastLines(stderr.trim() === '' ? stdout : stderr, 5);
  if (exitCode === 255)
    return new CloudspaceError(`${what}: ${host} cannot be reached: ${words || 'ssh ended without a word'}`, {
      code: 'Unreachable',
      hint: `see which layer is broken: cloudspace check`,
    });
  return new CloudspaceError(`${what} failed on ${host}: ${words || `exit code ${exitCode}`}`, {
    code: 'RemoteFailed',
    hint: `look there yourself: cloudspace ssh ${host}`,
  });
}

/** The last `count` lines that are not empty. */
export function lastLines(text: string, count: number): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-count)
    .join('\n');
}

/** A word for a POSIX shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
