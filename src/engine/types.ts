/**
 * The contracts every part keeps. A resource is described once, by its kind; apply, plan, destroy, the equal CLI
 * commands and the cost are renderings of that description. Nothing here knows AWS or a terminal.
 */

/** What every kind's output holds at least: the provider's id. Outputs are small and are kept in the state file: JSON only, no secret. */
export interface Output {
  readonly id: string;
}

/**
 * A reference to another resource's output. `ready` (the default) waits until the other resource has settled; `created` only
 * until it exists, for what the API accepts at once (a listener on a load balancer that is still being provisioned).
 */
export interface Ref<T = unknown> {
  readonly $ref: string;
  readonly attribute: string;
  readonly when: 'created' | 'ready';
  /** Never there at run time: it only carries the type of the value the reference stands for. */
  readonly type?: T;
}

/** Props as a step writes them: each value, at any depth, may be a reference instead. */
export type In<T> = T extends string | number | boolean | null | undefined
  ? T | Ref<T>
  : T extends readonly (infer U)[]
    ? readonly In<U>[] | Ref<T>
    : T extends object
      ? { [K in keyof T]: In<T[K]> }
      : never;

/** A resource found in the cloud by `list`. `key` comes from the tag `cloudspace:key`; kinds without tags leave it out and have `matches`. */
export interface Found<O extends Output = Output> {
  readonly out: O;
  readonly key?: string;
  readonly chapter?: string;
  /** tagged `cloudspace:origin=adopted`: made by a person. Destroy takes our tags off it (`Kind.untag`) and leaves it */
  readonly adopted?: boolean;
}

/** Something that could be the resource that is meant, whoever made it. `name`: of the Cloudspace it belongs to, if any; `called`: its tag `Name`. */
export interface Candidate<O extends Output = Output> extends Found<O> {
  readonly name?: string;
  readonly called?: string;
  /** what is connected with it, as outputs by kind: says which of several is meant */
  readonly connections?: Readonly<Record<string, readonly Output[]>>;
  /** id of what it is connected with, where it can have one connection only: when that is not a wanted one, it is in use elsewhere */
  readonly boundTo?: string;
}

/** One round of listing: identical reads made by several kinds are sent once. */
export interface Scope {
  /** the Cloudspace's name: the value of the tag `cloudspace:name` */
  readonly name: string;
  once<T>(what: string, read: () => Promise<T>): Promise<T>;
}

/**
 * `deleting`: on its way out (an instance shutting down): it no longer counts as existing for apply, and still does for destroy, which waits
 * until it is gone. `gone`: really gone, though the API may still show it for a while; `reason` when it ended by itself (a failed launch).
 */
/** `deleting`: it does not count as there when applying, and is still waited for when destroying. */
export type Status =
  | { readonly state: 'ready' | 'deleting' }
  /** `detail`: what it waits for, where the kind alone does not say it */
  | { readonly state: 'pending'; readonly detail?: string }
  | { readonly state: 'gone'; readonly reason?: string }
  | { readonly state: 'failed'; readonly reason: string };

export interface Difference {
  readonly attribute: string;
  readonly want: unknown;
  readonly have: unknown;
  /** it cannot be changed any more, only made anew */
  readonly fixed?: true;
  /** the `aws` command, as words, with which a person mends it */
  readonly mend?: readonly string[];
}

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

export interface CreateContext {
  /** tags to send in the creating request itself */
  readonly tags: Readonly<Record<string, string>>;
  /** idempotency token, saved in the journal before the request: the same one is sent again after a crash */
  readonly token: string;
  readonly name: string;
  readonly signal: AbortSignal;
}

/**
 * One kind of resource. `C` is the provider's client bundle (`Aws`). `list` finds all of this Cloudspace's resources of the kind,
 * however many, in one paginated call; `create` makes exactly one mutating request. Settling is polling `list` until `status` says ready,
 * so that twenty pending resources of a kind cost one request a poll.
 */
