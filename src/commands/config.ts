import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { usageError } from '../engine/types.ts';
import type { Context } from './context.ts';
import { checkConfigFile, configError, DEFAULT_FILE } from './settings/configFile.ts';

/**
 * `cloudspace config check [FILE]`: everything that is wrong with a file, at once. With `--json` one document:
 * `{file, ok, problems: [{key, line, column, code, message, hint?}]}`. Exit code 0, or 2. Throws a usage error when there is no such file.
 */
export async function check({ options, args, ui, print }: Context): Promise<number> {
  const file = args[0] ?? options.config ?? DEFAULT_FILE;
  if (!existsSync(file))
    throw usageError(
      `there is no file "${file}"`,
      'name it: cloudspace config check FILE; docs/configuration.md has an example to begin with',
    );
  const read = await checkConfigFile(file);
  const { problems } = read;
  if (options.json) {
    print(`${JSON.stringify({ file: resolve(file), ok: problems.length === 0, problems }, null, 2)}\n`);
    return problems.length === 0 ? 0 : 2;
  }
  if (!('options' in read)) throw configError(file, problems);
  const { settings = {}, mapping, ...answers } = read.options;
  const said = [...Object.keys(answers), ...Object.keys(settings), ...(mapping ? ['deployment mapping'] : [])];
  ui.notify({ type: 'info', text: `\`${file}\` is good: ${said.join(', ') || 'it is empty'}.` });
  return 0;
}

/** `cloudspace config schema`: the JSON Schema (draft 2020-12) of the file, from the same description that checks it. */
export async function schema({ print }: Context): Promise<number> {
  const { z } = await import('zod');
  const { ABOUT, settingsSchema } = await import('./settings/settings.ts');
  const { $schema, ...rest } = z.toJSONSchema(settingsSchema('.'), { io: 'input', unrepresentable: 'any' });
  const properties = Object.fromEntries(
    Object.entries(rest.properties ?? {}).map(([key, value]) => [
      key,
      typeof value === 'object' && ABOUT[key] !== undefined ? { description: ABOUT[key], ...value } : value,
    ]),
  );
  print(`${JSON.stringify({ $schema, title: 'cloudspace.yaml', ...rest, properties }, null, 2)}\n`);
  return 0;
}
