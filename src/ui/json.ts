import type { Event, Ui } from '../engine/types.ts';
import { answerText, noTerminal, takeDefault } from './answers.ts';
import { plainUi } from './plain.ts';

export interface JsonOptions {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly columns?: number };
  readonly yes: boolean;
  readonly unicode?: boolean;
  /** the command prints one document: of the events only errors go to stdout */
  readonly document?: boolean;
  /** for tests */
  readonly now?: () => Date;
}

/**
 * NDJSON: one event a line on stdout, each with `at` (ISO time, UTC) first, and nothing else; the same told to people on stderr.
 * A default that was taken under `--yes` is an `info` event.
 */
export function jsonUi(options: JsonOptions): Ui {
  const { stdout, stderr, yes, unicode = true, document = false, now = () => new Date() } = options;
  const people = plainUi({ output: stderr, yes, unicode });
  const emit = (event: Event) => {
    if (!document || event.type === 'error') stdout.write(`${JSON.stringify({ at: now().toISOString(), ...event })}\n`);
  };
  return {
    notify(event) {
      emit(event);
      people.notify(event);
    },
    async ask(question) {
      if (!yes) throw noTerminal(question);
      const answer = takeDefault(question);
      emit({ type: 'info', text: `${question.message} ${answerText(question, answer)} (--yes)` });
      return people.ask(question);
    },
    close: () => people.close(),
  };
}
