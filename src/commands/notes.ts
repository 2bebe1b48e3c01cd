import type { State } from '../engine/journal.ts';
import { type ChapterId, usageError } from '../engine/types.ts';
import { checkChapter } from './chapterName.ts';
import type { Context } from './context.ts';
import { locateExisting } from './session/places.ts';
import { type ChapterQuestions, editNotes, homework, withPreamble } from './walk/homework.ts';
import { answerOf, type Notes, notesPath, readNotes, withRemark, writeNotes } from './walk/notesFile.ts';

/** `cloudspace notes [CHAPTER]`: the homework's questions, what was answered, and the facts of the run beside them, as Markdown. */
export async function run(context: Context): Promise<number> {
  const { name, dir, state } = await locateExisting(context);
  const chapters = chosen(await homework(), context.args[0]);
  const notes = await readNotes(dir);
  if (context.options.json)
    context.print(
      `${JSON.stringify({ name, file: notesPath(dir), chapters: chapters.map((one) => document(one, notes, state)) }, null, 2)}\n`,
    );
  else context.print(markdown(name, chapters, notes, state, context.args[0] === undefined));
  return 0;
}

/** `cloudspace notes edit [CHAPTER]`: opens them in $VISUAL or $EDITOR. */
export async function edit(context: Context): Promise<number> {
  const { name, dir } = await locateExisting(context);
  const chapters = chosen(await homework(), context.args[0]);
  const changed = await editNotes({ ui: context.ui, dir, name }, chapters);
  context.ui.notify({ type: 'summary', text: changed ? `Kept in \`${notesPath(dir)}\`.` : 'Nothing was changed.' });
  return 0;
}

/** `cloudspace notes add CHAPTER TEXT…`: one paragraph more, for example from a script. */
export async function add(context: Context): Promise<number> {
  const { name, dir } = await locateExisting(context);
  const [chapter = '', ...words] = context.args;
  const text = words.join(' ').trim();
  if (text === '')
    throw usageError('there is no text to add', 'for example: cloudspace notes add vpc "one NAT gateway a zone"');
  const [one] = chosen(await homework(), chapter);
  await writeNotes(dir, withRemark(withPreamble(await readNotes(dir), name), one?.title ?? '', text));
  context.ui.notify({ type: 'summary', text: `Added to chapter "${chapter}" in \`${notesPath(dir)}\`.` });
  return 0;
}

function chosen(all: readonly ChapterQuestions[], chapter: string | undefined): readonly ChapterQuestions[] {
  if (chapter === undefined) return all;
  const id = checkChapter(chapter);
  return all.filter((one) => one.id === id);
}

interface Facts {
  readonly status: string;
  readonly resources: number;
  readonly usdPerHour: number;
  /** ISO times; null when nothing of the chapter is there */
  readonly first: string | null;
  readonly last: string | null;
}

/** What the journal knows of a chapter's run. */
function factsOf(id: ChapterId, state: State): Facts {
  const entries = Object.values(state.resources).filter((entry) => entry.chapter === id && entry.out !== undefined);
  const times = entries.map((entry) => entry.at).sort();
  return {
    status: state.chapters[id] ?? 'open',
    resources: entries.length,
    usdPerHour: Number(entries.reduce((sum, entry) => sum + (entry.usdPerHour ?? 0), 0).toFixed(4)),
    first: times[0] ?? null,
    last: times.at(-1) ?? null,
  };
}

function document({ id, title, questions }: ChapterQuestions, notes: Notes, state: State) {
  const mine = notes.chapters.find((chapter) => chapter.title === title);
  return {
    chapter: id,
    title,
    ...factsOf(id, state),
    questions: questions.map((question) => ({ question, answer: answerOf(mine?.answers ?? [], question) || null })),
    remarks: mine?.text || null,
    more: (mine?.answers ?? []).filter(({ question }) => !questions.includes(question)),
  };
}

function markdown(
  name: string,
  chapters: readonly ChapterQuestions[],
  notes: Notes,
  state: State,
  all: boolean,
): string {
  const known = new Set(chapters.map(({ title }) => title));
  const own = all ? notes.chapters.filter(({ title }) => !known.has(title)) : [];
  const blocks = [
    notes.preamble || `# Notes of ${name}`,
    ...chapters.flatMap((one) => {
      const { title, status, resources, usdPerHour, last, questions, remarks, more } = document(one, notes, state);
      const facts = [
        status,
        ...(resources > 0 ? [`${resources} resources`] : []),
        ...(usdPerHour > 0 ? [`${usdPerHour.toFixed(3)} USD an hour${state.practice ? ' on AWS' : ''}`] : []),
        ...(last === null ? [] : [`last change ${last.slice(0, 16).replace('T', ' ')} UTC`]),
      ];
      return [
        `## ${title}`,
        `_${facts.join(', ')}_`,
        remarks ?? '',
        ...questions.flatMap(({ question, answer }) => [`### ${question}`, answer ?? '_no answer yet_']),
        ...more.flatMap(({ question, text }) => [`### ${question}`, text]),
      ];
    }),
    ...own.flatMap(({ title, text, answers }) => [
      `## ${title}`,
      text,
      ...answers.flatMap((one) => [`### ${one.question}`, one.text]),
    ]),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}
