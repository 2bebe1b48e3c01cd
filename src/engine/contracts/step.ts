import type { Ref } from './kind.ts';
import type { Resource } from './resource.ts';

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
