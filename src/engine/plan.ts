import { adoptedKeys, discover, isLeaving, statusOf } from './discover.ts';
import { findDrift, itemOf } from './drift.ts';
import { fromOutputs, refsOf, remainingSeconds, resolveProps } from './graph.ts';
import type { Entry } from './journal.ts';
import { priceOf } from './render.ts';
import type { Difference, DriftItem, Output, Resource } from './types.ts';

export interface PlannedResource {
  readonly key: string;
  readonly type: string;
  readonly label: string;
  readonly chapter: string;
  readonly action: 'create' | 'keep' | 'change' | 'delete';
  readonly id: string | null;
  readonly status: string;
  readonly usdPerHour: number;
  readonly differences: readonly Difference[];
  /** a person made it: it is used, never changed unasked, never deleted */
  readonly adopted: boolean;
}

export interface Plan {
  readonly resources: readonly PlannedResource[];
  /** when everything is there */
  readonly usdPerHour: number;
  /** typical, with everything that can run at once doing so */
  readonly seconds: number;
  /** found with this Cloudspace's tags, described by no step */
  readonly extra: readonly { readonly key: string | null; readonly type: string; readonly id: string }[];
  /** what somebody changed or removed by hand */
  readonly drift: readonly DriftItem[];
  readonly outputs: ReadonlyMap<string, Output>;
}

/** The dry run: the same list that apply walks, against one listing. Reads only; the caller gives a client that refuses anything else. */
export async function makePlan(options: {
  cloud: unknown;
  name: string;
  region: string;
  resources: readonly Resource[];
  chapterOf: (key: string) => string;
  /** what the journal says was made; left out: nothing counts as missing */
  entries?: Readonly<Record<string, Entry>> | undefined;
}): Promise<Plan> {
  const { cloud, name, resources, region, entries = {} } = options;
  const { listing, outputs } = await discover(cloud, resources, name);
  const adopted = adoptedKeys(resources, listing, outputs);
  const drift = await findDrift({ cloud, name, resources, listing, outputs, adopted, entries });
  const planned = resources.map((resource): PlannedResource => {
    const { key, kind } = resource;
    const out = outputs.get(key);
    const differences = differencesOf(resource, outputs);
    return {
      key,
      type: kind.type,
      label: kind.label,
      chapter: options.chapterOf(key),
      action: !out ? 'create' : differences.some(({ fixed }) => !fixed) && kind.update ? 'change' : 'keep',
      id: out?.id ?? null,
      status: out ? statusOf(kind, out).state : 'absent',
      usdPerHour: priceOf(resource, region),
      differences,
      adopted: adopted.has(key),
    };
  });
  const kinds = new Map(resources.map((resource) => [resource.kind.type, resource.kind]));
  const described = new Set([...outputs.values()].map((out) => out.id));
  const extra = [...listing].flatMap(([type, found]) =>
    found
      .filter((item) => !described.has(item.out.id) && item.key !== undefined)
      .filter((item) => {
        const kind = kinds.get(type);
        return kind !== undefined && !isLeaving(kind, item.out);
      })
      .map((item) => ({ key: item.key ?? null, type, id: item.out.id })),
  );
  return {
    resources: planned,
    usdPerHour: planned.reduce((sum, item) => sum + item.usdPerHour, 0),
    seconds: remainingSeconds(resources, outputs),
    extra,
    drift: drift.map(itemOf),
    outputs,
  };
}

/** What is there and is not as asked for now. What is not there differs in nothing. */
export function differencesOf(resource: Resource, outputs: ReadonlyMap<string, Output>): Difference[] {
  const { key, kind } = resource;
  const out = outputs.get(key);
  if (!out || !kind.drift) return [];
  const props = resolveProps(resource.props, fromOutputs(outputs));
  return props ? kind.drift(props, out) : waitsFor(resource, outputs);
}

/** What is there refers to something that is still to be made (a new runner among the targets), so it will change with it. */
function waitsFor(resource: Resource, outputs: ReadonlyMap<string, Output>): Difference[] {
  const missing = refsOf(resource)
    .map((ref) => ref.$ref)
    .filter((key) => !outputs.has(key));
  return missing.map((key) => ({ attribute: key, want: 'created', have: null }));
}
