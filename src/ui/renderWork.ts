import type { Event } from '../engine/types.ts';
import { type Look, symbols } from './look.ts';
import { result } from './marks.ts';
import { clean, duration, roughly, wrap } from './text.ts';

type ResourceEvent = Extract<Event, { type: 'resource' }>;
type PlayEvent = Extract<Event, { type: 'play' }>;

/** An id for people: of an ARN its last part, of an id made of a parent's and the key only the parent's. */
function shortId(id: string, key: string): string {
  if (id.startsWith('arn:')) return id.slice(id.lastIndexOf('/') + 1);
  return id.endsWith(`/${key}`) ? id.slice(0, -key.length - 1) : id;
}

/** What happened to a resource. `live`: what only begins is shown elsewhere. */
export function resourceLines(event: ResourceEvent, look: Look, live: boolean): string[] {
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

/** What became of an Ansible play. */
export function playLines(event: PlayEvent, look: Look, live: boolean): string[] {
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
