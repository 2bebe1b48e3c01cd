import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../system/files.ts';

/**
 * What a person wrote down on the way: plain Markdown beside the state, `<dir>/notes.md`, theirs to edit with anything. Chapters are
 * headings of the second level, the guide's questions of the third. What stands under no known heading is kept as it is.
 */
export interface Notes {
  /** everything before the first chapter, with the file's title */
  readonly preamble: string;
  readonly chapters: readonly ChapterNotes[];
}

export interface ChapterNotes {
  readonly title: string;
  /** below the chapter's heading and above its first question */
  readonly text: string;
  readonly answers: readonly { readonly question: string; readonly text: string }[];
}

export function notesPath(dir: string): string {
  return join(dir, 'notes.md');
}

/** Empty notes when there is no file yet. */
export async function readNotes(dir: string): Promise<Notes> {
  const text = await readFile(notesPath(dir), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return parseNotes(text);
}

/** The file before is kept as `notes.md.bak`. */
export async function writeNotes(dir: string, notes: Notes): Promise<void> {
  const path = notesPath(dir);
  await writeAtomically(path, renderNotes(notes), { backup: `${path}.bak` });
}

export function parseNotes(text: string): Notes {
  const blocks: { level: 0 | 2 | 3; title: string; lines: string[] }[] = [{ level: 0, title: '', lines: [] }];
  let fence: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (mark !== undefined) {
      if (fence === undefined) fence = mark;
      else if (mark.startsWith(fence)) fence = undefined;
    }
    const heading = fence === undefined ? /^(##|###)\s+(.*?)\s*$/.exec(line) : null;
    if (heading) blocks.push({ level: heading[1] === '##' ? 2 : 3, title: heading[2] ?? '', lines: [] });
    else blocks.at(-1)?.lines.push(line);
  }
  const [first, ...rest] = blocks.map(({ lines, ...block }) => ({ ...block, text: lines.join('\n').trim() }));
  let preamble = first?.text ?? '';
  const chapters: { title: string; text: string; answers: { question: string; text: string }[] }[] = [];
  for (const { level, title, text: body } of rest) {
    const chapter = chapters.at(-1);
    if (level === 2) chapters.push({ title, text: body, answers: [] });
    else if (chapter) chapter.answers.push({ question: title, text: body });
    else preamble = `${preamble}\n\n### ${title}\n\n${body}`.trim();
  }
  return { preamble, chapters };
}

export function renderNotes({ preamble, chapters }: Notes): string {
  const blocks = [
    preamble,
    ...chapters.flatMap(({ title, text, answers }) => [
      `## ${title}`,
      text,
      ...answers.flatMap(({ question, text: answer }) => [`### ${question}`, answer]),
    ]),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** The notes with these chapters and questions as headings, in this order; what else is there follows. */
export function withQuestions(
  notes: Notes,
  chapters: readonly { readonly title: string; readonly questions: readonly string[] }[],
): Notes {
  const known = chapters.map(({ title, questions }) => {
    const there = notes.chapters.find((chapter) => chapter.title === title);
    const answers = there?.answers ?? [];
    return {
      title,
      text: there?.text ?? '',
      answers: [
        ...questions.map((question) => ({ question, text: answerOf(answers, question) })),
        ...answers.filter(({ question }) => !questions.includes(question)),
      ],
    };
  });
  const others = notes.chapters.filter(({ title }) => !chapters.some((chapter) => chapter.title === title));
  return { preamble: notes.preamble, chapters: [...known, ...others] };
}

/** The notes with one answer in the place of the one before. */
export function withAnswer(notes: Notes, chapter: string, question: string, answer: string): Notes {
  const there = notes.chapters.find(({ title }) => title === chapter) ?? { title: chapter, text: '', answers: [] };
  const text = plainText(answer);
  const answers = there.answers.some((one) => one.question === question)
    ? there.answers.map((one) => (one.question === question ? { question, text } : one))
    : [...there.answers, { question, text }];
  return replaceChapter(notes, { ...there, answers });
}

/** The notes with a paragraph of its own added to a chapter. */
export function withRemark(notes: Notes, chapter: string, remark: string): Notes {
  const there = notes.chapters.find(({ title }) => title === chapter) ?? { title: chapter, text: '', answers: [] };
  return replaceChapter(notes, { ...there, text: `${there.text}\n\n${plainText(remark)}`.trim() });
}

/** Takes over the chapters of `edited` (what an editor gave back); the other chapters stay as they are. */
export function withChapters(notes: Notes, edited: Notes): Notes {
  return edited.chapters.reduce(replaceChapter, notes);
}

function replaceChapter(notes: Notes, chapter: ChapterNotes): Notes {
  const there = notes.chapters.some(({ title }) => title === chapter.title);
  return {
    ...notes,
    chapters: there
      ? notes.chapters.map((one) => (one.title === chapter.title ? chapter : one))
      : [...notes.chapters, chapter],
  };
}

export function answerOf(answers: ChapterNotes['answers'], question: string): string {
  return answers.find((one) => one.question === question)?.text ?? '';
}

/** An answer must not become a heading of the file. */
function plainText(answer: string): string {
  return answer.trim().replaceAll(/^(#{2,3}\s)/gm, '\\$1');
}
