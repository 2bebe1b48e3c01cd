import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { basename, join, resolve } from 'node:path';
import { domainToASCII } from 'node:url';
import { usageError } from '../../engine/types.ts';
import type { Options } from '../context.ts';

/** What is asked of `cloudspace deploy`, checked. */
export interface Wanted {
  /** the folder with the Dockerfile, absolute */
  readonly folder: string;
  readonly app: string;
  readonly domains: readonly string[];
  /** undefined: as many as it has, or the default */
  readonly replicas: number | undefined;
  readonly service: 'postgres' | undefined;
  /** undefined: as it was, or the default */
  readonly http: 'serve' | 'redirect' | undefined;
  /** undefined: what the image exposes */
  readonly port: number | undefined;
}

/** An application's name is its Swarm service's, its image's and its login name at port 2222. */
const APP = /^[a-z](?:[a-z0-9-]{0,29}[a-z0-9])?$/;
/** The registry keeps the base image below this name; the others are accounts that every Debian has. */
const RESERVED = ['cloudspace', 'root', 'admin', 'daemon', 'nobody', 'sshd'];
const MOST_REPLICAS = 100;

/** Reads folder and flags. `domainOf` gives the domain that applications without one of their own are under. Throws usage errors; nothing has been asked of any host then. */
export async function wanted(
  folderArgument: string,
  options: Options,
  domainOf: () => Promise<string>,
): Promise<Wanted> {
  const folder = resolve(folderArgument);
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory())
    throw usageError(
      `there is no folder ${folder}`,
      'name the folder with the Dockerfile: cloudspace deploy DIR --domain NAME',
    );
  if (!(await stat(join(folder, 'Dockerfile')).catch(() => undefined))?.isFile())
    throw usageError(
      `${folder} has no Dockerfile`,
      'an application is built from one; examples/hello is one to start from',
      'NoDockerfile',
    );
  const app = options.app === undefined ? appFromFolder(folder) : checkApp(options.app);
  return {
    folder,
    app,
    domains: checkDomains(options.domain ?? `${app}.${await domainOf()}`),
    replicas:
      options.replicas === undefined
        ? undefined
        : wholeNumber(options.replicas, 1, MOST_REPLICAS, '--replicas', 'a number of containers'),
    service: checkService(options.service),
    http: checkHttp(options.http),
    port: options.port === undefined ? undefined : wholeNumber(options.port, 1, 65_535, '--port', 'a port'),
  };
}

export function checkApp(name: string): string {
  if (!APP.test(name))
    throw usageError(
      `the name "${name}" does not fit an application`,
      'use 1 to 31 small letters, digits and hyphens, a letter first, no hyphen last; for example --app shop',
    );
  if (RESERVED.includes(name))
    throw usageError(`the name "${name}" is taken by the system`, 'choose another: --app NAME');
  return name;
}

/** The folder's name as an application's: "My Shop" becomes "my-shop". Throws a usage error when nothing is left of it. */
export function appFromFolder(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 31)
    .replace(/-+$/, '');
  if (APP.test(name) && !RESERVED.includes(name)) return name;
  throw usageError(
    `the folder's name "${basename(folder)}" makes no name for an application`,
    'give one with --app NAME',
  );
}

/** One or several host names, separated by commas, in the form in which browsers ask for them. */
export function checkDomains(text: string): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) throw usageError('the domain is empty', 'for example --domain hello.localhost');
  return [...new Set(names.map(checkDomain))];
}

function checkDomain(text: string): string {
  const refuse = (why: string): never => {
    throw usageError(`"${text}" is not a domain: ${why}`, 'give a host name, for example --domain hello.localhost');
  };
  if (/[:/@]/.test(text)) return refuse('it holds more than a host name');
  if (text.includes('*')) return refuse('a wildcard cannot be routed to one application');
  const ascii = domainToASCII(text.replace(/\.$/, ''));
  if (ascii === '') return refuse('it has characters that names cannot have');
  if (isIP(ascii) !== 0) return refuse('it is an address');
  const labels = ascii.split('.');
  if (labels.length < 2) return refuse('it has one part only');
  if (ascii.length > 253) return refuse('it is longer than 253 characters');
  const bad = labels.find((label) => !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  if (bad !== undefined) return refuse(`"${bad}" is no part of a name`);
  return ascii;
}

function checkService(text: string | undefined): 'postgres' | undefined {
  if (text === undefined || text === 'postgres') return text;
  throw usageError(
    `there is no service "${text}" that deploy can add`,
    'it adds --service postgres; make others with: cloudspace services',
    'UnknownService',
  );
}

function checkHttp(text: string | undefined): 'serve' | 'redirect' | undefined {
  if (text === undefined || text === 'serve' || text === 'redirect') return text;
  throw usageError(`"${text}" is no way to treat port 80`, 'use --http serve or --http redirect');
}

function wholeNumber(text: string, from: number, to: number, flag: string, what: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isInteger(number) && number >= from && number <= to) return number;
  throw usageError(`"${text}" is not ${what}`, `give ${from} to ${to}, for example ${flag} ${Math.max(from, 2)}`);
}

/**
 * The version of a folder: 12 hexadecimal digits of a SHA-256 over its files' names, contents and executable bits, whatever the machine and the
 * order. `.git` does not count. The same content is the same image.
 */
export async function versionOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => path !== '.git' && !path.startsWith('.git/'))
    .sort((a, b) => (a < b ? -1 : 1));
  for (const path of paths) {
    const full = join(folder, path);
    const found = await lstat(full);
    const content = found.isSymbolicLink()
      ? Buffer.from(await readlink(full))
      : found.isFile()
        ? await readFile(full)
        : Buffer.alloc(0);
    const kind = found.isSymbolicLink() ? 'link' : (found.mode & 0o100) !== 0 ? 'program' : 'file';
    // Lengths in between: no two folders give the same stream of bytes.
    hash.update(JSON.stringify([path, kind, content.length])).update(content);
  }
  return hash.digest('hex').slice(0, 12);
}
