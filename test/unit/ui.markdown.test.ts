import { expect, it } from 'vitest';
import { renderMarkdown } from '../../src/ui/markdown.ts';

const plain = (text: string, columns = 40) => renderMarkdown(text, { columns, color: false });
const styled = (text: string) => renderMarkdown(text, { columns: 80, color: true });

it('reflows paragraphs and parts them by one blank line', () => {
  expect(plain('one\ntwo three\n\n\nsecond paragraph that is longer than the line')).toBe(
    'one two three\n\nsecond paragraph that is longer than the\nline',
  );
});

it('lists: bullets, numbers, nesting, hanging indent, loose items together', () => {
  const text =
    '- first item that needs more than one line of text\n\n- second\n  goes on\n    - inner\n\n1. one\n2) two';
  expect(plain(text)).toBe(
    [
      '  • first item that needs more than one',
      '    line of text',
      '  • second goes on',
      '      • inner',
      '  1. one',
      '  2. two',
    ].join('\n'),
  );
});

it('keeps fenced code as it is, however long, without reading marks in it', () => {
  const long = `aws ec2 describe-vpcs --filters ${'x'.repeat(60)}`;
  expect(plain(`before\n\`\`\`sh\n${long}\n\n  # **not** a heading\n\`\`\`\nafter`)).toBe(
    `before\n\n    ${long}\n\n      # **not** a heading\n\nafter`,
  );
});

it('styles code, bold, italic and links', () => {
  expect(styled('a `code` **bold** *it* <https://x.org>')).toBe(
    'a \u001b[36mcode\u001b[39m \u001b[1mbold\u001b[22m \u001b[3mit\u001b[23m \u001b[4mhttps://x.org\u001b[24m',
  );
  expect(styled('**all `of` it**')).toBe(
    '\u001b[1mall\u001b[22m \u001b[1m\u001b[36mof\u001b[39m\u001b[22m \u001b[1mit\u001b[22m',
  );
});

it('without color: code keeps its backticks, web links show their address, links into the guide do not', () => {
  expect(plain('run `aws sts` **now**, [see](https://a.b/c) or [next](bastion.md#keys)', 80)).toBe(
    'run `aws sts` now, see (https://a.b/c) or next',
  );
});

it('leaves snake_case, lone stars and escapes alone', () => {
  expect(plain('aws_db_instance and 2 * 3 * 4 and \\*this\\*', 80)).toBe('aws_db_instance and 2 * 3 * 4 and *this*');
});

it('renders headings, quotes, tables; drops comments', () => {
  const text = '## Why\n<!-- hidden -->\n> quoted\n> text\n\n| a | `b` |\n|---|---|\n| one\\|two | 3 |';
  expect(plain(text)).toBe('Why\n\n│ quoted text\n\n  a        b\n  one|two  3');
});

it('falls back to ASCII', () => {
  expect(renderMarkdown('- one\n\n> two', { columns: 40, color: false, unicode: false })).toBe('  * one\n\n| two');
});
