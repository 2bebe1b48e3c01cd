import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type Look, wantsColor, wantsUnicode } from '../../src/ui/look.ts';
import {
  clean,
  cost,
  duration,
  roughly,
  shellWrap,
  table,
  truncate,
  truncateMiddle,
  width,
  wrap,
  wrapSpans,
} from '../../src/ui/text.ts';

const look = (columns: number, more: Partial<Look> = {}): Look => ({ color: false, unicode: true, columns, ...more });

describe('width', () => {
  it.each([
    ['plain', 5],
    ['', 0],
    ['\u001b[31mred\u001b[39m', 3],
    ['Zürich', 6],
    ['Zu\u0308rich', 6],
    ['日本', 4],
    ['한글', 4],
    ['ｗｉｄｅ', 8],
    ['🚀', 2],
    ['👩‍👩‍👧', 2],
    ['✔ done …', 8],
    ['a\u200bb', 2],
  ])('%j takes %i cells', (text, cells) => expect(width(text)).toBe(cells));
});

describe('wrapping', () => {
  it('breaks at spaces, counts the indent, keeps long words whole', () => {
    expect(wrap('one two three four', look(10), { first: '- ', rest: '  ' })).toEqual([
      '- one two',
      '  three',
      '  four',
    ]);
    const path = '/var/lib/a-path-that-is-longer-than-the-line/log';
    expect(wrap(`see ${path} now`, look(20))).toEqual(['see', path, 'now']);
  });
  it('measures wide characters', () => {
    expect(wrap('日本 日本 日本', look(9))).toEqual(['日本 日本', '日本']);
  });
  it('keeps line ends and shares escape sequences between words of one style', () => {
    expect(wrap('a b\nc', look(80, { color: true }), {}, 'red')).toEqual([
      '\u001b[31ma b\u001b[39m',
      '\u001b[31mc\u001b[39m',
    ]);
    const spans = [{ text: 'the ' }, { text: 'vpc', style: 'bold' as const }, { text: ', done' }];
    expect(wrapSpans(spans, look(8, { color: true }))).toEqual(['the \u001b[1mvpc\u001b[22m,', 'done']);
  });
});

it('cuts to cells, never through a wide character', () => {
  expect(truncate('hello', 5, look(80))).toBe('hello');
  expect(truncate('hello', 4, look(80))).toBe('hel…');
  expect(truncate('hello', 4, { unicode: false })).toBe('h...');
  expect(truncate('日本日本', 6, look(80))).toBe('日本…');
  expect(truncate('hello', 0, look(80))).toBe('');
});

it('cuts the middle of a name whose end tells it apart', () => {
  expect(truncateMiddle('route-table-association-public-a', 20, look(80))).toBe('route-tab…n-public-a');
  expect(truncateMiddle('hello', 5, look(80))).toBe('hello');
  expect(truncateMiddle('日本日本', 6, look(80))).toBe('日…本');
  expect(truncateMiddle('hello', 0, look(80))).toBe('');
});

it('takes escape sequences and control characters out of foreign text', () => {
  expect(clean('\u001b[31mred\u001b[0m\r\nnext\u0007\u001b]0;title\u0007 \tx\u009b2J')).toBe('red\nnext   x');
});

describe('tables', () => {
  const rows = [
    [{ text: 'vpc' }, { text: 'VPC' }, { text: '10.7.0.0/16' }],
    [{ text: '日本' }, { text: 'subnet' }, { text: 'a summary that is far too long for the terminal' }],
  ];
  it('align by width', () => {
    expect(table(rows, look(80))).toEqual([
      '  vpc   VPC     10.7.0.0/16',
      '  日本  subnet  a summary that is far too long for the terminal',
    ]);
  });
  it('shrink their widest column', () => {
    const narrow = table(rows, look(30));
    expect(narrow[1]).toBe('  日本  subnet  a summary tha…');
    for (const line of narrow) expect(width(line)).toBeLessThanOrEqual(30);
  });
});

it('says times and money', () => {
  expect([0.04, 9.9, 12.4, 59.4, 59.6, 64, 3599.6, 3720].map(duration)).toEqual([
    '0.0s',
    '9.9s',
    '12s',
    '59s',
    '1m00s',
    '1m04s',
    '1h00m',
    '1h02m',
  ]);
  expect([45, 90, 360].map(roughly)).toEqual(['~45s', '~90s', '~6m']);
  expect(cost(0.045)).toBe('$0.0450 an hour, $32.85 a month');
  expect(cost(0.2114)).toBe('$0.211 an hour, $154.32 a month');
});

describe('shell wrapping', () => {
  const command = `aws ec2 create-vpc --cidr-block 10.7.0.0/16 --tags a b "two words" 'it''s; $HOME' --filters Name=a,Values=b --no-dry-run x\\ y`;
  it.each([20, 40, 80, 200])('at %i columns the shell reads the same words', (columns) => {
    const words = (text: string) =>
      execFileSync('sh', ['-c', text.replace(/^aws/, "printf '%s\\n'")], { encoding: 'utf8' });
    const wrapped = shellWrap(command, columns);
    expect(words(wrapped.join('\n'))).toBe(words(command));
    if (columns >= 40) for (const line of wrapped) expect(width(line)).toBeLessThanOrEqual(columns);
  });
  it('keeps an option beside its value', () => {
    expect(shellWrap('aws ec2 create-vpc --cidr-block 10.7.0.0/16 --query Vpc.VpcId', 45)).toEqual([
      'aws ec2 create-vpc --cidr-block 10.7.0.0/16 \\',
      '    --query Vpc.VpcId',
    ]);
  });
});

describe('what the output can show', () => {
  const tty = { isTTY: true };
  it.each([
    [tty, {}, true],
    [{}, {}, false],
    [tty, { NO_COLOR: '1' }, false],
    [tty, { NO_COLOR: '' }, true],
    [tty, { TERM: 'dumb' }, false],
    [{}, { FORCE_COLOR: '1' }, true],
    [{}, { FORCE_COLOR: '' }, true],
    [tty, { FORCE_COLOR: '0' }, false],
    [tty, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
  ])('color: %j with %j is %s', (stream, env, want) => expect(wantsColor(stream, env)).toBe(want));
  it.each([
    [{ LANG: 'en_US.UTF-8' }, 'linux', true],
    [{ LANG: 'C.utf8' }, 'linux', true],
    [{ LC_ALL: 'C', LANG: 'en_US.UTF-8' }, 'linux', false],
    [{ LC_ALL: '', LC_CTYPE: 'UTF-8' }, 'linux', true],
    [{}, 'linux', false],
    [{}, 'darwin', true],
    [{ LANG: 'de_DE.UTF-8', TERM: 'linux' }, 'linux', false],
  ])('Unicode: %j on %s is %s', (env, platform, want) => expect(wantsUnicode(env, platform)).toBe(want));
});
