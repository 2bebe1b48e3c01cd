/**
 * The secrets that this process has learnt. One list for the process, on purpose: whoever prints asks it, and nobody can forget to hand it on.
 * Values shorter than four characters are not kept: hiding every "a" would hide the text.
 */
const known = new Set<string>();
/** longest first: a secret that contains another one is hidden whole */
let ordered: readonly string[] = [];
const SHORTEST = 4;

/** Remembers a value that must not be shown, and gives it back. */
export function hide(value: string): string {
  for (const form of [value, ...value.split('\n'), encodeURIComponent(value), JSON.stringify(value).slice(1, -1)])
    if (form.trim().length >= SHORTEST) known.add(form);
  ordered = [...known].sort((one, other) => other.length - one.length);
  return value;
}

/** The text with each known secret replaced by `[hidden]`. */
export function redact(text: string): string {
  let result = text;
  for (const secret of ordered) if (result.includes(secret)) result = result.replaceAll(secret, '[hidden]');
  return result;
}

/** The same for every text inside a value that JSON can hold. Functions and what is no plain data stay as they are. */
export function redactDeep<T>(value: T): T {
  if (known.size === 0) return value;
  return walk(value) as T;
}

function walk(value: unknown): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map(walk);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]));
  return value;
}
