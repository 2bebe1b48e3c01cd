import { refsOf, resolveProps } from './graph.ts';
import { isRef, type Output, type Resource } from './types.ts';

/** The equal CLI command of a resource: references that are not known yet are shown as shell variables, `$vpc_id`. */
export function equalCommand(
  resource: Resource,
  outputs: ReadonlyMap<string, Output>,
  tags: Readonly<Record<string, string>>,
): string {
  const props = resolveProps(resource.props, (ref) => {
    const value = (outputs.get(ref.$ref) as Record<string, unknown> | undefined)?.[ref.attribute];
    return value ?? `$${`${ref.$ref}_${ref.attribute}`.replaceAll(/[^A-Za-z0-9]+/g, '_').toLowerCase()}`;
  });
  return resource.kind
    .cli(props ?? {}, { tags })
    .map(shellQuote)
    .join(' ');
}

/** Quoted for a POSIX shell. `$name` stays live, for what is not known yet; every other use of the dollar sign is text. */
export function shellQuote(word: string): string {
  if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(word) || /^\$[a-z0-9_]+$/.test(word)) return word;
  if (/\$[A-Za-z_]/.test(word)) return `"${word.replaceAll(/(["\\`]|\$(?![A-Za-z_]))/g, '\\$1')}"`;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** USD an hour of some resources, by the kinds' own prices. References do not matter for a price, so unresolved ones are left out. */
export function usdPerHour(resources: readonly Resource[], region: string): number {
  return resources.reduce((sum, resource) => sum + priceOf(resource, region), 0);
}

export function priceOf(resource: Resource, region: string): number {
  return resource.kind.price?.(withoutRefs(resource.props), region) ?? 0;
}

function withoutRefs(props: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(props).filter(([, value]) => !isRef(value)));
}

/** One line on a resource for people: its plain props, short. */
export function summarize(resource: Resource): string {
  const parts = Object.entries(withoutRefs(resource.props))
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([, value]) => String(value))
    .filter((text) => text.length > 0 && text.length <= 40);
  const needs = [...new Set(refsOf(resource).map((ref) => ref.$ref))];
  return [...parts, ...(parts.length === 0 && needs.length > 0 ? [needs.join(' + ')] : [])].join(', ');
}
