import { shellQuote } from '../../engine/render.ts';
import type { Options } from '../context.ts';

/** The command that goes on later, as a person types it in the same folder: with all that says which Cloudspace is meant. */
export function commandAgain(options: Options, command: string, name: string, more: readonly string[] = []): string {
  // A practice has a name of its own, unless one was given.
  const named = command === 'practice' && options.name === undefined ? [] : ['--name', name];
  const place = options.stateDir === undefined ? [] : ['--state-dir', options.stateDir];
  return ['cloudspace', command, ...named, ...more, ...place, ...(options.yes ? ['--yes'] : [])]
    .map(shellQuote)
    .join(' ');
}
