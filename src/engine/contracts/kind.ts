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

/** What something wanted or found is, for people. */
export const valueText = (value: unknown): string =>
  value === undefined || value === null ? 'none' : typeof value === 'string' ? value : JSON.stringify(value);

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
