import { type Found, type Kind, type Output, out, resource, type Status } from '../../src/engine/types.ts';

export interface ToyOutput extends Output {
  readonly of: string;
  readonly state: string;
  readonly parents: readonly string[];
}

export interface Thing {
  type: string;
  key: string;
  out: ToyOutput;
  polls: number;
  size?: number | undefined;
  /** it has none of our tags: somebody made it, or took them off */
  untagged?: boolean;
  adopted?: boolean;
}

/** A cloud of four kinds: enough to see order, batching, settling, drift and crashes, without AWS. */
export interface Toy {
  readonly things: Map<string, Thing>;
  readonly calls: string[];
  inFlight: number;
  mostInFlight: number;
  /** called before (and, with `after`, after) each mutation; may throw */
  hook?: (when: 'before' | 'after', what: string) => void | Promise<void>;
}

export const newToy = (): Toy => ({ things: new Map(), calls: [], inFlight: 0, mostInFlight: 0 });

interface Props {
  readonly parents?: readonly string[];
  readonly size?: number;
}

let serial = 0;

async function mutate<T>(toy: Toy, what: string, effect: () => T): Promise<T> {
  toy.calls.push(what);
  toy.inFlight++;
  toy.mostInFlight = Math.max(toy.mostInFlight, toy.inFlight);
  try {
    await new Promise((resolve) => setTimeout(resolve, 2));
    await toy.hook?.('before', what);
    const result = effect();
    await toy.hook?.('after', what);
    return result;
  } finally {
    toy.inFlight--;
  }
}

function kindOf(type: string, more: Partial<Kind<Props, ToyOutput, Toy>> = {}, polls = 0): Kind<Props, ToyOutput, Toy> {
  const add = (toy: Toy, key: string, props: Props): ToyOutput => {
    const made: ToyOutput = {
      id: `${type}-${++serial}`,
      of: key,
      state: polls > 0 ? 'pending' : 'ready',
      parents: props.parents ?? [],
    };
    toy.things.set(made.id, { type, key, out: made, polls, size: props.size });
    return made;
  };
  return {
    type,
    label: type,
    async list(toy) {
      toy.calls.push(`list ${type}`);
      const found: Found<ToyOutput>[] = [];
      for (const [id, thing] of toy.things) {
        if (thing.type !== type || thing.untagged) continue;
        if (thing.out.state === 'deleting') {
          if (thing.polls-- <= 0) {
            toy.things.delete(id);
            continue;
          }
        } else if (thing.polls > 0) thing.polls--;
        else if (thing.out.state === 'pending') thing.out = { ...thing.out, state: 'ready' };
        found.push({ out: thing.out, key: thing.key, chapter: 'vpc', ...(thing.adopted ? { adopted: true } : {}) });
      }
      return found;
    },
    create: (toy, props, { tags }) =>
      mutate(toy, `create ${tags['cloudspace:key']}`, () => add(toy, tags['cloudspace:key'] ?? '', props)),
    status: (one): Status =>
      one.state === 'ready'
        ? { state: 'ready' }
        : one.state === 'deleting'
          ? { state: 'deleting' }
          : one.state === 'failed'
            ? { state: 'failed', reason: 'no room' }
            : { state: 'pending' },
    candidates: async (toy) =>
      [...toy.things.values()]
        .filter((thing) => thing.type === type)
        .map(({ out: one, untagged, key }) => ({ out: one, ...(untagged ? {} : { name: 'toy', key }) })),
    tag: (toy, one, tags) =>
      mutate(toy, `tag ${tags['cloudspace:key']}`, () => {
        const thing = toy.things.get(one.id);
        if (!thing) throw new Error(`${one.id} is gone`);
        thing.untagged = false;
        thing.key = tags['cloudspace:key'] ?? '';
        thing.adopted = tags['cloudspace:origin'] === 'adopted';
      }),
    untag: (toy, one) =>
      mutate(toy, `untag ${one.of}`, () => {
        const thing = toy.things.get(one.id);
        if (thing) Object.assign(thing, { untagged: true, adopted: false });
      }),
    delete: (toy, one) =>
      mutate(toy, `delete ${one.of}`, () => {
        const thing = toy.things.get(one.id);
        if (!thing) return;
        if ([...toy.things.values()].some((other) => other.out.parents.includes(one.id)))
          throw Object.assign(new Error(`${one.of} is in use`), { name: 'DependencyViolation' });
        if (polls === 0) toy.things.delete(one.id);
        else Object.assign(thing, { polls, out: { ...thing.out, state: 'deleting' } });
      }),
    cli: (props) => ['toy', 'create', type, ...(props.parents ?? [])],
    price: () => 0.01,
    seconds: 10,
    ...more,
  };
}

export const net = kindOf('toy_net');
export const slow = kindOf('toy_slow', {}, 3);
export const sized = kindOf('toy_sized', {
  drift: (props, one) =>
    props.size !== undefined && sizes.get(one.id) !== props.size && sizes.has(one.id)
      ? [{ attribute: 'size', want: props.size, have: sizes.get(one.id) }]
      : [],
  update: (toy, props, one) =>
    mutate(toy, `update ${one.of}`, () => {
      sizes.set(one.id, props.size ?? 0);
      return one;
    }),
});
/** what somebody changed by hand: size by id */
export const sizes = new Map<string, number>();
export const many = kindOf('toy_many', {
  batch: {
    groupBy: (props) => (props.parents ?? []).join(),
    create: (toy, props, keys, { tags }) =>
      mutate(toy, `create ${keys.join('+')}`, () =>
        keys.map((key) => {
          const made: ToyOutput = { id: `toy_many-${++serial}`, of: key, state: 'ready', parents: props.parents ?? [] };
          toy.things.set(made.id, { type: 'toy_many', key, out: made, polls: 0 });
          void tags;
          return made;
        }),
      ),
  },
});

/** net ← slow ← two leaves; three of a batch; one sized. */
export function toyResources() {
  const base = resource(net, 'net', {});
  const gate = resource(slow, 'gate', { parents: [out(base, 'id')] });
  const leafA = resource(net, 'leaf-a', { parents: [out(gate, 'id')] });
  const early = resource(net, 'early', { parents: [out(gate, 'id', 'created')] });
  const batch = ['m-1', 'm-2', 'm-3'].map((key) => resource(many, key, { parents: [out(base, 'id')] }));
  const box = resource(sized, 'box', { size: 5, parents: [out(base, 'id')] });
  return [base, gate, leafA, early, ...batch, box];
}
