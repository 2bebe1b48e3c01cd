import { CHAPTERS, type ChapterId, usageError } from '../engine/types.ts';

/** The chapter that is meant. Throws a usage error that names all of them. */
export function checkChapter(text: string): ChapterId {
  const found = CHAPTERS.find((chapter) => chapter === text);
  if (found) return found;
  throw usageError(`there is no chapter "${text}"`, `the chapters are: ${CHAPTERS.join(', ')}`, 'UnknownChapter');
}
