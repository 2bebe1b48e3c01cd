import { isLeaving, type Listing, newScope, statusOf } from './discover.ts';
import { fromOutputs, inOrder, refsOf, resolveProps } from './graph.ts';
import { type Entry, fingerprint } from './journal.ts';
import { CloudspaceError, type Difference, type DriftItem, type Output, type Resource, valueText } from './types.ts';

/** Something that somebody changed or removed by hand, and what is needed to put it back. */
export interface Drift extends DriftItem {
  readonly resource: Resource;
  /** what is there; undefined: missing */
  readonly out?: Output;
}

export interface DriftOptions {
  readonly cloud: unknown;
  readonly name: string;
  readonly resources: readonly Resource[];
  readonly listing: Listing;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly adopted: ReadonlySet<string>;
  /** what the journal says we made; empty when the state is lost: then nothing counts as missing */
  readonly entries: Readonly<Record<string, Entry>>;
}

/**
 * What the journal says was made and the cloud shows otherwise. What we deleted ourselves, never made, or would change anyway because the
 * configuration asks for something else now, is no drift. What is gone together with what it hung on is named there.
 */
export async function findDrift(options: DriftOptions): Promise<Drift[]> {
  const { resources, outputs, entries } = options;
  const drift = new Map<string, Drift & { readonly hanging: string[] }>();
  /** missing resource → key of the drift it went with */
  const wentWith = new Map<string, string>();
  for (const resource of inOrder(resources)) {
    const { key } = resource;
    const out = outputs.get(key);
    if (out) {
      const found = changed(options, resource, out);
      if (found) drift.set(key, { ...found, hanging: [] });
      continue;
    }
    const entry = entries[key];
    if (entry?.out === undefined || (entry.status !== 'created' && entry.status !== 'ready')) continue;
    const lost = refsOf(resource).filter((ref) => !outputs.has(ref.$ref));
    if (lost.length > 0) {
      const root = lost.map((ref) => wentWith.get(ref.$ref)).find((one) => one !== undefined);
      if (root === undefined) continue;
      wentWith.set(key, root);
      drift.get(root)?.hanging.push(key);
      continue;
    }
    const found = await missing(options, resource, entry.out, entry.adopted === true);
    if (!found) continue;
    drift.set(key, { ...found, hanging: [] });
    wentWith.set(key, key);
  }
  return [...drift.values(), ...strays(options)];
}

async function missing(
  { cloud, name, listing, outputs }: DriftOptions,
  resource: Resource,
  known: Output,
  adopted: boolean,
): Promise<Drift | undefined> {
  const { key, kind } = resource;
  const item = { key, type: kind.type, label: kind.label, id: known.id, adopted, mendable: true, resource };
  const listed = (listing.get(kind.type) ?? []).find((found) => found.out.id === known.id);
  // It ended by itself (a failed launch): nobody's hand, and made anew without asking.
  if (listed && statusOf(kind, listed.out).state === 'gone') return undefined;
  const props = kind.candidates && kind.tag ? resolveProps(resource.props, fromOutputs(outputs)) : undefined;
  const candidates = props ? ((await kind.candidates?.(cloud, props, newScope(name))) ?? []) : [];
  const untagged = candidates.find(
    (one) => one.out.id === known.id && !isLeaving(kind, one.out) && (one.name === undefined || one.name === name),
  );
  if (!untagged) return { ...item, what: 'missing', differences: [], hanging: [] };
  const differences = [{ attribute: 'tags', want: `cloudspace:name=${name}, cloudspace:key=${key}`, have: null }];
  return { ...item, what: 'untagged', differences, hanging: [], out: untagged.out };
}

