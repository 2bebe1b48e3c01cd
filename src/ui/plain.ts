import { Writable } from 'node:stream';
import type { Answer, Question, Ui } from '../engine/types.ts';
import { interrupted, noTerminal, takeDefault, taken } from './answers.ts';
import { liveWork } from './live.ts';
import { type Look, symbols } from './look.ts';
import { renderer } from './render.ts';
import { clean, wrap } from './text.ts';

type LineQuestion = Exclude<Question, { kind: 'editor' }>;

export interface PlainOptions {
  readonly output: NodeJS.WritableStream & { readonly columns?: number };
  readonly yes: boolean;
  /** a terminal that cannot move its cursor (TERM=dumb): questions are asked line by line. Left out: nobody can answer */
  readonly input?: NodeJS.ReadableStream;
  readonly color?: boolean;
  readonly unicode?: boolean;
  /** default: the output's width, else 80 */
  readonly columns?: number;
  readonly signal?: AbortSignal;
  /** seconds of silence after which a line says what is still under way; default 30 */
  readonly heartbeatSeconds?: number;
}

/**
 * Lines of text one after another, for logs, pipes and terminals without a cursor: no spinner, nothing is overwritten. While something
 * long is under way a line says so twice a minute.
 */
export function plainUi(options: PlainOptions): Ui {
  const { output, input, yes, color = false, unicode = true, signal, heartbeatSeconds = 30 } = options;
  const look = (): Look => ({ color, unicode, columns: options.columns ?? output.columns ?? 80 });
  const render = renderer(look, { live: false });
  const live = liveWork();
  let heartbeat: NodeJS.Timeout | undefined;
  let asking = Promise.resolve();

  function print(lines: readonly string[]) {
    if (lines.length === 0) return;
    output.write(`${lines.join('\n')}\n`);
    beat();
  }
  function beat() {
    clearTimeout(heartbeat);
    if (live.size === 0) return;
    heartbeat = setTimeout(() => print([live.line(look())]), heartbeatSeconds * 1000);
    // It must not keep a finished program alive.
    heartbeat.unref();
  }

  async function ask<Q extends Question>(question: Q, withdraw?: AbortSignal): Promise<Answer<Q>> {
    print(render.flush());
    if (yes) {
      const answer = takeDefault(question);
      print(taken(question, answer, look()));
      return answer;
    }
    // A terminal without a cursor has no room for an editor either.
    if (input === undefined || question.kind === 'editor') throw noTerminal(question);
    const asked: LineQuestion = question;
    const turn = asking.then(() => askLine(asked, input, withdraw) as Promise<Answer<Q>>);
    asking = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  /** One question as lines of text, asked again until the answer is valid. */
  async function askLine<Q extends LineQuestion>(
    question: Q,
    from: NodeJS.ReadableStream,
    withdraw?: AbortSignal,
  ): Promise<Answer<Q>> {
    withdraw?.throwIfAborted();
    if ('readableEnded' in from && from.readableEnded) throw interrupted(question);
    const { createInterface } = await import('node:readline');
    if (question.help !== undefined) print(wrap(clean(question.help), look(), { first: '  ' }, 'dim'));
    if (question.kind === 'select')
      print(
        question.choices.map((one, at) => `  ${at + 1}. ${one.name}${one.description ? `: ${one.description}` : ''}`),
      );
    // Readline writes what is typed to its output: nowhere, when it is a secret.
    const lines =
      question.kind === 'secret'
        ? createInterface({ input: from, output: new Writable({ write: (_c, _e, done) => done() }), terminal: true })
        : createInterface({ input: from, terminal: false });
    try {
      return await new Promise((resolve, reject) => {
        const prompt = () => output.write(`? ${question.message} ${offered(question)}`);
        const stop = () => reject(interrupted(question, signal?.reason));
        lines.on('close', stop);
        lines.on('SIGINT', stop);
        if (signal?.aborted) stop();
        signal?.addEventListener('abort', stop, { once: true });
        withdraw?.addEventListener('abort', () => reject(withdraw.reason), { once: true });
        lines.on('line', (line) => {
          if (question.kind === 'secret') output.write('\n');
          const answer = understand(question, line.trim());
          if ('value' in answer) resolve(answer.value as Answer<Q>);
          else {
            print([`${symbols(look()).failed} ${answer.problem}`]);
            prompt();
          }
        });
        prompt();
      });
    } finally {
      lines.removeAllListeners('close');
      lines.close();
    }
  }

  return {
    notify(event) {
      live.update(event);
      print(render.lines(event));
      if (live.size === 0) clearTimeout(heartbeat);
      else if (heartbeat === undefined) beat();
    },
    ask,
    close() {
      live.clear();
      print(render.flush());
      clearTimeout(heartbeat);
    },
  };
}

function offered(question: LineQuestion): string {
  if (question.kind === 'confirm') return question.default ? '(Y/n) ' : '(y/N) ';
  if (question.kind === 'secret') return '(hidden) ';
  if (question.kind === 'input') return question.default === undefined ? '' : `(${question.default}) `;
  const at = question.choices.findIndex((choice) => choice.value === question.default);
  return `(1-${question.choices.length}${at < 0 ? '' : `, default ${at + 1}`}) `;
}

/** What was typed as an answer to the question, or what is wrong with it. */
function understand(question: LineQuestion, typed: string): { value: boolean | string } | { problem: string } {
  if (question.kind === 'confirm') {
    if (typed === '') return { value: question.default };
    if (/^y(es)?$/i.test(typed)) return { value: true };
    return /^no?$/i.test(typed) ? { value: false } : { problem: `"${typed}" is neither yes nor no` };
  }
  if (question.kind === 'select') {
    if (typed === '') return { value: question.default };
    const choice = question.choices[Number(typed) - 1] ?? question.choices.find((one) => one.value === typed);
    return choice ? { value: choice.value } : { problem: `"${typed}" is not one of 1 to ${question.choices.length}` };
  }
  const value = typed === '' ? question.default : typed;
  if (value === undefined && question.validate === undefined) return { value: '' };
  const verdict = question.validate?.(value ?? '') ?? true;
  return verdict === true ? { value: value ?? '' } : { problem: verdict };
}
