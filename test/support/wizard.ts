import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hosts } from '../../src/practice/hosts/types.ts';
import { startPractice } from '../../src/practice/index.ts';
import { cleanEnv, cli, folder, type Result } from './cli.ts';
import { type Sshd, sshd } from './sshd.ts';

/**
 * The wizard as a process of its own, on the practice API in this one, with a real SSH server as every host: the way there is bent to it by an `ssh` on the
 * PATH that goes to loopback and is the real one otherwise. The team's own deployment repository has a playbook for the bastion alone.
 */
export interface Wizard {
  readonly dir: string;
  /** the state folder of the Cloudspace */
  readonly place: string;
  readonly server: Sshd;
  /** what the instances' console output shows; the server's key at first */
  console: { keys: string };
  readonly env: NodeJS.ProcessEnv;
  /** what every walk needs: name, state, key, mapping */
  readonly words: readonly string[];
  playbook(tasks: string): void;
  run(words: readonly string[], options?: Parameters<typeof cli>[1]): Promise<Result>;
  end(): Promise<void>;
}

export async function wizard(name = 'team-07'): Promise<Wizard> {
  const dir = folder();
  // The bastion's probe asks `sudo sshd -T`; here it would be this machine's own that answers.
  const remote = join(dir, 'remote');
  mkdirSync(remote);
  writeFileSync(join(remote, 'sudo'), '#!/bin/sh\necho passwordauthentication no\n');
  chmodSync(join(remote, 'sudo'), 0o755);
  const server = await sshd(undefined, remote);
  await server.start();
  const console = { keys: server.hostKey() };
  const hosts: Hosts = {
    sync: () => {},
    settled: async () => {},
    state: () => ({ state: 'running' }),
    consoleOutput: async () =>
      `-----BEGIN SSH HOST KEY KEYS-----\n${console.keys} root@host\n-----END SSH HOST KEY KEYS-----\n`,
    targetHealth: async () => [],
    reach: () => undefined,
    close: async () => {},
  };
  const practice = await startPractice({ dir: join(dir, 'cloud'), speed: Number.POSITIVE_INFINITY, hosts });
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  const bend = `-o HostName=127.0.0.1 -o Port=${server.port} -o User=${server.user} -o ProxyCommand=none`;
  writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nPATH=\${PATH#*:}\nexec ssh ${bend} "$@"\n`);
  chmodSync(join(bin, 'ssh'), 0o755);
  const deployment = join(dir, 'deployment');
  mkdirSync(join(deployment, 'playbooks'), { recursive: true });
  writeFileSync(
    join(dir, 'cloudspace.yaml'),
    'playbooks:\n  bastion: bastion.yml\n  controller: false\n  runners: false\n  services: false\n  connect: false\n',
  );
  const base = cleanEnv({
    AWS_ENDPOINT_URL: practice.endpoint,
    AWS_ACCESS_KEY_ID: practice.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: practice.credentials.secretAccessKey,
    AWS_REGION: 'eu-central-1',
  });
  const env = { ...base, PATH: `${bin}:${base.PATH}` };
  const state = ['--name', name, '--state-dir', join(dir, 'state')];
  const words = [
    ...state,
    ...['--ssh-public-key', `${server.identity}.pub`, '--ssh-from', '198.51.100.7/32'],
    ...['--deployment', deployment, '--config', join(dir, 'cloudspace.yaml')],
  ];
  return {
    dir,
    place: join(dir, 'state', name),
    server,
    console,
    env,
    words,
    playbook: (tasks) =>
      writeFileSync(
        join(deployment, 'playbooks/bastion.yml'),
        `- hosts: bastion\n  gather_facts: false\n  tasks:\n${tasks.trimEnd().replace(/^/gm, '    ')}\n`,
      ),
    run: (more, options = {}) => cli(more, { env, ...options }),
    async end() {
      await practice.close();
      await server.end();
    },
  };
}
