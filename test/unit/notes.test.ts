import { chmodSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { add, edit, run } from '../../src/commands/notes.ts';
import { askHomework, editNotes, homework } from '../../src/commands/walk/homework.ts';
import {
  notesPath,
  parseNotes,
  readNotes,
  renderNotes,
  withAnswer,
  withQuestions,
  withRemark,
} from '../../src/commands/walk/notesFile.ts';
import { newState, openJournal } from '../../src/engine/journal.ts';
import type { Answer, Event, Question, Ui } from '../../src/engine/types.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'cloudspace-notes-'));
const own = `# Notes of team-07

Written on the train.

## Virtual Private Cloud

Two zones.

### Why do hosts have public addresses at all?

They need not:

\`\`\`
## no heading, but a comment
\`\`\`

## Our own ideas

### Budget

None.
`;

/** A person who answers by question id; a list is answered one after another. */
function person(answers: Record<string, string | readonly string[] | ((question: Question) => string)>) {
  const events: Event[] = [];
  const asked: Question[] = [];
  const turn: Record<string, number> = {};
  const ui: Ui = {
    notify: (event) => events.push(event),
    async ask<Q extends Question>(question: Q): Promise<Answer<Q>> {
      asked.push(question);
      const answer = answers[question.id];
      const at = turn[question.id] ?? 0;
      turn[question.id] = at + 1;
      const given = typeof answer === 'function' ? answer(question) : typeof answer === 'object' ? answer[at] : answer;
      return (given ?? question.default) as Answer<Q>;
    },
    close() {},
  };
  return { ui, events, asked };
}

describe('the file', () => {
  it('keeps what a person wrote, whatever the headings', () => {
    expect(renderNotes(parseNotes(own))).toBe(own);
    expect(renderNotes(parseNotes(''))).toBe('\n');
    expect(parseNotes('### alone\n\nx')).toEqual({ preamble: '### alone\n\nx', chapters: [] });
  });

  it('takes an answer in the place of the one before, and nothing else moves', () => {
    const question = 'Why do hosts have public addresses at all?';
    const text = renderNotes(withAnswer(parseNotes(own), 'Virtual Private Cloud', question, 'Habit.'));
    expect(text).toContain(`### ${question}\n\nHabit.\n\n## Our own ideas\n\n### Budget\n\nNone.\n`);
    expect(text).not.toContain('They need not');
  });

  it('an answer cannot become a heading', () => {
    const notes = withAnswer(parseNotes(''), 'Ingress', 'Why?', '## Because\n### of this');
    expect(parseNotes(renderNotes(notes))).toEqual(notes);
    expect(renderNotes(withRemark(notes, 'Ingress', '## more'))).toContain('\\## more');
  });

  it('offers open questions as headings, and keeps others', () => {
    const notes = withQuestions(parseNotes(own), [{ title: 'Virtual Private Cloud', questions: ['New?'] }]);
    expect(notes.chapters[0]?.answers.map(({ question }) => question)).toEqual([
      'New?',
      'Why do hosts have public addresses at all?',
    ]);
    expect(notes.chapters[1]?.title).toBe('Our own ideas');
  });
});

describe('the homework', () => {
  it('comes from the guide: questions for the prelude and every chapter', async () => {
    const all = await homework();
    expect(all.map(({ id }) => id)).toEqual([
      'login',
      'vpc',
      'bastion',
      'controller',
      'runners',
      'ingress',
      'services',
    ]);
    for (const { questions } of all) expect(questions.length).toBeGreaterThanOrEqual(3);
    expect(all.find(({ id }) => id === 'runners')?.questions.join()).toMatch(
      /all hosts be cycled without manual intervention/,
    );
  });

  it('Enter alone goes on and writes nothing', async () => {
    const dir = folder();
    const { ui, events } = person({});
    await askHomework({ ui, dir, name: 'team-07' }, 'vpc');
    expect(events).toHaveLength(1);
    expect(() => statSync(notesPath(dir))).toThrow();
  });

  it('takes answers one by one, privately, and asks no more when all are there', async () => {
    const dir = folder();
    const { ui, asked } = person({ 'homework.vpc': 'here', 'homework.answer': ['one', '', 'three', '', '', ''] });
    const count = (await homework()).find(({ id }) => id === 'vpc')?.questions.length ?? 0;
    await askHomework({ ui, dir, name: 'team-07' }, 'vpc');
    const text = readFileSync(notesPath(dir), 'utf8');
    expect(text).toMatch(/^# Notes of team-07\n\n## .+\n\n### .+\n\none\n\n### .+\n\nthree\n$/);
    expect(statSync(notesPath(dir)).mode & 0o777).toBe(0o600);
    expect(asked).toHaveLength(1 + count);
    const again = person({ 'homework.vpc': 'here', 'homework.answer': Array(count).fill('all of it') });
    await askHomework({ ui: again.ui, dir, name: 'team-07' }, 'vpc');
    const third = person({});
    await askHomework({ ui: third.ui, dir, name: 'team-07' }, 'vpc');
    expect(third.asked).toEqual([]);
  });

  it('takes what an editor gives back, of these chapters alone', async () => {
    const dir = folder();
    writeFileSync(notesPath(dir), own);
    const all = await homework();
    const bastion = all.filter(({ id }) => id === 'bastion');
    const { ui, asked } = person({ notes: (question) => `first thought\n\n${question.default}\n\nlast words` });
    expect(await editNotes({ ui, dir, name: 'team-07' }, bastion)).toBe(true);
    expect(String(asked[0]?.default)).not.toContain('Our own ideas');
    const notes = await readNotes(dir);
    expect(renderNotes({ ...notes, chapters: notes.chapters.slice(0, 2) })).toBe(own);
    expect(notes.chapters[2]?.text).toBe('first thought');
    expect(notes.chapters[2]?.answers.at(-1)?.text).toBe('last words');
  });

  it('an editor that changes nothing writes nothing', async () => {
    const dir = folder();
    const { ui } = person({});
    expect(await editNotes({ ui, dir, name: 'team-07' }, await homework())).toBe(false);
    expect(() => statSync(notesPath(dir))).toThrow();
  });
});

describe('the command', () => {
  const context = async (args: readonly string[], more: { ui?: Ui; json?: boolean; dir?: string } = {}) => {
    const stateDir = more.dir ?? folder();
    const dir = join(stateDir, 'team-07');
    const journal = openJournal(
      dir,
      newState({ name: 'team-07', account: '123456789012', region: 'eu-central-1', practice: true }),
    );
    await journal.update((state) => {
      state.chapters.vpc = 'done';
      state.resources.vpc = {
        type: 'aws_vpc',
        chapter: 'vpc',
        status: 'ready',
        token: '',
        at: '2026-11-22T10:20:30.000Z',
        usdPerHour: 0.05,
        out: { id: 'vpc-1' },
      };
    });
    const printed: string[] = [];
    return {
      stateDir,
      printed,
      context: {
        options: { name: 'team-07', stateDir, ...(more.json ? { json: true } : {}) },
        args,
        ui: more.ui ?? person({}).ui,
        signal: new AbortController().signal,
        print: (text: string) => printed.push(text),
      },
    };
  };

  it('prints questions, answers and the facts of the run as Markdown', async () => {
    const one = await context(['vpc', 'an', 'idea']);
    expect(await add(one.context)).toBe(0);
    const two = await context([], { dir: one.stateDir });
    await run(two.context);
    const text = two.printed.join('');
    expect(text).toMatch(
      /## .*\n\n_done, 1 resources, 0.050 USD an hour on AWS, last change 2026-11-22 10:20 UTC_\n\nan idea\n\n### /,
    );
    expect(text).toContain('_no answer yet_');
    const three = await context(['vpc'], { dir: one.stateDir, json: true });
    await run(three.context);
    expect(JSON.parse(three.printed.join(''))).toMatchObject({
      name: 'team-07',
      chapters: [{ chapter: 'vpc', status: 'done', resources: 1, remarks: 'an idea' }],
    });
  });

  it('refuses an unknown chapter and an empty remark', async () => {
    await expect(run((await context(['nowhere'])).context)).rejects.toThrow(/there is no chapter "nowhere"/);
    await expect(add((await context(['vpc'])).context)).rejects.toThrow(/no text to add/);
  });

  it('edits through the UI and says where it is kept', async () => {
    const { ui, events } = person({ notes: (question) => `${question.default}\nmore` });
    const { context: given } = await context(['services'], { ui });
    expect(await edit(given)).toBe(0);
    expect(events.at(-1)).toMatchObject({ type: 'summary', text: expect.stringContaining('notes.md') });
  });
});

describe('the editor', () => {
  it("is the person's own, and its text comes back", async () => {
    const { render } = await import('@inquirer/testing');
    const { terminalUi } = await import('../../src/ui/index.ts');
    const script = join(folder(), 'editor');
    writeFileSync(script, '#!/bin/sh\nprintf "and more\\n" >> "$1"\n');
    chmodSync(script, 0o700);
    const before = process.env.VISUAL;
    process.env.VISUAL = script;
    try {
      const screen = await render(
        (asked: Question, given?: { input?: unknown; output?: unknown }) => {
          const { input, output } = given as Pick<Parameters<typeof terminalUi>[0], 'input' | 'output'>;
          const ui = terminalUi({ input, output, color: false, yes: false, columns: 80 });
          return Object.assign(ui.ask(asked), { cancel: () => {} });
        },
        { id: 'notes', kind: 'editor', message: 'Your notes', default: 'text\n' } as Question,
      );
      expect(await screen.answer).toBe('text\nand more\n');
    } finally {
      if (before === undefined) delete process.env.VISUAL;
      else process.env.VISUAL = before;
    }
  });
});
