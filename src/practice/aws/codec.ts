/**
 * The wire format of EC2 Query and AWS Query, driven by the operation schemas that the SDK packages export: a form-encoded
 * request becomes the typed input of the SDK's command, a typed output becomes the XML that the SDK's command reads.
 */
import { NormalizedSchema } from '@smithy/core/schema';
import type { SchemaRef } from '@smithy/types';
import { AwsError } from './errors.ts';

/** How a service differs on the wire. `ec2`: capitalised keys, flat lists, no result element. `json`: AWS JSON instead (jsonCodec.ts). */
export interface Dialect {
  readonly ec2: boolean;
  readonly json?: true;
  readonly xmlns: string;
}

/** One parameter with everything below it: `Filter.1.Name=x` is a leaf three levels deep. */
interface Node {
  value?: string;
  readonly children: Map<string, Node>;
}

/** Decodes form parameters into the input of an operation. Throws AwsError for missing, malformed or (EC2) unknown parameters. */
export function decodeInput(schema: SchemaRef, parameters: URLSearchParams, dialect: Dialect): Record<string, unknown> {
  const root: Node = { children: new Map() };
  for (const [name, value] of parameters) {
    if (name === 'Action' || name === 'Version' || name.startsWith('X-Amz-')) continue;
    let node = root;
    for (const part of name.split('.')) {
      let child = node.children.get(part);
      if (!child) {
        child = { children: new Map() };
        node.children.set(part, child);
      }
      node = child;
    }
    node.value = value;
  }
  const ns = NormalizedSchema.of(schema);
  if (!ns.isStructSchema()) return {};
  return decodeStruct(ns, root, dialect, '');
}

function decodeStruct(ns: NormalizedSchema, node: Node, dialect: Dialect, path: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  const known = new Set<string>();
  const required = requiredMembers(ns);
  for (const [name, member] of ns.structIterator()) {
    const traits = member.getMergedTraits();
    const wire = String(traits.xmlName ?? name);
    const key: string = dialect.ec2
      ? String(traits.ec2QueryName ?? wire.charAt(0).toUpperCase() + wire.slice(1))
      : wire;
    known.add(key);
    const child = node.children.get(key);
    if (child) result[name] = decode(member, child, dialect, path + key);
    else if (required.has(name)) {
      throw new AwsError('MissingParameter', `The request must contain the parameter ${path}${key}`);
    }
  }
  if (dialect.ec2) {
    for (const key of node.children.keys()) {
      if (!known.has(key)) throw new AwsError('UnknownParameter', `The parameter ${path}${key} is not recognized`);
    }
  }
  return result;
}

/** The seventh element of a static structure schema counts the required members, which come first. */
function requiredMembers(ns: NormalizedSchema): Set<string> {
  const schema: unknown = ns.getSchema();
  if (!Array.isArray(schema) || typeof schema[6] !== 'number') return new Set();
  return new Set((schema[4] as string[]).slice(0, schema[6]));
}

function decode(ns: NormalizedSchema, node: Node, dialect: Dialect, path: string): unknown {
  if (ns.isStructSchema()) return decodeStruct(ns, node, dialect, `${path}.`);
  if (ns.isListSchema()) {
    const member = ns.getValueSchema();
    return items(node, ns, member, dialect).map(([index, item]) => decode(member, item, dialect, `${path}.${index}`));
  }
  if (ns.isMapSchema()) {
    const keyName = ns.getKeySchema().getMergedTraits().xmlName ?? 'key';
    const valueName = ns.getValueSchema().getMergedTraits().xmlName ?? 'value';
    const entries = numbered((ns.getMergedTraits().xmlFlattened ? node : node.children.get('entry')) ?? node);
    return Object.fromEntries(
      entries.map(([index, entry]) => {
        const value = entry.children.get(valueName) ?? { value: '', children: new Map() };
        return [
          entry.children.get(keyName)?.value ?? '',
          decode(ns.getValueSchema(), value, dialect, `${path}.${index}`),
        ];
      }),
    );
  }
  return decodeSimple(ns, node.value ?? '', path);
}

/** List elements: `X.1` when flat, else `X.member.1` or `X.Name.1`; `X=` is an empty list. */
function items(node: Node, ns: NormalizedSchema, member: NormalizedSchema, dialect: Dialect): [string, Node][] {
  if (dialect.ec2 || ns.getMergedTraits().xmlFlattened) return numbered(node);
  const wrapped = node.children.get(member.getMergedTraits().xmlName ?? 'member') ?? node.children.get('member');
  return numbered(wrapped ?? node);
}

