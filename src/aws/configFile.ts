import { constants, copyFile, readFile, realpath, stat } from 'node:fs/promises';
import { usageError } from '../engine/types.ts';
import { writeAtomically } from '../system/files.ts';
import { awsFiles } from './credentials.ts';

/** What `cloudspace` writes into a profile, by AWS's names: a role and the profile it starts from, or the process that fetches a key. Never a key. */
export type ProfileSettings = Readonly<
  Partial<Record<'role_arn' | 'source_profile' | 'credential_process' | 'region', string>>
>;

export interface WrittenProfile {
  readonly file: string;
  /** false: it said the same already, nothing was written */
  readonly changed: boolean;
  /** copy of the file as it was; undefined: there was none, or nothing changed */
  readonly backup?: string;
}

/**
 * Puts `[profile NAME]` into the AWS config file: appends the section, or sets these keys in it. Every other line, its order, the comments, the line
 * ends and the file's mode stay; a symbolic link stays one. Throws a usage error `ProfileExists` when the profile says something else
 * and `replace` was not given, and on a name that the AWS tools could not read.
 */
export async function writeProfile(
  name: string,
  settings: ProfileSettings,
  options: { readonly file?: string; readonly replace?: boolean; readonly backup?: boolean } = {},
): Promise<WrittenProfile> {
  if (!/^[\w@+.%:-]+$/.test(name)) {
    throw usageError(`"${name}" cannot be the name of an AWS profile`, 'Use letters, digits and . _ - only.');
  }
  for (const [key, value] of Object.entries(settings))
    if (/\p{Cc}/u.test(value))
      throw usageError(`${key} ${JSON.stringify(value)} cannot be written into an AWS profile`, 'It is one line.');
  const file = await followLink(options.file ?? awsFiles().config);
  const before = await readIfThere(file);
  const { text, differences } = setKeys(before ?? '', name, settings);
  if (text === before) return { file, changed: false };
  if (differences.length > 0 && !options.replace) {
    throw usageError(
      `the profile "${name}" in ${file} says something else: ${differences.join('; ')}`,
      'Choose another name for the profile, or agree to replace these keys.',
      'ProfileExists',
    );
  }
  const mode = before === undefined ? 0o600 : (await stat(file)).mode & 0o777;
  const backup = before === undefined || options.backup === false ? undefined : await backUp(file);
  await writeAtomically(file, text, { mode });
  return { file, changed: true, ...(backup !== undefined && { backup }) };
}

/** A copy beside the file, `.before-cloudspace`, `.before-cloudspace-2`, …: an earlier copy is never written over. */
async function backUp(file: string): Promise<string> {
  for (let count = 1; ; count++) {
    const copy = `${file}.before-cloudspace${count === 1 ? '' : `-${count}`}`;
    try {
      await copyFile(file, copy, constants.COPYFILE_EXCL);
      return copy;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** The text with the keys set, and what an existing section said otherwise. */
function setKeys(
  before: string,
  name: string,
  settings: ProfileSettings,
): { readonly text: string; readonly differences: readonly string[] } {
  const end = before.includes('\r\n') ? '\r\n' : '\n';
  const lines = before.split(/\r?\n/);
  const header = name === 'default' ? 'default' : `profile ${name}`;
  const titles = lines.map((line) =>
    /^\s*\[\s*([^\]]*?)\s*\]/
      .exec(line)?.[1]
      ?.replace(/\s+/, ' ')
      .replace(/^(profile )["'](.*)["']$/, '$1$2'),
  );
  const start = titles.indexOf(header);
  if (start === -1) {
    const body = [`[${header}]`, ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`), ''].join(end);
    const gap = before === '' ? '' : before.endsWith('\n') ? end : end + end;
    return { text: before + gap + body, differences: [] };
  }
  const next = titles.findIndex((title, index) => index > start && title !== undefined);
  const section = lines.slice(start + 1, next === -1 ? lines.length : next);
  const differences: string[] = [];
  for (const [key, value] of Object.entries(settings)) {
    const at = section.findIndex((line) => new RegExp(`^${key}\\s*=`).test(line));
    const have =
      at === -1
        ? undefined
        : (section[at] ?? '')
            .replace(/^[^=]*=\s*/, '')
            .replace(/\s+[#;].*$/, '')
            .trim();
    if (have === value) continue;
    differences.push(have === undefined ? `it has no ${key}` : `${key} is ${have}, not ${value}`);
    if (at === -1) section.splice(lastFilled(section) + 1, 0, `${key} = ${value}`);
    else section[at] = `${key} = ${value}`;
  }
  if (differences.length === 0) return { text: before, differences };
  const rest = next === -1 ? [] : lines.slice(next);
  return { text: [...lines.slice(0, start + 1), ...section, ...rest].join(end), differences };
}

/** Index of the last line that is neither blank nor a comment: a comment at the end usually belongs to what follows. */
function lastFilled(section: readonly string[]): number {
  return section.findLastIndex((line) => line.trim() !== '' && !/^\s*[#;]/.test(line));
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function followLink(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch {
    return file;
  }
}
