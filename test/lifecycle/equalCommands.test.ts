import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Aws, connect } from '../../src/aws/clients.ts';
import { startPractice } from '../../src/practice/index.ts';
import type { Practice } from '../../src/practice/types.ts';
import { examples, look, lookUp, type Made, tags, untilReady } from './oneOfEach.ts';

const run = promisify(execFile);
const version = spawnSync('aws', ['--version'], { encoding: 'utf8' }).stdout ?? '';

/** The commands that the walkthrough shows as equal are given to the real `aws` CLI: what they make must be what the kinds would have made. */
describe.skipIf(version === '')('the equal aws command', { timeout: 60_000 }, () => {
  let dir: string;
  let practice: Practice;
  let aws: Aws;
  const made: Made = {};

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cloudspace-equal-'));
    practice = await startPractice({ dir: join(dir, 'practice'), speed: 1000 });
    aws = connect({ region: 'eu-central-1', credentials: practice.credentials, endpointUrl: practice.endpoint });
    await lookUp(aws, made);
  });
  afterAll(async () => {
    aws?.close();
    await practice?.close();
    await rm(dir, { recursive: true });
  });

  it.each(examples(made))('of $kind.type $key makes the same', async ({ kind, key: name, props }) => {
    const [program = '', ...words] = kind
      .cli(props(), { tags: tags(name) })
      .map((word) => (word === '$DATABASE_MASTER' ? 'Correct-Horse-0' : word));
    // the old CLI takes binary values as they are, version 2 as base64
    const key = words.indexOf('--public-key-material') + 1;
    if (key > 0 && version.startsWith('aws-cli/1.')) words[key] = Buffer.from(words[key] ?? '', 'base64').toString();
    await run(program, ['--endpoint-url', practice.endpoint, ...words], {
      env: {
        PATH: process.env.PATH,
        HOME: dir,
        AWS_REGION: 'eu-central-1',
        AWS_DEFAULT_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: practice.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: practice.credentials.secretAccessKey,
        AWS_PAGER: '',
      },
    });
    const ready = await untilReady(aws, kind, name, props());
    made[name] = ready as Made[string];
    expect(kind.drift?.(props(), ready) ?? []).toEqual([]);
    const found = await look(aws, kind, name, props());
    if (!kind.matches) expect(found).toMatchObject({ key: name, chapter: 'vpc' });
  });
});
