import { existsSync, statSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { CloudspaceError, type Event, usageError } from '../engine/types.ts';
import { privateFolder, writeAtomically } from '../system/files.ts';
import { whyUnreachable } from './connections.ts';
import { ansibleEnvironment } from './environment.ts';
import { followPlay, type HostRecap, isBad, type TaskFailure } from './events.ts';
import { type KeyChange, keyChange } from './hostKeys.ts';
import { literal } from './inventory.ts';

export interface PlaybookOptions {
  /** names the play in events, and files beside the log */
  readonly key: string;
  readonly title: string;
  /** folder of the deployment repository */
  readonly deployment: string;
  /** file in the repository's `playbooks` folder, or a path from the repository's root */
  readonly playbook: string;
  /** inventory file (writeInventory) */
  readonly inventory: string;
  /** run on these hosts only; for a retry, the `failedHosts` of the run before */
  readonly limit?: readonly string[];
  /** passed in a file, never as arguments; strings are data, not templates */
  readonly extraVars?: Readonly<Record<string, unknown>>;
  readonly vault?: {
    readonly file: string;
    readonly vaultId: string;
    readonly passwordFile: string;
    readonly env?: Readonly<Record<string, string>>;
  };
  /** password files of further vault ids: of what is encrypted in the repository itself */
  readonly vaultIds?: Readonly<Record<string, string>>;
  /** the ssh_config that the inventory names: an unreachable host is then asked again for the reason, which Ansible does not get to see */
  readonly sshConfig?: string;
  /** private folder for Ansible's own files, for example `<state>/ansible` */
  readonly home: string;
  /** the human log, appended to; mode 0600 */
  readonly logFile: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: Event) => void;
}

export interface PlaybookResult {
  readonly ok: boolean;
  /** tasks that changed something, on all hosts */
  readonly changed: number;
  readonly failures: readonly TaskFailure[];
  /** hosts to limit a retry to */
  readonly failedHosts: readonly string[];
  readonly recap: Readonly<Record<string, HostRecap>>;
  /** a host showed another key than the pinned one */
  readonly keyChange?: KeyChange;
  readonly logFile: string;
}

/** After SIGINT Ansible stops its workers and says so; who does not is made to, in milliseconds from the interruption. */
const KILL_AFTER = { SIGTERM: 5_000, SIGKILL: 8_000 } as const;

/**
 * Runs one playbook and reports `play` and `task` events. A host that fails is no exception but a result; see `playError`.
 * Throws CloudspaceError: `ToolMissing` (no ansible-playbook), `BadInput` (no such playbook), `PlaybookBroken` (Ansible could not start it: with its
 * words), `Interrupted` (exit 130, after the whole process group has gone).
 */
export async function runPlaybook(options: PlaybookOptions): Promise<PlaybookResult> {
  const { key, title, onEvent, logFile, signal } = options;
  const playbook = findPlaybook(options.deployment, options.playbook);
  const hosts = options.limit ?? [];
  const started = Date.now();
  const report = (status: 'started' | 'done' | 'failed', summary?: string): void =>
    onEvent({
      type: 'play',
      key,
      title,
      status,
      hosts,
      log: logFile,
      ...(status === 'started' ? {} : { seconds: (Date.now() - started) / 1000 }),
      ...(summary === undefined ? {} : { summary }),
    });
  if (signal.aborted) throw interrupted(title, signal);
  report('started');
  try {
    const result = await explained(await execute(options, playbook), options);
    report(result.ok ? 'done' : 'failed', result.ok ? summaryOf(result) : playError(title, result).message);
    return result;
  } catch (error) {
    report('failed', (error as Error).message);
    throw error;
  }
}

