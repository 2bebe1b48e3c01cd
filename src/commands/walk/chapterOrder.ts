import type { Event } from '../../engine/types.ts';

export interface ChapterOrder {
  notify(event: Event): void;
  /** from now on this chapter's events, and what was held of it, are shown */
  open(chapter: string): void;
}

/**
 * Unattended, everything starts as soon as it can; a person reads chapter by chapter. Events of chapters that have not been opened yet are
 * held back until they are.
 */
export function chapterOrder(notify: (event: Event) => void, chapterOf: (key: string) => string): ChapterOrder {
  const open = new Set<string>();
  const held = new Map<string, Event[]>();
  const keyOf = (event: Event): string | undefined =>
    event.type === 'resource' || event.type === 'play' ? event.key : event.type === 'task' ? event.play : undefined;
  return {
    notify(event) {
      const key = keyOf(event);
      const chapter = key === undefined ? undefined : chapterOf(key);
      if (chapter === undefined || open.has(chapter)) notify(event);
      else held.set(chapter, [...(held.get(chapter) ?? []), event]);
    },
    open(chapter) {
      open.add(chapter);
      for (const event of held.get(chapter) ?? []) notify(event);
      held.delete(chapter);
    },
  };
}
