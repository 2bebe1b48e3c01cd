import { stripVTControlCharacters } from 'node:util';
import { type Look, paint, type Style, symbols } from './look.ts';

/** A run of text in one style. */
export interface Span {
  readonly text: string;
  readonly style?: Style | readonly Style[] | undefined;
}

let segmenter: Intl.Segmenter | undefined;
// East Asian Wide and Fullwidth blocks (Unicode TR 11), and what is drawn as an emoji.
const WIDE =
  /\p{Emoji_Presentation}|\uFE0F|[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]/u;
const ZERO = /^(?:\p{Mark}|\p{Default_Ignorable_Code_Point}|\p{Control})+$/u;

/**
 * What a reader sees as one character, one by one. Only what is not ASCII (with the letter before it, which a mark may belong to) is given to the
 * segmenter: each of its results holds a copy of the whole text, and a list of a thousand keys would take 300 MB.
 */
function* graphemes(text: string): Generator<string> {
  for (const [run] of text.matchAll(/[\x20-\x7e]+(?![^\x20-\x7e])|[\x20-\x7e]?[^\x20-\x7e]+/g)) {
    if (/^[\x20-\x7e]+$/.test(run)) yield* run;
    else {
      segmenter ??= new Intl.Segmenter();
      for (const { segment } of segmenter.segment(run)) yield segment;
    }
  }
}

const graphemeWidth = (one: string): number => (ZERO.test(one) ? 0 : WIDE.test(one) ? 2 : 1);

/** Terminal cells that the text takes: escape sequences and combining marks none, wide characters two. */
export function width(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let cells = 0;
  for (const one of graphemes(stripVTControlCharacters(text))) cells += graphemeWidth(one);
  return cells;
}

/** Text from elsewhere (the cloud, a host, a log) without escape sequences and control characters; tabs become spaces, line ends stay. */
export function clean(text: string): string {
  return (
    stripVTControlCharacters(text)
      .replaceAll('\r\n', '\n')
      .replaceAll('\t', '  ')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go
      .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '')
  );
}

/** Unstyled text cut to `cells` terminal cells; what was cut off is marked. */
export function truncate(text: string, cells: number, look: Pick<Look, 'unicode'>): string {
  if (width(text) <= cells) return text;
  const more = symbols(look).more;
  const room = cells - width(more);
  if (room <= 0) return more.slice(0, Math.max(0, cells));
  let result = '';
  let used = 0;
  for (const one of graphemes(text)) {
    used += graphemeWidth(one);
    if (used > room) break;
    result += one;
  }
  return `${result.trimEnd()}${more}`;
}

/** As `truncate`, with the middle left out: names that begin alike differ at their ends. */
export function truncateMiddle(text: string, cells: number, look: Pick<Look, 'unicode'>): string {
  if (width(text) <= cells) return text;
  const head = truncate(text, Math.ceil(cells / 2), look);
  const parts = [...graphemes(text)];
  let tail = '';
  for (let one = parts.pop(); one !== undefined && width(one + tail) <= cells - width(head); one = parts.pop())
    tail = one + tail;
  return head + tail;
}

export const pad = (text: string, cells: number): string => text + ' '.repeat(Math.max(0, cells - width(text)));

interface Indent {
  /** before the first line, and before the others; may be styled */
  readonly first?: string;
  readonly rest?: string;
}

/**
 * Breaks styled text into lines at spaces. A word that is longer than a line stays whole: a path or an address that was cut could
 * not be copied.
 */
export function wrapSpans(spans: readonly Span[], look: Look, { first = '', rest = first }: Indent = {}): string[] {
  type Word = { pieces: Span[]; cells: number };
  const words: Word[] = [];
  let word: Word | undefined;
  for (const span of spans) {
    for (const piece of span.text.split(/(\s+)/)) {
      if (piece === '') continue;
      if (/^\s/.test(piece)) {
        word = undefined;
        continue;
      }
      if (word === undefined) {
        word = { pieces: [], cells: 0 };
        words.push(word);
      }
      word.pieces.push({ text: piece, style: span.style });
      word.cells += width(piece);
    }
  }
  const lines: Span[][] = [];
  let used = 0;
  for (const { pieces, cells } of words) {
    const indent = width(lines.length <= 1 ? first : rest);
    const line = lines.at(-1);
    if (line === undefined || indent + used + 1 + cells > look.columns) {
      lines.push([...pieces]);
      used = cells;
    } else {
      const last = line.at(-1);
      const next = pieces[0];
      line.push({ text: ' ', style: last?.style === next?.style ? last?.style : undefined }, ...pieces);
      used += 1 + cells;
    }
  }
  return lines.map((line, index) => (index === 0 ? first : rest) + paintSpans(line, look));
}

