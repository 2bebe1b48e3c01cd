import { cp, readdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { referenceDeployment } from '../ansible/paths.ts';
import { usageError } from '../engine/types.ts';
import type { Context } from './context.ts';

/** The wizard always uses its own: a copy would only grow old. */
const LEFT_OUT = ['callback_plugins'];

/** `cloudspace deployment eject DIR`: copies the reference deployment repository. The folder must be new or empty. */
export async function run(context: Context): Promise<number> {
  const { ui } = context;
  const target = resolve(context.args[0] ?? '');
  const source = referenceDeployment();
  const there = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') throw usageError(`${target} is a file`, 'name a folder that is new or empty');
    throw error;
  });
  if (there.length > 0)
    throw usageError(
      `the folder ${target} is not empty: it holds ${there.slice(0, 3).join(', ')}`,
      'name a folder that is new or empty; nothing was changed',
      'NotEmpty',
    );
  if (!relative(source, target).startsWith('..'))
    throw usageError(`${target} is inside the reference repository itself`, 'name a folder elsewhere');
  const skip = LEFT_OUT.map((name) => join(source, name));
  await cp(source, target, { recursive: true, filter: (path) => !skip.includes(path) && !path.endsWith('.pyc') });
  ui.notify({
    type: 'summary',
    text: [
      `The reference deployment repository is in \`${target}\`.`,
      '',
      '- put it under version control; its README.md says what the wizard passes and what it needs',
      `- use it: \`deployment: ${target}\` in \`cloudspace.yaml\`, or \`--deployment ${target}\``,
    ].join('\n'),
    data: { directory: target },
  });
  return 0;
}
