import type { Ui } from '../engine/types.ts';
import { jsonUi } from './json.ts';
import { wantsColor, wantsUnicode } from './look.ts';
import { plainUi } from './plain.ts';
import { terminalUi } from './terminal.ts';

export { type ErrorEvent, errorEvent } from './errorText.ts';
export { type JsonOptions, jsonUi } from './json.ts';
export { type PlainOptions, plainUi } from './plain.ts';
export { type TerminalOptions, terminalUi } from './terminal.ts';

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

export interface UiOptions {
  readonly json: boolean;
  /** with `json`: the command prints one document, not events */
  readonly document?: boolean;
  readonly yes: boolean;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** ends an open question with `Interrupted` */
  readonly signal?: AbortSignal;
}

/** NDJSON when asked for; a terminal's UI when both ends are one; else plain lines. TERM=dumb is a terminal that can be asked, line by line. */
export function chooseUi({ json, document = false, yes, stdin, stdout, stderr, env, signal }: UiOptions): Ui {
  const unicode = wantsUnicode(env);
  if (json) return jsonUi({ stdout, stderr, yes, unicode, document });
  const color = wantsColor(stdout, env);
  const interrupt = signal === undefined ? {} : { signal };
  const terminal = stdin.isTTY === true && stdout.isTTY === true;
  if (terminal && env.TERM !== 'dumb')
    return terminalUi({ input: stdin, output: stdout, color, unicode, yes, ...interrupt });
  return plainUi({ output: stdout, color, unicode, yes, ...(terminal ? { input: stdin } : {}), ...interrupt });
}
