import { checkPermissions, type Permission } from '../../aws/permissions.ts';
import { fromOutputs, resolveProps } from '../../engine/graph.ts';
import { tagsFor } from '../../engine/tags.ts';
import type { Output, Resource } from '../../engine/types.ts';
import type { Session } from '../session/session.ts';

export type { Permission } from '../../aws/permissions.ts';

/** Asks EC2 by dry runs whether what is missing may be made; advisory. Changes nothing. */
export function permissionsFor(
  session: Session,
  resources: readonly Resource[],
  outputs: ReadonlyMap<string, Output>,
  signal: AbortSignal,
): Promise<Permission[]> {
  const planned = resources
    .filter(({ key }) => !outputs.has(key))
    .map(({ key, kind, props }) => ({
      key,
      kind,
      props: resolveProps(props, fromOutputs(outputs)),
      tags: tagsFor(session.name, key, 'preflight'),
    }));
  return checkPermissions(session.rehearse(), session.name, planned, signal);
}

/** As Markdown-light lines: what is denied, then in one line each what is allowed and what could not be asked, by reason. */
export function permissionLines(permissions: readonly Permission[]): string[] {
  const labels = (some: readonly Permission[]): string => some.map(({ label }) => label).join(', ');
  const allowed = permissions.filter(({ verdict }) => verdict === 'allowed');
  const unknown = new Map<string, Permission[]>();
  for (const one of permissions.filter(({ verdict }) => verdict === 'unknown'))
    unknown.set(one.detail ?? '', [...(unknown.get(one.detail ?? '') ?? []), one]);
  return [
    ...permissions
      .filter(({ verdict }) => verdict === 'denied')
      .map(({ label, detail }) => `- denied: ${label}: ${detail}`),
    ...(allowed.length > 0 ? [`- allowed: ${labels(allowed)}`] : []),
    ...[...unknown].map(([reason, some]) => `- not known, because ${reason}: ${labels(some)}`),
  ];
}
