import type { Action, Chapter, ChapterId, Play, Resource, Step } from '../engine/types.ts';
import { bastion } from './bastion.ts';
import type { Config } from './config.ts';
import { controller } from './controller.ts';
import { ingress } from './ingress.ts';
import { login } from './login.ts';
import { runners } from './runners.ts';
import { services } from './services.ts';
import { vpc } from './vpc.ts';

/** The guide in its order: a prelude and six chapters. */
export const GUIDE: readonly Chapter<Config>[] = [login, vpc, bastion, controller, runners, ingress, services];

export interface WalkStep {
  readonly step: Step<Config>;
  readonly actions: readonly Action[];
}

export interface WalkChapter {
  readonly chapter: Chapter<Config>;
  readonly steps: readonly WalkStep[];
}

/** The whole walk for one configuration, enumerated once: every mode reads the same list. */
export interface Walk {
  readonly chapters: readonly WalkChapter[];
  readonly resources: readonly Resource[];
  readonly plays: readonly Play[];
  /** chapter of a resource or play, by key */
  readonly chapterOf: (key: string) => ChapterId;
}

export function walk(config: Config): Walk {
  const chapters = GUIDE.map((chapter) => ({
    chapter,
    steps: chapter.steps.map((step) => ({ step, actions: step.actions(config) })),
  }));
  const chapterByKey = new Map<string, ChapterId>();
  const resources: Resource[] = [];
  const plays: Play[] = [];
  for (const { chapter, steps } of chapters) {
    for (const action of steps.flatMap((step) => step.actions)) {
      if ('resource' in action) resources.push(action.resource);
      if ('play' in action) plays.push(action.play);
      const key = 'resource' in action ? action.resource.key : 'play' in action ? action.play.key : undefined;
      if (key !== undefined) chapterByKey.set(key, chapter.id);
    }
  }
  return { chapters, resources, plays, chapterOf: (key) => chapterByKey.get(key) ?? 'login' };
}
