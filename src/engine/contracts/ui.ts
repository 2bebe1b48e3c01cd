import type { Event } from './event.ts';

interface QuestionBase {
  /** stable name: `--yes` answers and tests address it */
  readonly id: string;
  readonly message: string;
  /** the flag that answers it ahead, named when there is no terminal */
  readonly flag?: string;
  readonly help?: string;
}

export type Question =
  | (QuestionBase & { readonly kind: 'confirm'; readonly default: boolean })
  | (QuestionBase & {
      readonly kind: 'input';
      readonly default?: string;
      readonly validate?: (text: string) => true | string;
    })
  /** typed without echo; no default, so that `--yes` never makes one up */
  | (QuestionBase & {
      readonly kind: 'secret';
      readonly default?: never;
      readonly validate?: (text: string) => true | string;
    })
  /** many lines, in the person's own editor; `default` is what they begin with */
  | (QuestionBase & { readonly kind: 'editor'; readonly default: string })
  | (QuestionBase & {
      readonly kind: 'select';
      readonly choices: readonly { readonly value: string; readonly name: string; readonly description?: string }[];
      readonly default: string;
    });

/** A yes or no, the value of a choice, or what was typed. */
export type Answer<Q extends Question> = Q extends { kind: 'confirm' }
  ? boolean
  : Q extends { kind: 'select'; choices: readonly { value: infer Value extends string }[] }
    ? Value
    : string;

/** The port to the person. The engine and the steps never print. */
export interface Ui {
  notify(event: Event): void;
  /**
   * Asks and waits. Throws CloudspaceError `NoTerminal` (exit 2, naming the flag) when nobody can answer and there is no default to take,
   * `Interrupted` (exit 130) on Ctrl-C. `withdraw` takes the question back, open or still waiting for its turn: it throws the signal's reason.
   */
  ask<const Q extends Question>(question: Q, withdraw?: AbortSignal): Promise<Answer<Q>>;
  /** Stops spinners and flushes; called once, last. */
  close(): void;
}
