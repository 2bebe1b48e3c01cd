import { access, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const files = new Map<string, Promise<string>>();

/** The folder `guide/` of the package, found upwards from this file: it runs from src/ and, bundled, from dist/ or dist/chunks/. */
async function guideFolder(): Promise<string> {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const guide = join(folder, 'guide');
    const found = await access(join(folder, 'package.json')).then(
      () => access(guide).then(() => true),
      () => false,
    );
    if (found) return guide;
    if (dirname(folder) === folder) throw new Error('the package has no folder guide/: install it again');
  }
}

/**
 * The Markdown under one heading of a chapter's guide file, without the heading itself and up to the next heading of the same or a higher level.
 * Under the file's title: its introduction alone, up to the first heading.
 * @param file name in guide/, for example `1-vpc.md`
 * @param heading text of the heading without the marks
 * @throws Error when the file or the heading is not there: a mistake in this program, which a test looks for
 */
export async function guideSection(file: string, heading: string): Promise<string> {
  let text = files.get(file);
  if (text === undefined) {
    text = guideFolder().then((folder) => readFile(join(folder, file), 'utf8'));
    files.set(file, text);
  }
  const section = sectionOf(await text, heading);
  if (section === undefined) throw new Error(`guide/${file} has no heading "${heading}"`);
  return section;
}

/** The part of a Markdown text under a heading; undefined when there is no such heading. Lines in fenced code are no headings. */
export function sectionOf(text: string, heading: string): string | undefined {
  const lines = text.split(/\r?\n/);
  let fence: string | undefined;
  let level: number | undefined;
  let start = 0;
  for (const [index, line] of lines.entries()) {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (mark !== undefined) {
      if (fence === undefined) fence = mark;
      else if (mark.startsWith(fence)) fence = undefined;
      continue;
    }
    const match = fence === undefined ? /^(#{1,6})\s+(.*?)\s*#*\s*$/.exec(line) : null;
    if (match === null) continue;
    const depth = (match[1] ?? '').length;
    if (level === undefined && match[2] === heading) {
      level = depth;
      start = index + 1;
    } else if (level !== undefined && (level === 1 || depth <= level))
      return lines.slice(start, index).join('\n').trim();
  }
  return level === undefined ? undefined : lines.slice(start).join('\n').trim();
}
