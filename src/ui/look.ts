import { styleText } from 'node:util';

/** What the output can show. `columns` is the terminal's width; prose never gets wider than {@link MAX_PROSE}. */
export interface Look {
  readonly color: boolean;
  readonly unicode: boolean;
  readonly columns: number;
}

/** Longer lines are hard to read, however wide the window is. */
export const MAX_PROSE = 100;

export type Style = 'bold' | 'dim' | 'italic' | 'underline' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'magenta';

/** The text with styles, or as it is when the look has no color. The look decides alone: Node's own guess about stdout is not asked. */
export function paint(look: Pick<Look, 'color'>, style: Style | readonly Style[] | undefined, text: string): string {
  if (!look.color || style === undefined || text === '') return text;
  return styleText(typeof style === 'string' ? style : [...style], text, { validateStream: false });
}

const UNICODE = {
  done: '✔',
  failed: '✖',
  skipped: '–',
  warning: '⚠',
  arrow: '→',
  bullet: '•',
  dot: '·',
  line: '─',
  full: '●',
  empty: '○',
  more: '…',
  pointer: '❯',
  quote: '│',
  box: ['╭', '╮', '╰', '╯', '│'],
  keys: '↑↓',
  frames: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
} as const;

const ASCII: { readonly [K in keyof typeof UNICODE]: (typeof UNICODE)[K] extends string ? string : readonly string[] } =
  {
    done: '+',
    failed: 'x',
    skipped: '-',
    warning: '!',
    arrow: '->',
    bullet: '*',
    dot: '-',
    line: '-',
    full: '#',
    empty: '.',
    more: '...',
    pointer: '>',
    quote: '|',
    box: ['+', '+', '+', '+', '|'],
    keys: 'up/down',
    frames: ['-', '\\', '|', '/'],
  };

/** The symbols of this look: Unicode, or ASCII where the locale is not UTF-8. */
export function symbols(look: Pick<Look, 'unicode'>): typeof ASCII {
  return look.unicode ? UNICODE : ASCII;
}

type Env = Readonly<Record<string, string | undefined>>;

/** As Node's own streams decide: FORCE_COLOR wins over NO_COLOR (https://no-color.org), which wins over what the stream is. */
export function wantsColor(stream: { readonly isTTY?: boolean }, env: Env): boolean {
  const force = env.FORCE_COLOR;
  if (force !== undefined) return force !== '0' && force !== 'false';
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** POSIX: the first of LC_ALL, LC_CTYPE and LANG that is set decides. The Linux console's font has few symbols. */
export function wantsUnicode(env: Env, platform: string = process.platform): boolean {
  if (env.TERM === 'linux' || env.TERM === 'dumb') return false;
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  if (locale === undefined || locale === '') return platform === 'darwin' || platform === 'win32';
  return /utf-?8/i.test(locale);
}
