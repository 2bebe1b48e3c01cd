import { type AnyKind, CloudspaceError, isRef, type Output, type Ref, type Resource } from './types.ts';

/** All references in a resource's props, at any depth, and in its `after`. */
export function refsOf(resource: Pick<Resource, 'props' | 'after'>): Ref[] {
  const refs: Ref[] = [...resource.after];
  const walk = (value: unknown): void => {
    if (isRef(value)) refs.push(value);
    else if (Array.isArray(value)) for (const item of value) walk(item);
    else if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) walk(item);
  };
  walk(resource.props);
  return refs;
}

/** The props with every reference replaced by `lookup(ref)`, whatever it gives: what is not known yet is undefined. */
export function resolvePartly(
  props: Readonly<Record<string, unknown>>,
  lookup: (ref: Ref) => unknown,
): Record<string, unknown> {
  const walk = (value: unknown): unknown => {
    if (isRef(value)) return lookup(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item)]));
    return value;
  };
  return walk(props) as Record<string, unknown>;
}

/**
 * The same, but a lookup that gives undefined leaves the whole result undefined: props are known completely or not at all.
 */
export function resolveProps(
  props: Readonly<Record<string, unknown>>,
  lookup: (ref: Ref) => unknown,
): Record<string, unknown> | undefined {
  let complete = true;
  const resolved = resolvePartly(props, (ref) => {
    const found = lookup(ref);
    if (found === undefined) complete = false;
    return found;
  });
  return complete ? resolved : undefined;
}

/** Looks a reference up in a map of outputs. */
export function fromOutputs(outputs: ReadonlyMap<string, Output>): (ref: Ref) => unknown {
  return (ref) => (outputs.get(ref.$ref) as Record<string, unknown> | undefined)?.[ref.attribute];
}

/**
 * The resources in an order in which everything comes after what it refers to; otherwise the given order is kept.
 * Throws CloudspaceError `BadGraph` on a key used twice, a reference to nothing, or a circle: mistakes in a step, not of the person.
 */
export function inOrder(resources: readonly Resource[]): Resource[] {
  const byKey = new Map<string, Resource>();
  for (const resource of resources) {
    if (byKey.has(resource.key)) throw bad(`two resources have the key "${resource.key}"`);
    byKey.set(resource.key, resource);
  }
  const order: Resource[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (resource: Resource, path: readonly string[]): void => {
    if (state.get(resource.key) === 'done') return;
    if (state.get(resource.key) === 'open')
      throw bad(`resources refer to each other in a circle: ${[...path, resource.key].join(' → ')}`);
    state.set(resource.key, 'open');
    for (const ref of refsOf(resource)) {
      const other = byKey.get(ref.$ref);
      if (!other) throw bad(`"${resource.key}" refers to "${ref.$ref}", which nothing describes`);
      visit(other, [...path, resource.key]);
    }
    state.set(resource.key, 'done');
    order.push(resource);
  };
  for (const resource of resources) visit(resource, []);
  return order;
}

/** For each kind, the kinds whose resources refer to it: they have to be gone before it can be deleted. */
export function dependentKinds(resources: readonly Resource[]): Map<string, Set<string>> {
  const typeOf = new Map(resources.map((resource) => [resource.key, resource.kind.type]));
  const dependents = new Map<string, Set<string>>();
  for (const resource of resources) {
    for (const ref of refsOf(resource)) {
      const parent = typeOf.get(ref.$ref);
      if (parent === undefined || parent === resource.kind.type) continue;
      const set = dependents.get(parent) ?? new Set();
      dependents.set(parent, set.add(resource.kind.type));
    }
  }
  return dependents;
}

/** The distinct kinds of some resources, in order of first use. */
export function kindsOf(resources: readonly Resource[]): AnyKind[] {
  return [...new Map(resources.map((resource) => [resource.kind.type, resource.kind])).values()];
}

/** Seconds until everything is ready when whatever can run at once does: the longest chain of typical durations. */
export function criticalSeconds(resources: readonly Resource[]): number {
  const finish = new Map<string, number>();
  for (const resource of inOrder(resources)) {
    const start = Math.max(0, ...refsOf(resource).map((ref) => finish.get(ref.$ref) ?? 0));
    finish.set(resource.key, start + (resource.kind.seconds ?? 1));
  }
  return Math.max(0, ...finish.values());
}

/** The same for those of some resources that are not there: what they refer to outside of them, or what is there, costs nothing. */
export function remainingSeconds(resources: readonly Resource[], outputs: ReadonlyMap<string, Output>): number {
  const missing = resources.filter(({ key }) => !outputs.has(key));
  const keys = new Set(missing.map(({ key }) => key));
  return criticalSeconds(
    missing.map((resource) => ({
      ...resource,
      props: resolvePartly(resource.props, (ref) => (keys.has(ref.$ref) ? ref : 'there')),
      after: resource.after.filter((ref) => keys.has(ref.$ref)),
    })),
  );
}

function bad(message: string): CloudspaceError {
  return new CloudspaceError(message, { code: 'BadGraph', hint: 'this is a mistake in the steps; please report it' });
}
