import { readFile, stat } from 'node:fs/promises';
import { CloudspaceError, type Ui, usageError } from '../engine/types.ts';
import { OP_SECONDS, opCommand, opError, opMissing } from './onePassword.ts';
import { hide } from './redact.ts';
import { REFERENCE_FORMS, referenceText, type SecretRef } from './reference.ts';

export interface SecretSource {
  /**
   * The secret that a reference stands for. Read once: the next call gets the same. It is known to the redactor before this resolves.
   * @param name what it is for, as people know it: `dns.token`
   * @param options `again`: ask the source anew, for what ends by itself, such as a session's token
   * @throws CloudspaceError, exit code 2, naming `name` and the reference, never a value: `OpMissing`, `OpNotSignedIn`, `SecretNotFound`, `SecretFileMode`,
   * `SecretUnavailable`, `SecretEmpty`; `NoTerminal` when it would have to be asked and nobody can answer; `Interrupted`
   */
  read(ref: SecretRef, name: string, options?: { readonly again?: boolean }): Promise<string>;
}

export interface SourceOptions {
  readonly ask: Ui['ask'];
  /** variables are taken out of it as they are read, so that no child process inherits them */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** Reads references, one at a time: two questions, or two requests for a fingerprint, at once would confuse everybody. */
export function secretSource({ ask, env = process.env, signal }: SourceOptions): SecretSource {
  const values = new Map<string, Promise<string>>();
  let queue: Promise<unknown> = Promise.resolve();

  async function readOne(ref: SecretRef, name: string): Promise<string> {
    const value = await fetchOne(ref, name);
    if (value !== '') return ref.kind === 'plain' ? value : hide(value);
    throw usageError(`${name}: ${referenceText(ref)} is empty`, 'put the secret there', 'SecretEmpty');
  }

  async function fetchOne(ref: SecretRef, name: string): Promise<string> {
    switch (ref.kind) {
      case 'plain':
        return ref.text;
      case 'op':
        return run(opCommand(ref.uri), {
          missing: () => opMissing(name, ref.uri),
          failed: (stderr) => opError(name, ref.uri, stderr),
        });
      case 'command': {
        const [program = '', ...words] = ref.words;
        return run([program, ...words], {
          missing: () =>
            usageError(
              `${name}: there is no command "${program}"`,
              'install it, or write its whole path',
              'SecretUnavailable',
            ),
          failed: (stderr, code) =>
            usageError(
              `${name}: "${program}" ended with exit code ${code}: ${stderr.trim().split('\n').at(-1) || 'without a word'}`,
              'run that command yourself, to see what it lacks',
              'SecretUnavailable',
            ),
        });
      }
      case 'env': {
        const value = env[ref.name];
        if (value === undefined)
          throw usageError(
            `${name}: the environment variable ${ref.name} is not set`,
            `set it without leaving it in the shell's history: read -rs ${ref.name} && export ${ref.name}`,
            'SecretNotFound',
          );
        delete env[ref.name];
        return value;
      }
      case 'file':
        return readSecretFile(ref.path, name);
      case 'prompt':
        return askFor(name);
    }
  }

  async function run(
    [program, ...words]: readonly [string, ...string[]],
    errors: { missing: () => CloudspaceError; failed: (stderr: string, code: number | string) => CloudspaceError },
  ): Promise<string> {
    const { execa } = await import('execa');
    const result = await execa(program, words, {
      reject: false,
      // A password manager may ask its own question.
      stdin: 'inherit',
      timeout: OP_SECONDS * 1000,
      env,
      extendEnv: false,
      ...(signal ? { cancelSignal: signal } : {}),
    });
    signal?.throwIfAborted();
    if (result.code === 'ENOENT') throw errors.missing();
    // Its output may be half a secret: only what it said on its error output is told.
    if (result.failed)
      throw errors.failed(
        result.timedOut ? `no answer within ${OP_SECONDS} seconds` : result.stderr,
        result.exitCode ?? result.signal ?? '?',
      );
    return result.stdout;
  }

  async function askFor(name: string): Promise<string> {
    try {
      return await ask({
        kind: 'secret',
        id: `secret.${name}`,
        message: `${name}:`,
        help: 'It is not shown, and nothing but this run gets to know it.',
        validate: (text) => text.trim() !== '' || 'it is empty',
      });
    } catch (error) {
      if (!(error instanceof CloudspaceError) || error.code !== 'NoTerminal') throw error;
      throw usageError(
        `${name} would have to be asked, and nobody can answer here`,
        `say in cloudspace.yaml where it is kept; ${name} may be ${REFERENCE_FORMS}`,
        'NoTerminal',
      );
    }
  }

  return {
    read(ref, name, { again = false } = {}) {
      const key = ref.kind === 'prompt' ? `prompt ${name}` : referenceText(ref);
      let value = values.get(key);
      // A variable is there once only.
      if (value === undefined || (again && ref.kind !== 'env')) {
        value = queue.then(() => readOne(ref, name));
        queue = value.catch(() => {});
        values.set(key, value);
        // A failure may be put right and tried again.
        value.catch(() => values.delete(key));
      }
      return value;
    },
  };
}

async function readSecretFile(path: string, name: string): Promise<string> {
  let mode: number;
  let text: string;
  try {
    ({ mode } = await stat(path));
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw usageError(
      code === 'ENOENT' ? `${name}: there is no file ${path}` : `${name}: ${path} cannot be read (${message})`,
      `put the secret there, for yourself only: install -m 600 /dev/stdin ${path}`,
      'SecretNotFound',
    );
  }
  if ((mode & 0o077) !== 0)
    throw usageError(
      `${name}: others may read ${path} (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
      `chmod 600 ${path}`,
      'SecretFileMode',
    );
  return text.replace(/\r?\n$/, '');
}
