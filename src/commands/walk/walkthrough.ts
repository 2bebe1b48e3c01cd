import { interactive } from './walkInteractive.ts';
import type { Outcome, WalkthroughOptions } from './walkItems.ts';
import { unattended } from './walkUnattended.ts';

/** The six chapters (the login prelude is over when this begins). */
export async function walkthrough(options: WalkthroughOptions): Promise<Outcome> {
  const { chapters } = options.walk;
  const last = chapters.findIndex(({ chapter }) => chapter.id === options.until);
  const wanted = chapters.slice(0, last + 1).filter(({ chapter }) => chapter.id !== 'login');
  return options.interactive ? interactive(options, wanted) : unattended(options, wanted);
}
