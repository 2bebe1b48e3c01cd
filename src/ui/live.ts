import type { Event } from '../engine/types.ts';
import { type Look, symbols } from './look.ts';
import { clean, duration, roughly, truncate } from './text.ts';

interface Item {
  text: string;
  readonly since: number;
  readonly typicalSeconds: number | undefined;
}

/** What is under way, told by the events; nothing here prints. */
export interface Live {
  update(event: Event): void;
  readonly size: number;
  /** "3 working: nat-gateway 12s of ~90s, database 1m04s of ~6m", cut to the look's columns; empty when nothing is under way */
  line(look: Look): string;
  clear(): void;
}

/** @param now milliseconds, for tests */
export function liveWork(now: () => number = Date.now): Live {
  const items = new Map<string, Item>();
  // A resource's time counts from its creation, also when it was "created" for a moment before its wait began.
  const started = new Map<string, number>();
  function set(key: string, text: string, typicalSeconds?: number) {
    const since = items.get(key)?.since ?? started.get(key) ?? now();
    started.set(key, since);
    items.set(key, { text: clean(text).replaceAll('\n', ' '), since, typicalSeconds });
  }
  function update(event: Event) {
    if (event.type === 'resource') {
      const key = `resource:${event.key}`;
      const busy = event.status === 'creating' || event.status === 'waiting' || event.status === 'updating';
      if (busy) set(key, event.key, event.typicalSeconds);
      else if (event.status === 'replacing') set(key, `replacing ${event.key}`, event.typicalSeconds);
      else if (event.status === 'deleting') set(key, `deleting ${event.key}`, event.typicalSeconds);
      else {
        items.delete(key);
        if (event.status !== 'created') started.delete(key);
      }
    } else if (event.type === 'play') {
      const key = `play:${event.key}`;
      if (event.status === 'started') set(key, event.title);
      else {
        items.delete(key);
        started.delete(key);
      }
    } else if (event.type === 'task') {
      const item = items.get(`play:${event.play}`);
      if (item) item.text = clean(`${event.host} · ${event.done}/${event.of} · ${event.task}`).replaceAll('\n', ' ');
    } else if (event.type === 'check' || event.type === 'progress') {
      const key = `${event.type}:${event.key}`;
      if (event.status === 'started' || event.status === 'going')
        set(key, event.type === 'check' ? event.title : event.text);
      else {
        items.delete(key);
        started.delete(key);
      }
    }
  }
  function line(look: Look): string {
    const { dot } = symbols(look);
    const texts = [...items.values()].map(({ text, since, typicalSeconds }) => {
      const typical = typicalSeconds === undefined ? '' : ` of ${roughly(typicalSeconds)}`;
      return `${text.replaceAll('·', dot)} ${duration(Math.floor((now() - since) / 1000)).replace('.0s', 's')}${typical}`;
    });
    const count = texts.length > 1 ? `${texts.length} working: ` : '';
    return truncate(count + texts.join(', '), look.columns, look);
  }
  return {
    update,
    line,
    get size() {
      return items.size;
    },
    clear: () => items.clear(),
  };
}
