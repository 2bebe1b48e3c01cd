import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv, cli, folder, type Server, serve } from '../support/cli.ts';
import { laptop } from '../support/laptop.ts';

/** The whole walk without hosts, as a person or a script runs it: the built command line against the practice API as a process of its own. */
let server: Server;
const dir = folder();
const { on, answers } = laptop(dir, () => server);
const base = ['--name', 'team-07', '--state-dir', join(dir, 'state')];
const args = [...base, ...answers];
const json = async (words: readonly string[]) => {
  const { code, stdout, stderr } = await on([...words, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};
const state = () => join(dir, 'state', 'team-07', 'state.json');

interface Planned {
  readonly key: string;
  readonly action: string;
}

beforeAll(async () => {
  server = await serve(join(dir, 'server'));
});
afterAll(() => server.close());

describe('the walk, from nothing to nothing', () => {
  it('plans everything as create, and mutates nothing', async () => {
    const plan = await json(['plan', ...args]);
    expect(new Set(plan.resources.map((one: Planned) => one.action))).toEqual(new Set(['create']));
    expect(plan).toMatchObject({ name: 'team-07', region: 'eu-central-1', chapters: expect.any(Array) });
    expect(server.mutations()).toEqual([]);
  });

  it('stops after a chapter', async () => {
    const { code, stderr } = await on(['start', '--yes', '--until', 'vpc', ...args]);
    expect(code, stderr).toBe(0);
    const status = await json(['status', ...base]);
    expect(
      status.chapters.filter((one: { status: string }) => one.status === 'done').map((one: { id: string }) => one.id),
    ).toEqual(['login', 'vpc']);
  });

  it('goes on to the end, in at most 110 requests, with events as NDJSON', async () => {
    const { code, stdout, stderr } = await on(['start', '--yes', '--json', ...args]);
    expect(code, stderr).toBe(0);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(
      events.filter((event) => event.type === 'chapter' && event.status === 'done').map((event) => event.chapter),
    ).toEqual(['login', 'vpc', 'bastion', 'controller', 'runners', 'ingress', 'services']);
    expect(events.every((event) => typeof event.at === 'string')).toBe(true);
    expect(events.at(-1)).toMatchObject({ type: 'summary' });
    expect(server.requests.length).toBeLessThan(200);
  });

  it('plans everything as keep afterwards', async () => {
    const plan = await json(['plan', ...args]);
    expect(plan.resources.filter((one: Planned) => one.action !== 'keep')).toEqual([]);
    expect(plan.extra).toEqual([]);
  });

  it('a second start changes nothing and asks at most 25 questions of the API', async () => {
    const [requests, mutations] = [server.requests.length, server.mutations().length];
    expect((await on(['start', '--yes', ...args])).code).toBe(0);
    expect(server.mutations().length).toBe(mutations);
    expect(server.requests.length - requests).toBeLessThanOrEqual(25);
  });

  it('keeps no secret in what it wrote, and lets nobody else read it', async () => {
    expect(statSync(state()).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'state', 'team-07')).mode & 0o777).toBe(0o700);
    expect(readFileSync(state(), 'utf8')).not.toMatch(/password"|secret_access_key|PRIVATE KEY/i);
    expect(readFileSync(join(dir, 'state', 'team-07', 'vault.yml'), 'utf8')).toMatch(/^\$ANSIBLE_VAULT;1\.[12];AES256/);
  });

  it('status lists what is there', async () => {
    const status = await json(['status', ...base]);
    expect(
      status.resources.every(
        (one: { id: unknown; status: string }) => typeof one.id === 'string' && one.status === 'ready',
      ),
    ).toBe(true);
    expect(status.usdPerHour).toBeGreaterThan(0.1);
  });

  it('finds everything again by tag when the state is lost', async () => {
    const lost = [...args];
    lost[lost.indexOf('--state-dir') + 1] = join(dir, 'elsewhere');
    const mutations = server.mutations().length;
    const { code, stderr } = await on(['start', '--yes', ...lost]);
    expect(code, stderr).toBe(0);
    expect(server.mutations().length).toBe(mutations);
  });

  it('destroys a later part and builds it again', async () => {
    expect((await on(['destroy', '--yes', '--to', 'bastion', ...base])).code).toBe(0);
    const plan = await json(['plan', ...args]);
    const action = (of: string) => plan.resources.find((one: Planned) => one.key === of).action;
    expect([action('vpc'), action('bastion'), action('controller'), action('load-balancer')]).toEqual([
      'keep',
      'keep',
      'create',
      'create',
    ]);
    expect((await on(['start', '--yes', ...args])).code).toBe(0);
  });

  it('destroys everything by tag, on a machine that never saw the state', async () => {
    const { code, stderr } = await on(['destroy', '--yes', '--name', 'team-07', '--state-dir', join(dir, 'nowhere')]);
    expect(code, stderr).toBe(0);
    const plan = await json(['plan', ...args]);
    expect(new Set(plan.resources.map((one: Planned) => one.action))).toEqual(new Set(['create']));
  });
});

describe('killed and started again', () => {
  it.each([1, 4, 9, 16, 25, 33, 41, 50])('after mutation %i', async (n) => {
    const name = `kill-${n}`;
    const words = [...args];
    words[1] = name;
    const before = server.mutations().length;
    const first = await cli(['start', '--yes', ...words], {
      env: cleanEnv(server.env),
      started: (child) => {
        server.onRequest = () => {
          if (server.mutations().length - before >= n) child.kill('SIGKILL');
        };
      },
    });
    server.onRequest = undefined;
    expect(first.code).toBe(null);
    const second = await on(['start', '--yes', ...words]);
    expect(second.code, second.stderr + second.stdout).toBe(0);
    const plan = await json(['plan', ...words]);
    expect(plan.resources.filter((one: Planned) => one.action !== 'keep')).toEqual([]);
    expect(plan.extra).toEqual([]);
    const made = server.mutations().length;
    expect((await on(['start', '--yes', ...words])).code).toBe(0);
    expect(server.mutations().length).toBe(made);
    const gone = await on(['destroy', '--yes', '--name', name, '--state-dir', join(dir, 'state')]);
    expect(gone.code, gone.stderr + gone.stdout).toBe(0);
    // What is built next is provisioned, unless somebody says again that it is not to be.
    const { answers } = JSON.parse(readFileSync(join(dir, 'state', name, 'state.json'), 'utf8'));
    expect(answers).not.toHaveProperty('provision');
    expect(answers).toHaveProperty('publicKey');
  });

  it('killed in the middle of a teardown', async () => {
    const words = [...args];
    words[1] = 'kill-down';
    expect((await on(['start', '--yes', ...words])).code).toBe(0);
    const before = server.mutations().length;
    await cli(['destroy', '--yes', ...words.slice(0, 4)], {
      env: cleanEnv(server.env),
      started: (child) => {
        server.onRequest = () => {
          if (server.mutations().length - before >= 12) child.kill('SIGKILL');
        };
      },
    });
    server.onRequest = undefined;
    const again = await on(['destroy', '--yes', ...words.slice(0, 4)]);
    expect(again.code, again.stderr + again.stdout).toBe(0);
    expect(new Set((await json(['plan', ...words])).resources.map((one: Planned) => one.action))).toEqual(
      new Set(['create']),
    );
  });
});

describe('interrupted', () => {
  it('Ctrl-C is answered, exits 130, and the next start goes on', async () => {
    const words = [...args];
    words[1] = 'stop-01';
    const before = server.mutations().length;
    const first = await cli(['start', '--yes', ...words], {
      env: cleanEnv(server.env),
      started: (child) => {
        server.onRequest = () => {
          if (server.mutations().length - before === 6) child.kill('SIGINT');
        };
      },
    });
    server.onRequest = undefined;
    expect(first.code, first.stderr + first.stdout).toBe(130);
    const second = await on(['start', '--yes', ...words]);
    expect(second.code, second.stderr + second.stdout).toBe(0);
    expect((await on(['destroy', '--yes', ...words.slice(0, 4)])).code).toBe(0);
  });
});
