import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CloudspaceError, usageError } from '../../engine/types.ts';
import type { Options } from '../context.ts';

export const DEFAULT_FILE = 'cloudspace.yaml';

/** One thing that is wrong with a config file. `line` and `column` count from 1. */
export interface Problem {
  /** the key, dotted: `dns.token`; empty: the file itself */
  readonly key: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string;
  /** why: `BadInput`, `SecretInClear`, … */
  readonly code: string;
}

export type ConfigFile =
  | { readonly file: string; readonly problems: readonly Problem[] }
  | { readonly file: string; readonly problems: readonly []; readonly options: Options };

/**
 * Reads `cloudspace.yaml` (or `path`). Throws a usage error that names the file and every problem with its line and column; a missing default file is no error.
 */
export async function readConfigFile(path: string | undefined): Promise<Options> {
  const file = path ?? DEFAULT_FILE;
  if (path === undefined && !existsSync(file)) return {};
  const read = await checkConfigFile(file);
  if ('options' in read) return { ...read.options, configFile: file };
  throw configError(file, read.problems);
}

/** All problems in one error: the first one's code, exit code 2. */
export function configError(file: string, problems: readonly Problem[]): CloudspaceError {
  const lines = problems.map((problem) => `${file}:${problem.line}:${problem.column}: ${problemText(problem)}`);
  const hints = [...new Set(problems.flatMap(({ hint }) => (hint === undefined ? [] : [hint])))];
  return new CloudspaceError(lines.join('\n'), {
    code: problems[0]?.code ?? 'BadInput',
    exitCode: 2,
    ...(hints.length > 0 ? { hint: hints.join('\n') } : {}),
  });
}

const problemText = ({ key, message }: Problem): string => (key === '' ? message : `${key}: ${message}`);

/** Reads and checks a file. Throws a usage error only when it cannot be read; what is wrong inside comes as problems, all at once, in the file's order. */
export async function checkConfigFile(file: string): Promise<ConfigFile> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw usageError(`cannot read the config file "${file}": ${(error as Error).message}`);
  });
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0)
    return {
      file,
      problems: document.errors.map((error) => ({
        key: '',
        ...at(error.pos[0]),
        // yaml's own words may quote the line, which may hold a secret.
        message: `is no YAML: ${error.message.split('\n')[0]?.replaceAll(/"[^"]*"/g, '"…"')}`,
        code: 'BadYaml',
      })),
    };
  const content: unknown = document.toJS() ?? {};
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    return {
      file,
      problems: [
        {
          key: '',
          line: 1,
          column: 1,
          message: 'holds no keys',
          hint: 'write lines such as: name: hackathon-07',
          code: 'BadInput',
        },
      ],
    };
  const [schema, { issuesOf }] = await Promise.all([import('./settings.ts'), import('./settingsIssues.ts')]);
  const base = dirname(resolve(file));
  const parsed = schema.settingsSchema(base).safeParse(content);
  if (!parsed.success) return { file, problems: issuesOf(parsed.error, document, at, schema.settingsSchema(base)) };

  const { mappingOf } = await import('./settingsDeployment.ts');
  const data = parsed.data as Record<string, unknown>;
  const options: Record<string, string> = {};
  for (const key of schema.ANSWER_KEYS)
    if (data[key] !== undefined)
      options[key.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())] = String(data[key]);
  // A path in a file is meant from where the file is.
  if (options.deployment !== undefined) options.deployment = resolve(base, options.deployment);
  const mapping = mappingOf(parsed.data);
  const settings = schema.camelCase(
    Object.fromEntries(schema.SYSTEM_KEYS.flatMap((key) => (data[key] === undefined ? [] : [[key, data[key]]]))),
  );
  return {
    file,
    problems: [],
    options: {
      ...options,
      ...(Object.keys(mapping).length > 0 ? { mapping } : {}),
      ...(Object.keys(settings).length > 0 ? { settings } : {}),
    } as Options,
  };
}
