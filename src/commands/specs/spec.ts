import type { Context } from '../context.ts';

export interface OptionSpec {
  readonly flags: string;
  readonly text: string;
  /** may be given several times: the values make a list */
  readonly repeatable?: true;
  /** environment variable that answers it too */
  readonly env?: string;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  /** a longer text for its help, before the examples */
  readonly details?: string;
  readonly arguments?: string;
  readonly default?: true;
  /** with --json it prints one document, not events */
  readonly document?: true;
  /** false: it does not read cloudspace.yaml before it runs, and works while that is wrong */
  readonly config?: false;
  readonly children?: readonly CommandSpec[];
  /** gives the exit code. Loaded only when the command runs: `--help` pays for none of it. */
  readonly load: () => Promise<{ run: (context: Context) => Promise<number> }>;
}
