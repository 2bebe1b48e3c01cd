import type { Aws } from '../../src/aws/clients.ts';
import type { Outcome } from '../../src/commands/walk/walkItems.ts';
import { walkthrough } from '../../src/commands/walk/walkthrough.ts';
import { startRun } from '../../src/engine/apply.ts';
import { type Journal, loadState, newState, openJournal } from '../../src/engine/journal.ts';
import type { Run } from '../../src/engine/run.ts';
import type { Event, Question, Ui } from '../../src/engine/types.ts';
import type { Config } from '../../src/steps/config.ts';
import { walk } from '../../src/steps/index.ts';
import { config as example } from './config.ts';

/** The practice cloud's management account, its images and its versions. */
export const config: Config = {
  ...example,
  account: '100000000000',
  ami: 'ami-0',
  postgresVersion: '15.10',
  caCertificate: 'rds-ca-rsa2048-g1',
};
export const NAME = config.name;

export interface Walked {
  readonly outcome: Outcome;
  readonly events: readonly Event[];
  /** id and message of what was asked */
  readonly asked: readonly Question[];
  readonly run: Run;
  readonly journal: Journal;
}

/** The interactive walkthrough up to the end of chapter 1, with a person who is a function. Left out answers are the defaults. */
export async function walkByAnswers(
  aws: Aws,
  dir: string,
  answer: (question: Question, events: readonly Event[]) => Promise<string | undefined> | string | undefined,
  more: { byHand?: ReadonlySet<string> } = {},
): Promise<Walked> {
  const events: Event[] = [];
  const asked: Question[] = [];
  const list = walk(config);
  const { signal } = new AbortController();
  const state =
    (await loadState(dir)) ?? newState({ name: NAME, account: config.account, region: config.region, practice: false });
  const journal = openJournal(dir, state);
  const ui: Ui = {
    notify: (event) => events.push(event),
    async ask(question) {
      asked.push(question);
      if (asked.length > 200) throw new Error(`too many questions; the last one: ${question.message}`);
      return ((await answer(question, events)) ?? question.default) as never;
    },
    close() {},
  };
  const run = await startRun({
    cloud: aws,
    name: NAME,
    resources: list.resources,
    chapterOf: list.chapterOf,
    journal,
    notify: ui.notify,
    signal,
    pace: 0.01,
    secrets: async () => {},
  });
  const outcome = await walkthrough({
    config,
    walk: list,
    run,
    journal,
    ui,
    signal,
    until: 'vpc',
    interactive: true,
    check: async () => true,
    homework: async () => {},
    open: () => {},
    region: config.region,
    resume: `cloudspace start --name ${NAME}`,
    byHand: more.byHand ?? new Set(),
  });
  return { outcome, events, asked, run, journal };
}
