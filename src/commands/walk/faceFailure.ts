import { CloudspaceError } from '../../engine/types.ts';
import { failureEvent, resourcesOf } from './failure.ts';
import { type Item, QUIT, type WalkthroughOptions } from './walkItems.ts';

/** Tells what failed and asks what to do; undoes the step here when that is chosen. */
export async function faceFailure(
  options: WalkthroughOptions,
  { one, step }: Item,
  error: unknown,
): Promise<'retry' | 'skip' | 'undone' | 'quit'> {
  const { ui, run, signal } = options;
  for (let again = error; ; ) {
    const event = failureEvent(options, one, step, again);
    ui.notify(event);
    const names = {
      retry: { name: 'Try again', description: 'What is done stays; what is half made is replaced.' },
      skip: {
        name: 'Skip',
        description:
          event.blocks.length === 0
            ? 'No later step needs it.'
            : `Go on without it; ${event.blocks.length} later steps will wait for it.`,
      },
      undo: { name: 'Undo this step', description: 'Delete exactly what this step made, in reverse.' },
      quit: QUIT,
    };
    const choice = await ui.ask({
      kind: 'select',
      id: 'failure',
      message: `${step.step.title}: what now?`,
      default: 'retry',
      choices: event.choices.map((value) => ({ value, ...names[value] })),
    });
    if (choice !== 'undo') return choice;
    const left = await run.undo(resourcesOf(step.actions).map(({ key }) => key));
    signal.throwIfAborted();
    if (left.length === 0) return 'undone';
    again = new CloudspaceError(
      `${left.length} of what this step made could not be deleted: ${left.map(({ kind, id, reason }) => `${kind.label} ${id} (${reason})`).join(', ')}`,
      { code: 'Leftovers', hint: 'mend the cause and undo it again' },
    );
  }
}
