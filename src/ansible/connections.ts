import { execa } from 'execa';
import type { Host } from './types.ts';

/**
 * Ends the shared connections to these hosts now (they end by themselves a minute after their last use). A connection that is not there is
 * no error.
 */
export async function closeConnections(sshConfig: string, hosts: readonly Pick<Host, 'name'>[]): Promise<void> {
  await Promise.all(
    hosts.map((host) =>
      execa('ssh', ['-F', sshConfig, '-O', 'exit', host.name], { reject: false, stdio: 'ignore', timeout: 5000 }),
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
    reject: false,
    stdin: 'ignore',
    timeout: 30_000,
    env: { SSH_ASKPASS_REQUIRE: 'never' },
    ...(signal ? { cancelSignal: signal } : {}),
  });
  if (exitCode === 0) return undefined;
  return stderr?.trim() || 'no answer within 30 seconds';
}
