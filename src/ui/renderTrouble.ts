import { type DriftItem, type Event, valueText } from '../engine/types.ts';
import { errorText } from './errorText.ts';
import { type Look, paint, symbols } from './look.ts';
import { inline } from './markdown.ts';
import { clean, cost, shellWrap, wrap, wrapSpans } from './text.ts';

const bullet = (text: string, look: Look): string[] =>
  wrapSpans(inline(text, look), look, { first: '  - ', rest: '    ' });

/** A step that failed: why, what of it is there, what that costs while it waits, what waits for it, and the command that goes on. */
export function failureLines(event: Extract<Event, { type: 'failure' }>, look: Look): string[] {
  const { there, missing, usdPerHour, blocks } = event;
  const facts = [
    there.length === 0
      ? 'Of this step nothing is there.'
      : `There: ${there.map(({ key, id }) => `${key} ${id.startsWith('arn:') ? '' : id}`.trim()).join(', ')}.`,
    ...(missing.length === 0 ? [] : [`Not there: ${missing.join(', ')}.`]),
    usdPerHour.all === 0
      ? 'It costs nothing while it waits.'
      : `While it waits, everything that is there costs ${cost(usdPerHour.all)}${usdPerHour.step > 0 ? `; of this step ${cost(usdPerHour.step)}` : ''}.`,
    ...(blocks.length === 0 ? [] : [`These steps need it: ${blocks.join('; ')}.`]),
    `To go on later: ${event.resume}`,
  ];
  return [
    '',
    ...wrap(`${event.title} ${symbols(look).dot} failed`, look, {}, ['bold', 'red']),
    ...errorText(event, look),
    ...facts.flatMap((fact) => bullet(clean(fact), look)),
  ];
}

/** What somebody changed or removed by hand, one thing a line, attributes below it. */
export function driftLines({ items }: Extract<Event, { type: 'drift' }>, look: Look): string[] {
  if (items.length === 0) return [];
  return [
    '',
    ...wrap('Changed or removed outside of cloudspace', look, {}, ['bold', 'yellow']),
    ...items.flatMap((item) => driftItemLines(item, look)),
  ];
}

const MARKS = { missing: '-', untagged: '?', changed: '~', extra: '+' } as const;

function driftItemLines(item: DriftItem, look: Look): string[] {
  const { key, id, what, differences, hanging } = item;
  const said = { missing: 'is gone', untagged: 'has lost its tags', changed: 'was changed', extra: 'was added' }[what];
  const yours = item.adopted ? ' (adopted: yours)' : item.mendable ? '' : ' (cannot be changed back)';
  const name = key === id ? id : `${key} ${id.startsWith('arn:') ? '' : id}`.trim();
  return [
    ...wrap(clean(`${item.label} ${name} ${said}${yours}`), look, {
      first: `  ${paint(look, 'yellow', MARKS[what])} `,
      rest: '    ',
    }),
    ...(what === 'missing'
      ? []
      : differences.flatMap(({ attribute, want, have }) =>
          wrap(
            clean(
              want === null && what === 'extra'
                ? valueText(have)
                : `${attribute}: is ${valueText(have)}, should be ${valueText(want)}`,
            ),
            look,
            { first: '      ', rest: '        ' },
            'dim',
          ),
        )),
    ...(hanging.length === 0 ? [] : wrap(`and with it ${hanging.join(', ')}`, look, { first: '      ' }, 'dim')),
  ];
}

/** What to make oneself: each thing with its properties, where in the console, and the command whole, so that it can be pasted. */
export function byHandLines({ title, needs }: Extract<Event, { type: 'byhand' }>, look: Look, prose: Look): string[] {
  return [
    '',
    ...wrap(`${title}: what is needed`, prose, {}, 'bold'),
    ...needs.flatMap(({ key, label, properties, command, console: place }) => [
      '',
      ...wrap(`${label} "${key}"`, prose, { first: '  ' }),
      ...Object.entries(properties).flatMap(([name, of]) =>
        of === undefined ? [] : wrap(clean(`${name}: ${valueText(of)}`), prose, { first: '    ', rest: '      ' }),
      ),
      ...(place === undefined
        ? []
        : [...wrap(`console: ${place.page}`, prose, { first: '    ', rest: '      ' }), `      ${place.url}`]),
      ...shellWrap(clean(command), look.columns - 4).map((line) => `    ${paint(look, 'dim', line)}`),
    ]),
  ];
}