async function execute(options: PlaybookOptions, playbook: string): Promise<PlaybookResult> {
  const { key, deployment, home, logFile, signal, limit } = options;
  await privateFolder(home);
  await mkdir(dirname(logFile), { recursive: true, mode: 0o700 });
  const varsFile = join(home, `vars-${key}-${process.pid}.json`);
  const log = await open(logFile, 'a', 0o600);
  const follow = followPlay(key, options.onEvent);
  try {
    await log.chmod(0o600);
    const logStart = (await log.stat()).size;
    await log.write(`# ${new Date().toISOString()} ${options.playbook}${limit ? `, on ${limit.join(', ')}` : ''}\n`);
    await writeAtomically(varsFile, JSON.stringify(literal(options.extraVars ?? {})));
    // execa's types know the numbers up to 9 only; any open descriptor is handed over.
    const output = log.fd as 3;
    const running = execa('ansible-playbook', arguments_(options, playbook, varsFile), {
      cwd: deployment,
      env: {
        ...ansibleEnvironment(deployment, home, { programs: asksPrograms(options) }),
        ...options.vault?.env,
        CLOUDSPACE_EVENTS_FD: '3',
      },
      extendEnv: false,
      stdio: ['ignore', output, output, 'pipe'],
      buffer: false,
      reject: false,
      // A process group of its own, so that all of it can be stopped, and so that the terminal's Ctrl-C reaches it through us only.
      detached: true,
    });
    const stop = stopOnAbort(signal, running.pid);
    try {
      for await (const line of running.iterable({ from: 'fd3' })) follow.line(line as string);
    } catch {
      // The channel of a process that could not be started; its result says why.
    }
    const ended = await running;
    stop();
    if (signal.aborted) throw interrupted(options.title, signal);
    if (ended.code === 'ENOENT') throw missing();
    return await resultOf(options, follow.progress(), ended.exitCode ?? 1, () => logFrom(logFile, logStart));
  } finally {
    await log.close();
    await rm(varsFile, { force: true });
  }
}

function arguments_(options: PlaybookOptions, playbook: string, varsFile: string): string[] {
  const { vault, limit } = options;
  const words = ['--inventory', options.inventory];
  if (limit) words.push('--limit', limit.join(','));
  for (const [id, passwordFile] of Object.entries(options.vaultIds ?? {}))
    words.push('--vault-id', `${id}@${passwordFile}`);
  if (vault && existsSync(vault.file))
    words.push('--vault-id', `${vault.vaultId}@${vault.passwordFile}`, '--extra-vars', `@${vault.file}`);
  return [...words, '--extra-vars', `@${varsFile}`, playbook];
}

/** As with Ansible, a password file that may be executed is a program that prints the password. Ours asks this process, by the socket in its `env`. */
function asksPrograms({ vault, vaultIds = {} }: PlaybookOptions): boolean {
  const handedOver = Object.keys(vault?.env ?? {}).length > 0;
  const files = [...(vault && !handedOver ? [vault.passwordFile] : []), ...Object.values(vaultIds)];
  return files.some((file) => ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o111) !== 0);
}

function findPlaybook(deployment: string, playbook: string): string {
  const candidates = [join(deployment, 'playbooks', playbook), join(deployment, playbook)];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw usageError(
    `the deployment repository ${deployment} has no playbook ${playbook}`,
    `looked for ${candidates.join(' and ')}; name the repository with --deployment`,
  );
}

/** Interrupts the process group when the signal aborts, and goes on to harder signals. Gives the function that ends the watch. */
function stopOnAbort(signal: AbortSignal, pid: number | undefined): () => void {
  if (pid === undefined) return () => {};
  const timers: NodeJS.Timeout[] = [];
  const interrupt = (): void => {
    killGroup(pid, 'SIGINT');
    for (const [name, after] of Object.entries(KILL_AFTER))
      timers.push(setTimeout(() => killGroup(pid, name as NodeJS.Signals), after));
  };
  if (signal.aborted) interrupt();
  else signal.addEventListener('abort', interrupt, { once: true });
  return () => {
    signal.removeEventListener('abort', interrupt);
    for (const timer of timers) clearTimeout(timer);
    if (signal.aborted) killGroup(pid, 'SIGKILL'); // workers that outlived their parent
  };
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has gone.
  }
}

async function resultOf(
  options: PlaybookOptions,
  { failures, recap }: ReturnType<ReturnType<typeof followPlay>['progress']>,
  exitCode: number,
  log: () => Promise<string>,
): Promise<PlaybookResult> {
  if (!recap) {
    throw new CloudspaceError(
      `${options.title}: Ansible stopped with exit code ${exitCode}: ${ansibleError(await log())}`,
      {
        code: 'PlaybookBroken',
        hint: `the full log is in ${options.logFile}`,
      },
    );
  }
  const forgotten = (options.limit ?? [])
    .filter((host) => !recap[host])
    .map((host) => ({ host, task: options.playbook, message: 'the playbook has no play for this host' }));
  const all = [...failures, ...forgotten];
  const failed = Object.keys(recap).filter((host) => isBad(recap[host]));
  return {
    ok: exitCode === 0 && all.length === 0 && failed.length === 0,
    changed: Object.values(recap).reduce((sum, host) => sum + host.changed, 0),
    failures: all,
    failedHosts: [...new Set([...failed, ...all.map((failure) => failure.host)])],
    recap,
    logFile: options.logFile,
  };
}

