/** The wire format of AWS JSON 1.1: the operation's name is in the header `X-Amz-Target`, input and output are JSON, times are seconds since 1970. */
import { NormalizedSchema } from '@smithy/core/schema';
import type { SchemaRef } from '@smithy/types';
import { AwsError } from './errors.ts';

/** Decodes a body into the input of an operation. Throws AwsError for what is no JSON object, and for unknown or missing members. */
export function decodeJson(schema: SchemaRef, body: string): Record<string, unknown> {
  let input: unknown;
  try {
    input = JSON.parse(body === '' ? '{}' : body);
  } catch {
    throw new AwsError('SerializationException', 'the body is not JSON');
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new AwsError('SerializationException', 'the body is not a JSON object');
  const members = new Map([...NormalizedSchema.of(schema).structIterator()]);
  const unknown = Object.keys(input).find((name) => !members.has(name));
  if (unknown !== undefined) throw new AwsError('SerializationException', `there is no member ${unknown}`);
  return input as Record<string, unknown>;
}

/** Encodes an operation's output: the members that are there, times as seconds. */
export function encodeJson(output: object): string {
  return JSON.stringify(plain(output));
}

function plain(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
  return value;
}

export function encodeJsonError(error: AwsError): string {
  return JSON.stringify({ __type: error.code, message: error.message });
}
