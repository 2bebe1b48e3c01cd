import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { childEnvironment } from '../system/environment.ts';
import type { Host } from './types.ts';

const QUIET = { reject: false, stdin: 'ignore', extendEnv: false } as const;

/**
 * Ends the shared connections to these hosts now (they end by themselves a minute after their last use). A connection that is not there is
 * no error.
 */
export async function closeConnections(sshConfig: string, hosts: readonly Pick<Host, 'name'>[]): Promise<void> {
  await Promise.all(
    hosts.map((host) =>
      execa('ssh', ['-F', sshConfig, '-O', 'exit', host.name], {
        ...QUIET,
        stdout: 'ignore',
        stderr: 'ignore',
        timeout: 5000,
        env: childEnvironment(),
      }),
    ),
  );
}

/**
 * What ssh says when it cannot reach a host, for example that the bastion refused; undefined when it can. A shared connection is not used for
 * this: with one, ssh hides what the connection through the bastion reports.
 */
export async function whyUnreachable(
  sshConfig: string,
  host: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const words = ['-F', sshConfig, '-o', 'BatchMode=yes', '-o', 'ControlPath=none', '-T', host, 'true'];
  const { exitCode, stderr } = await execa('ssh', words, {
    ...QUIET,
    timeout: 30_000,
    env: childEnvironment({ SSH_ASKPASS_REQUIRE: 'never' }),
    ...(signal ? { cancelSignal: signal } : {}),
  });
  if (exitCode === 0) return undefined;
  return stderr?.trim() || 'no answer within 30 seconds';
}

/**
 * The host key ("type base64") that a host shows now, whatever is pinned; undefined with no answer within 30 seconds. ssh ends before it proves who it is:
 * nothing of the person's is given to a machine that may be somebody else's. The way there, the bastion, is checked as always.
 */
export async function presentedHostKey(
  sshConfig: string,
  host: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudspace-key-'));
  const file = join(folder, 'known_hosts');
  const settings = {
    UserKnownHostsFile: file,
    StrictHostKeyChecking: 'accept-new',
    HashKnownHosts: 'no',
    ControlPath: 'none',
    BatchMode: 'yes',
    PreferredAuthentications: 'none',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  try {
    await execa('ssh', ['-F', sshConfig, ...options, '-T', host, 'true'], {
      ...QUIET,
      timeout: 30_000,
      env: childEnvironment({ SSH_ASKPASS_REQUIRE: 'never' }),
      ...(signal ? { cancelSignal: signal } : {}),
    });
    const [line = ''] = (await readFile(file, 'utf8').catch(() => '')).split('\n');
    return /^\S+ (\S+ \S+)/.exec(line)?.[1];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
