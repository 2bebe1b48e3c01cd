import { limiter } from '../system/limit.ts';
import type { Drift } from './drift.ts';
import { createMaker, type Maker } from './make.ts';
import { createPoller, type Poller } from './poll.ts';
import type { RunOptions } from './run.ts';
import { takeStock } from './stock.ts';
import type { Output, Resource } from './types.ts';

/** What the parts of one run share: what is there, what may be done about it, and the means to change it. */
export interface Work {
  readonly options: RunOptions;
  readonly byKey: ReadonlyMap<string, Resource>;
  /** what is there, by key */
  readonly outputs: Map<string, Output>;
  /** keys of what a person made */
  readonly adopted: Set<string>;
  /** what somebody had changed or removed by hand when the run began */
  readonly drift: readonly Drift[];
  /** of that, what nobody has allowed to be mended yet */
  readonly held: Map<string, Drift>;
  /** keys whose drift may be mended */
  readonly accepted: Set<string>;
  readonly poller: Poller;
  readonly make: Maker;
  /** sends a request that changes something: not too many at once, and only while nobody else works on the Cloudspace */
  readonly mutate: <T>(send: () => Promise<T>) => Promise<T>;
}

/** Looks at everything that is there, before anything is done. */
export async function openWork(options: RunOptions): Promise<Work> {
  const { cloud, name, resources, pace, signal, hold } = options;
  const stock = await takeStock(options);
  const poller = createPoller(cloud, name, pace, signal);
  const slots = limiter(options.concurrency ?? 10);
  const mutate: Work['mutate'] = (send) =>
    slots(async () => {
      await hold?.();
      return send();
    });
  return {
    options,
    byKey: new Map(resources.map((resource) => [resource.key, resource])),
    outputs: stock.outputs,
    adopted: stock.adopted,
    drift: stock.drift,
    held: new Map(stock.drift.map((drift) => [drift.key, drift])),
    accepted: new Set(),
    poller,
    make: createMaker(options, stock, poller, mutate),
    mutate,
  };
}

/** Lets the drift of these keys be mended. */
export function accept({ accepted, held }: Work, keys: readonly string[]): void {
  for (const key of keys) {
    accepted.add(key);
    held.delete(key);
  }
}
