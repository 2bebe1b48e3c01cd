import { createHash } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../system/files.ts';
import { type ChapterId, CloudspaceError, type Output } from './types.ts';

/** What the journal knows of one resource. The cloud's tags are the truth; this says what was under way when the process stopped. */
export interface Entry {
  readonly type: string;
  readonly chapter: string;
  /** intent: the request may or may not have reached the cloud; deleting: likewise for its deletion */
  readonly status: 'intent' | 'created' | 'ready' | 'deleting';
  /** idempotency token of the creating request */
  readonly token: string;
  /** ISO time of the status */
  readonly at: string;
  readonly out?: Output;
  /** fingerprint of the resolved props it was made or last put in shape with: a difference without a change here was made by hand */
  readonly props?: string;
  /** a person made it (engine/tags.ts); never changed unasked, never deleted */
  readonly adopted?: true;
  /** while it exists; kept here so that `status` needs no price list */
  readonly usdPerHour?: number;
}

export interface PlayEntry {
  /** hash of what the play would do: its files and its hosts */
  readonly fingerprint: string;
  readonly at: string;
  /** `due`: it was done, and something that it puts to use has changed since */
  readonly status: 'done' | 'failed' | 'due';
  readonly failedHosts?: readonly string[];
  readonly log?: string;
}

export interface State {
  readonly version: number;
  readonly name: string;
  readonly account: string;
  readonly region: string;
  /** true: on the practice cloud of this machine */
  readonly practice: boolean;
  readonly createdAt: string;
  updatedAt: string;
  /** answers given, so that nothing is asked twice; never a secret */
  answers: Record<string, unknown>;
  chapters: Partial<Record<ChapterId, 'started' | 'done' | 'skipped'>>;
  /** "chapter/step" */
  steps: Record<string, 'done' | 'skipped'>;
  resources: Record<string, Entry>;
  /** what the look ahead found good: a hash of the configuration and what was to be made */
  preflight?: string;
  plays: Record<string, PlayEntry>;
  /** public host keys by instance id, as the console output showed them first; pinned */
  hostKeys: Record<string, readonly string[]>;
  /** ISO time at which a cycle of hosts began that is not through yet */
  cycle?: string;
}

const STATE_VERSION = 1;

/** Changes of the format, each from its index to the next version. None yet: version 1 is the first. */
const MIGRATIONS: Readonly<Record<number, (state: Record<string, unknown>) => Record<string, unknown>>> = {};

export interface Journal {
  readonly state: State;
  readonly path: string;
  /**
   * Changes the state and resolves when the change is on disk. Changes made while a write is under way share the next one, so ten
   * requests at once cost two writes, not ten.
   */
  update(change: (state: State) => void): Promise<void>;
}

function statePath(dir: string): string {
  return join(dir, 'state.json');
}

export function newState(of: Pick<State, 'name' | 'account' | 'region' | 'practice'>): State {
  const now = new Date().toISOString();
  return {
    version: STATE_VERSION,
    ...of,
    createdAt: now,
    updatedAt: now,
    answers: {},
    chapters: {},
    steps: {},
    resources: {},
    plays: {},
    hostKeys: {},
  };
}

/** A journal over a state that was loaded or is new. Nothing is written before the first `update`. */
export function openJournal(dir: string, state: State): Journal {
  const path = statePath(dir);
  let writing: Promise<void> = Promise.resolve();
  let queued: Promise<void> | undefined;
  return {
    state,
    path,
    update(change) {
      change(state);
      queued ??= writing
        .catch(() => {})
        .then(() => {
          queued = undefined;
          state.updatedAt = new Date().toISOString();
          writing = writeAtomically(path, serialize(state), { backup: `${path}.bak` });
          return writing;
        });
      return queued;
    },
  };
}

/**
 * Reads the state of `<dir>`; undefined when there is none.
 * Throws CloudspaceError `StateDamaged` (not JSON, cut off, changed: its checksum does not fit) or `StateTooNew`, both exit 2.
 */
export async function loadState(dir: string, path = statePath(dir)): Promise<State | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CloudspaceError(`cannot read the state file ${path}`, {
      code: 'StateUnreadable',
      exitCode: 2,
      cause: error,
      hint: 'look at its owner and mode',
    });
  }
  return parse(text, path);
}

/** Puts `state.json.bak` in the place of a damaged state file, which is kept beside it. Undefined when there is no good backup. */
export async function recoverState(dir: string): Promise<{ state: State; kept: string } | undefined> {
  const path = statePath(dir);
  const state = await loadState(dir, `${path}.bak`).catch(() => undefined);
  if (!state) return undefined;
  const kept = await setAside(dir);
  await writeAtomically(path, serialize(state));
  return { state, kept };
}

/** Moves a damaged state file aside, never deletes it; gives its new path. */
export async function setAside(dir: string): Promise<string> {
  const path = statePath(dir);
  const kept = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`;
  await rename(path, kept);
  return kept;
}

/** The file is the state with a checksum before it; the checksum is of the state's compact JSON, whose key order parsing keeps. */
function serialize(state: State): string {
  return `${JSON.stringify({ checksum: checksum(state), ...state }, null, 1)}\n`;
}

function parse(text: string, path: string): State {
  let state: Record<string, unknown>;
  try {
    const { checksum: expected, ...rest } = JSON.parse(text) as Record<string, unknown>;
    state = rest;
    if (expected !== checksum(state)) throw new Error('its checksum does not fit its content');
  } catch (error) {
    throw new CloudspaceError(`the state file ${path} is damaged: ${(error as Error).message}`, {
      code: 'StateDamaged',
      exitCode: 2,
      cause: error,
      hint: `its backup is ${path}.bak; without it the state is rebuilt from the tags in the account`,
    });
  }
  const version = Number(state.version);
  if (version > STATE_VERSION)
    throw new CloudspaceError(
      `the state file ${path} has version ${version}; this cloudspace knows up to ${STATE_VERSION}`,
      {
        code: 'StateTooNew',
        exitCode: 2,
        hint: 'use the newer cloudspace that wrote it',
      },
    );
  for (let from = version; from < STATE_VERSION; from++) {
    const migrate = MIGRATIONS[from];
    if (!migrate)
      throw new CloudspaceError(`the state file ${path} has version ${from}, which cannot be brought up to date`, {
        code: 'StateTooOld',
        exitCode: 2,
      });
    state = { ...migrate(state), version: from + 1 };
  }
  return state as unknown as State;
}

export function fingerprint(props: unknown): string {
  return createHash('sha256').update(JSON.stringify(props)).digest('base64url').slice(0, 12);
}

function checksum(state: object): string {
  return createHash('sha256').update(JSON.stringify(state)).digest('hex');
}
