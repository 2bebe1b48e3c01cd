import type { Event } from '../../engine/types.ts';
import { doItYourself } from './byHand.ts';
import { faceFailure } from './faceFailure.ts';
import { resourcesOf } from './failure.ts';
import { stepEvent } from './stepEvent.ts';
import { type Item, idOf, QUIT, type WalkthroughOptions } from './walkItems.ts';

type Choice = 'do' | 'byhand' | 'details' | 'skip' | 'back' | 'quit';

/** Shows one step, asks, and does it. `told`: failures that the person knows of are added. */
export async function offerStep(
  options: WalkthroughOptions,
  item: Item,
  canGoBack: boolean,
  told: Set<unknown>,
): Promise<'done' | 'skip' | 'back' | 'quit'> {
  const { ui } = options;
  const { one, step, index } = item;
  for (;;) {
    const event = await stepEvent(options, one, step, index);
    ui.notify(event);
    let choice = await choose(options, item, event, canGoBack);
    while (choice === 'details') {
      ui.notify({ ...event, details: true });
      choice = await choose(options, item, event, canGoBack);
    }
    if (choice === 'byhand') {
      const outcome = await doItYourself(options, one, step);
      if (outcome === 'quit') return 'quit';
      if (outcome === 'back') continue;
      choice = 'do';
    }
    if (choice !== 'do') return choice;
    const outcome = await doStep(options, item, told);
    // What was undone is offered again.
    if (outcome !== 'undone') return outcome;
  }
}

/** Does it; what fails is asked about until it is done, left out, undone, or left for later. */
async function doStep(
  options: WalkthroughOptions,
  item: Item,
  told: Set<unknown>,
): Promise<'done' | 'skip' | 'undone' | 'quit'> {
  const { run, ui, signal } = options;
  const { step } = item;
  const keys = resourcesOf(step.actions).map(({ key }) => key);
  // What is listed as missing or changed has been seen, and agreed to.
  run.accept(keys);
  for (let retry = keys.some((key) => run.failures().has(key)); ; retry = true) {
    try {
      if (retry) await run.retry();
      const later = await run.begin(step.actions);
      const [waits, follows] = later.length === 1 ? ['waits', 'follows'] : ['wait', 'follow'];
      if (later.length > 0)
        ui.notify({
          type: 'info',
          text: `${later.map((key) => `\`${key}\``).join(', ')} ${waits} for something slow and ${follows} in the background. Read on.`,
        });
      return 'done';
    } catch (error) {
      signal.throwIfAborted();
      for (const key of keys) told.add(run.failures().get(key));
      const outcome = await faceFailure(options, item, error);
      if (outcome !== 'retry') return outcome;
    }
  }
}

function choose(
  { ui, byHand }: WalkthroughOptions,
  item: Item,
  { makes }: Extract<Event, { type: 'step' }>,
  canGoBack: boolean,
): Promise<Choice> {
  const { step } = item;
  const { title } = step.step;
  const todo = makes.some(({ action }) => action !== 'keep');
  const resources = new Set(resourcesOf(step.actions).map(({ key }) => key));
  const makesSomething = makes.some(({ key, action }) => action === 'create' && resources.has(key));
  const preset = makesSomething && byHand.has(idOf(item));
  const choices: { value: Choice; name: string; description: string }[] = [
    todo
      ? { value: 'do', name: 'Do it', description: 'Make what is listed above.' }
      : { value: 'do', name: 'Go on', description: 'All of this is there already.' },
  ];
  if (makesSomething)
    choices.push({
      value: 'byhand',
      name: 'I do it myself',
      description: 'In the console, with aws or Terraform; the walk goes on with what you made.',
    });
  choices.push(
    { value: 'details', name: 'Show details', description: 'All equal aws commands, whole.' },
    { value: 'skip', name: 'Skip', description: 'Leave it out for now; steps that need it will say so.' },
  );
  if (canGoBack) choices.push({ value: 'back', name: 'Back', description: 'To the step before.' });
  return ui.ask({
    kind: 'select',
    id: 'step',
    flag: '--yes',
    message: todo ? `${title}: do this step?` : `${title}: done already. Go on?`,
    default: preset ? 'byhand' : 'do',
    choices: [...choices, QUIT],
  });
}
