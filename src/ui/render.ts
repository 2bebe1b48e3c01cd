import type { Event } from '../engine/types.ts';
import { errorText } from './errorText.ts';
import { type Look, MAX_PROSE, paint, type Style, symbols } from './look.ts';
import { inline, renderMarkdown } from './markdown.ts';
import { byHandLines, driftLines, failureLines } from './renderTrouble.ts';
import {
  type Cell,
  clean,
  cost,
  duration,
  pad,
  roughly,
  shellWrap,
  table,
  truncate,
  width,
  wrap,
  wrapSpans,
} from './text.ts';

type StepEvent = Extract<Event, { type: 'step' }>;
type ResourceEvent = Extract<Event, { type: 'resource' }>;
type PlayEvent = Extract<Event, { type: 'play' }>;

/** Events as finished lines of text. What is kept is collected: the next `lines` or `flush` tells it in one line. */
export interface Renderer {
  lines(event: Event): string[];
  flush(): string[];
}

/**
 * Makes a renderer. `look` is asked at each event, for the terminal's width changes. With `live` a status line shows what is
 * under way, so that only results are printed; without, starts of what takes long are printed too.
 */
export function renderer(look: () => Look, { live }: { readonly live: boolean }): Renderer {
  let kept: string[] = [];
  /** what a resource was last said to be: "ready" says nothing new right after "created" */
  const before = new Map<string, ResourceEvent['status']>();

  function flush(): string[] {
    if (kept.length === 0) return [];
    const now = look();
    const { dot } = symbols(now);
    const text = `= ${kept.length === 1 ? '' : `${kept.length} `}there already ${dot} ${kept.join(', ')}`;
    kept = [];
    return [paint(now, 'dim', truncate(text, now.columns - 1, now))];
  }

  function lines(event: Event): string[] {
    const now = { ...look() };
    if (event.type === 'resource') {
      const last = before.get(event.key);
      before.set(event.key, event.status);
      if (event.status === 'kept') {
        kept.push(event.key);
        return [];
      }
      if (event.status === 'ready' && (last === 'created' || last === 'kept' || last === 'updated')) return [];
    }
    if (event.type === 'play' && event.status === 'kept') {
      kept.push(event.title);
      return [];
    }
    const rendered = render(event, { ...now, columns: Math.max(20, now.columns) }, live);
    return rendered.length === 0 ? [] : [...flush(), ...rendered];
  }
  return { lines, flush };
}

