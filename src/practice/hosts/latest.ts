/** Runs work for the newest value only: at most one run at a time, values in between are passed over. */
export interface Latest<T> {
  /** Hands over a new value. A run under way learns of it by its signal and should come to an end; the next run follows. */
  set(value: T): void;
  /** Resolves when nothing is under way and nothing waits. */
  idle(): Promise<void>;
  /** Ends the run under way and takes no further value. */
  close(): Promise<void>;
}

/** `work` must not throw: what fails is for it to record. */
export function latest<T>(work: (value: T, superseded: AbortSignal) => Promise<void>): Latest<T> {
  let next: { value: T } | undefined;
  let current: AbortController | undefined;
  let running: Promise<void> | undefined;
  let closed = false;
  const loop = async () => {
    while (next && !closed) {
      const { value } = next;
      next = undefined;
      current = new AbortController();
      await work(value, current.signal);
    }
    running = undefined;
  };
  return {
    set(value) {
      if (closed) return;
      next = { value };
      current?.abort();
      running ??= loop();
    },
    async idle() {
      while (running) await running;
    },
    async close() {
      closed = true;
      current?.abort();
      while (running) await running;
    },
  };
}

/** Runs `work` on each item, at most `width` at once. Throws the first error after all have ended. */
export async function inParallel<T>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const errors: unknown[] = [];
  const lane = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      await work(item).catch((error: unknown) => errors.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  if (errors.length > 0) throw errors[0];
}

/** The value of `promise`, or a rejection with the signal's reason as soon as it is aborted; the promise goes on by itself. */
export function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
