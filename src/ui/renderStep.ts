import type { Event } from '../engine/types.ts';
import { type Look, paint, type Style, symbols } from './look.ts';
import { renderMarkdown } from './markdown.ts';
import { type Cell, clean, cost, shellWrap, table, truncate, wrap } from './text.ts';

type StepEvent = Extract<Event, { type: 'step' }>;

const ACTIONS: Record<StepEvent['makes'][number]['action'], { mark: string; style: Style }> = {
  create: { mark: '+', style: 'green' },
  change: { mark: '~', style: 'yellow' },
  keep: { mark: '=', style: 'dim' },
  run: { mark: '>', style: 'blue' },
};

/** A step that is offered: its prose, what it makes and costs, the first of the equal commands. */
export function stepLines(event: StepEvent, look: Look, prose: Look): string[] {
  const { dot, more } = symbols(look);
  const lines = ['', ...wrap(`Step ${event.index} of ${event.of} ${dot} ${event.title}`, prose, {}, 'bold')];
  const { first, more: moreProse } = partsOf(event.guide);
  if (first !== '') lines.push('', ...renderMarkdown(first, prose).split('\n'));
  if (moreProse !== '') lines.push('', paint(look, 'dim', `(more about this: choose details)`));
  if (event.makes.length > 0) {
    const rows = event.makes.map(({ key, label, summary, action }): Cell[] => [
      { text: ACTIONS[action].mark, style: ACTIONS[action].style },
      { text: key, style: action === 'keep' ? 'dim' : undefined, cut: 'middle' },
      // The key says nearly as much.
      ...(look.columns < 60 ? [] : [{ text: label, style: 'dim' as const }]),
      { text: clean(summary).replaceAll('\n', ' ') },
    ]);
    lines.push('', ...table(rows, prose));
    const legend = (['create', 'change', 'keep', 'run'] as const)
      .filter((action) => event.makes.some((one) => one.action === action))
      .map((action) => `${ACTIONS[action].mark} ${action}`);
    const money = event.usdPerHour > 0 ? `costs ${cost(event.usdPerHour)}` : 'costs nothing';
    lines.push('', ...wrap(`${legend.join('  ')}   ${dot}   ${money}`, prose, { first: '  ' }, 'dim'));
  }
  if (event.commands.length > 0) {
    const few = event.commands.slice(0, 3).map((one) => `  $ ${truncate(oneLine(one), look.columns - 5, look)}`);
    const left = event.commands.length - few.length;
    // One command that fits is shown whole already.
    const cut = left > 0 || few.some((one, at) => one !== `  $ ${oneLine(event.commands[at] ?? '')}`);
    if (cut) few.push(left > 0 ? `  ${more} ${left} more: choose details` : '  (choose details to see them whole)');
    lines.push('', ...few.map((one) => paint(look, 'dim', one)));
  }
  return [...lines, ''];
}

const oneLine = (command: string): string => clean(command).replace(/\s*\\?\n\s*/g, ' ');

/** "Show details": the rest of the prose, and every command whole, so that it can be pasted */
export function detailLines(event: StepEvent, look: Look, prose: Look): string[] {
  const { more } = partsOf(event.guide);
  const lines = more === '' ? [] : ['', ...renderMarkdown(more, prose).split('\n')];
  if (event.commands.length > 0)
    lines.push(
      '',
      ...wrap(`${event.title}: the same with the AWS command line`, look, {}, 'bold'),
      ...event.commands.flatMap((command) => [
        '',
        ...shellWrap(clean(command), look.columns - 2).map((line) => `  ${paint(look, 'dim', line)}`),
      ]),
    );
  return lines.length === 0 ? [paint(look, 'dim', 'There is no more to show.')] : [...lines, ''];
}

/** A step's prose, and what stands below its first heading ("### More"): that is for those who ask for details. */
function partsOf(guide: string): { first: string; more: string } {
  let fenced = false;
  const lines = guide.split('\n');
  const at = lines.findIndex((line) => {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    return !fenced && /^#{1,6} /.test(line);
  });
  if (at < 0) return { first: guide.trim(), more: '' };
  return { first: lines.slice(0, at).join('\n').trim(), more: lines.slice(at).join('\n').trim() };
}