export interface Kind<P extends object, O extends Output, C> {
  /** Terraform's resource type: the kind's name everywhere */
  readonly type: string;
  /** for people: "VPC", "NAT gateway" */
  readonly label: string;
  list(cloud: C, scope: Scope): Promise<Found<O>[]>;
  /** for kinds without tags: is `out` the resource these (resolved) props describe? */
  matches?(props: P, out: O): boolean;
  create(cloud: C, props: P, context: CreateContext): Promise<O>;
  /** Several at once in ONE request (RunInstances): resources whose `groupBy` is equal are created together. `tags` are the batch's common ones. */
  readonly batch?: {
    groupBy(props: P): string;
    /** Outputs in the order of `keys`. */
    create(cloud: C, props: P, keys: readonly string[], context: CreateContext): Promise<O[]>;
  };
  /** it may hold people's data: one that was ready once is never deleted to be made anew, whatever state it is in */
  readonly keepsData?: true;
  /** left out: ready as soon as it exists */
  status?(out: O): Status;
  /** what differs between the description and what is there; `update` mends what is not `fixed` */
  drift?(props: P, out: O): Difference[];
  /**
   * For what hangs on ours and has no tags of its own: that no step describes it means that a person added it. Gives it in words for people.
   * Left out: others may add such things.
   */
  exclusive?(out: O): string;
  /** puts one existing resource nearer to its shape, in one mutating request; called again while `drift` still finds something */
  update?(cloud: C, props: P, out: O, context: CreateContext): Promise<O>;
  /** everything of the kind that could be what `props` describe, tagged or not, whoever made it; kinds that are found by what they connect need none */
  candidates?(cloud: C, props: P, scope: Scope): Promise<Candidate<O>[]>;
  /** puts tags on what is there, in one request; kinds whose resources carry tags have it */
  tag?(cloud: C, out: O, tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
  /** takes our tags off (not `Name`), in one request; already gone = success */
  untag?(cloud: C, out: O, signal: AbortSignal): Promise<void>;
  /** already gone = success */
  delete(cloud: C, out: O, signal: AbortSignal): Promise<void>;
  /** Id of what it is only a setting of (a route of its table): when that is deleted, it needs no request of its own. */
  partOf?(out: O): string;
  /** Several in ONE request; fails as a whole. At most `most` at a time. */
  readonly deleteMany?: {
    readonly most: number;
    send(cloud: C, outs: readonly O[], signal: AbortSignal): Promise<void>;
  };
  /** for kinds that can be protected against deletion: was the deletion refused for that, and how to lift it */
  readonly protection?: {
    refused(error: unknown): boolean;
    lift(cloud: C, out: O, signal: AbortSignal): Promise<void>;
  };
  /** the equal `aws` command, as words; references are shown as $(key) by the caller */
  cli(props: P, context: { readonly tags: Readonly<Record<string, string>> }): readonly string[];
  /** USD an hour while it exists, on-demand, us-east-1 unless the region is known to the kind */
  price?(props: P, region: string): number;
  /** what one takes of the account's quotas: the provider's code of the quota, how much, and of what if it is counted for each (a group, a subnet) */
  quota?(props: In<P>): readonly { readonly code: string; readonly amount: number; readonly of?: unknown }[];
  /** typical seconds until it is ready, for the plan and the progress line */
  readonly seconds?: number;
}

/**
 * The one documented seam of the type system: a list of resources of different kinds cannot keep each one's type, so the engine sees
 * them erased. `resource()` checks the props against the kind before it erases them.
 */
// biome-ignore lint/suspicious/noExplicitAny: the seam described above
export type AnyKind = Kind<any, any, any>;

export interface Resource {
  /** unique in the Cloudspace, and the value of its tag `cloudspace:key` */
  readonly key: string;
  readonly kind: AnyKind;
  readonly props: Readonly<Record<string, unknown>>;
  /** resources it needs without using an output of theirs */
  readonly after: readonly Ref[];
}

export type TypedResource<O extends Output> = Resource & { readonly output?: O };

/** Describes a resource: `resource(vpc, 'vpc', { cidr })`. Throws TypeError on a key that is no key. */
export function resource<P extends object, O extends Output, C>(
  kind: Kind<P, O, C>,
  key: string,
  props: In<P>,
  after: readonly Ref[] = [],
): TypedResource<O> {
  if (!/^[a-z][a-z0-9-]*$/.test(key)) throw new TypeError(`resource key "${key}" is not of the form [a-z][a-z0-9-]*`);
  return { key, kind, props: props as Record<string, unknown>, after };
}

/** A reference to an output: `out(vpc, 'id')`. With `when: 'created'` the reader does not wait for it to settle. */
export function out<O extends Output, K extends keyof O & string>(
  of: TypedResource<O>,
  attribute: K,
  when: Ref['when'] = 'ready',
): Ref<O[K]> {
  return { $ref: of.key, attribute, when };
}

/** A reference by key to a resource that has to be ready, for plays and for `after`. */
export function ready(key: string): Ref {
  return { $ref: key, attribute: 'id', when: 'ready' };
}

export function isRef(value: unknown): value is Ref {
  return typeof value === 'object' && value !== null && '$ref' in value;
}

/** An Ansible play on some hosts. It runs when everything in `after` is ready. */
export interface Play {
  readonly key: string;
  readonly title: string;
  /** file name in the deployment repository's playbooks folder */
  readonly playbook: string;
  /** keys of the instances it runs on */
  readonly hosts: readonly string[];
  readonly after: readonly Ref[];
  /** plays that have to be through first */
  readonly needs?: readonly string[];
  /** typical seconds, for the plan */
  readonly seconds?: number;
}

/** What a step does: make a resource, run a play, or have secrets generated into the vault file (by name). */
export type Action =
  | { readonly resource: Resource }
  | { readonly play: Play }
  | { readonly secrets: readonly string[] };

/** One step of a chapter: a heading of its guide file, and what it makes. Pure: every mode enumerates the same list. */
export interface Step<Config = unknown> {
  readonly id: string;
  readonly title: string;
  /** heading in the chapter's guide file, without the marks */
  readonly guide: string;
  actions(config: Config): readonly Action[];
}

export interface Chapter<Config = unknown> {
  readonly id: ChapterId;
  readonly title: string;
  /** file name in guide/ */
  readonly guide: string;
  readonly steps: readonly Step<Config>[];
}

export const CHAPTERS = ['login', 'vpc', 'bastion', 'controller', 'runners', 'ingress', 'services'] as const;
export type ChapterId = (typeof CHAPTERS)[number];

/** One error class: what happened, the likely cause and what to do next. `exitCode` 1 failed, 2 bad input, 130 interrupted. */
export class CloudspaceError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
  readonly exitCode: 1 | 2 | 130;
  constructor(
    message: string,
    options: {
      code: string;
      hint?: string | undefined;
      requestId?: string | undefined;
      cause?: unknown;
      exitCode?: 1 | 2 | 130;
    },
  ) {
    super(message, { cause: options.cause });
    this.name = 'CloudspaceError';
    this.code = options.code;
    this.hint = options.hint;
    this.requestId = options.requestId;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** Bad input: refused before anything is created, exit code 2. */
export function usageError(message: string, hint?: string, code = 'BadInput'): CloudspaceError {
  return new CloudspaceError(message, { code, hint, exitCode: 2 });
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

export type Answer<Q extends Question> = Q extends { kind: 'confirm' } ? boolean : string;

/** The port to the person. The engine and the steps never print. */
export interface Ui {
  notify(event: Event): void;
  /**
   * Asks and waits. Throws CloudspaceError `NoTerminal` (exit 2, naming the flag) when nobody can answer and there is no default to take,
   * `Interrupted` (exit 130) on Ctrl-C. `withdraw` takes the question back, open or still waiting for its turn: it throws the signal's reason.
   */
  ask<Q extends Question>(question: Q, withdraw?: AbortSignal): Promise<Answer<Q>>;
  /** Stops spinners and flushes; called once, last. */
  close(): void;
}
