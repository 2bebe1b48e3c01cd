import { execa } from 'execa';
import { whyUnreachable } from '../ansible/connections.ts';
import { keyChange, keyChangeError } from '../ansible/hostKeys.ts';
import { writeSshFiles } from '../ansible/sshConfig.ts';
import { usageError } from '../engine/types.ts';
import { childEnvironment } from '../system/environment.ts';
import type { Context } from './context.ts';
import { needHosts, sshOptions } from './hosts/hostsFile.ts';
import { locateExisting } from './session/places.ts';

/** `cloudspace ssh HOST [-- CMD]`: OpenSSH with our ssh_config, so through the bastion and with pinned host keys. Its exit code is ours. */
export async function run(context: Context): Promise<number> {
  const [host = '', ...command] = context.args;
  const { dir, name, state } = await locateExisting(context);
  const hosts = await needHosts(dir, name);
  if (!hosts.some((known) => known.name === host))
    throw usageError(
      `there is no host "${host}"`,
      `the hosts are: ${hosts.map((known) => known.name).join(', ')}`,
      'NoSuchHost',
    );
  // Written anew each time: the folder of shared connections is under /tmp, and goes away.
  const { sshConfig } = await writeSshFiles(dir, hosts, sshOptions(name, state));
  const words = command[0] === '--' ? command.slice(1) : command;
  const result = await execa('ssh', ['-F', sshConfig, host, ...(words.length > 0 ? ['--', ...words] : [])], {
    stdio: 'inherit',
    reject: false,
    env: childEnvironment(),
    extendEnv: false,
  });
  if (result.exitCode === undefined)
    throw usageError('cannot start ssh', 'install OpenSSH: cloudspace doctor --fix', 'NoSsh');
  if (result.exitCode === 255) {
    // ssh has told of a changed key in its own words, which advise to edit a file that is not meant for that.
    const change = keyChange((await whyUnreachable(sshConfig, host, context.signal)) ?? '');
    if (change) throw keyChangeError(change, hosts);
  }
  return result.exitCode;
}
