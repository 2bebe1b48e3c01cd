import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeAtomically } from '../system/files.ts';
import { opCommand } from './onePassword.ts';
import type { SecretRef } from './reference.ts';

/** Names a socket in the environment of a run's children: a path, no secret. */
const SOCKET_VARIABLE = 'CLOUDSPACE_VAULT_SOCKET';

/**
 * Writes the vault password client that a reference stands for: an executable that prints the password, as `ansible-vault --vault-id ID@FILE` and
 * `ansible-playbook` take it (Ansible: "Storing passwords in third-party tools with vault password client scripts"; the name ends in -client, so Ansible calls
 * it with `--vault-id ID`). It works without this program. No secret is in it. Gives its path.
 */
export async function writePasswordClient(dir: string, ref: SecretRef): Promise<string> {
  const file = join(dir, 'vault-password-client');
  await writeAtomically(file, `#!/bin/sh\n# Prints the password of the vault beside it.\n${FROM_RUN}\n${body(ref)}\n`, {
    mode: 0o700,
  });
  return file;
}

function body(ref: SecretRef): string {
  switch (ref.kind) {
    case 'op':
      return `exec ${opCommand(ref.uri).map(quote).join(' ')}`;
    case 'command':
      return `exec ${ref.words.map(quote).join(' ')}`;
    case 'file':
      return `exec cat ${quote(ref.path)}`;
    case 'env':
      return `printf '%s' "\${${ref.name}:?the vault password is expected there}"`;
    case 'prompt':
      return [
        "printf 'Vault password: ' >/dev/tty",
        'stty -echo </dev/tty && trap "stty echo </dev/tty" EXIT INT TERM',
        'IFS= read -r password </dev/tty && echo >/dev/tty',
        'printf \'%s\' "$password"',
      ].join('\n');
    case 'plain':
      throw new TypeError('a vault password is never plain text');
  }
}

/**
 * While a run of this program is under way it has the password already, and hands it over: nobody is asked twice, `op` runs once, and Ansible and all its children do
 * without the person's whole environment, in which that program would find its own token.
 */
const FROM_RUN = `if [ -S "\${${SOCKET_VARIABLE}:-}" ]; then
  exec ${quote(process.execPath)} -e "require('net').connect(process.argv[1]).pipe(process.stdout)" "$${SOCKET_VARIABLE}"
fi`;

export interface PasswordServer {
  /** for the environment of `ansible-playbook` */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Hands the password to whoever connects to a socket that only this user can reach, until closed. It keeps no process alive. */
export async function servePassword(read: () => Promise<string>): Promise<PasswordServer> {
  // In the system's own folder: the path of a socket has at most 103 bytes.
  const folder = await mkdtemp(join(tmpdir(), 'cloudspace-'));
  await chmod(folder, 0o700);
  const path = join(folder, 's');
  const server = createServer((socket) => {
    socket.on('error', () => {});
    read().then(
      (password) => socket.end(password),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.unref();
  return {
    env: { [SOCKET_VARIABLE]: path },
    async close() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
