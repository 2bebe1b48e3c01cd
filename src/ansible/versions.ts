import { execa } from 'execa';
import { childEnvironment } from '../system/environment.ts';

/** Debian 12 has 2.14; what run.ts relies on (ANSIBLE_HOME) came with it. */
export const MINIMUM_ANSIBLE = '2.14';

/** Version of ansible-core, for example "2.14.18"; undefined when `ansible-playbook` is missing or does not answer. Takes most of a second. */
export async function ansibleVersion(): Promise<string | undefined> {
  const env = childEnvironment({ LC_ALL: utf8Locale() });
  const { stdout } = await execa('ansible-playbook', ['--version'], {
    reject: false,
    stdin: 'ignore',
    timeout: 20_000,
    env,
    extendEnv: false,
  });
  return /^ansible-playbook \[?(?:core )?(\d+(?:\.\d+)+)/m.exec(stdout ?? '')?.[1];
}

/** Version of OpenSSH's client, for example "9.2"; undefined when `ssh` is missing or is another program. */
export async function sshVersion(): Promise<string | undefined> {
  const { stderr } = await execa('ssh', ['-V'], {
    reject: false,
    stdin: 'ignore',
    timeout: 5000,
    env: childEnvironment(),
    extendEnv: false,
  });
  return /^OpenSSH_(\d+(?:\.\d+)*)/m.exec(stderr ?? '')?.[1];
}

/** Is a dotted version at least `minimum`? Compares number by number. */
export function isAtLeast(version: string, minimum: string): boolean {
  const have = version.split('.').map(Number);
  for (const [index, want] of minimum.split('.').map(Number).entries()) {
    const part = have[index] ?? 0;
    if (part !== want) return part > want;
  }
  return true;
}

/** Ansible refuses to start in a locale that is not UTF-8. macOS has no C.UTF-8 before version 15. */
export function utf8Locale(): string {
  return process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8';
}
