import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { usageError } from '../engine/types.ts';
import { MAPPING_KEYS, parseMapping } from './deploymentMapping.ts';
import type { Options } from './index.ts';

/** The answers a config file may hold, by the flags' names. Flags that choose what a command does are not among them. */
const KEYS = [
  'name',
  'team',
  'region',
  'profile',
  'account',
  'role-arn',
  'endpoint-url',
  'cidr',
  'runners',
  'ssh-from',
  'ssh-public-key',
  'ami',
  'instance-type',
  'db-class',
  'deployment',
  'provision',
  'hosts',
  'speed',
  'state-dir',
] as const;

/** Reads `cloudspace.yaml` (or `path`). Throws a usage error that names the file and the key; a missing default file is no error. */
export async function readConfigFile(path: string | undefined): Promise<Options> {
  const file = path ?? 'cloudspace.yaml';
  if (path === undefined && !existsSync(file)) return {};
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw usageError(`cannot read the config file "${file}": ${(error as Error).message}`);
  });
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem) throw usageError(`${file} is not YAML: ${problem.message.split('\n')[0]}`);
  const content = (document.toJS() ?? {}) as unknown;
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw usageError(`${file} holds no keys`, 'write lines such as: name: hackathon-07');
  const options: Record<string, string> = {};
  const base = dirname(resolve(file));
  for (const [key, value] of Object.entries(content)) {
    if ((MAPPING_KEYS as readonly string[]).includes(key)) continue;
    if (!(KEYS as readonly string[]).includes(key))
      throw usageError(`${file}: "${key}" is no setting`, `the settings are: ${[...KEYS, ...MAPPING_KEYS].join(', ')}`);
    if (typeof value !== 'string' && typeof value !== 'number')
      throw usageError(`${file}: the value of "${key}" is neither text nor a number`);
    options[key.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())] = String(value);
  }
  // A path in a file is meant from where the file is.
  if (options.deployment !== undefined) options.deployment = resolve(base, options.deployment);
  const mapping = parseMapping(content as Record<string, unknown>, file, base);
  return { ...options, ...(Object.keys(mapping).length > 0 ? { mapping } : {}) } as Options;
}
