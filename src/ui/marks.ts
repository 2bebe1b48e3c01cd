import { type Look, paint, type Style, symbols } from './look.ts';
import { inline } from './markdown.ts';
import { truncate, width, wrap, wrapSpans } from './text.ts';

/** One line behind a symbol, cut where it is too long. */
export const mark = (look: Look, style: Style, symbol: string, text: string): string =>
  `${paint(look, style, symbol)} ${truncate(text, look.columns - width(symbol) - 1, look)}`;

/** How lines begin that are wrapped behind a symbol. */
export const marked = (look: Look, style: Style, symbol: string) => ({
  first: `${paint(look, style, symbol)} `,
  rest: ' '.repeat(width(symbol) + 1),
});

/** What to do next, behind an arrow. */
export const hint = (text: string | undefined, look: Look): string[] =>
  text === undefined
    ? []
    : wrapSpans(inline(text, look), look, { first: `  ${paint(look, 'cyan', symbols(look).arrow)} `, rest: '    ' });

/** "✔ title  detail", the detail dim and wrapped below itself */
export function result(look: Look, style: Style, symbol: string, title: string, detail: string): string[] {
  if (detail === '') return wrap(title, look, marked(look, style, symbol));
  return wrapSpans(
    [{ text: title }, { text: ' ' }, { text: detail.replaceAll('\n', ' '), style: 'dim' }],
    look,
    marked(look, style, symbol),
  );
}