function render(event: Event, look: Look, live: boolean): string[] {
  const prose: Look = { ...look, columns: Math.min(look.columns, MAX_PROSE) };
  const { dot, done, failed, skipped, warning } = symbols(look);
  switch (event.type) {
    case 'chapter':
      return chapterLines(event, prose);
    case 'step':
      return event.details === true ? detailLines(event, look, prose) : stepLines(event, look, prose);
    case 'step.done':
      return event.status === 'skipped' ? [mark(look, 'dim', skipped, `${event.step} skipped`)] : [];
    case 'resource':
      return resourceLines(event, prose, live);
    case 'play':
      return playLines(event, prose, live);
    case 'task': {
      if (event.status !== 'failed' && event.status !== 'unreachable') return [];
      const what = event.status === 'unreachable' ? ' (host unreachable)' : '';
      return [
        mark(look, 'red', failed, `${event.host} ${dot} ${clean(event.task)}${what}`),
        ...(event.message === undefined ? [] : wrap(clean(event.message).trim(), prose, { first: '    ' })),
      ];
    }
    case 'check': {
      const detail = event.detail === undefined ? '' : clean(event.detail);
      if (event.status === 'started') return [];
      if (event.status === 'passed') return result(prose, 'green', done, event.title, detail);
      if (event.status === 'skipped') return result(prose, 'dim', skipped, event.title, detail);
      return [...result(prose, 'red', failed, event.title, detail), ...hint(event.hint, prose)];
    }
    case 'progress':
      if (event.status === 'done') return wrap(clean(event.text), prose, marked(look, 'green', done));
      if (event.status === 'failed') return wrap(clean(event.text), prose, marked(look, 'red', failed));
      return live || event.status === 'going' ? [] : wrap(clean(event.text), prose, marked(look, 'dim', dot));
    case 'info':
      // A heading begins a part of its own.
      return [...(/^#/.test(event.text) ? [''] : []), ...renderMarkdown(event.text, prose).split('\n')];
    case 'warning':
      return wrapSpans(inline(event.text.trim().replaceAll('\n', ' '), look), prose, marked(look, 'yellow', warning));
    case 'error':
      return ['', ...errorText(event, prose)];
    case 'byhand':
      return byHandLines(event, look, prose);
    case 'drift':
      return driftLines(event, prose);
    case 'failure':
      return failureLines(event, prose);
    case 'summary':
      return ['', ...box(event.text, prose)];
  }
}

const mark = (look: Look, style: Style, symbol: string, text: string): string =>
  `${paint(look, style, symbol)} ${truncate(text, look.columns - width(symbol) - 1, look)}`;

const marked = (look: Look, style: Style, symbol: string) => ({
  first: `${paint(look, style, symbol)} `,
  rest: ' '.repeat(width(symbol) + 1),
});

const hint = (text: string | undefined, look: Look): string[] =>
  text === undefined
    ? []
    : wrapSpans(inline(text, look), look, { first: `  ${paint(look, 'cyan', symbols(look).arrow)} `, rest: '    ' });

/** "✔ title  detail", the detail dim and wrapped below itself */
function result(look: Look, style: Style, symbol: string, title: string, detail: string): string[] {
  if (detail === '') return wrap(title, look, marked(look, style, symbol));
  return wrapSpans(
    [{ text: title }, { text: ' ' }, { text: detail.replaceAll('\n', ' '), style: 'dim' }],
    look,
    marked(look, style, symbol),
  );
}

/** "Chapter 2 of 6 · SSH bastion"; index 0 is the prelude */
function chapterName({ index, of, title }: Extract<Event, { type: 'chapter' }>, dot: string): string {
  return `${index === 0 ? 'Prelude' : `Chapter ${index} of ${of}`} ${dot} ${title}`;
}

function chapterLines(event: Extract<Event, { type: 'chapter' }>, look: Look): string[] {
  const { line, full, empty, dot, done, skipped } = symbols(look);
  const name = chapterName(event, dot);
  if (event.status === 'done') return ['', mark(look, 'green', done, name)];
  if (event.status === 'skipped') return [mark(look, 'dim', skipped, `${name} (skipped)`)];
  const progress = full.repeat(event.index) + empty.repeat(Math.max(0, event.of - event.index));
  const head = truncate(name, look.columns - 4, look);
  const rest = look.columns - width(head) - 4;
  const bar = rest >= progress.length + 5 ? progress : '';
  const fill = line.repeat(Math.max(0, rest - (bar === '' ? 0 : bar.length + 4)));
  return [
    '',
    `${paint(look, 'cyan', line.repeat(2))} ${paint(look, ['bold', 'cyan'], head)} ${paint(look, 'cyan', fill)}` +
      (bar === '' ? '' : ` ${paint(look, 'cyan', bar)} ${paint(look, 'cyan', line.repeat(2))}`),
  ];
}

const ACTIONS: Record<StepEvent['makes'][number]['action'], { mark: string; style: Style }> = {
  create: { mark: '+', style: 'green' },
  change: { mark: '~', style: 'yellow' },
  keep: { mark: '=', style: 'dim' },
  run: { mark: '>', style: 'blue' },
};

function stepLines(event: StepEvent, look: Look, prose: Look): string[] {
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
function detailLines(event: StepEvent, look: Look, prose: Look): string[] {
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

/** An id for people: of an ARN its last part, of an id made of a parent's and the key only the parent's. */
function shortId(id: string, key: string): string {
  if (id.startsWith('arn:')) return id.slice(id.lastIndexOf('/') + 1);
  return id.endsWith(`/${key}`) ? id.slice(0, -key.length - 1) : id;
}

function resourceLines(event: ResourceEvent, look: Look, live: boolean): string[] {
  const { done, failed, skipped, warning, dot } = symbols(look);
  const { key, id, status, seconds, typicalSeconds } = event;
  const time = seconds === undefined ? '' : ` ${duration(seconds)}`;
  const detail = event.detail === undefined ? '' : clean(event.detail);
  const name = `${key}${id === undefined ? '' : ` ${shortId(id, key)}`}`;
  switch (status) {
    case 'creating':
    case 'updating':
    case 'deleting':
    case 'kept':
      return [];
    case 'waiting': {
      if (live) return [];
      const typical = typicalSeconds === undefined ? '' : `, takes ${roughly(typicalSeconds)}`;
      return result(look, 'dim', dot, `${event.label} ${key}: waiting until it is ready${typical}`, detail);
    }
    case 'created':
      return result(look, 'green', done, event.label, `${name}${time} ${detail}`);
    case 'ready':
      return result(look, 'green', done, `${event.label} ready`, `${name}${time} ${detail}`);
    case 'updated':
      return result(look, 'green', done, `${event.label} changed`, `${name}${time} ${detail}`);
    case 'deleted':
      return result(look, 'green', done, `${event.label} deleted`, `${name}${time} ${detail}`);
    case 'skipped':
      return result(look, 'dim', skipped, `${event.label} skipped`, `${name} ${detail}`);
    case 'adopted':
      return result(look, 'green', done, `${event.label} taken over`, `${name} ${detail}`);
    case 'replacing':
      return [
        ...result(look, 'yellow', warning, `${event.label} is replaced`, name),
        ...(detail === '' ? [] : wrap(detail, look, { first: '    ' })),
      ];
    case 'failed':
      return [
        ...result(look, 'red', failed, `${event.label} failed`, `${name}${time}`),
        ...(detail === '' ? [] : wrap(detail, look, { first: '    ' })),
      ];
  }
}

function playLines(event: PlayEvent, look: Look, live: boolean): string[] {
  const { done, failed, skipped, dot } = symbols(look);
  const time = event.seconds === undefined ? '' : duration(event.seconds);
  const facts = [event.hosts.join(', '), event.summary === undefined ? '' : clean(event.summary), time];
  const detail = facts.filter((fact) => fact !== '').join(` ${dot} `);
  switch (event.status) {
    case 'started':
      return live ? [] : result(look, 'dim', dot, event.title, event.hosts.join(', '));
    case 'done':
      return result(look, 'green', done, event.title, detail);
    case 'skipped':
      return result(look, 'dim', skipped, `${event.title} (skipped)`, detail);
    case 'kept':
      return [];
    case 'failed':
      return [
        ...result(look, 'red', failed, `${event.title} failed`, detail),
        // Unwrapped: a path that is cut cannot be copied.
        ...(event.log === undefined ? [] : [`    full log: ${event.log}`]),
      ];
  }
}

function box(text: string, look: Look): string[] {
  const { line } = symbols(look);
  const [topLeft = '', topRight = '', bottomLeft = '', bottomRight = '', side = ''] = symbols(look).box;
  const content = renderMarkdown(text, { ...look, columns: look.columns - 4 }).split('\n');
  const inner = Math.max(...content.map(width));
  const edge = (left: string, right: string) => paint(look, 'green', left + line.repeat(inner + 2) + right);
  const wall = paint(look, 'green', side);
  return [
    edge(topLeft, topRight),
    ...content.map((one) => `${wall} ${pad(one, inner)} ${wall}`),
    edge(bottomLeft, bottomRight),
  ];
}
