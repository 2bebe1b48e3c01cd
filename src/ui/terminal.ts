import { Writable } from 'node:stream';
import type { Ora } from 'ora';
import type { Answer, Event, Question, Ui } from '../engine/types.ts';
import { interrupted, takeDefault, taken } from './answers.ts';
import { holdKeys } from './keys.ts';
import { liveWork } from './live.ts';
import { type Look, MAX_PROSE, paint, symbols } from './look.ts';
import { renderer } from './render.ts';
import { clean, wrap } from './text.ts';

export interface TerminalOptions {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream & {
    readonly columns?: number;
    readonly rows?: number;
    readonly isTTY?: boolean;
  };
  readonly color: boolean;
  readonly unicode?: boolean;
  /** default: the output's own width at each moment, else 80 */
  readonly columns?: number;
  readonly yes: boolean;
  /** ends an open question with `Interrupted` */
  readonly signal?: AbortSignal;
}

/**
 * For a person at a terminal. Finished lines scroll; below them one status line tells what is under way. While a question is open there is
 * no status line: a note above the question says what goes on in the background, and what happens meanwhile is shown after the answer.
 */
export function terminalUi(options: TerminalOptions): Ui {
  const { input, output, color, unicode = true, yes, signal } = options;
  const look = (): Look => ({ color, unicode, columns: options.columns ?? output.columns ?? 80 });
  const render = renderer(look, { live: true });
  const live = liveWork();
  const waiting: Event[] = [];
  let open = false;
  let closed = false;
  let asking = Promise.resolve();
  let spinner: Ora | undefined;
  let releaseKeys: (() => void) | undefined;
  let loading = false;
  let clock: NodeJS.Timeout | undefined;

  const print = (lines: readonly string[]) => {
    if (lines.length > 0) output.write(`${lines.join('\n')}\n`);
  };

  /** The status line is there exactly while something is under way and no question is open. */
  function refresh() {
    if (open || closed || live.size === 0 || output.isTTY !== true) {
      clearInterval(clock);
      clock = undefined;
      if (spinner?.isSpinning) spinner.stop();
      releaseKeys?.();
      releaseKeys = undefined;
      return;
    }
    if (spinner === undefined) {
      if (!loading) void loadSpinner();
      return;
    }
    const now = look();
    // The spinner's frame and a space stand before it; the last column stays free, or some terminals break the line.
    spinner.text = live.line({ ...now, columns: now.columns - 3 });
    releaseKeys ??= holdKeys(input);
    if (!spinner.isSpinning) spinner.start();
    clock ??= setInterval(refresh, 1000).unref();
  }

  async function loadSpinner() {
    loading = true;
    const { default: ora } = await import('ora');
    spinner = ora({
      stream: output,
      color: color ? 'cyan' : false,
      spinner: { frames: [...symbols({ unicode }).frames], interval: 80 },
      isEnabled: true,
      discardStdin: false,
    });
    refresh();
  }

  function show(event: Event) {
    live.update(event);
    print(render.lines(event));
    refresh();
  }

  async function ask<Q extends Question>(question: Q, withdraw?: AbortSignal): Promise<Answer<Q>> {
    if (yes) {
      const answer = takeDefault(question);
      print([...render.flush(), ...taken(question, answer, look())]);
      return answer;
    }
    const turn = asking.then(() => prompt(question, withdraw));
    asking = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async function prompt<Q extends Question>(question: Q, withdraw?: AbortSignal): Promise<Answer<Q>> {
    withdraw?.throwIfAborted();
    if ('readableEnded' in input && input.readableEnded) throw interrupted(question);
    // Loaded while the status line still spins: from its end to the prompt there is no gap.
    const prompts = await import('@inquirer/prompts');
    open = true;
    refresh();
    const now = look();
    const prose = { ...now, columns: Math.min(now.columns, MAX_PROSE) };
    print(render.flush());
    if (live.size > 0) print([paint(now, 'dim', `(meanwhile: ${live.line({ ...now, columns: now.columns - 14 })})`)]);
    if (question.help !== undefined) print(wrap(clean(question.help), prose, { first: '  ' }, 'dim'));
    // Ctrl-D and the end of the input close inquirer's readline without settling its prompt; all that can be seen is that the input is paused.
    const ended = new AbortController();
    const onPause = () => setImmediate(() => ended.abort());
    input.on('pause', onPause);
    const context = {
      input,
      output: unendable(output),
      signal: AbortSignal.any([signal, withdraw, ended.signal].filter((one) => one !== undefined)),
    };
    try {
      // Inquirer breaks long lines in the middle of a word; two columns go to its mark.
      const message = wrap(question.message, { ...prose, columns: prose.columns - 2 }, { first: '', rest: '  ' }).join(
        '\n',
      );
      const asked = promptFor(prompts, { ...question, message }, theme({ color, unicode }), output.rows ?? 24);
      return (await asked(context)) as Answer<Q>;
    } catch (error) {
      if (withdraw?.aborted && signal?.aborted !== true) throw withdraw.reason;
      const { name } = error as Error;
      if (name === 'ExitPromptError' || name === 'AbortPromptError') throw interrupted(question, error);
      throw error;
    } finally {
      input.off('pause', onPause);
      open = false;
      for (const event of waiting.splice(0)) show(event);
      refresh();
    }
  }

  return {
    notify(event) {
      if (open) waiting.push(event);
      else show(event);
    },
    ask,
    close() {
      closed = true;
      for (const event of waiting.splice(0)) show(event);
      live.clear();
      refresh();
      print(render.flush());
    },
  };
}

/** Inquirer ends the stream it writes to after each prompt; only the process's own streams survive that. */
function unendable(output: TerminalOptions['output']): NodeJS.WritableStream {
  const through = new Writable({
    // Answered at once: a chunk held back here would come after what is written to the output directly.
    write(chunk, _encoding, done) {
      output.write(chunk);
      done();
    },
  });
  return Object.defineProperty(through, 'columns', { get: () => output.columns });
}

type Prompts = typeof import('@inquirer/prompts');
type Context = NonNullable<Parameters<Prompts['confirm']>[1]>;

function promptFor(
  prompts: Prompts,
  question: Question,
  look: ReturnType<typeof theme>,
  rows: number,
): (context: Context) => Promise<boolean | string> {
  const { message } = question;
  switch (question.kind) {
    case 'confirm':
      return (context) => prompts.confirm({ message, default: question.default, theme: look }, context);
    case 'input': {
      const { validate } = question;
      return (context) =>
        prompts.input(
          {
            message,
            theme: look,
            ...(question.default === undefined ? {} : { default: question.default }),
            ...(validate === undefined ? {} : { validate }),
          },
          context,
        );
    }
    case 'secret': {
      const { validate } = question;
      return (context) =>
        prompts.password({ message, mask: '*', theme: look, ...(validate === undefined ? {} : { validate }) }, context);
    }
    case 'editor':
      return (context) =>
        prompts.editor(
          { message, default: question.default, postfix: '.md', waitForUserInput: false, theme: look },
          context,
        );
    case 'select': {
      const choices = question.choices.map(({ value, name, description }) => ({
        value,
        name,
        ...(description === undefined ? {} : { description }),
      }));
      // Question, description, keys and a line of air have to fit as well.
      const pageSize = Math.max(3, Math.min(choices.length, rows - 6));
      return (context) =>
        prompts.select({ message, choices, default: question.default, pageSize, loop: false, theme: look }, context);
    }
  }
}

/** Inquirer's prompts in our colors and symbols; its own styles ask Node about stdout, which is not where we write. */
function theme(look: Pick<Look, 'color' | 'unicode'>) {
  const { done, pointer, keys, frames } = symbols(look);
  const dim = (text: string) => paint(look, 'dim', text);
  const cyan = (text: string) => paint(look, 'cyan', text);
  return {
    prefix: { idle: paint(look, 'blue', '?'), done: paint(look, 'green', done) },
    spinner: { interval: 80, frames: frames.map(cyan) },
    icon: { cursor: pointer },
    style: {
      answer: cyan,
      message: (text: string) => paint(look, 'bold', text),
      error: (text: string) => paint(look, 'red', `> ${text}`),
      defaultAnswer: (text: string) => dim(`(${text})`),
      help: dim,
      highlight: cyan,
      key: cyan,
      disabled: dim,
      description: dim,
      keysHelpTip: () => dim(`${keys} to choose, Enter to take`),
    },
  };
}
