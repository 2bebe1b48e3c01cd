import { type Answer, CloudspaceError, type Question, usageError } from '../engine/types.ts';
import { type Look, paint } from './look.ts';
import { wrapSpans } from './text.ts';

/** What `--yes` took, for the record: "? Sure? yes (--yes)" */
export function taken(question: Question, answer: boolean | string, look: Look): string[] {
  return wrapSpans(
    [
      { text: `${question.message} ` },
      { text: `${answerText(question, answer) || 'nothing'} `, style: 'cyan' },
      { text: '(--yes)', style: 'dim' },
    ],
    look,
    { first: `${paint(look, 'green', '?')} `, rest: '  ' },
  );
}

/** An answer as people read it: yes or no, the choice's name, the text. */
export function answerText(question: Question, answer: boolean | string): string {
  if (typeof answer === 'boolean') return answer ? 'yes' : 'no';
  if (question.kind === 'secret') return '[hidden]';
  if (question.kind === 'editor') return `${answer.split('\n').length} lines`;
  if (question.kind !== 'select') return answer;
  return question.choices.find((choice) => choice.value === answer)?.name ?? answer;
}

const answerAhead = ({ flag }: Question): string =>
  flag === undefined ? 'Run it in a terminal to answer.' : `Answer it ahead with ${asOption(flag)}.`;

/** Questions may name their flag as `name`, `--name` or `--name NAME`. */
const asOption = (flag: string): string => `\`${flag.startsWith('-') ? flag : `--${flag}`}\``;

/**
 * The default taken in the person's name under `--yes`.
 * @throws CloudspaceError `NoTerminal` (exit 2) when there is none, `BadInput` (exit 2) when it is not valid; both name the flag
 */
export function takeDefault<Q extends Question>(question: Q): Answer<Q> {
  const answer = question.default;
  if (answer === undefined)
    throw usageError(`"${question.message}" has no default that --yes could take`, answerAhead(question), 'NoTerminal');
  const verdict = question.kind === 'input' ? (question.validate?.(String(answer)) ?? true) : true;
  if (verdict !== true)
    throw usageError(
      `"${question.message}" cannot be answered with its default "${answer}": ${verdict}`,
      answerAhead(question),
    );
  return answer as Answer<Q>;
}

/** Nobody can answer: no terminal and no `--yes`. Exit code 2, names the flag. */
export function noTerminal(question: Question): CloudspaceError {
  const yes = question.default === undefined ? '' : ' `--yes` takes the default of every question.';
  return usageError(`there is no terminal to ask "${question.message}"`, answerAhead(question) + yes, 'NoTerminal');
}

/** Ctrl-C, or the end of the input, at a question. Exit code 130. */
export function interrupted(question: Question, cause?: unknown): CloudspaceError {
  return new CloudspaceError(`interrupted at "${question.message}"`, {
    code: 'Interrupted',
    hint: 'Nothing is lost: the same command goes on from here.',
    exitCode: 130,
    cause,
  });
}
