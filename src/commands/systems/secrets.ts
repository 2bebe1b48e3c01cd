import { type SecretSource, secretSource } from '../../secrets/source.ts';
import type { Context } from '../context.ts';

/** What reads secret references in this run: one for all, so that nobody is asked twice. */
export function secretsOf(context: Context): SecretSource {
  return context.secrets ?? secretSource({ ask: (question) => context.ui.ask(question), signal: context.signal });
}
