import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { render } from '@inquirer/testing';
import { describe, expect, it } from 'vitest';
import type { Event, Question } from '../../src/engine/types.ts';
import { chooseUi, jsonUi, plainUi, type TerminalOptions, terminalUi } from '../../src/ui/index.ts';

/** A stream that keeps what is written to it. */
function sink(more: object = {}) {
  const stream = Object.assign(new PassThrough(), more);
  const chunks: string[] = [];
  stream.on('data', (chunk) => chunks.push(String(chunk)));
  return { stream, text: () => chunks.join('') };
}
const name: Question = {
  id: 'name',
  kind: 'input',
  message: 'Name of the Cloudspace?',
  flag: '--name',
  validate: (text) => /^[a-z-]+$/.test(text) || `"${text}" is no name`,
};
const sure: Question = { id: 'sure', kind: 'confirm', message: 'Sure?', default: true };
const pick: Question = {
  id: 'pick',
  kind: 'select',
  message: 'What now?',
  choices: [
    { value: 'do', name: 'Do it' },
    { value: 'quit', name: 'Save and quit' },
  ],
  default: 'do',
};
const token: Question = { id: 'token', kind: 'secret', message: 'dns.token:' };
const created: Event = { type: 'resource', key: 'vpc', kind: 'aws_vpc', label: 'VPC', status: 'created', id: 'vpc-1' };
const nat = { type: 'resource', key: 'nat-gateway', kind: 'aws_nat_gateway', label: 'NAT gateway' } as const;

/** A question of the terminal UI on inquirer's test bench. */
async function bench(question: Question, more: Partial<TerminalOptions> = {}, before: readonly Event[] = []) {
  let ui: ReturnType<typeof terminalUi> | undefined;
  const screen = await render((asked: Question, context?: { input?: unknown; output?: unknown }) => {
    const { input, output } = context as Pick<TerminalOptions, 'input' | 'output'>;
    ui = terminalUi({ input, output, color: false, yes: false, columns: 80, ...more });
    for (const event of before) ui.notify(event);
    return Object.assign(ui.ask(asked), { cancel: () => {} });
  }, question);
  if (ui === undefined) throw new Error('the bench made no ui');
  return { ui, screen };
}

it('of a command that prints one document only errors reach stdout; people read all of it on stderr', () => {
  const [stdout, stderr] = [sink(), sink()];
  const ui = jsonUi({ stdout: stdout.stream, stderr: stderr.stream, yes: true, document: true });
  ui.notify({ type: 'info', text: 'Renewed.' });
  expect(stdout.text()).toBe('');
  ui.notify({ type: 'error', code: 'Bad', message: 'it is bad' });
  expect(JSON.parse(stdout.text())).toMatchObject({ type: 'error', code: 'Bad' });
  expect(stderr.text()).toContain('Renewed.');
  ui.close();
});

