/**
 * `npm run crash-matrix`: every crash and every damage of the state, then random pairs, judged one by one. Ends with a table, and with
 * exit code 1 when a cell is bad. docs/guarantees.md says what a good cell means.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Cell, crashCells, type Judgement, makeReference, stateCells } from './cells.ts';
import { seedCells } from './seeds.ts';

const HELP = `npm run crash-matrix -- [--only TEXT] [--jobs N] [--runs N] [--from SEED] [--seed N]

  --only TEXT   only cells whose "row / column / point" holds TEXT, such as "start / effect" or "state,"
  --jobs N      cells at a time (default: the number of processors)
  --runs N      how many random pairs (default 500)
  --from SEED   the first of their seeds (default 1)
  --seed N      this one only
  --parts P,…   of crashes, states, seeds (default: all)
  --every N     each N-th cell only, for a quick look
  --bail        stop at the first bad cell`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      runs: { type: 'string', default: '500' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      parts: { type: 'string', default: 'crashes,states,seeds' },
      every: { type: 'string', default: '1' },
      bail: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const started = Date.now();
  const reference = await makeReference();
  console.log(
    `undisturbed: ${reference.walkMutations} mutations up, ${reference.teardownMutations} down, ${reference.world.length} resources, ${reference.states.length} versions of the state`,
  );
  const parts = values.seed === undefined ? values.parts.split(',') : ['seeds'];
  const first = Number(values.seed ?? values.from);
  const seeds = Array.from({ length: values.seed === undefined ? Number(values.runs) : 1 }, (_, n) => first + n);
  const cells = [
    ...(parts.includes('crashes') ? crashCells(reference) : []),
    ...(parts.includes('states') ? stateCells(reference) : []),
    ...(parts.includes('seeds') ? seedCells(seeds) : []),
  ]
    .filter((cell) => values.only === undefined || nameOf(cell).includes(values.only))
    .filter((_, index) => index % Number(values.every) === 0);

  const bad: [Cell, Judgement][] = [];
  let done = 0;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let cell = cells[next++]; cell; cell = cells[next++]) {
      if (values.bail && bad.length > 0) return;
      const judgement = await cell.run(reference);
      done += 1;
      if (judgement.problem !== '') {
        bad.push([cell, judgement]);
        console.log(
          `BAD ${nameOf(cell)}${judgement.at === '' ? '' : ` at ${judgement.at}`}${judgement.how === undefined ? '' : ` (${judgement.how})`}\n    ${judgement.problem.replaceAll('\n', '\n    ')}\n    kept in ${judgement.dir}`,
        );
      }
      if (done % 20 === 0 || done === cells.length) {
        const seconds = (Date.now() - started) / 1000;
        console.log(`${done} of ${cells.length}, ${bad.length} bad, ${seconds.toFixed(0)} s`);
      }
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  console.log(table(cells, bad));
  return bad.length > 0 ? 1 : 0;
}

function nameOf({ row, column, point }: Cell): string {
  return `${row} / ${column} / ${point}`;
}

function table(cells: readonly Cell[], bad: readonly [Cell, Judgement][]): string {
  const groups = [...new Set(cells.map(({ row, column }) => `${row} / ${column}`))];
  const of = (group: string) => (cell: Cell) => `${cell.row} / ${cell.column}` === group;
  const lines = groups.map((group) => {
    const count = cells.filter(of(group)).length;
    const failed = bad.filter(([cell]) => of(group)(cell)).length;
    return `${group.padEnd(44)}${String(count).padStart(6)}${String(failed).padStart(6)}`;
  });
  const total = `${'all'.padEnd(44)}${String(cells.length).padStart(6)}${String(bad.length).padStart(6)}`;
  return ['', `${'misfortune'.padEnd(44)} cells   bad`, ...lines, total].join('\n');
}

process.exitCode = await main();