/** Puts ssh's reason into the failures of hosts that could not be reached. A host that answers by now keeps Ansible's words. */
async function explained(result: PlaybookResult, { sshConfig, signal }: PlaybookOptions): Promise<PlaybookResult> {
  if (sshConfig === undefined) return result;
  const changes: KeyChange[] = [];
  const failures = result.failures.map(async (failure) => {
    if (!result.recap[failure.host]?.unreachable) return failure;
    const why = await whyUnreachable(sshConfig, failure.host, signal);
    if (why === undefined) return failure;
    const change = keyChange(why);
    if (change) changes.push(change);
    return {
      ...failure,
      message: `cannot be reached over SSH: ${change ? `another host key than the pinned one came: ${change.came}` : why}`,
    };
  });
  const explainedFailures = await Promise.all(failures);
  return { ...result, failures: explainedFailures, ...(changes[0] ? { keyChange: changes[0] } : {}) };
}

function summaryOf(result: PlaybookResult): string {
  const hosts = Object.keys(result.recap).length;
  return `${hosts} ${hosts === 1 ? 'host' : 'hosts'}, ${result.changed === 0 ? 'nothing to change' : `${result.changed} changed`}`;
}

/** Of a long message its last lines: there programs say what went wrong. */
const MESSAGE_LINES = 10;
const OTHERS_NAMED = 5;

/** The error for a run that is not ok: names host, task and the last lines of the first failure, the other hosts, the log, and what can be done. */
export function playError(title: string, result: PlaybookResult): CloudspaceError {
  const [first, ...more] = result.failures;
  if (!first)
    return new CloudspaceError(`${title}: failed on ${result.failedHosts.join(', ') || 'no host'}`, {
      code: 'PlayFailed',
      hint: `the full log is in ${result.logFile}`,
    });
  const lines = first.message.split('\n').filter((line) => line.trim() !== '');
  const shown = lines.length > MESSAGE_LINES ? ['…', ...lines.slice(-MESSAGE_LINES)] : lines;
  const others = more.slice(0, OTHERS_NAMED).map(({ host, task }) => `also ${host}, in "${task}"`);
  if (more.length > OTHERS_NAMED) others.push(`and ${more.length - OTHERS_NAMED} more`);
  const reached = (result.recap[first.host]?.unreachable ?? 0) === 0;
  return new CloudspaceError(
    [`${title}: ${first.host} failed in "${first.task}": ${shown.join('\n')}`, ...others].join('\n'),
    {
      code: 'PlayFailed',
      hint: `the full log is in ${result.logFile}. ${reached ? `Look there (cloudspace ssh ${first.host}), mend it,` : 'See what is in the way (cloudspace check),'} and run the same command again: only the hosts that failed are tried again, what is done stays`,
    },
  );
}

/** Ansible's own words: from its "ERROR!" on, else the log's last lines. */
function ansibleError(log: string): string {
  const lines = log.trim().split('\n');
  const at = lines.findLastIndex((line) => /^(\[?ERROR[\]!:]|Traceback)/.test(line));
  const words = at < 0 ? lines.slice(-3) : lines.slice(at, at + 6);
  return words.join('\n').replace(/^\[?ERROR[\]!]?:?!?\s*/, '');
}

async function logFrom(path: string, start: number): Promise<string> {
  return (await readFile(path)).subarray(start).toString('utf8');
}

/** Ctrl-C, or what the caller found in the meantime: that is then the reason. */
function interrupted(title: string, { reason }: AbortSignal): CloudspaceError {
  if (reason instanceof CloudspaceError && reason.code !== 'Interrupted') return reason;
  return new CloudspaceError(`interrupted while ${title} ran`, {
    code: 'Interrupted',
    hint: 'run the same command again: what is done already is found done',
    exitCode: 130,
  });
}

function missing(): CloudspaceError {
  return new CloudspaceError('ansible-playbook is not installed, or not on the PATH', {
    code: 'ToolMissing',
    hint: 'cloudspace doctor --fix installs it (Debian: apt-get install ansible-core); or go on without: --provision skip',
  });
}
