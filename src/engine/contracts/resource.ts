import type { AnyKind, In, Kind, Output, Ref } from './kind.ts';

export interface Resource {
  /** unique in the Cloudspace, and the value of its tag `cloudspace:key` */
  readonly key: string;
  readonly kind: AnyKind;
  readonly props: Readonly<Record<string, unknown>>;
  /** resources it needs without using an output of theirs */
  readonly after: readonly Ref[];
}

export type TypedResource<O extends Output> = Resource & { readonly output?: O };

/** Describes a resource: `resource(vpc, 'vpc', { cidr })`. Throws TypeError on a key that is no key. */
export function resource<P extends object, O extends Output, C>(
  kind: Kind<P, O, C>,
  key: string,
  props: In<P>,
  after: readonly Ref[] = [],
): TypedResource<O> {
  if (!/^[a-z][a-z0-9-]*$/.test(key)) throw new TypeError(`resource key "${key}" is not of the form [a-z][a-z0-9-]*`);
  return { key, kind, props: props as Record<string, unknown>, after };
}

/** A reference to an output: `out(vpc, 'id')`. With `when: 'created'` the reader does not wait for it to settle. */
export function out<O extends Output, K extends keyof O & string>(
  of: TypedResource<O>,
  attribute: K,
  when: Ref['when'] = 'ready',
): Ref<O[K]> {
  return { $ref: of.key, attribute, when };
}

/** A reference by key to a resource that has to be ready, for plays and for `after`. */
export function ready(key: string): Ref {
  return { $ref: key, attribute: 'id', when: 'ready' };
}

/** Is it a reference, and no value? */
export function isRef(value: unknown): value is Ref {
  return typeof value === 'object' && value !== null && '$ref' in value;
}
