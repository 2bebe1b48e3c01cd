import { EFFECTS } from '../../practice/aws/faultRule.ts';
import type { CommandSpec } from './spec.ts';

const run = (verb: 'list' | 'add' | 'clear') => async () => ({ run: (await import('../practiceFault.ts'))[verb] });

/** At most 80 columns, as everything that is printed. */
const RULES = [
  'A rule is TARGET:EFFECT[,after][,times=N].',
  '',
  'TARGET   an operation (CreateVpc, Describe*), mutation, read or *;',
  '         with #N only the N-th such request after the rule was given;',
  '         host:NAME for a host: its tag cloudspace:key, or its id',
  'EFFECT',
  ...Object.entries(EFFECTS).map(
    ([name, { text, holds }]) => `  ${name.padEnd(10)}${text}${holds === 'once' ? '' : '; until cleared'}`,
  ),
  'after    the request takes effect first, then this happens to its answer',
  '         (error, status, timeout, drop)',
  'times=N  how many requests it meets, or times=all; if not said: one, except',
  '         what holds until cleared',
].join('\n');

/** `cloudspace practice fault …`: what goes wrong in a practice cloud, also while it runs. */
export function faultCommand(common: CommandSpec['options']): CommandSpec {
  return {
    name: 'fault',
    summary: 'let something go wrong in the practice cloud, also while it runs: failure drills',
    options: common,
    details: RULES,
    examples: [
      "cloudspace practice fault add 'CreateNatGateway:state=failed'",
      "cloudspace practice fault add 'mutation#3:drop,after'",
      "cloudspace practice fault add 'host:controller:network=down'",
      'cloudspace practice fault clear',
    ],
    load: run('list'),
    children: [
      {
        name: 'list',
        summary: 'the rules in force, and how often each met a request',
        options: common,
        examples: ['cloudspace practice fault list --json'],
        load: run('list'),
      },
      {
        name: 'add',
        arguments: '<rule>',
        summary: 'add a rule; it holds from the next request on, and over restarts',
        options: common,
        details: RULES,
        examples: ["cloudspace practice fault add 'RunInstances:error=InsufficientInstanceCapacity'"],
        load: run('add'),
      },
      {
        name: 'clear',
        summary: 'no rule holds any more',
        options: common,
        examples: ['cloudspace practice fault clear'],
        load: run('clear'),
      },
    ],
  };
}
