import { consolePage } from '../../aws/consoleLinks.ts';
import type { Judged } from '../../engine/byHand.ts';
import { fromOutputs, inOrder, resolvePartly } from '../../engine/graph.ts';
import { equalCommand, shellQuote } from '../../engine/render.ts';
import type { Run } from '../../engine/run.ts';
import { type ChapterId, type Difference, type Resource, type Ui, usageError, valueText } from '../../engine/types.ts';
import type { Config } from '../../steps/config.ts';
import type { Walk, WalkChapter, WalkStep } from '../../steps/index.ts';
import { resourcesOf } from './failure.ts';

export interface ByHandOptions {
  readonly config: Config;
  readonly walk: Walk;
  readonly run: Run;
  readonly ui: Ui;
  readonly signal: AbortSignal;
}

/** More candidates than this fit nobody's screen; the most fitting come first. */
const MOST_CHOICES = 9;

/**
 * The person makes what the step needs; the wizard says what that is, looks for it, and goes on with what is chosen. `done`: all of it is there, or
 * the rest is left to the wizard.
 */
export async function doItYourself(
  options: ByHandOptions,
  one: WalkChapter,
  step: WalkStep,
): Promise<'done' | 'back' | 'quit'> {
  const { run, ui, signal } = options;
  const all = inStepOrder(options.walk, resourcesOf(step.actions));
  for (;;) {
    const open = all.filter(({ key }) => !run.outputs.has(key));
    if (open.length === 0) {
      ui.notify({ type: 'info', text: `All of "${step.step.title}" is there.` });
      return 'done';
    }
    ui.notify({
      type: 'byhand',
      chapter: one.chapter.id,
      step: step.step.id,
      title: step.step.title,
      needs: open.map((resource) => need(options, resource)),
    });
    const choice = await ui.ask({
      kind: 'select',
      id: 'byhand',
      message: `${step.step.title}: made it?`,
      default: 'look',
      choices: [
        { value: 'look', name: 'Look now', description: 'Looks in the account for what you made.' },
        { value: 'do', name: 'Let cloudspace make the rest', description: 'What you made stays yours.' },
        { value: 'back', name: 'Back', description: 'To the choices of this step.' },
        { value: 'quit', name: 'Save and quit', description: 'What was taken over stays so.' },
      ],
    });
    signal.throwIfAborted();
    if (choice === 'do') return 'done';
    if (choice === 'back' || choice === 'quit') return choice;
    await look(options, open);
  }
}

/** Takes over what is there, in the order in which things need each other, so that one look is enough for a whole step. */
async function look({ run, ui }: ByHandOptions, open: readonly Resource[]): Promise<void> {
  await run.look(open.map(({ key }) => key));
  for (const resource of open) {
    const { key, kind } = resource;
    if (run.outputs.has(key)) continue;
    if (!kind.candidates) {
      await run.look([key]);
      const out = run.outputs.get(key);
      ui.notify({
        type: 'info',
        text: out ? `\`${key}\`: found, ${kind.label} \`${out.id}\`.` : `\`${key}\`: not there yet.`,
      });
      continue;
    }
    const candidates = await run.candidates(resource);
    const chosen = candidates && (await chooseOne(ui, resource, candidates));
    if (chosen) await run.take(resource, chosen.out, chosen.called !== undefined);
    else if (!candidates) ui.notify({ type: 'info', text: `\`${key}\`: what it belongs to is not there yet.` });
  }
}

async function chooseOne(ui: Ui, { key, kind }: Resource, candidates: readonly Judged[]): Promise<Judged | undefined> {
  const fitting = candidates.filter(({ fits }) => fits).slice(0, MOST_CHOICES);
  const lines = (fitting.length > 0 ? fitting : candidates.slice(0, MOST_CHOICES))
    .filter(({ differences }) => differences.length > 0)
    .map((one) => `- ${nameOf(one)}: ${one.differences.map(explain).join('; ')}`);
  if (fitting.length === 0) {
    const seen = lines.length === 0 ? '' : ` Seen, but it cannot be one of these:\n\n${lines.join('\n')}`;
    ui.notify({ type: 'info', text: `\`${key}\`: no ${kind.label} that fits is there yet.${seen}` });
    return undefined;
  }
  if (lines.length > 0)
    ui.notify({ type: 'info', text: `\`${key}\`: this is not quite as it should be.\n\n${lines.join('\n')}` });
  const chosen = await ui.ask({
    kind: 'select',
    id: `adopt.${key}`,
    message: `Which ${kind.label} is \`${key}\`?`.replaceAll('`', ''),
    default: fitting[0]?.out.id ?? 'none',
    choices: [
      ...fitting.map((one) => ({
        value: one.out.id,
        name: nameOf(one).replaceAll('`', ''),
        description: one.differences.length === 0 ? 'Fits.' : 'Would be taken as it is, with what differs.',
      })),
      { value: 'none', name: 'None of these', description: 'It is left alone.' },
    ],
  });
  return fitting.find(({ out }) => out.id === chosen);
}

const nameOf = ({ out, called }: Judged): string => `\`${out.id}\`${called === undefined ? '' : ` "${called}"`}`;

function explain({ attribute, want, have, fixed, mend }: Difference): string {
  const how = fixed
    ? ' (cannot be changed any more)'
    : mend === undefined
      ? ''
      : `; to mend it: \`${mend.map(shellQuote).join(' ')}\``;
  return `${attribute} is ${valueText(have)}, should be ${valueText(want)}${how}`;
}

function need({ config, run }: ByHandOptions, resource: Resource) {
  const { key, kind, props } = resource;
  const place = consolePage(kind.type, config.region);
  return {
    key,
    label: kind.label,
    properties: resolvePartly(props, (ref) => fromOutputs(run.outputs)(ref) ?? `the ${ref.attribute} of ${ref.$ref}`),
    // Without our own tags: they are put on when it is taken over, and say then that a person made it.
    command: equalCommand(resource, run.outputs, { Name: `${config.name}-${key}` }),
    ...(place === undefined ? {} : { console: place }),
  };
}

/** A step's resources so that everything comes after what it refers to. */
function inStepOrder(walk: Walk, resources: readonly Resource[]): Resource[] {
  const keys = new Set(resources.map(({ key }) => key));
  return inOrder(walk.resources).filter(({ key }) => keys.has(key));
}

/** `--by-hand`: "chapter/step", several separated by commas. Throws a usage error that names what there is. */
export function byHandSteps(text: string | undefined, walk: Walk): ReadonlySet<string> {
  const known = walk.chapters.flatMap(({ chapter, steps }) =>
    steps.filter(({ actions }) => resourcesOf(actions).length > 0).map(({ step }) => `${chapter.id}/${step.id}`),
  );
  const wanted = (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  const wrong = wanted.find((one) => !known.includes(one));
  if (wrong !== undefined)
    throw usageError(
      `--by-hand: there is no step "${wrong}" that makes something`,
      `the steps are: ${known.join(', ')}`,
    );
  return new Set(wanted);
}

/** The keys of what these steps make. */
export function keysByHand(steps: ReadonlySet<string>, walk: Walk): ReadonlySet<string> {
  return new Set(
    walk.chapters.flatMap(({ chapter, steps: all }) =>
      all
        .filter(({ step }) => steps.has(`${chapter.id satisfies ChapterId}/${step.id}`))
        .flatMap(({ actions }) => resourcesOf(actions).map(({ key }) => key)),
    ),
  );
}
