import { setTimeout as sleep } from 'node:timers/promises';
import { isLeaving, newScope } from './discover.ts';
import { hasCode, type Output, type Resource } from './types.ts';

type Asked = readonly { readonly resource: Resource; readonly props: Readonly<Record<string, unknown>> }[];

interface Surroundings {
  readonly cloud: unknown;
  readonly name: string;
  readonly pace: number;
  readonly signal: AbortSignal;
}

/** Looks after each request whose outcome is unknown, 2 s apart at pace 1. EC2's listings usually catch up within seconds. */
export const LOOKS = 5;
const LOOK_SECONDS = 2;
/** Requests in all for one thing whose answers get lost. */
const SENDS = 3;

/**
 * Sends one creating request, for one resource or for a batch of a kind. When its answer is lost (`OutcomeUnknown`), what it may have made
 * is looked for by its tags; only when it is not there after a while is the request sent again, as the same request: where the API knows the
 * token it makes nothing twice. Throws what `send` throws, the lost answer's error after so many.
 */
export async function sendKnowing(
  asked: Asked,
  { cloud, name, pace, signal }: Surroundings,
  send: () => Promise<Output[]>,
): Promise<Output[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (!hasCode(error, 'OutcomeUnknown')) throw error;
      for (let look = 1; look <= LOOKS; look++) {
        await sleep(LOOK_SECONDS * 1000 * pace, undefined, { signal });
        const made = await find(asked, cloud, name);
        if (made) return made;
      }
      if (attempt === SENDS) throw error;
    }
  }
}

/** All that was asked for, in order; undefined when one is missing. */
async function find(asked: Asked, cloud: unknown, name: string): Promise<Output[] | undefined> {
  const kind = asked[0]?.resource.kind;
  if (!kind) return [];
  const there = (await kind.list(cloud, newScope(name))).filter(({ out }) => !isLeaving(kind, out));
  const made = asked.flatMap(({ resource, props }) => {
    const one = there.find(({ key, out }) => (kind.matches ? kind.matches(props, out) : key === resource.key));
    return one ? [one.out] : [];
  });
  return made.length === asked.length ? made : undefined;
}
