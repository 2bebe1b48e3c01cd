import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { usageError } from '../engine/types.ts';
import { readFaults, writeFault } from '../practice/aws/faultFile.ts';
import { parseRule } from '../practice/aws/faultRule.ts';
import { checkName, DEFAULTS } from '../steps/config.ts';
import type { Context } from './context.ts';
import { asUsageError } from './practice/practiceCloud.ts';
import { practiceDir, stateDir } from './session/places.ts';

/** `cloudspace practice fault list`: the rules in force. Those that are used up are shown as such. */
export async function list(context: Context): Promise<number> {
  const { name, dir } = await place(context);
  const { operationNames } = await import('../practice/aws/faults.ts');
  const names = operationNames();
  const rules = readFaults(dir).map(({ rule, used, stays }) => {
    const times = readable(rule, names);
    const left = times === undefined ? 0 : times - used;
    return { rule, used, left: Number.isFinite(left) ? left : 'all', until: stays ? 'cleared' : 'the command ends' };
  });
  if (context.options.json) context.print(`${JSON.stringify({ name, faults: rules }, null, 2)}\n`);
  else if (rules.length === 0) context.print(`No faults: the practice cloud of ${name} works as it should.\n`);
  else
    context.print(
      `${rules.map(({ rule, used, left }) => `${rule.padEnd(44)} met ${used}, ${left === 0 ? 'used up' : `${left} to come`}`).join('\n')}\n`,
    );
  return 0;
}

/** `cloudspace practice fault add RULE`. Throws a usage error for a rule that is none. */
export async function add(context: Context): Promise<number> {
  const { name, dir } = await place(context);
  const rule = context.args[0] ?? '';
  const { operationNames } = await import('../practice/aws/faults.ts');
  const { times } = asUsageError(() => parseRule(rule, operationNames()));
  asUsageError(() => writeFault(dir, `add ${rule}`));
  const holds = times === Number.POSITIVE_INFINITY ? 'until it is cleared' : times === 1 ? 'once' : `${times} times`;
  context.ui.notify({
    type: 'summary',
    text: `In the practice cloud of **${name}** now: \`${rule}\`, ${holds}. \`cloudspace practice fault clear\` ends all faults.`,
    data: { name, rule },
  });
  return 0;
}

/** `cloudspace practice fault clear`. */
export async function clear(context: Context): Promise<number> {
  const { name, dir } = await place(context);
  if (readFaults(dir).length > 0) writeFault(dir, 'clear');
  context.ui.notify({
    type: 'summary',
    text: `No faults any more in the practice cloud of **${name}**.`,
    data: { name },
  });
  return 0;
}

function readable(rule: string, names: ReadonlyMap<string, boolean>): number | undefined {
  try {
    return parseRule(rule, names).times;
  } catch {
    return undefined;
  }
}

/** The practice cloud that is meant: `--name`, else the only one there is, else the one that `cloudspace practice` would make. */
async function place({ options }: Context): Promise<{ name: string; dir: string }> {
  const root = stateDir(options);
  const at = (name: string) => ({ name, dir: practiceDir(join(root, name)) });
  if (options.name !== undefined) return at(checkName(options.name));
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const known = entries
    .filter((entry) => entry.isDirectory() && existsSync(at(entry.name).dir))
    .map(({ name }) => name);
  if (known.length > 1)
    throw usageError(
      `there are several practice clouds in ${root}: ${known.sort().join(', ')}`,
      `say which: --name ${known[0]}`,
      'WhichCloudspace',
    );
  return at(known[0] ?? DEFAULTS.practiceName);
}
