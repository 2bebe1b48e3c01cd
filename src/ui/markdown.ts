import { type Look, paint, type Style, symbols } from './look.ts';
import { type Span, table, wrapSpans } from './text.ts';

type Styles = readonly Style[];

const INLINE =
  /(?<ticks>`+)(?<code>.+?)\k<ticks>|\*\*(?<bold>.+?)\*\*|\[(?<text>[^\]]+)\]\((?<url>[^)\s]+)\)|<(?<auto>https?:[^>\s]+)>|(?<![\w*\\])(?<mark>[*_])(?<italic>[^*_\s](?:[^*_]*[^*_\s])?)\k<mark>(?![\w*])/g;

const ESCAPED = /\\([\\`*_[\]<>#|])/g;

/** Markdown within a line as styled text. Without color the marks that carry meaning stay: `code` keeps its backticks. */
export function inline(text: string, look: Pick<Look, 'color'>, base?: Styles): Span[] {
  const spans: Span[] = [];
  const add = (part: string, ...style: Style[]) => {
    // One array for each span: neighbours are joined by identity of their style.
    if (part !== '') spans.push({ text: part, style: style.length === 0 ? base : [...(base ?? []), ...style] });
  };
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    add(text.slice(end, match.index).replace(ESCAPED, '$1'));
    end = match.index + match[0].length;
    const { code, bold, text: label, url, auto, italic } = match.groups ?? {};
    if (code !== undefined) add(look.color ? code.trim() : match[0], 'cyan');
    else if (bold !== undefined) spans.push(...inline(bold, look, [...(base ?? []), 'bold']));
    else if (italic !== undefined) add(italic, 'italic');
    else if (auto !== undefined) add(auto, 'underline');
    else if (label !== undefined && url !== undefined) {
      spans.push(...inline(label, look, [...(base ?? []), 'underline']));
      // A link into the guide itself leads nowhere in a terminal; one to the web can be opened.
      if (/^https?:/.test(url) && url !== label) add(` (${url})`, 'dim');
    }
  }
  add(text.slice(end).replace(ESCAPED, '$1'));
  return spans;
}

const ITEM = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const cells = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));

/** Renders blocks of Markdown: paragraphs, lists, quotes, headings, tables and fenced code. Unknown syntax is shown as it is written. */
export function renderMarkdown(
  text: string,
  { columns, color, unicode = true }: Pick<Look, 'columns' | 'color'> & { readonly unicode?: boolean },
): string {
  const look: Look = { columns, color, unicode };
  const { bullet, quote } = symbols(look);
  const blocks: string[][] = [];
  const lines = text.replace(/<!--[\s\S]*?-->/g, '').split('\n');
  /** the lines of a block: the first, and those that follow until a blank line or the start of another kind of block */
  const paragraph = (start: number, strip: (line: string) => string): { joined: string; next: number } => {
    const parts = [strip(lines[start] ?? '')];
    let next = start + 1;
    while (
      next < lines.length &&
      !/^\s*$|^\s*```|^#{1,6} |^\s*>|^\s*\|/.test(lines[next] ?? '') &&
      !ITEM.test(lines[next] ?? '')
    )
      parts.push(lines[next++] ?? '');
    return { joined: parts.join(' '), next };
  };
  let inList = false;
  for (let index = 0; index < lines.length; ) {
    const line = lines[index] ?? '';
    const item = ITEM.exec(line);
    const fence = /^(\s*)(```+|~~~+)/.exec(line);
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line);
    if (/^\s*$/.test(line)) {
      index += 1;
      continue;
    }
    if (fence) {
      const code: string[] = [];
      for (index += 1; index < lines.length && !lines[index]?.trim().startsWith(fence[2] ?? ''); index += 1)
        code.push(`    ${paint(look, 'cyan', (lines[index] ?? '').replace(fence[1] ?? '', ''))}`.trimEnd());
      index += 1;
      blocks.push(code);
    } else if (heading) {
      blocks.push(wrapSpans(inline(heading[1] ?? '', look, ['bold']), look));
      index += 1;
    } else if (/^\s*\|/.test(line)) {
      const rows: string[][] = [];
      for (; /^\s*\|/.test(lines[index] ?? ''); index += 1)
        if (!/^[\s|:-]+$/.test(lines[index] ?? '')) rows.push(cells(lines[index] ?? ''));
      blocks.push(
        table(
          rows.map((row, at) => row.map((cell) => ({ text: plainText(cell), style: at === 0 ? 'bold' : undefined }))),
          look,
        ),
      );
    } else if (/^\s*>/.test(line)) {
      let joined = '';
      for (; /^\s*>/.test(lines[index] ?? ''); index += 1) joined += ` ${(lines[index] ?? '').replace(/^\s*>\s?/, '')}`;
      blocks.push(wrapSpans(inline(joined, look), look, { first: `${paint(look, 'dim', quote)} ` }));
    } else if (item) {
      const { joined, next } = paragraph(index, () => item[3] ?? '');
      const depth = '  '.repeat(Math.floor((item[1]?.length ?? 0) / 2) + 1);
      const mark = item[2] === undefined ? bullet : `${item[2]}.`;
      const wrapped = wrapSpans(inline(joined, look), look, {
        first: `${depth}${paint(look, 'dim', mark)} `,
        rest: `${depth}${' '.repeat(mark.length + 1)}`,
      });
      // Items of one list stand together, however they were spaced in the source.
      const list = inList ? blocks.at(-1) : undefined;
      if (list) list.push(...wrapped);
      else blocks.push(wrapped);
      index = next;
    } else {
      const { joined, next } = paragraph(index, (first) => first);
      blocks.push(wrapSpans(inline(joined, look), look));
      index = next;
    }
    inList = item !== null;
  }
  return blocks.map((block) => block.join('\n')).join('\n\n');
}

/** Markdown within a line without its marks, for cells and widths. */
const plainText = (text: string): string =>
  inline(text, { color: true })
    .map((span) => span.text)
    .join('');
