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
