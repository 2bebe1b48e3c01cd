import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, type Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ExecaError, execa } from 'execa';
import { Document, isMap, isScalar, isSeq, parseDocument, Scalar } from 'yaml';
import { CloudspaceError, usageError } from '../engine/types.ts';
import { writeAtomically } from '../system/files.ts';
import { decrypt, encrypt, isVault } from './vaultFormat.ts';

export interface VaultOptions {
  /** the Cloudspace's state folder: `vault.yml` is there, and the password file when none is given */
  readonly dir: string;
  /** Ansible's vault id, for example `development` */
  readonly vaultId: string;
  /** file with the vault password; undefined: `vault-password` in `dir`, made with a random password when missing */
  readonly passwordFile?: string;
  /** gives the password, instead of reading `passwordFile`, which then is for Ansible and for messages */
  readonly password?: () => Promise<string>;
  /** for Ansible's environment, where the password file needs something of it; no secret */
  readonly env?: Readonly<Record<string, string>>;
  /** hears of each secret before it is given out: to keep it off the screen */
  readonly onSecret?: (value: string) => void;
}

export interface Vault {
  /** the encrypted YAML file, for `ansible-playbook -e @file`; it is there once a secret was asked for */
  readonly file: string;
  readonly vaultId: string;
  readonly passwordFile: string;
  /** true when the password lies beside the vault: it then guards against reading one file, not against reading the folder */
  readonly passwordBesideState: boolean;
  readonly env: Readonly<Record<string, string>>;
  /** names of all that is in it, in the file's order */
  names(): Promise<string[]>;
  /** the text under a key; undefined when it is not there. Makes nothing. */
  peek(key: string): Promise<string | undefined>;
  /** Sets keys to texts or lists of texts, removes those that are undefined, all in one write. Comments, other keys and the order stay. */
  set(values: Readonly<Record<string, string | readonly string[] | undefined>>): Promise<void>;
  /** the list under a key, for `set`; empty when it is not there */
  list(key: string): Promise<string[]>;
  /** The secret under a key. Missing: made by `generate` (default: `password`) and on disk, encrypted, when this resolves. */
  secret(key: string, generate?: () => string): Promise<string>;
  /** Makes all that are missing in one write. */
  ensure(generators: Readonly<Record<string, () => string>>): Promise<void>;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const KEY = /^[a-z_][a-z0-9_]*$/i;

/** 64 random characters of A-Z, a-z and 0-9 (381 bits): fits every place, RDS too, which refuses `/`, `@`, `"` and space. */
export function password(length = 64): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

/** A key for Python's cryptography.fernet: 32 random bytes in URL-safe base64, with padding. */
export function fernetKey(): string {
  return randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/**
 * Opens (lazily) the vault of a Cloudspace: a YAML file in Ansible Vault's own format, so that `ansible-vault edit` works on it. Clear text is never
 * on disk. The file is read again when it changed, and a write keeps what a person added, comments too.
 * Throws CloudspaceError: `VaultPassword` (wrong or empty password), `VaultDamaged` (no vault, no YAML), `BadInput` (password file missing).
 */
export function openVault(options: VaultOptions): Vault {
  const file = join(options.dir, 'vault.yml');
  const passwordFile = options.passwordFile ?? join(options.dir, 'vault-password');
  let cached: { readonly stamp: string; readonly document: Document } | undefined;
  let key: Promise<string> | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work);
    queue = result.catch(() => {});
    return result;
  }

  /** A new password is made only where nothing has been encrypted with another one. */
  function vaultPassword(): Promise<string> {
    const nothingEncrypted = cached?.stamp === '';
    key ??=
      options.password?.() ??
      readPassword(passwordFile, options.vaultId, options.passwordFile === undefined && nothingEncrypted);
    key.catch(() => {
      key = undefined;
    });
    return key;
  }

  async function load(): Promise<Document> {
    const stamp = await fileStamp(file);
    if (cached?.stamp === stamp) return cached.document;
    const document = stamp === '' ? new Document({}, { schema: 'core' }) : await read();
    cached = { stamp, document };
    return document;
  }

  async function read(): Promise<Document> {
    const text = await readFile(file, 'utf8');
    if (!isVault(text))
      throw damaged(
        file,
        'is not encrypted',
        `encrypt it: ansible-vault encrypt --vault-id ${options.vaultId}@${passwordFile} ${file}`,
      );
    const plain = await decryptOrExplain(text);
    const document: Document = parseDocument(plain, { schema: 'core', logLevel: 'silent' });
    // yaml's own messages quote the line, which may hold a secret.
    const broken = document.errors[0];
    if (broken) throw damaged(file, `holds no valid YAML in line ${broken.linePos?.[0].line ?? '?'}`, editHint());
    if (document.contents === null) document.contents = document.createNode({});
    if (!isMap(document.contents)) throw damaged(file, 'holds no mapping of names to values', editHint());
    return document;
  }

  function editHint(): string {
    return `look at it with: ansible-vault edit --vault-id ${options.vaultId}@${passwordFile} ${file}`;
  }

