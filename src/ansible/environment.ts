import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { childEnvironment } from '../system/environment.ts';
import { callbackPlugins } from './paths.ts';
import { utf8Locale } from './versions.ts';

/**
 * Environment of an `ansible-playbook` process. Of the person's own shell little is passed on (childEnvironment): what a run does depends on the deployment
 * repository and on us, and AWS's keys are none of its business. What matters for safety and for reading the run cannot be changed by the repository's
 * ansible.cfg either. `home` is a private folder of ours: nothing is written below $HOME. With `programs` the person's whole environment but ANSIBLE_*
 * goes along: Ansible then runs programs of the person's that print vault passwords.
 */
export function ansibleEnvironment(
  deployment: string,
  home: string,
  { programs = false }: { readonly programs?: boolean } = {},
): NodeJS.ProcessEnv {
  const whole = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ANSIBLE_')));
  const config = join(deployment, 'ansible.cfg');
  return {
    ...(programs ? whole : childEnvironment()),
    ...(existsSync(config) ? { ANSIBLE_CONFIG: config } : {}),
    ANSIBLE_HOME: home,
    ANSIBLE_LOCAL_TEMP: join(home, 'tmp'),
    ANSIBLE_CALLBACK_PLUGINS: [callbackPlugins(), ...ownCallbackPlugins(deployment, config)].join(delimiter),
    ANSIBLE_RETRY_FILES_ENABLED: 'False',
    ANSIBLE_FORKS: '20',
    ANSIBLE_PIPELINING: 'True',
    // Host keys are pinned by our ssh_config: `host_key_checking = False` in a repository would add an option that switches that off.
    ANSIBLE_HOST_KEY_CHECKING: 'True',
    // Sharing of connections is in our ssh_config, with short socket paths; Ansible's own paths below ANSIBLE_HOME can be too long.
    ANSIBLE_SSH_ARGS: '-o BatchMode=yes',
    SSH_ASKPASS_REQUIRE: 'never',
    ANSIBLE_NOCOLOR: '1',
    ANSIBLE_NOCOWS: '1',
    ANSIBLE_DEPRECATION_WARNINGS: 'False',
    ANSIBLE_SYSTEM_WARNINGS: 'False',
    ANSIBLE_LOCALHOST_WARNING: 'False',
    PYTHONWARNINGS: 'ignore',
    PYTHONUNBUFFERED: '1',
    // The package may be installed read-only, and is not the place for caches.
    PYTHONDONTWRITEBYTECODE: '1',
    LC_ALL: utf8Locale(),
    ...(process.platform === 'darwin' ? { OBJC_DISABLE_INITIALIZE_FORK_SAFETY: 'YES' } : {}),
  };
}

/** The variable that adds our plugin replaces `callback_plugins` of ansible.cfg: a repository's own are put back. */
function ownCallbackPlugins(deployment: string, config: string): string[] {
  if (!existsSync(config)) return [];
  const setting = /^[ \t]*callback_plugins[ \t]*[=:][ \t]*(.+)$/m.exec(readFileSync(config, 'utf8'))?.[1];
  return (setting?.trim().split(delimiter) ?? []).map((path) => resolve(deployment, path));
}
