import type { Instance, Queries } from '../store.ts';

export type Credentials = Readonly<Record<string, string | number>>;

/**
 * One sort of backing service. Every function may be called again after it was cut off anywhere, and then finishes what was begun:
 * that is how nothing is lost when this process is killed.
 */
export interface Driver {
  create(instance: Instance): Promise<void>;
  /** Gone already is success. */
  delete(instance: Instance): Promise<void>;
  /** A login of its own, under `name`. Called again it gives new credentials, and the earlier ones are void. */
  bind(instance: Instance, name: string): Promise<Credentials>;
  unbind(instance: Instance, name: string): Promise<void>;
  readonly backups?: BackupDriver;
  /** Throws when the service behind does not answer. */
  ping(): Promise<void>;
}

export interface BackupDriver {
  /** Writes a new file. */
  dump(instance: Instance, file: string, signal: AbortSignal): Promise<void>;
  /** Restores into a place beside the instance, named by `stage`. Whatever happens, the instance itself is untouched. */
  stage(instance: Instance, file: string, stage: string, signal: AbortSignal): Promise<void>;
  /** Puts what was staged in the instance's place; `mark` notes that, inside the same transaction where there is one. */
  swap(instance: Instance, file: string, stage: string, mark: (inside?: Queries) => Promise<void>): Promise<void>;
  /** Removes what staging or swapping left behind. */
  discard(stage: string): Promise<void>;
}
