import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';

/** What is kept of a program's complaints, in characters. */
const KEPT = 4000;

/** What a program said when it failed. */
class ProgramError extends Error {}

export interface ProgramOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** standard output goes to this new file, mode 0600 */
  readonly outputFile?: string;
}

/** Runs a program to its end. Its environment is `env` and PATH, nothing else. Throws ProgramError with its last words. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { env, signal, outputFile }: ProgramOptions,
): Promise<string> {
  signal.throwIfAborted();
  const output = outputFile === undefined ? undefined : await open(outputFile, 'wx', 0o600);
  try {
    const result = await new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
      const child = spawn(command, args, {
        env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...env },
        stdio: ['ignore', output ? output.fd : 'pipe', 'pipe'],
        signal,
      });
      const said = { stdout: '', stderr: '' };
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        said.stdout = (said.stdout + text).slice(-KEPT);
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said.stderr = (said.stderr + text).slice(-KEPT);
      });
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, ...said }));
    });
    if (result.code === 0) {
      // A backup that is reported is on the disk.
      await output?.sync();
      return result.stdout;
    }
    const words = result.stderr
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-3)
      .join(' / ');
    throw new ProgramError(words || `${command} ended with exit code ${result.code}`);
  } finally {
    await output?.close();
  }
}