describe('at a terminal', () => {
  it('Enter takes the default', async () => {
    const one = await bench(sure);
    expect(one.screen.getScreen()).toBe('? Sure? (Y/n)');
    one.screen.events.keypress('enter');
    expect(await one.screen.answer).toBe(true);
    const two = await bench(pick);
    expect(two.screen.getScreen()).toContain('❯ Do it');
    two.screen.events.keypress('down');
    two.screen.events.keypress('enter');
    expect(await two.screen.answer).toBe('quit');
  });

  it('refuses what is not valid and says why', async () => {
    const { screen } = await bench(name);
    screen.events.type('7');
    screen.events.keypress('enter');
    await screen.nextRender();
    expect(screen.getScreen()).toContain('> "7" is no name');
    screen.events.keypress('backspace');
    screen.events.type('hackathon');
    screen.events.keypress('enter');
    expect(await screen.answer).toBe('hackathon');
  });

  it('a secret is not seen while it is typed, nor after', async () => {
    const { screen } = await bench(token);
    screen.events.type('hunter2');
    expect(screen.getScreen()).toContain('*******');
    screen.events.keypress('enter');
    expect(await screen.answer).toBe('hunter2');
    expect(await screen.getFullOutput()).not.toContain('hunter2');
  });

  it('shows help above the question', async () => {
    const { screen } = await bench({ ...sure, help: 'It can be undone.' });
    expect(await screen.getFullOutput()).toBe('  It can be undone.\n? Sure? (Y/n)');
    screen.events.keypress('enter');
    await screen.answer;
  });

  it('breaks a long question between words', async () => {
    const message = 'What would you do to cycle all hosts without anybody doing it by hand?';
    const { screen } = await bench({ ...name, message, default: 'nothing' }, { columns: 40 });
    expect(screen.getScreen()).toBe(
      '? What would you do to cycle all hosts\n  without anybody doing it by hand? (nothing)',
    );
    screen.events.keypress('enter');
    expect(await screen.answer).toBe('nothing');
  });

  it('prompts in ASCII where the locale is not UTF-8', async () => {
    const { screen } = await bench(pick, { unicode: false });
    expect(screen.getScreen()).toMatch(/^[\x20-\x7e\n]*$/);
    expect(screen.getScreen()).toContain('> Do it');
    screen.events.keypress('enter');
    await screen.answer;
  });

  it('uses color when told so, and not a code of it when not', async () => {
    for (const color of [true, false]) {
      const { screen } = await bench(pick, { color });
      screen.events.keypress('enter');
      await screen.answer;
      // SGR sequences: colors and weights; the prompt's cursor movements are others.
      expect((await screen.getFullOutput({ raw: true })).includes('\u001b[36m')).toBe(color);
    }
  });

  it('keeps events while the question is open and shows them after the answer', async () => {
    const { ui, screen } = await bench(sure, {}, [{ ...nat, status: 'waiting', typicalSeconds: 90 }]);
    expect(await screen.getFullOutput()).toContain('(meanwhile: nat-gateway 0s of ~90s)');
    ui.notify(created);
    ui.notify({ ...nat, status: 'ready', id: 'nat-1' });
    expect(await screen.getFullOutput()).not.toContain('vpc-1');
    screen.events.keypress('enter');
    await screen.answer;
    expect((await screen.getFullOutput()).split('\n').slice(1)).toEqual([
      '✔ Sure? Yes',
      '✔ VPC vpc vpc-1',
      '✔ NAT gateway ready nat-gateway nat-1',
    ]);
    ui.close();
  });

  it('asks one question at a time', async () => {
    const { ui, screen } = await bench(sure);
    const second = ui.ask(pick);
    screen.events.keypress('enter');
    expect(await screen.answer).toBe(true);
    await screen.nextRender();
    expect(screen.getScreen()).toContain('What now?');
    screen.events.keypress('enter');
    expect(await second).toBe('do');
  });

  it.each<[string, (input: PassThrough, abort: AbortController) => void]>([
    ['Ctrl-C', (input) => input.write('\u0003')],
    ['Ctrl-D', (input) => input.write('\u0004')],
    ['the end of the input', (input) => input.end()],
    ['an interrupt of the program', (_, abort) => abort.abort()],
  ])('%s at a question is an interruption, exit code 130', async (_, interrupt) => {
    for (const question of [sure, name, pick]) {
      const input = new PassThrough();
      const output = sink();
      const abort = new AbortController();
      const ui = terminalUi({ input, output: output.stream, color: false, yes: false, signal: abort.signal });
      const answer = ui.ask(question);
      answer.catch(() => {});
      while (!output.text().includes(question.message)) await new Promise((resolve) => setImmediate(resolve));
      ui.notify(created);
      interrupt(input, abort);
      await expect(answer).rejects.toMatchObject({ code: 'Interrupted', exitCode: 130 });
      // What happened meanwhile is not lost.
      expect(output.text()).toContain('vpc-1');
      ui.close();
    }
  });

  it('after the end of the input every further question is an interruption too', async () => {
    const input = new PassThrough();
    input.end();
    input.resume();
    await new Promise((resolve) => input.once('end', resolve));
    const ui = terminalUi({ input, output: sink().stream, color: false, yes: false });
    await expect(ui.ask(sure)).rejects.toMatchObject({ code: 'Interrupted' });
  });
});

