import {
  type EngineFacts,
  type Machine,
  type Prerequisite,
  prerequisites,
  type Wanted,
} from '../../src/prerequisites/index.ts';
import type { Said } from '../../src/prerequisites/machine.ts';

/** The whole of practice. */
export const ALL: Wanted = { hosts: 'containers', provision: 'ansible' };
/** A program that says this and ends well. */
export const ok = (text: string): Said => ({ code: 0, text });
/** What a machine with everything says. */
export const INSTALLED: Record<string, Said> = {
  'ssh -V': ok('OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.17 1 Jul 2025'),
  'ssh-add -l': ok('256 SHA256:abc me (ED25519)\n'),
  'ansible-playbook --version': ok('ansible-playbook [core 2.14.18]\n  config file = None'),
  'docker --version': ok('Docker version 20.10.24+dfsg1, build 297e128'),
  'podman --version': ok('podman version 4.3.1'),
  'docker images --format {{.Repository}}:{{.Tag}}': ok('cloudspace-practice:base-123\n'),
};
export const DOCKER: EngineFacts = { ok: true, command: 'docker', version: '20.10.24' };

/** A machine on which the given programs answer; by default a Debian with everything, its user root. */
export function machine(
  more: Partial<Omit<Machine, 'run' | 'engine'>> & { says?: Record<string, Said>; engine?: EngineFacts } = {},
): Machine {
  const { says = INSTALLED, engine = DOCKER, ...rest } = more;
  return {
    platform: 'linux',
    system: 'debian',
    root: true,
    user: 'root',
    sudo: true,
    systemd: false,
    nodeVersion: '20.19.0',
    run: async (...words) => says[words.join(' ')],
    engine: async () => engine,
    inotify: async () => undefined,
    registryAnswers: async () => false,
    ...rest,
  };
}
/** What the other programs say. */
export const without = (...programs: string[]): Record<string, Said> =>
  Object.fromEntries(Object.entries(INSTALLED).filter(([words]) => !programs.includes(words.split(' ')[0] ?? '')));
/** A machine with nothing installed. */
export const FRESH = { says: {}, engine: { ok: false, command: 'docker', reason: 'docker is not installed' } } as const;
export const statuses = (found: readonly Prerequisite[]) =>
  Object.fromEntries(found.map(({ id, status }) => [id, status]));
export const one = async (id: string, on: Machine, wanted = ALL): Promise<Prerequisite | undefined> =>
  (await prerequisites(wanted, on)).find((found) => found.id === id);
