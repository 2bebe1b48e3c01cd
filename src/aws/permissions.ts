import { type AnyKind, CloudspaceError } from '../engine/types.ts';
import type { Aws } from './clients.ts';
import { codeOf } from './errors.ts';

export interface Permission {
  /** what would be made: the kind's label */
  readonly label: string;
  readonly key: string;
  /** `unknown`: AWS could not be asked; the reason is in `detail` */
  readonly verdict: 'allowed' | 'denied' | 'unknown';
  readonly detail?: string;
}

/** Something that would be made, with everything it refers to; `props` undefined: what it refers to is not there yet. */
export interface Planned {
  readonly key: string;
  readonly kind: AnyKind;
  readonly props: Readonly<Record<string, unknown>> | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * Asks EC2 whether what is planned would be allowed: the kind's own request, with its real inputs, as a dry run. One of each kind is asked. `dry` are
 * clients made with `dryRun`: they can change nothing. Load balancing and RDS know no dry run, and what refers to ids that do not exist
 * yet cannot be asked; both are told as `unknown`. Never throws for what AWS answers. Source: EC2 API Reference, "Dry run".
 */
export async function checkPermissions(
  dry: Aws,
  name: string,
  planned: readonly Planned[],
  signal: AbortSignal,
): Promise<Permission[]> {
  const kinds = new Map<string, Planned>();
  for (const one of planned) {
    const known = kinds.get(one.kind.type);
    if (!known || (known.props === undefined && one.props !== undefined)) kinds.set(one.kind.type, one);
  }
  return Promise.all([...kinds.values()].map((one) => ask(dry, name, one, signal)));
}

async function ask(
  dry: Aws,
  name: string,
  { key, kind, props, tags }: Planned,
  signal: AbortSignal,
): Promise<Permission> {
  const about = { label: kind.label, key };
  if (props === undefined) return { ...about, verdict: 'unknown', detail: 'it refers to what is not there yet' };
  try {
    await kind.create(dry, props, { tags, token: `preflight-${name}-${key}`, name, signal });
    // Not to be reached: clients of a dry run send nothing that answers with success.
    return { ...about, verdict: 'unknown', detail: 'the endpoint knows no dry run' };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof CloudspaceError)) throw error;
    const code = codeOf(error);
    if (code === 'DryRunOperation') return { ...about, verdict: 'allowed' };
    if (error.code === 'AccessDenied') return { ...about, verdict: 'denied', detail: sentence(error) };
    if (error.code === 'ReadOnly' || error.code === 'NoSecret')
      return { ...about, verdict: 'unknown', detail: 'the service has no dry run' };
    return { ...about, verdict: 'unknown', detail: sentence(error) };
  }
}

const sentence = ({ message, hint }: CloudspaceError): string => (hint === undefined ? message : `${message}. ${hint}`);