describe('--yes', () => {
  const uis = {
    terminal: (stream: PassThrough) =>
      terminalUi({ input: new PassThrough(), output: stream, color: false, yes: true }),
    plain: (stream: PassThrough) => plainUi({ output: stream, yes: true }),
  };
  it.each(['terminal', 'plain'] as const)('takes every default and says so (%s)', async (kind) => {
    const { stream, text } = sink();
    const ui = uis[kind](stream);
    expect(await ui.ask(sure)).toBe(true);
    expect(await ui.ask(pick)).toBe('do');
    expect(await ui.ask({ ...name, default: 'hackathon' })).toBe('hackathon');
    expect(await ui.ask({ id: 'note', kind: 'input', message: 'Any notes?', default: '' })).toBe('');
    expect(text()).toBe(
      '? Sure? yes (--yes)\n? What now? Do it (--yes)\n? Name of the Cloudspace? hackathon (--yes)\n? Any notes? nothing (--yes)\n',
    );
  });
  it('never makes up a secret', async () => {
    const ui = plainUi({ output: sink().stream, yes: true });
    await expect(ui.ask(token)).rejects.toMatchObject({ code: 'NoTerminal', exitCode: 2 });
  });

  it('cannot invent an answer: names the flag', async () => {
    const ui = plainUi({ output: sink().stream, yes: true });
    const refused = { code: 'NoTerminal', exitCode: 2, hint: expect.stringContaining('`--name`') };
    await expect(ui.ask(name)).rejects.toMatchObject(refused);
    await expect(ui.ask({ ...name, default: '7' })).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('"7" is no name'),
    });
  });
});

