import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PROGRAM = ['/usr/sbin/sshd', '/usr/bin/sshd', '/usr/local/sbin/sshd'].find(
  (path) => spawnSync(path, ['-V']).error === undefined,
);

/** false: no sshd is installed here */
export const hasSshd = PROGRAM !== undefined;

/** A real OpenSSH server on a loopback port, with host keys of its own: one "host", of which the user who runs the tests is the only one. */
export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** the private key that it lets in; its public half is beside it */
  readonly identity: string;
  /** "type base64" */
  hostKey(): string;
  /** makes a new host key; for the next start */
  renewHostKey(): void;
  start(): Promise<void>;
  /** ends the server and all that was started through it, as a power cut does */
  stop(): Promise<void>;
  /** stops it and removes its folder */
  end(): Promise<void>;
}

/** `path` goes before the PATH of what runs on the "host". */
export async function sshd(identity?: string, path?: string): Promise<Sshd> {
  const dir = mkdtempSync(join(tmpdir(), 'cs-sshd-'));
  const port = await freePort();
  const keygen = (file: string): void => {
    rmSync(file, { force: true });
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file]);
  };
  const own = identity ?? join(dir, 'id');
  if (identity === undefined) keygen(own);
  copyFileSync(`${own}.pub`, join(dir, 'authorized'));
  keygen(join(dir, 'host'));
  writeFileSync(
    join(dir, 'config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${dir}/host`,
      `AuthorizedKeysFile ${dir}/authorized`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PidFile none',
      'MaxStartups 100',
      ...(path === undefined ? [] : [`SetEnv PATH=${path}:/usr/bin:/bin:/usr/sbin:/sbin`]),
      '',
    ].join('\n'),
  );
  // Debian's sshd wants its folder for privilege separation when root starts it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (child?.pid === undefined) return;
    for (const pid of [...descendants(child.pid), child.pid]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    child = undefined;
    while (await answers(port)) await sleep(20);
  };
  return {
    port,
    user: userInfo().username,
    identity: own,
    hostKey: () => readFileSync(join(dir, 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ').trim(),
    renewHostKey: () => keygen(join(dir, 'host')),
    async start() {
      child = spawn(PROGRAM as string, ['-D', '-e', '-f', join(dir, 'config')], { stdio: 'ignore' });
      while (!(await answers(port))) await sleep(20);
    },
    stop,
    async end() {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** All processes that a process started, and theirs. */
function descendants(of: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const below = (pid: number): number[] =>
    rows.filter(([, parent]) => parent === pid).flatMap(([one]) => [...below(one), one]);
  return below(of);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve((address as { port: number }).port));
    });
  });
}
