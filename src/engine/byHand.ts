import { isLeaving, newScope } from './discover.ts';
import { fromOutputs, refsOf, resolveProps } from './graph.ts';
import { type Candidate, CloudspaceError, type Difference, type Output, type Resource } from './types.ts';

/** Something that a person made, judged as the resource that a step needs. */
export interface Judged {
  readonly out: Output;
  /** its tag `Name` */
  readonly called?: string;
  readonly differences: readonly Difference[];
  /** nothing differs that cannot be changed any more: it can be taken */
  readonly fits: boolean;
  /** how many of the walk's connections it has already */
  readonly connected: number;
}

/**
 * What could be the resource, the most fitting first: judged by its attributes, then by what of the walk it is connected with already, then by its
 * name. What belongs to another Cloudspace, or is another part of this one, is left out. Undefined when that cannot be said yet: it refers to
 * something that is not there.
 */
export async function findCandidates(
  cloud: unknown,
  name: string,
  resource: Resource,
  resources: readonly Resource[],
  outputs: ReadonlyMap<string, Output>,
): Promise<Judged[] | undefined> {
  const { kind, key } = resource;
  const props = resolveProps(resource.props, fromOutputs(outputs));
  if (!props) return undefined;
  const taken = new Set([...outputs].flatMap(([other, { id }]) => (other === key ? [] : [id])));
  const free = (one: Candidate): boolean =>
    (one.name === undefined || one.name === name) &&
    (one.key === undefined || one.key === key) &&
    !taken.has(one.out.id) &&
    !isLeaving(kind, one.out);
  const referring = resources.filter((other) => refsOf(other).some((ref) => ref.$ref === key));
  const candidates = (await kind.candidates?.(cloud, props, newScope(name))) ?? [];
  return candidates
    .filter(free)
    .map((one): Judged => {
      const { out, called, boundTo } = one;
      const connected = wantedConnections(one, referring, new Map([...outputs, [key, out]]));
      const differences = [
        ...(kind.drift?.(props, out) ?? []),
        ...(boundTo !== undefined && connected === 0
          ? [{ attribute: 'connection', want: null, have: boundTo, fixed: true as const }]
          : []),
      ];
      const fits = differences.every(({ fixed }) => fixed !== true);
      return { out, differences, fits, connected, ...(called === undefined ? {} : { called }) };
    })
    .sort(
      (a, b) =>
        Number(b.fits) - Number(a.fits) ||
        a.differences.length - b.differences.length ||
        b.connected - a.connected ||
        Number(b.called === `${name}-${key}`) - Number(a.called === `${name}-${key}`),
    );
}

/** How many of the walk's connections it has already: the route table with the public subnet is the public one. */
function wantedConnections(
  { connections = {} }: Candidate,
  referring: readonly Resource[],
  outputs: ReadonlyMap<string, Output>,
): number {
  return referring.filter(({ kind, props }) => {
    const resolved = resolveProps(props, fromOutputs(outputs));
    if (!resolved) return false;
    return (connections[kind.type] ?? []).some((out) =>
      kind.matches ? kind.matches(resolved, out) : (kind.drift?.(resolved, out) ?? []).length === 0,
    );
  }).length;
}

/** The one that is meant when nobody can be asked. Throws CloudspaceError `ByHand` when there is none, or more than one. */
export function theOnly({ key, kind }: Resource, candidates: readonly Judged[] | undefined): Output {
  const fitting = (candidates ?? []).filter(({ differences }) => differences.length === 0);
  const best = Math.max(0, ...fitting.map(({ connected }) => connected));
  const exact = fitting.filter(({ connected }) => connected === best);
  const [one, ...more] = exact;
  if (one && more.length === 0) return one.out;
  const seen = (candidates ?? []).slice(0, 5).map(({ out, differences }) => {
    const what = differences.map(({ attribute, want, have }) => `${attribute} ${String(have)}, not ${String(want)}`);
    return `${out.id}${what.length > 0 ? ` (${what.join('; ')})` : ''}`;
  });
  throw new CloudspaceError(
    one
      ? `${exact.length} of what is there could be ${kind.label} "${key}": ${exact.map(({ out }) => out.id).join(', ')}`
      : `${kind.label} "${key}" was to be made by hand, and nothing that fits is there${seen.length > 0 ? `: ${seen.join(', ')}` : ''}`,
    {
      code: 'ByHand',
      hint: one
        ? `put the tag cloudspace:key=${key} and your cloudspace:name on the one that is meant, or choose it in the walkthrough (without --yes)`
        : 'make it (`cloudspace plan` and the walkthrough show the equal command) and run again, or leave out --by-hand',
    },
  );
}
