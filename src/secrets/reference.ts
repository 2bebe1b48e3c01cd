import { resolve } from 'node:path';
import { usageError } from '../engine/types.ts';

/** Where a secret is kept. A reference is no secret: it may lie in a configuration file, in the state, and in an argument. */
export type SecretRef =
  /** 1Password: `op://vault/item/field` or `op://vault/item/section/field` (developer.1password.com/docs/cli/secret-reference-syntax) */
  | { readonly kind: 'op'; readonly uri: string }
  /** an environment variable */
  | { readonly kind: 'env'; readonly name: string }
  /** a file that only its owner may read (mode 0600); absolute path */
  | { readonly kind: 'file'; readonly path: string }
  /** asked at the terminal, without echo */
  | { readonly kind: 'prompt' }
  /** what a command prints; its words, no shell */
  | { readonly kind: 'command'; readonly words: readonly string[] }
  /** no secret: a user's name that is written out; only `parseName` gives it */
  | { readonly kind: 'plain'; readonly text: string };

export const REFERENCE_FORMS = 'op://vault/item/field, env:NAME, file:PATH, prompt, or command: WORDS';

/**
 * Reads a reference: a text, or the mapping `{command: [words]}`. Relative paths are from the folder `base`. Throws a usage error; a text that looks like a
 * secret itself is not repeated in it.
 */
export function parseReference(value: unknown, base = '.'): SecretRef {
  if (typeof value === 'object' && value !== null && 'command' in value) return command(value.command);
  if (typeof value !== 'string')
    throw usageError('is no reference to a secret', `write ${REFERENCE_FORMS}`, 'BadReference');
  const text = value.trim();
  if (text === 'prompt') return { kind: 'prompt' };
  if (text.startsWith('op://')) return onePassword(text);
  const [, scheme = '', rest = ''] = /^(env|file|command):\s*(.*)$/s.exec(text) ?? [];
  if (scheme === 'env') {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)) return { kind: 'env', name: rest };
    throw usageError(
      `"${rest}" is no name of an environment variable`,
      'for example env:DNSIMPLE_TOKEN',
      'BadReference',
    );
  }
  if (scheme === 'file') {
    if (rest !== '') return { kind: 'file', path: resolve(base, rest) };
    throw usageError('names no file', 'for example file:./dnsimple-token', 'BadReference');
  }
  if (scheme === 'command') return command(rest);
  // Whatever it is, it may be the secret: it is not shown.
  throw usageError(
    'holds no reference: a secret is never written here in clear',
    `say where it is kept: ${REFERENCE_FORMS}. If this was the secret itself, change it: who can read the file knows it`,
    'SecretInClear',
  );
}

/** A user's name or an id beside a secret: a reference as above, or simply the name. */
export function parseName(value: unknown, base = '.'): SecretRef {
  if (typeof value === 'string' && !/^(op:\/\/|(env|file|command):|prompt$)/.test(value.trim()) && value.trim() !== '')
    return { kind: 'plain', text: value.trim() };
  return parseReference(value, base);
}

function onePassword(uri: string): SecretRef {
  const parts = uri.slice('op://'.length).split('/');
  const named = parts.every((part) => part.trim() !== '');
  if (named && (parts.length === 3 || parts.length === 4)) return { kind: 'op', uri };
  throw usageError(
    `"${uri}" is no reference of 1Password`,
    'it looks like op://vault/item/field or op://vault/item/section/field; the app copies it from a field\'s menu ("Copy Secret Reference")',
    'BadReference',
  );
}

function command(value: unknown): SecretRef {
  const words: unknown[] = typeof value === 'string' ? splitWords(value) : Array.isArray(value) ? value : [];
  if (words.length > 0 && words.every((word) => typeof word === 'string' && word !== ''))
    return { kind: 'command', words: words as string[] };
  throw usageError(
    'is no command',
    'write it as text or as a list of words, for example command: [pass, show, cloudspace/dns]',
    'BadReference',
  );
}

/** Words of a line: separated by spaces, quotes keep some together. No shell: nothing is expanded. */
function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ''),
  );
}

/** The reference as it is written: for people, for the state, for another run. */
export function referenceText(ref: SecretRef): string {
  switch (ref.kind) {
    case 'op':
      return ref.uri;
    case 'env':
      return `env:${ref.name}`;
    case 'file':
      return `file:${ref.path}`;
    case 'prompt':
      return 'prompt';
    case 'command':
      return `command: ${ref.words.map(word).join(' ')}`;
    case 'plain':
      return ref.text;
  }
}

const word = (text: string): string => (/[\s"']/.test(text) ? (text.includes("'") ? `"${text}"` : `'${text}'`) : text);
