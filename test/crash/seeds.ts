/** Random pairs of crashes and faults. A seed gives the same pairs each time; what a crash meets depends on what is under way then. */
import { type Cell, goOn, type Judgement, judged, type Reference } from './cells.ts';
import { type Command, type Crash, MOMENTS, newStage } from './stage.ts';

/** A small generator with a good distribution (mulberry32): the same numbers for the same seed. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

export interface Misfortune {
  readonly command: Command;
  readonly crashes: readonly Crash[];
  readonly faults: readonly string[];
}

/** What one seed means. `mutations`: how many the undisturbed command sends. */
export function misfortune(seed: number, mutations: (command: Command) => number): Misfortune {
  const random = randomOf(seed);
  const pick = <T>(all: readonly T[]): T => all[random(all.length)] as T;
  const command = pick(['start', 'start', 'destroy'] as const);
  const count = mutations(command);
  const crash = (): Crash => ({ mutation: 1 + random(count), moment: pick(MOMENTS) });
  const nth = (): string => `mutation#${1 + random(count)}`;
  const fault = (): string =>
    pick([
      () => `${nth()}:drop`,
      () => `${nth()}:drop,after`,
      () => `${nth()}:status=500`,
      () => `${nth()}:status=503,after`,
      () => `${nth()}:timeout=100ms`,
      () => `${nth()}:timeout=100ms,after`,
      () => `mutation:throttle=${1 + random(4)}`,
      () => `read#${1 + random(40)}:status=500`,
      () => `read#${1 + random(40)}:drop`,
      () => `Describe*:stale=${50 + random(200)}ms,times=${5 + random(40)}`,
      () => `${nth()}:error=ExpiredToken`,
      () => `${nth()}:error=UnauthorizedOperation`,
      () => `*:latency=${1 + random(20)}ms`,
      ...(command === 'start'
        ? [
            () => `CreateVpc:error=VpcLimitExceeded`,
            () => `AllocateAddress#${1 + random(4)}:error=AddressLimitExceeded`,
            () => `RunInstances#${1 + random(4)}:error=InsufficientInstanceCapacity`,
            () => `RunInstances#${1 + random(4)}:boot=fail`,
            () => 'CreateNatGateway:state=failed',
          ]
        : [() => `Delete*#${1 + random(40)}:error=DependencyViolation`]),
    ])();
  const pair = pick(['two crashes', 'crash and fault', 'crash and fault', 'two faults']);
  if (pair === 'two crashes') return { command, crashes: [crash(), crash()], faults: [] };
  if (pair === 'two faults') return { command, crashes: [], faults: [fault(), fault()] };
  return { command, crashes: [crash()], faults: [fault()] };
}

/** The runs of these seeds. */
export function seedCells(seeds: readonly number[]): Cell[] {
  return seeds.map((seed) => ({
    row: 'random pairs',
    column: 'seeds',
    point: String(seed),
    run: (reference) => seedCell(seed, reference),
  }));
}

/** At most so many runs end what two misfortunes began: each may cost one. */
const TRIES = 4;

async function seedCell(seed: number, reference: Reference): Promise<Judgement> {
  const { command, crashes, faults } = misfortune(seed, (of) =>
    of === 'start' ? reference.walkMutations : reference.teardownMutations,
  );
  const stage = await newStage(command === 'destroy' ? reference.complete : undefined, faults);
  const how = [command, ...crashes.map(({ mutation, moment }) => `kill ${moment} ${mutation}`), ...faults].join('; ');
  return judged(
    stage,
    async () => {
      for (const crash of crashes) await stage.run(command, { crash });
      return goOn(stage, command, reference, TRIES);
    },
    how,
  );
}
