import { fromOutputs, resolveProps } from '../../engine/graph.ts';
import type { Journal } from '../../engine/journal.ts';
import { equalCommand, summarize, usdPerHour } from '../../engine/render.ts';
import type { Run } from '../../engine/run.ts';
import { tagsFor } from '../../engine/tags.ts';
import type { Event, Output, Resource } from '../../engine/types.ts';
import { guideSection } from '../../guide.ts';
import type { Config } from '../../steps/config.ts';
import type { Walk, WalkChapter, WalkStep } from '../../steps/index.ts';
import { KNOWN_SECRETS } from '../../steps/secrets.ts';

/** What is shown before a step is asked about: its prose, what it makes, what that costs, the equal commands. */
export async function stepEvent(
  { config, walk, run, journal }: { config: Config; walk: Walk; run: Run; journal: Journal },
  one: WalkChapter,
  step: WalkStep,
  index: number,
): Promise<Extract<Event, { type: 'step' }>> {
  const resources = step.actions.flatMap((action) => ('resource' in action ? [action.resource] : []));
  return {
    type: 'step',
    chapter: one.chapter.id,
    step: step.step.id,
    title: step.step.title,
    index: index + 1,
    of: one.steps.length,
    guide: await guideSection(one.chapter.guide, step.step.guide),
    makes: step.actions.flatMap(
      (action): { key: string; label: string; summary: string; action: 'create' | 'keep' | 'change' | 'run' }[] => {
        if ('resource' in action) {
          const { key, kind } = action.resource;
          return [
            {
              key,
              label: kind.label,
              summary: summarize(action.resource),
              action: actionOf(action.resource, run.outputs),
            },
          ];
        }
        if ('play' in action)
          return [
            {
              key: action.play.key,
              label: 'Ansible',
              summary: action.play.hosts.join(', '),
              action: journal.state.plays[action.play.key]?.status === 'done' ? 'keep' : 'run',
            },
          ];
        // Whether the vault has them is not asked, which may need its password: those that are there are kept.
        const made = journal.state.steps[`${one.chapter.id}/${step.step.id}`] === 'done';
        return action.secrets.map((name) => ({
          key: name,
          label: 'secret',
          summary: KNOWN_SECRETS[name]?.what ?? '',
          action: made ? 'keep' : 'create',
        }));
      },
    ),
    usdPerHour: usdPerHour(resources, config.region),
    commands: commandsOf(resources, config, walk, run.outputs),
  };
}

function commandsOf(
  resources: readonly Resource[],
  config: Config,
  walk: Walk,
  outputs: ReadonlyMap<string, Output>,
): string[] {
  return resources.map((resource) =>
    equalCommand(resource, outputs, tagsFor(config.name, resource.key, walk.chapterOf(resource.key))),
  );
}

function actionOf({ key, kind, props }: Resource, outputs: ReadonlyMap<string, Output>): 'create' | 'keep' | 'change' {
  const out = outputs.get(key);
  if (!out) return 'create';
  const resolved = resolveProps(props, fromOutputs(outputs));
  return kind.update && resolved && (kind.drift?.(resolved, out) ?? []).some(({ fixed }) => !fixed) ? 'change' : 'keep';
}