function changed(
  { listing, outputs, adopted, entries }: DriftOptions,
  resource: Resource,
  out: Output,
): Drift | undefined {
  const { key, kind } = resource;
  const mine = adopted.has(key);
  const item = { key, type: kind.type, label: kind.label, id: out.id, adopted: mine, hanging: [], resource, out };
  const found = (listing.get(kind.type) ?? []).find((one) => one.out === out);
  if (!kind.matches && found?.chapter === undefined && kind.tag)
    return {
      ...item,
      what: 'untagged',
      mendable: true,
      differences: [{ attribute: 'tags', want: 'cloudspace:chapter', have: null }],
    };
  const props = kind.drift ? resolveProps(resource.props, fromOutputs(outputs)) : undefined;
  const differences = props ? (kind.drift?.(props, out) ?? []) : [];
  if (!props || differences.length === 0) return undefined;
  const before = entries[key]?.props;
  const mendable = differences.filter(({ fixed }) => !fixed);
  const told = (of: typeof differences): Drift => ({
    ...item,
    what: 'changed',
    differences: of,
    mendable: kind.update !== undefined && mendable.length > 0,
  });
  if (mine || before === undefined || before === fingerprint(props)) return told(differences);
  // Asked for otherwise than it was made. Where that is only what nothing but a new one can have, the rest was still done by hand.
  const asMade = {
    ...props,
    ...Object.fromEntries(differences.filter(({ fixed }) => fixed).map(({ attribute, have }) => [attribute, have])),
  };
  return mendable.length > 0 && before === fingerprint(asMade) ? told(mendable) : undefined;
}

/** What hangs on ours and no step describes: a rule in a group of ours, a route in a table of ours. What hangs on adopted things is their owner's. */
function strays({ resources, listing, outputs, adopted, entries }: DriftOptions): Drift[] {
  // What the journal knows is ours, though what it hangs on may have lost its tags.
  const known = resources.flatMap(({ key }) => entries[key]?.out?.id ?? []);
  const described = new Set([...known, ...[...outputs.values()].map((out) => out.id)]);
  const theirs = new Set([...adopted].map((key) => outputs.get(key)?.id));
  const kinds = new Map(resources.map((resource) => [resource.kind.type, resource]));
  return [...kinds].flatMap(([type, resource]) =>
    resource.kind.exclusive === undefined
      ? []
      : (listing.get(type) ?? [])
          .filter(({ key, out }) => key === undefined && !described.has(out.id) && !isLeaving(resource.kind, out))
          .filter(({ out }) => !Object.values(out).some((value) => theirs.has(value as string)))
          .map(({ out }): Drift => {
            const have: Difference['have'] = resource.kind.exclusive?.(out);
            return {
              key: out.id,
              type,
              label: resource.kind.label,
              id: out.id,
              what: 'extra',
              adopted: false,
              mendable: true,
              differences: [{ attribute: 'added', want: null, have }],
              hanging: [],
              resource,
              out,
            };
          }),
  );
}

/** What of it is told: without the engine's own. */
export function itemOf({ resource: _resource, out: _out, ...item }: Drift): DriftItem {
  return item;
}

/** One line for people: what is the matter with it. */
export function describeDrift({ key, label, id, what, differences, hanging, adopted }: DriftItem): string {
  const values = differences.map(
    ({ attribute, want, have }) => `${attribute} is ${valueText(have)}, should be ${valueText(want)}`,
  );
  const text = {
    missing: `\`${key}\`: ${label} ${id} is gone`,
    untagged: `\`${key}\`: ${label} ${id} has lost its tags`,
    changed: `\`${key}\`: ${label} ${id}: ${values.join('; ')}`,
    extra: `${label} ${id}: ${differences.map(({ have }) => valueText(have)).join('; ')} was added`,
  }[what];
  const more = hanging.length === 0 ? '' : `, and with it ${hanging.map((one) => `\`${one}\``).join(', ')}`;
  return `${text}${more}${adopted ? ' (adopted: yours)' : ''}`;
}

/** What stops a run that was not allowed to put this back. */
export function driftError(drift: DriftItem): CloudspaceError {
  return new CloudspaceError(`${describeDrift(drift).replaceAll('`', '')}`, {
    code: 'Drift',
    hint: 'somebody did this outside of cloudspace; `--repair` puts it back (`cloudspace plan` lists all of it)',
  });
}
