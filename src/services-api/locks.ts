/** Runs work with the same key one after the other, in the order it came; other keys are not held up. */
export type Locks = <T>(key: string, work: () => Promise<T>) => Promise<T>;

export function locks(): Locks {
  const tails = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const result = (tails.get(key) ?? Promise.resolve()).then(work);
    const tail = result
      .catch(() => {})
      .then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
    tails.set(key, tail);
    return result;
  };
}
