import { hasCode } from './types.ts';

/** Did it fail only because something that it needs did? */
export function isBlocked(error: unknown): boolean {
  return hasCode(error, 'Blocked');
}

/** Has it failed by now? */
export async function isRejected(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise, Promise.resolve()]).then(
    () => false,
    () => true,
  );
}

/** Throws the first failure that is a cause, not a consequence. */
export function throwFirst(results: readonly PromiseSettledResult<unknown>[], signal: AbortSignal): void {
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (signal.aborted) signal.throwIfAborted();
  const cause = errors.find((error) => !isBlocked(error)) ?? errors[0];
  if (cause !== undefined) throw cause;
}
