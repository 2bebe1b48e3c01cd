import { CloudspaceError, type Event } from '../engine/types.ts';
import { type Look, paint, symbols } from './look.ts';
import { inline } from './markdown.ts';
import { clean, wrap, wrapSpans } from './text.ts';

export type ErrorEvent = Extract<Event, { type: 'error' }>;

/**
 * Anything that was thrown as the event that tells it: message, cause, hint, code and request id. Errors that are not of this
 * program's own class keep what they carry (`code`, the SDK's `$metadata.requestId`); the causes' messages are added where the message does not say them.
 */
export function errorEvent(error: unknown): ErrorEvent {
  if (error instanceof CloudspaceError) {
    return {
      type: 'error',
      code: error.code,
      message: withCauses(error),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
    };
  }
  if (!(error instanceof Error)) return { type: 'error', code: 'Unexpected', message: String(error) };
  const { code, $metadata } = error as { code?: unknown; $metadata?: { requestId?: unknown } };
  const requestId = $metadata?.requestId;
  return {
    type: 'error',
    code: typeof code === 'string' ? code : error.name,
    message: withCauses(error),
    ...(typeof requestId === 'string' ? { requestId } : {}),
  };
}

function withCauses(error: Error): string {
  let message = error.message || error.name;
  const seen = new Set<unknown>();
  for (let cause = error.cause; cause instanceof Error && !seen.has(cause); cause = cause.cause) {
    seen.add(cause);
    if (cause.message !== '' && !message.includes(cause.message)) message += `\n(${cause.message})`;
  }
  if (error instanceof AggregateError)
    for (const one of error.errors)
      if (one instanceof Error && !message.includes(one.message)) message += `\n- ${one.message}`;
  return message;
}

/** The one printer of errors: what happened, the likely cause and what to do next, then the code and the request id to quote. */
export function errorText(error: Omit<ErrorEvent, 'type'>, look: Look): string[] {
  const { failed, arrow, dot } = symbols(look);
  const lines = wrap(clean(error.message).trim(), look, { first: `${paint(look, 'red', failed)} `, rest: '  ' }, [
    'bold',
    'red',
  ]);
  if (error.hint !== undefined) {
    for (const paragraph of clean(error.hint).trim().split('\n'))
      lines.push(
        ...wrapSpans(inline(paragraph, look), look, { first: `  ${paint(look, 'cyan', arrow)} `, rest: '    ' }),
      );
  }
  const facts = [error.code, ...(error.requestId === undefined ? [] : [`request id ${error.requestId}`])];
  lines.push(...wrap(`(${facts.join(` ${dot} `)})`, look, { first: '  ' }, 'dim'));
  return lines;
}
