import type { State } from '../../engine/journal.ts';
import type { SecretRef } from '../../secrets/reference.ts';
import type { Options } from '../context.ts';

/** What the connection to a system beside AWS is opened with. */
export interface Beside<Note> {
  /** the Cloudspace's name */
  readonly name: string;
  readonly account: string;
  readonly options: Options;
  readonly state: State | undefined;
  /** what the VPC's tags say of it: that counts where nothing else says anything */
  readonly noted?: Note | undefined;
  /** `--leave`: it is left alone */
  readonly leave?: boolean;
  readonly readSecret: (ref: SecretRef, name: string) => Promise<string>;
  /** refuses every change */
  readonly readOnly: boolean;
  readonly signal: AbortSignal;
}