describe('without a terminal', () => {
  it('a question is refused and its flag named, whether or not it has a default', async () => {
    const ui = plainUi({ output: sink().stream, yes: false });
    await expect(ui.ask(name)).rejects.toMatchObject({
      code: 'NoTerminal',
      exitCode: 2,
      message: 'there is no terminal to ask "Name of the Cloudspace?"',
      hint: 'Answer it ahead with `--name`.',
    });
    await expect(ui.ask({ ...sure, flag: 'sure' })).rejects.toMatchObject({
      hint: 'Answer it ahead with `--sure`. `--yes` takes the default of every question.',
    });
  });

  it('long silence is broken by what is under way', async () => {
    const { stream, text } = sink();
    const ui = plainUi({ output: stream, yes: true, heartbeatSeconds: 0.02 });
    ui.notify({ ...nat, status: 'waiting', typicalSeconds: 90 });
    const end = Date.now() + 5000;
    while (text().split('nat-gateway 0s of ~90s').length < 3 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(text().split('nat-gateway 0s of ~90s').length).toBeGreaterThanOrEqual(3);
    ui.notify({ ...nat, status: 'ready' });
    ui.close();
    const after = text();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(text()).toBe(after);
  });
});

describe('a terminal without a cursor (TERM=dumb)', () => {
  it('is asked line by line, until the answer is valid', async () => {
    const input = new PassThrough();
    const { stream, text } = sink();
    const ui = plainUi({ output: stream, input, yes: false });
    const answers = [
      ['\n', sure, true],
      ['maybe\nno\n', sure, false],
      ['\n', pick, 'do'],
      ['9\n2\n', pick, 'quit'],
      ['\nhackathon\n', name, 'hackathon'],
    ] as const;
    for (const [typed, question, want] of answers) {
      const answer = ui.ask(question);
      const before = text().length;
      while (!text().slice(before).includes(question.message)) await new Promise((resolve) => setImmediate(resolve));
      input.write(typed);
      expect(await answer).toBe(want);
    }
    expect(text()).toContain('? Sure? (Y/n) ');
    expect(text()).toContain('  2. Save and quit\n? What now? (1-2, default 1) ');
    expect(text()).toContain('✖ "maybe" is neither yes nor no\n');
    expect(text()).not.toContain('\u001b');
  });
  it('a secret is read without echo', async () => {
    const { stream, text } = sink();
    const input = new PassThrough();
    const ui = plainUi({ output: stream, yes: false, input });
    const answer = ui.ask(token);
    while (!text().includes(token.message)) await new Promise((resolve) => setImmediate(resolve));
    input.write('hunter2\n');
    expect(await answer).toBe('hunter2');
    expect(text()).toContain('dns.token: (hidden)');
    expect(text()).not.toContain('hunter2');
  });

  it('the end of its input is an interruption', async () => {
    const input = new PassThrough();
    const ui = plainUi({ output: sink().stream, input, yes: false });
    const answer = ui.ask(sure);
    input.end();
    await expect(answer).rejects.toMatchObject({ code: 'Interrupted', exitCode: 130 });
    await expect(ui.ask(sure)).rejects.toMatchObject({ code: 'Interrupted', exitCode: 130 });
  });
});

describe('--json', () => {
  const now = () => new Date('2026-11-22T10:00:00Z');
  it('stdout is one event a line with its time, text goes to stderr', async () => {
    const [out, err] = [sink(), sink()];
    const ui = jsonUi({ stdout: out.stream, stderr: err.stream, yes: true, now });
    ui.notify({ ...nat, status: 'waiting', typicalSeconds: 90 });
    ui.notify(created);
    expect(await ui.ask(sure)).toBe(true);
    ui.close();
    const lines = out.text().trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { at: '2026-11-22T10:00:00.000Z', ...nat, status: 'waiting', typicalSeconds: 90 },
      { at: '2026-11-22T10:00:00.000Z', ...created },
      { at: '2026-11-22T10:00:00.000Z', type: 'info', text: 'Sure? yes (--yes)' },
    ]);
    expect(err.text()).toContain('✔ VPC vpc vpc-1\n? Sure? yes (--yes)\n');
  });
  it('asks nobody', async () => {
    const out = sink();
    const ui = jsonUi({ stdout: out.stream, stderr: sink().stream, yes: false });
    await expect(ui.ask(name)).rejects.toMatchObject({ code: 'NoTerminal', exitCode: 2 });
    expect(out.text()).toBe('');
  });
});

describe('which UI', () => {
  const choose = (tty: boolean, env: Record<string, string>, json = false) => {
    const [out, err] = [sink({ isTTY: tty, columns: 80 }), sink()];
    const stdin = Object.assign(new PassThrough(), { isTTY: tty });
    const ui = chooseUi({
      json,
      yes: true,
      stdin,
      stdout: out.stream,
      stderr: err.stream,
      env: { LANG: 'C.UTF-8', ...env },
    });
    ui.notify({ ...nat, status: 'waiting' });
    ui.notify({ ...nat, status: 'failed' });
    ui.close();
    return out.text();
  };
  // Only the plain UI tells beginnings: the terminal has its live line for them.
  const beginning = 'waiting until it is ready';
  it.each([
    ['a terminal', true, {}, false, true],
    ['a pipe', false, {}, true, false],
    ['a pipe with FORCE_COLOR', false, { FORCE_COLOR: '1' }, true, true],
    ['a terminal with NO_COLOR', true, { NO_COLOR: '1' }, false, false],
    ['a dumb terminal', true, { TERM: 'dumb' }, true, false],
  ] as const)('for %s', (_, tty, env, plain, color) => {
    const text = choose(tty, env);
    expect([text.includes(beginning), text.includes('\u001b[31m')]).toEqual([plain, color]);
    expect(stripVTControlCharacters(text)).toContain('NAT gateway failed nat-gateway\n');
  });
  it('for --json', () => {
    for (const line of choose(true, {}, true).trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('at');
  });
});