function numbered(node: Node): [string, Node][] {
  return [...node.children].filter(([key]) => /^\d+$/.test(key)).sort((a, b) => Number(a[0]) - Number(b[0]));
}

function decodeSimple(ns: NormalizedSchema, text: string, path: string): unknown {
  const bad = (expected: string) =>
    new AwsError('InvalidParameterValue', `Invalid value '${text}' for ${path}: expected ${expected}`);
  if (ns.isBooleanSchema()) {
    if (/^true$/i.test(text)) return true;
    if (/^false$/i.test(text)) return false;
    throw bad('true or false');
  }
  if (ns.isNumericSchema()) {
    const number = Number(text);
    if (text.trim() === '' || Number.isNaN(number)) throw bad('a number');
    return number;
  }
  if (ns.isBigIntegerSchema()) return BigInt(text);
  if (ns.isTimestampSchema()) {
    const time = /^\d+(\.\d+)?$/.test(text) ? new Date(Number(text) * 1000) : new Date(text);
    if (Number.isNaN(time.getTime())) throw bad('a time in ISO 8601');
    return time;
  }
  if (ns.isBlobSchema()) return new Uint8Array(Buffer.from(text, 'base64'));
  return text;
}

/** Encodes an operation's output as the whole response document. */
export function encodeOutput(
  operation: string,
  schema: SchemaRef,
  output: object,
  requestId: string,
  dialect: Dialect,
): string {
  const ns = NormalizedSchema.of(schema);
  const body = ns.isStructSchema() ? encodeMembers(ns, output as Record<string, unknown>) : '';
  const inner = dialect.ec2
    ? `<requestId>${requestId}</requestId>${body}`
    : `<${operation}Result>${body}</${operation}Result><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${operation}Response xmlns="${dialect.xmlns}">${inner}</${operation}Response>`;
}

/** Encodes an error in the form the service uses. */
export function encodeError(error: AwsError, requestId: string, dialect: Dialect): string {
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
  const detail = `<Code>${escapeXml(error.code)}</Code><Message>${escapeXml(error.message)}</Message>`;
  if (dialect.ec2) {
    return `${head}<Response><Errors><Error>${detail}</Error></Errors><RequestID>${requestId}</RequestID></Response>`;
  }
  const type = error.status >= 500 ? 'Receiver' : 'Sender';
  return `${head}<ErrorResponse xmlns="${dialect.xmlns}"><Error><Type>${type}</Type>${detail}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
}

function encodeMembers(ns: NormalizedSchema, value: Record<string, unknown>): string {
  let xml = '';
  for (const [name, member] of ns.structIterator()) {
    const item = value[name];
    if (item !== undefined && item !== null) xml += encode(member, item, member.getMemberTraits().xmlName ?? name);
  }
  return xml;
}

function encode(ns: NormalizedSchema, value: unknown, tag: string): string {
  if (ns.isListSchema()) {
    const member = ns.getValueSchema();
    const flat = Boolean(ns.getMergedTraits().xmlFlattened);
    const itemTag = flat ? tag : (member.getMergedTraits().xmlName ?? 'member');
    const content = (value as unknown[]).map((item) => encode(member, item, itemTag)).join('');
    return flat ? content : `<${tag}>${content}</${tag}>`;
  }
  if (ns.isMapSchema()) {
    const keyTag = ns.getKeySchema().getMergedTraits().xmlName ?? 'key';
    const valueTag = ns.getValueSchema().getMergedTraits().xmlName ?? 'value';
    const flat = Boolean(ns.getMergedTraits().xmlFlattened);
    const entryTag = flat ? tag : 'entry';
    const content = Object.entries(value as Record<string, unknown>)
      .map(([key, item]) => {
        const pair = `<${keyTag}>${escapeXml(key)}</${keyTag}>${encode(ns.getValueSchema(), item, valueTag)}`;
        return `<${entryTag}>${pair}</${entryTag}>`;
      })
      .join('');
    return flat ? content : `<${tag}>${content}</${tag}>`;
  }
  if (ns.isStructSchema()) return `<${tag}>${encodeMembers(ns, value as Record<string, unknown>)}</${tag}>`;
  return `<${tag}>${escapeXml(simpleText(value))}</${tag}>`;
}

function simpleText(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return String(value);
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"\r]/g, (c) => `&#x${c.charCodeAt(0).toString(16)};`);
}
