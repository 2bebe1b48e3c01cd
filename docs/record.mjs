// Records the picture of the README: runs the walkthrough in practice mode in tmux at 80x24, presses Enter until a given step is asked about,
// and writes that screen as SVG. Usage: node docs/record.mjs "The NAT gateway" docs/walkthrough.svg
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const [until = 'The NAT gateway', target = 'docs/walkthrough.svg'] = process.argv.slice(2);
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'cloudspace-record-'));
const socket = join(dir, 'tmux');
const tmux = (...args) => execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });

/** Waits until the screen has not changed for half a second. */
async function quiet() {
  for (let before = '', same = 0; same < 5; ) {
    await sleep(100);
    const now = tmux('capture-pane', '-p');
    same = now === before ? same + 1 : 0;
    before = now;
  }
}

function svg(lines) {
  const [width, height] = [8.4, 18];
  const rows = lines.map((line, row) => {
    let column = 0;
    const spans = [...runs(line)].map(({ text, style }) => {
      const x = 16 + column * width;
      column += [...text].length;
      const fill = COLORS[style.color] ?? (style.dim ? '#8b949e' : '#c9d1d9');
      return `<text x="${x.toFixed(1)}" y="${30 + row * height}" textLength="${([...text].length * width).toFixed(1)}" fill="${fill}"${style.bold ? ' font-weight="bold"' : ''}>${xml(text)}</text>`;
    });
    return spans.join('');
  });
  const [w, h] = [80 * width + 32, 24 * height + 32];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}"><rect width="100%" height="100%" rx="8" fill="#0d1117"/><g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" xml:space="preserve">\n${rows.join('\n')}\n</g></svg>\n`;
}

const COLORS = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#76e3ea',
  90: '#8b949e',
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
const SGR = /(\u001b\[[0-9;]*m)/;

/** A line with SGR escapes as runs of equal style. */
function* runs(line) {
  let style = {};
  for (const part of line.split(SGR)) {
    const codes = part.startsWith('\u001b[') ? part.slice(2, -1) : undefined;
    if (codes === undefined) {
      if (part) yield { text: part, style };
      continue;
    }
    for (const code of codes.split(';').map(Number)) {
      if (code === 0) style = {};
      else if (code === 1) style = { ...style, bold: true };
      else if (code === 2) style = { ...style, dim: true };
      else if (code === 22) style = { ...style, bold: false, dim: false };
      else if (code === 39) style = { ...style, color: undefined };
      else if (COLORS[code]) style = { ...style, color: code };
    }
  }
}

function xml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

tmux(
  'new-session',
  '-d',
  '-x',
  '80',
  '-y',
  '24',
  '-c',
  dir,
  `LANG=C.UTF-8 COLORTERM=truecolor ${process.execPath} ${cli} practice --hosts none`,
);
tmux('set-option', '-g', 'status', 'off');
try {
  for (let press = 0; press < 60; press++) {
    await quiet();
    const plain = tmux('capture-pane', '-p');
    if (plain.includes(`${until}: do this step?`)) {
      writeFileSync(target, svg(tmux('capture-pane', '-p', '-e').trimEnd().split('\n')));
      break;
    }
    tmux('send-keys', 'Enter');
  }
} finally {
  tmux('kill-server');
}
