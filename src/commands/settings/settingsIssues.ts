import { type Document, isMap, isNode, isScalar, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { closest } from '../closest.ts';
import type { Problem } from './configFile.ts';

type Position = (offset: number) => { line: number; column: number };

/** What the schema found, each with the place in the file: an unknown or misplaced key at the key, a wrong value at the value. */
export function issuesOf(error: z.ZodError, document: Document, at: Position, schema: z.ZodType): Problem[] {
  return error.issues
    .flatMap((issue): Problem[] => {
      const path = issue.path.map(String);
      if (issue.code === 'unrecognized_keys')
        return issue.keys.map((key) => ({
          key: [...path, key].join('.'),
          ...at(keyOffset(document, [...path, key])),
          ...unknownKey(key, keysAt(schema, path)),
          code: 'UnknownSetting',
        }));
      const params = 'params' in issue ? (issue.params as { hint?: string; code?: string }) : {};
      const offset = valueOffset(document, path);
      return [
        {
          key: path.join('.'),
          ...at(offset ?? keyOffset(document, path)),
          message: offset === undefined && issue.code !== 'custom' ? 'is missing' : wordsOf(issue),
          ...(params.hint === undefined ? {} : { hint: params.hint }),
          code: params.code ?? 'BadInput',
        },
      ];
    })
    .sort((one, other) => one.line - other.line || one.column - other.column);
}

/** Zod's own messages in this program's words; the file's values are not repeated, as they may be secrets. */
function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input'))
    return issue.expected === 'object' ? 'is no mapping: write lines below it' : `is no ${issue.expected}`;
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const inner = issue.errors.flat().find((one) => one.code === 'custom') ?? issue.errors.flat()[0];
    return inner === undefined ? 'does not fit' : wordsOf(inner);
  }
  return issue.message;
}

function unknownKey(key: string, known: readonly string[]): { message: string; hint: string } {
  const near = closest(key, known);
  return {
    message: `"${key}" is no setting${near === undefined ? '' : `; did you mean "${near}"?`}`,
    hint: `the settings ${known.length > 12 ? '' : 'there '}are: ${known.join(', ')}`,
  };
}

/** The keys that the schema knows below a path, from its own JSON Schema. */
function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  let node: JsonSchema | undefined = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  for (const part of path)
    node = node?.properties?.[part] ?? node?.anyOf?.find((one) => one.properties?.[part])?.properties?.[part];
  return Object.keys(node?.properties ?? node?.anyOf?.find((one) => one.properties)?.properties ?? {});
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
}

/** Where the value at a path begins; undefined when it is not there. */
function valueOffset(document: Document, path: readonly string[]): number | undefined {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  return isNode(node) ? (node.range?.[0] ?? undefined) : undefined;
}

/** Where the key at a path begins; of a key that is not there, the one that it would stand below. */
function keyOffset(document: Document, path: readonly string[]): number {
  const parent = path.length <= 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const found = isMap(parent) ? pairOf(parent, path.at(-1) ?? '') : undefined;
  if (found !== undefined) return found;
  return path.length > 1 ? keyOffset(document, path.slice(0, -1)) : 0;
}

function pairOf(map: YAMLMap, key: string): number | undefined {
  const pair = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  return isScalar(pair?.key) ? (pair.key.range?.[0] ?? undefined) : undefined;
}
