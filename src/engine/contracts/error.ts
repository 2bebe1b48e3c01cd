/** One error class: what happened, the likely cause and what to do next. `exitCode` 1 failed, 2 bad input, 130 interrupted. */
export class CloudspaceError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
  readonly exitCode: 1 | 2 | 130;
  constructor(
    message: string,
    options: {
      code: string;
      hint?: string | undefined;
      requestId?: string | undefined;
      cause?: unknown;
      exitCode?: 1 | 2 | 130;
    },
  ) {
    super(message, { cause: options.cause });
    this.name = 'CloudspaceError';
    this.code = options.code;
    this.hint = options.hint;
    this.requestId = options.requestId;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** Is it one of ours with this code? */
export function hasCode(error: unknown, code: string): error is CloudspaceError {
  return error instanceof CloudspaceError && error.code === code;
}

/** Bad input: refused before anything is created, exit code 2. */
export function usageError(message: string, hint?: string, code = 'BadInput'): CloudspaceError {
  return new CloudspaceError(message, { code, hint, exitCode: 2 });
}
