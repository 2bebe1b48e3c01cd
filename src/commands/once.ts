/** Does something once, when it is first asked for. A failure is not kept: what was missing may be there the next time. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => {
    promise ??= work();
    promise.catch(() => {
      promise = undefined;
    });
    return promise;
  };
}