  async function decryptOrExplain(text: string): Promise<string> {
    const secret = await vaultPassword();
    let plain: string | undefined;
    try {
      plain = await decrypt(text, secret);
    } catch (cause) {
      throw damaged(
        file,
        `cannot be read: ${(cause as Error).message}`,
        'restore it from a copy; its secrets cannot be made again',
      );
    }
    if (plain !== undefined) return plain;
    const former = join(options.dir, 'vault-password');
    if (options.password)
      throw new CloudspaceError(`the vault password that is configured does not open ${file}`, {
        code: 'VaultPassword',
        hint: existsSync(former)
          ? `it was encrypted with the one in ${former}. Change that: ansible-vault rekey --vault-id ${options.vaultId}@${former} --new-vault-id ${options.vaultId}@${passwordFile} ${file}`
          : 'put the right one where the configuration says, or correct the reference',
      });
    throw new CloudspaceError(`the password in ${passwordFile} does not open ${file}`, {
      code: 'VaultPassword',
      hint: 'put the right vault password there (or name its file); if the vault itself was changed by hand, restore it from a copy',
    });
  }

  async function textOf(document: Document, name: string): Promise<string | undefined> {
    const node = document.get(name, true);
    if (node === undefined) return undefined;
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '')
      return said(node.tag === '!vault' ? await decryptOrExplain(node.value) : node.value);
    throw damaged(file, `has a value under "${name}" that is no text`, `quote it; ${editHint()}`);
  }

  async function ensure(generators: Readonly<Record<string, () => string>>): Promise<void> {
    const document = await load();
    const missing = Object.entries(generators).filter(([name]) => !document.has(name));
    if (missing.length === 0) return;
    for (const [name, generate] of missing) put(document, name, said(generate()));
    await save(document);
  }

  async function set(values: Readonly<Record<string, string | readonly string[] | undefined>>): Promise<void> {
    const document = await load();
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) document.delete(name);
      else if (typeof value === 'string') put(document, name, said(value));
      else document.set(name, document.createNode(value.map(said).map(quoted)));
    }
    await save(document);
  }

  async function list(name: string): Promise<string[]> {
    const node = (await load()).get(name, true);
    if (node === undefined) return [];
    const items = isSeq(node) ? node.items.map((item) => (isScalar(item) ? item.value : undefined)) : [undefined];
    if (items.every((item) => typeof item === 'string')) return items.map(said);
    throw damaged(file, `has a value under "${name}" that is no list of texts`, editHint());
  }

  /** A key that is there keeps its place and the comments around it. */
  function put(document: Document, name: string, value: string): void {
    if (!KEY.test(name)) throw new TypeError(`"${name}" is no name for an Ansible variable`);
    const fresh = quoted(value);
    const before = document.get(name, true);
    if (isScalar(before) && before.comment) fresh.comment = before.comment;
    document.set(name, fresh);
  }

  function said(value: string): string {
    options.onSecret?.(value);
    return value;
  }

  async function save(document: Document): Promise<void> {
    try {
      await writeAtomically(
        file,
        await encrypt(document.toString({ lineWidth: 0 }), await vaultPassword(), options.vaultId),
      );
      cached = { stamp: await fileStamp(file), document };
    } catch (error) {
      cached = undefined; // what is in memory is not what is on disk
      throw error;
    }
  }

  return {
    file,
    vaultId: options.vaultId,
    passwordFile,
    passwordBesideState: options.passwordFile === undefined,
    secret: (name, generate = password) =>
      oneAtATime(async () => {
        await ensure({ [name]: generate });
        return (await textOf(await load(), name)) as string;
      }),
    ensure: (generators) => oneAtATime(() => ensure(generators)),
    env: options.env ?? {},
    names: () => oneAtATime(async () => keysOf(await load())),
    peek: (name) => oneAtATime(async () => textOf(await load(), name)),
    set: (values) => oneAtATime(() => set(values)),
    list: (name) => oneAtATime(() => list(name)),
  };
}

/** Quoted, so that no reader of YAML takes it for a number. */
function quoted(text: string): Scalar<string> {
  const value = new Scalar(text);
  value.type = Scalar.QUOTE_DOUBLE;
  return value;
}

function keysOf(document: Document): string[] {
  return isMap(document.contents)
    ? document.contents.items.map(({ key }) => String(isScalar(key) ? key.value : key))
    : [];
}

/** Reads the password as Ansible does (white space around it does not count), or makes one where that is allowed. */
async function readPassword(path: string, vaultId: string, mayCreate: boolean): Promise<string> {
  let text: string;
  try {
    // As with Ansible, a file that may be run is a program that prints the password.
    text = isExecutable(await stat(path)) ? await askProgram(path, vaultId) : await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' || !mayCreate)
      throw usageError(
        `the vault password file ${path} cannot be read`,
        `${reason(cause)}; check the path and its owner`,
      );
    text = password();
    await writeAtomically(path, `${text}\n`);
  }
  if (text.trim() !== '') return text.trim();
  throw new CloudspaceError(`the vault password file ${path} is empty`, {
    code: 'VaultPassword',
    hint: 'put the vault password into it',
  });
}

/** execa's full message repeats what the program printed. */
function reason(error: unknown): string {
  return error instanceof ExecaError ? error.shortMessage : (error as Error).message;
}

function isExecutable(found: Stats): boolean {
  return (found.mode & 0o111) !== 0;
}

/** Ansible gives the vault id to programs whose name ends in "-client", and none to others. */
async function askProgram(path: string, vaultId: string): Promise<string> {
  const words = /-client(\.[a-z]+)?$/.test(path) ? ['--vault-id', vaultId] : [];
  const { stdout } = await execa(path, words, { stdin: 'inherit', stderr: 'inherit', timeout: 120_000 });
  return stdout;
}

/** Changes whenever the file does; '' when it is not there. */
async function fileStamp(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${ino}:${size}:${mtimeMs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function damaged(file: string, problem: string, hint: string): CloudspaceError {
  return new CloudspaceError(`the vault ${file} ${problem}`, { code: 'VaultDamaged', hint });
}
