import type { Difference } from './kind.ts';
import type { ChapterId } from './step.ts';

/** What somebody changed or removed by hand, as events and documents tell it. */
export interface DriftItem {
  /** of what was added and no step describes: its id */
  readonly key: string;
  readonly type: string;
  readonly label: string;
  readonly id: string;
  readonly what: 'missing' | 'untagged' | 'changed' | 'extra';
  readonly differences: readonly Difference[];
  /** keys of what went with it */
  readonly hanging: readonly string[];
  readonly adopted: boolean;
  /** false: AWS cannot change it back; it would have to be made anew */
  readonly mendable: boolean;
}

export type ResourceStatus =
  | 'creating'
  | 'created'
  | 'waiting'
  | 'ready'
  | 'kept'
  | 'updating'
  | 'updated'
  | 'replacing'
  | 'adopted'
  | 'deleting'
  | 'deleted'
  | 'failed'
  | 'skipped';

/** What happens, typed: the terminal, the plain log and the NDJSON stream render the same events. `at` (ISO time) is added by the JSON renderer. */
export type Event =
  | {
      readonly type: 'chapter';
      readonly chapter: ChapterId;
      readonly title: string;
      /** counts from 1; 0 is the login prelude, which `of` does not count */
      readonly index: number;
      readonly of: number;
      readonly status: 'started' | 'done' | 'skipped';
    }
  /** one step is about to be offered: its prose (Markdown), what it makes, what that costs and the equal commands */
  | {
      readonly type: 'step';
      readonly chapter: ChapterId;
      readonly step: string;
      readonly title: string;
      /** counts from 1 */
      readonly index: number;
      readonly of: number;
      readonly guide: string;
      readonly makes: readonly {
        readonly key: string;
        readonly label: string;
        readonly summary: string;
        readonly action: 'create' | 'keep' | 'change' | 'run';
      }[];
      readonly usdPerHour: number;
      readonly commands: readonly string[];
      /** sent again with true when the person asks for details: then the prose below its first heading ("### More") and all commands are shown whole */
      readonly details?: boolean;
    }
  | {
      readonly type: 'step.done';
      readonly chapter: ChapterId;
      readonly step: string;
      readonly status: 'done' | 'skipped';
    }
  | {
      readonly type: 'resource';
      readonly key: string;
      readonly kind: string;
      readonly label: string;
      readonly status: ResourceStatus;
      readonly id?: string;
      readonly seconds?: number;
      readonly typicalSeconds?: number;
      readonly detail?: string;
    }
  | {
      readonly type: 'play';
      readonly key: string;
      readonly title: string;
      readonly status: 'started' | 'done' | 'failed' | 'skipped' | 'kept';
      readonly seconds?: number;
      readonly hosts: readonly string[];
      readonly summary?: string;
      readonly log?: string;
    }
  | {
      readonly type: 'task';
      readonly play: string;
      readonly host: string;
      readonly task: string;
      readonly status: 'started' | 'ok' | 'changed' | 'skipped' | 'failed' | 'unreachable';
      readonly done: number;
      readonly of: number;
      readonly message?: string;
    }
  | {
      readonly type: 'check';
      readonly key: string;
      readonly title: string;
      readonly status: 'started' | 'passed' | 'failed' | 'skipped';
      readonly detail?: string;
      readonly hint?: string;
    }
  /** something long that is neither a resource nor a play (building an image, waiting for a lock); `key` pairs start with end */
  | {
      readonly type: 'progress';
      readonly key: string;
      readonly text: string;
      readonly status: 'started' | 'going' | 'done' | 'failed';
    }
  /** plain information; `text` is Markdown-light: paragraphs, lists, `code` */
  | { readonly type: 'info' | 'warning'; readonly text: string }
  | {
      readonly type: 'error';
      readonly code: string;
      readonly message: string;
      readonly hint?: string;
      readonly requestId?: string;
    }
  /** what a person who does a step by hand has to make: with everything that is known by now filled in */
  | {
      readonly type: 'byhand';
      readonly chapter: ChapterId;
      readonly step: string;
      readonly title: string;
      readonly needs: readonly {
        readonly key: string;
        readonly label: string;
        readonly properties: Readonly<Record<string, unknown>>;
        readonly command: string;
        readonly console?: { readonly page: string; readonly url: string };
      }[];
    }
  /** what somebody changed or removed by hand: told before anything is done about it */
  | { readonly type: 'drift'; readonly items: readonly DriftItem[] }
  /** a step that failed and needs a person, with what has to be known to decide; `resume` is the command that goes on */
  | {
      readonly type: 'failure';
      readonly chapter: ChapterId;
      readonly step: string;
      readonly title: string;
      readonly code: string;
      readonly message: string;
      readonly hint?: string;
      readonly requestId?: string;
      /** what of the step is there */
      readonly there: readonly { readonly key: string; readonly label: string; readonly id: string }[];
      readonly missing: readonly string[];
      /** of that, and of everything that is there: what it costs while it waits */
      readonly usdPerHour: { readonly step: number; readonly all: number };
      /** titles of later steps that cannot be done without it */
      readonly blocks: readonly string[];
      readonly choices: readonly ('retry' | 'skip' | 'undo' | 'quit')[];
      readonly resume: string;
    }
  /** the last event of a run */
  | { readonly type: 'summary'; readonly text: string; readonly data?: Readonly<Record<string, unknown>> };
