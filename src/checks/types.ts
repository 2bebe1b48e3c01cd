import type { ChapterId } from '../engine/types.ts';

/** From the outside in: what the cloud's API says, whether names lead there, whether the hosts can be reached, what runs on them, what a visitor sees. */
export const LAYERS = ['api', 'dns', 'ssh', 'service', 'http'] as const;
export type Layer = (typeof LAYERS)[number];

export const LAYER_TITLES: Readonly<Record<Layer, string>> = {
  api: 'what the API says',
  dns: 'names',
  ssh: 'SSH through the bastion',
  service: 'services on the hosts',
  http: 'from the outside',
};

/** `skipped`: it could not be judged, or is still on its way; `detail` says which. */
export interface Verdict {
  readonly status: 'passed' | 'failed' | 'skipped';
  /** what was seen */
  readonly detail?: string;
  /** likely cause and what to do, of a failure */
  readonly hint?: string;
  /** still on its way: asked again by who has patience, and the last layer waits for it */
  readonly pending?: true;
}

/** One thing to look at. `what` is what it needs to look. */
export interface Check<What> {
  readonly chapter: ChapterId;
  /** unique in its chapter */
  readonly key: string;
  readonly title: string;
  judge(what: What): Verdict | Promise<Verdict>;
}

export const passed = (detail?: string): Verdict => ({ status: 'passed', ...(detail === undefined ? {} : { detail }) });
export const failed = (detail: string, hint: string): Verdict => ({ status: 'failed', detail, hint });
export const skipped = (detail: string): Verdict => ({ status: 'skipped', detail });
export const pending = (detail: string): Verdict => ({ status: 'skipped', detail, pending: true });
