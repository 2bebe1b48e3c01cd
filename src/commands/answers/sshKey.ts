import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { CloudspaceError, type Ui, usageError } from '../../engine/types.ts';
import { checkPublicKey } from '../../steps/config.ts';
import { childEnvironment } from '../../system/environment.ts';

export interface SshKey {
  /** OpenSSH public key line */
  readonly publicKey: string;
  /** private key that ssh should use; left out: the agent has it */
  readonly identityFile?: string;
}

/** A key from a file named by `--ssh-public-key`. The private half beside it (without .pub) is used if it is there, else the agent's. */
export async function keyFromFile(file: string): Promise<SshKey> {
  const path = resolve(file);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw usageError(
      `cannot read the public key file "${file}": ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      'give the path of a file such as ~/.ssh/id_ed25519.pub',
      'NotAPublicKey',
    );
  });
  const publicKey = checkPublicKey(text, file);
  const identity = path.endsWith('.pub') ? path.slice(0, -4) : undefined;
  return { publicKey, ...(identity !== undefined && existsSync(identity) ? { identityFile: identity } : {}) };
}

/** The first key of the agent that EC2 can import; undefined when there is no agent or it holds none. */
export async function keyFromAgent(): Promise<SshKey | undefined> {
  const { stdout } = await execa('ssh-add', ['-L'], {
    reject: false,
    timeout: 5000,
    env: childEnvironment(),
    extendEnv: false,
  });
  const line = (stdout ?? '').split('\n').find((candidate) => /^(ssh-ed25519|ssh-rsa) /.test(candidate));
  return line === undefined ? undefined : { publicKey: checkPublicKey(line, 'the key in your agent') };
}

/** Where the key lies that cloudspace makes when there is none. */
function ownKeyFile(dir: string): string {
  return join(dir, 'id_ed25519');
}

/** Makes a key for this Cloudspace in its state folder, or finds the one made before. Throws CloudspaceError `NoSshKeygen`. */
async function makeKey(dir: string, name: string): Promise<SshKey> {
  const identityFile = ownKeyFile(dir);
  if (!existsSync(`${identityFile}.pub`)) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const made = await execa(
      'ssh-keygen',
      ['-q', '-t', 'ed25519', '-N', '', '-C', `cloudspace-${name}`, '-f', identityFile],
      { reject: false, input: 'n\n', env: childEnvironment(), extendEnv: false },
    );
    if (made.exitCode !== 0)
      throw new CloudspaceError(`could not make an SSH key: ${made.stderr || made.shortMessage}`, {
        code: 'NoSshKeygen',
        exitCode: 2,
        hint: 'install OpenSSH (cloudspace doctor --fix), or give your public key with --ssh-public-key FILE',
      });
  }
  return {
    publicKey: checkPublicKey(await readFile(`${identityFile}.pub`, 'utf8'), `${identityFile}.pub`),
    identityFile,
  };
}

/** The flag's file, the agent's first key, or, after a yes, a new one. */
export async function chooseKey(options: {
  file: string | undefined;
  dir: string;
  name: string;
  ui: Ui;
}): Promise<SshKey> {
  if (options.file !== undefined) return keyFromFile(options.file);
  if (existsSync(`${ownKeyFile(options.dir)}.pub`)) return makeKey(options.dir, options.name);
  const agent = await keyFromAgent();
  if (agent) return agent;
  const make = await options.ui.ask({
    kind: 'confirm',
    id: 'ssh.key',
    flag: '--ssh-public-key',
    message: 'Your SSH agent holds no key. Make one for this Cloudspace?',
    help: `It goes to ${ownKeyFile(options.dir)}, readable by you alone.`,
    default: true,
  });
  if (make) return makeKey(options.dir, options.name);
  throw usageError(
    'there is no SSH key',
    'add one to your agent with ssh-add, or give --ssh-public-key FILE',
    'NoSshKey',
  );
}
