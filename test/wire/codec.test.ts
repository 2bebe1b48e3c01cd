import * as ec2 from '@aws-sdk/client-ec2';
import * as elb from '@aws-sdk/client-elastic-load-balancing-v2';
import * as rds from '@aws-sdk/client-rds';
import * as sts from '@aws-sdk/client-sts';
import { NormalizedSchema } from '@smithy/core/schema';
import { describe, expect, it } from 'vitest';
import { type Dialect, decodeInput, encodeOutput } from '../../src/practice/aws/codec.ts';

/**
 * Every operation of every service, there and back: a sample input goes through the SDK's own serializer and our decoder; a sample
 * output goes through our encoder and the SDK's own deserializer.
 */
type SampleClient = { send(command: object): Promise<Record<string, unknown>> };
type CommandClass = new (input: object) => { schema: readonly unknown[] };

/** A value for a schema. A structure inside itself is left out, as is what repeats it. */
function sample(ns: NormalizedSchema, member = '', above: readonly string[] = []): unknown {
  if (ns.isStructSchema()) {
    const name = ns.getName(true) ?? '';
    const members = [...ns.structIterator()].filter(([, one]) => !above.includes(structureIn(one)));
    const used = ns.isUnionSchema() ? members.slice(0, 1) : members;
    return Object.fromEntries(used.map(([key, one]) => [key, sample(one, key, [...above, name])]));
  }
  if (ns.isListSchema()) {
    return (above.length < 3 ? [1, 2] : [1]).map(() => sample(ns.getValueSchema(), member, above));
  }
  if (ns.isMapSchema()) return { 'a key & more': sample(ns.getValueSchema(), member, above) };
  if (ns.isBooleanSchema()) return true;
  if (ns.isNumericSchema()) return 42;
  if (ns.isTimestampSchema()) return new Date('2026-11-04T05:06:07Z');
  if (ns.isBlobSchema()) return new Uint8Array([0, 1, 254, 255]);
  // The SDK builds a URL with the region of some requests.
  if (ns.isStringSchema()) return member.endsWith('Region') ? 'eu-west-1' : ' <text> & "quotes" – ümläut\nline ';
  throw new Error(`no sample for ${ns.getName(true)}`);
}

function structureIn(ns: NormalizedSchema): string {
  if (ns.isListSchema() || ns.isMapSchema()) return structureIn(ns.getValueSchema());
  return ns.getName(true) ?? '';
}

const EC2: Dialect = { ec2: true, xmlns: 'http://ec2.amazonaws.com/doc/2016-11-15/' };
const QUERY: Dialect = { ec2: false, xmlns: 'http://example.test/' };

const SERVICES = [
  { name: 'ec2', exports: ec2, dialect: EC2, make: ec2.EC2Client, atLeast: 700 },
  { name: 'elbv2', exports: elb, dialect: QUERY, make: elb.ElasticLoadBalancingV2Client, atLeast: 45 },
  { name: 'rds', exports: rds, dialect: QUERY, make: rds.RDSClient, atLeast: 150 },
  { name: 'sts', exports: sts, dialect: QUERY, make: sts.STSClient, atLeast: 8 },
] as const;

describe.each(SERVICES)('the codec of $name', ({ exports, dialect, make, atLeast }) => {
  it('carries every operation there and back', { timeout: 60_000 }, async () => {
    let decoded: Record<string, unknown> = {};
    let output: object = {};
    let operation: readonly unknown[] = [];
    const client = new make({
      region: 'eu-central-1',
      endpoint: 'http://localhost:1',
      credentials: { accessKeyId: 'AKIAPRACTICE00000000', secretAccessKey: 'none' },
      requestHandler: {
        handle: async (request: { body: string }) => {
          decoded = decodeInput(operation[4] as never, new URLSearchParams(request.body), dialect);
          const text = encodeOutput(String(operation[2]), operation[5] as never, output, 'request-id', dialect);
          return { response: { statusCode: 200, headers: {}, body: new TextEncoder().encode(text) } };
        },
      },
    } as never) as unknown as SampleClient;
    const classes = Object.entries(exports as Record<string, unknown>).filter(([name]) => name.endsWith('Command'));
    let count = 0;
    for (const [name, value] of classes) {
      const Class = value as CommandClass;
      operation = new Class({}).schema;
      if (!Array.isArray(operation)) continue;
      const inputSchema = NormalizedSchema.of(operation[4] as never);
      const outputSchema = NormalizedSchema.of(operation[5] as never);
      const input = inputSchema.isStructSchema() ? (sample(inputSchema) as Record<string, unknown>) : {};
      output = outputSchema.isStructSchema() ? (sample(outputSchema) as object) : {};
      const { $metadata: _, ...answer } = await client.send(new Class(input));
      expect(decoded, `${name} input`).toEqual(input);
      expect(answer, `${name} output`).toEqual(output);
      count += 1;
    }
    expect(count).toBeGreaterThan(atLeast);
  });

  it('tells an empty list from none', () => {
    const shape = [3, 'test', 'Shape', 0, ['Names'], [64 | 0]];
    const decode = (text: string) => decodeInput(shape as never, new URLSearchParams(text), QUERY);
    expect(decode('Names=')).toEqual({ Names: [] });
    expect(decode('Names.member.1=a&Names.member.10=c&Names.member.2=b')).toEqual({ Names: ['a', 'b', 'c'] });
    expect(decode('')).toEqual({});
  });
});
