import type { Event } from '../engine/types.ts';
import { errorText } from './errorText.ts';
import { type Look, MAX_PROSE, paint, symbols } from './look.ts';
import { inline, renderMarkdown } from './markdown.ts';
import { hint, mark, marked, result } from './marks.ts';
import { detailLines, stepLines } from './renderStep.ts';
import { byHandLines, driftLines, failureLines } from './renderTrouble.ts';
import { playLines, resourceLines } from './renderWork.ts';
import { clean, pad, truncate, width, wrap, wrapSpans } from './text.ts';

type ResourceEvent = Extract<Event, { type: 'resource' }>;

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