/** One line of spans as text; neighbours of the same style share their escape sequences. */
function paintSpans(line: readonly Span[], look: Look): string {
  let result = '';
  for (let index = 0; index < line.length; ) {
    const style = line[index]?.style;
    let text = '';
    while (index < line.length && line[index]?.style === style) text += line[index++]?.text ?? '';
    result += paint(look, style, text);
  }
  return result;
}

/** Wraps plain text in one style; line ends in the text are kept. */
export function wrap(text: string, look: Look, indent: Indent = {}, style?: Style | readonly Style[]): string[] {
  const rest = indent.rest ?? indent.first ?? '';
  return text
    .split('\n')
    .flatMap((line, index) => wrapSpans([{ text: line, style }], look, index === 0 ? indent : { first: rest, rest }));
}

export interface Cell {
  readonly text: string;
  readonly style?: Style | readonly Style[] | undefined;
  /** which part is left out where there is no room; default: the end */
  readonly cut?: 'middle';
}

/** Rows with aligned columns, two cells apart. Where the terminal is too narrow the widest column gives way, and its cells are cut. */
export function table(rows: readonly (readonly Cell[])[], look: Look, indent = '  '): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(0, ...rows.map((row) => width(row[column]?.text ?? ''))),
  );
  const room = look.columns - width(indent) - 2 * (count - 1);
  const shortest = 4;
  while (widths.reduce((sum, one) => sum + one, 0) > room && Math.max(...widths) > shortest) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return rows.map((row) =>
    (
      indent +
      row
        .map(({ text, style, cut }, column) => {
          const cells = widths[column] ?? 0;
          const fitting = (cut === 'middle' ? truncateMiddle : truncate)(text, cells, look);
          return paint(look, style, fitting) + (column === row.length - 1 ? '' : ' '.repeat(cells - width(fitting)));
        })
        .join('  ')
    ).trimEnd(),
  );
}

/** 0.4s, 12s, 1m04s, 1h02m */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}

/** A typical duration, said roughly: ~45s, ~90s, ~6m */
export const roughly = (seconds: number): string =>
  seconds <= 120 ? `~${Math.round(seconds)}s` : `~${Math.round(seconds / 60)}m`;

/** AWS bills by the hour; a month is 730 hours, as in AWS's own calculator. */
export function cost(usdPerHour: number): string {
  const hour = usdPerHour < 0.1 ? usdPerHour.toFixed(4) : usdPerHour.toFixed(3);
  return `$${hour} an hour, $${(usdPerHour * 730).toFixed(2)} a month`;
}

/**
 * A shell command over several lines that can still be pasted: a backslash at each break, an option kept beside its value,
 * quoted text kept whole.
 */
export function shellWrap(command: string, columns: number): string[] {
  const words = command.match(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+/g) ?? [];
  const groups: string[] = [];
  for (const word of words) {
    const previous = groups.at(-1);
    const lonelyOption = previous?.startsWith('-') && !previous.includes(' ');
    if (lonelyOption && !word.startsWith('-')) groups[groups.length - 1] = `${previous} ${word}`;
    else groups.push(word);
  }
  const lines: string[] = [];
  for (const group of groups) {
    const line = lines.at(-1);
    if (line !== undefined && width(line) + 1 + width(group) + 2 <= columns)
      lines[lines.length - 1] = `${line} ${group}`;
    else lines.push(lines.length === 0 ? group : `    ${group}`);
  }
  return lines.map((line, index) => (index < lines.length - 1 ? `${line} \\` : line));
}
