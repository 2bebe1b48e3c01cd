/** The name that was probably meant: at most a third of its letters away; undefined when none is near. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const measured = known.map((one) => ({ one, steps: distance(fold(name), fold(one)) }));
  const [best] = measured.sort((a, b) => a.steps - b.steps);
  return best && best.steps <= Math.max(1, Math.floor(best.one.length / 3)) ? best.one : undefined;
}

const fold = (text: string): string => text.toLowerCase().replaceAll('_', '-');

/** Levenshtein's distance: how many letters to insert, remove or replace. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...to].entries())
      next.push(Math.min((row[j] ?? 0) + (letter === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    row = next;
  }
  return row[to.length] ?? 0;
}
