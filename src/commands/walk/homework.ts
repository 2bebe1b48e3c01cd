import type { ChapterId, Ui } from '../../engine/types.ts';
import { guideSection } from '../../guide.ts';
import { GUIDE } from '../../steps/index.ts';
import {
  answerOf,
  type Notes,
  parseNotes,
  readNotes,
  renderNotes,
  withAnswer,
  withChapters,
  withQuestions,
  writeNotes,
} from './notesFile.ts';

export interface ChapterQuestions {
  readonly id: ChapterId;
  /** the chapter's title: its heading in the notes */
  readonly title: string;
  readonly questions: readonly string[];
}

/** The guide's homework: the list items below each chapter's heading "Homework". */
export function homework(): Promise<ChapterQuestions[]> {
  return Promise.all(
    GUIDE.map(async ({ id, title, guide }) => {
      const section = await guideSection(guide, 'Homework');
      return {
        id,
        title,
        questions: section
          .split('\n')
          .flatMap((line) => /^- (.+?)\s*$/.exec(line)?.[1] ?? [])
          .filter((question) => question !== ''),
      };
    }),
  );
}

/** What new notes begin with. */
function preambleOf(name: string): string {
  return `# Notes of ${name}`;
}

/** The end of a chapter: shows its questions and takes answers, here or in the person's editor. Enter alone goes on. */
export async function askHomework(of: { ui: Ui; dir: string; name: string }, chapter: ChapterId): Promise<void> {
  const { ui, dir, name } = of;
  const mine = (await homework()).find(({ id }) => id === chapter);
  if (!mine || mine.questions.length === 0) return;
  const notes = withPreamble(await readNotes(dir), name);
  const there = notes.chapters.find(({ title }) => title === mine.title)?.answers ?? [];
  if (mine.questions.every((question) => answerOf(there, question) !== '')) return;
  ui.notify({
    type: 'info',
    text: `## Homework\n\nRead critically what stands now, and write down what you would improve.\n\n${mine.questions.map((question) => `- ${question}`).join('\n')}`,
  });
  const how = await ui.ask({
    kind: 'select',
    id: `homework.${chapter}`,
    message: 'Answer now?',
    help: 'Your notes lie beside the state as Markdown and stay when everything is taken down. `cloudspace notes` shows them.',
    default: 'later',
    choices: [
      { value: 'later', name: 'Later', description: 'Go on; `cloudspace notes edit` takes answers at any time.' },
      { value: 'here', name: 'Here', description: 'One line for each question.' },
      { value: 'editor', name: 'In my editor', description: 'All questions of this chapter at once, in $EDITOR.' },
    ],
  });
  if (how === 'here') {
    for (const question of mine.questions) {
      const before = answerOf(there, question);
      const answer = await ui.ask({ kind: 'input', id: 'homework.answer', message: question, default: before });
      // Read again each time: the file may be open in an editor beside this.
      if (answer.trim() !== before)
        await writeNotes(dir, withAnswer(withPreamble(await readNotes(dir), name), mine.title, question, answer));
    }
  } else if (how === 'editor') await editNotes({ ui, dir, name }, [mine]);
}

/** Opens these chapters in the person's editor, with their questions as headings, and keeps what comes back. False: nothing was changed. */
export async function editNotes(
  { ui, dir, name }: { ui: Ui; dir: string; name: string },
  chapters: readonly ChapterQuestions[],
): Promise<boolean> {
  const notes = withPreamble(await readNotes(dir), name);
  const asked = withQuestions(notes, chapters);
  const before = renderNotes({
    preamble: '',
    chapters: asked.chapters.filter(({ title }) => chapters.some((chapter) => chapter.title === title)),
  });
  const after = await ui.ask({ kind: 'editor', id: 'notes', message: 'Your notes', default: before });
  if (after.trim() === before.trim()) return false;
  const edited = parseNotes(after);
  // What stands above the first heading belongs to the first chapter that was opened.
  const [first] = edited.chapters;
  const [opened] = chapters;
  const whole: Notes =
    edited.preamble === ''
      ? edited
      : first
        ? {
            preamble: '',
            chapters: [{ ...first, text: `${edited.preamble}\n\n${first.text}`.trim() }, ...edited.chapters.slice(1)],
          }
        : { preamble: '', chapters: [{ title: opened?.title ?? name, text: edited.preamble, answers: [] }] };
  await writeNotes(dir, withChapters(withPreamble(await readNotes(dir), name), whole));
  return true;
}

export function withPreamble(notes: Notes, name: string): Notes {
  return notes.preamble === '' ? { ...notes, preamble: preambleOf(name) } : notes;
}
