import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepPrivate } from '../../src/commands/session/privacy.ts';
import { newState, openJournal } from '../../src/engine/journal.ts';
import { CloudspaceError, type Event, type Question, type Ui } from '../../src/engine/types.ts';
import { childEnvironment } from '../../src/system/environment.ts';
import { cleanEnv, cli } from '../support/cli.ts';

let root: string;
let dir: string;
let events: Event[];
let asked: Question[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'cs-private-'));
  dir = join(root, 'team-07');
  mkdirSync(dir, { mode: 0o700 });
  await openJournal(dir, newState({ name: 'team-07', account: '1', region: 'eu-central-1', practice: true })).update(
    () => {},
  );
  events = [];
  asked = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const ui = (answer: boolean | Error): Pick<Ui, 'ask' | 'notify'> => ({
  notify: (event) => events.push(event),
  ask: (async (question: Question) => {
    asked.push(question);
    if (answer instanceof Error) throw answer;
    return answer;
  }) as Ui['ask'],
});
const nobody = new CloudspaceError('nobody to ask', { code: 'NoTerminal', exitCode: 2 });
const mode = (path: string): number => statSync(path).mode & 0o777;

describe('a Cloudspace’s folder', () => {
  it('as it is written is fine, and one that is not there too', async () => {
    await keepPrivate(dir, ui(false));
    await keepPrivate(join(root, 'none'), ui(false));
    expect([events, asked]).toEqual([[], []]);
  });

  it.each([
    ['', 0o755, 0o700],
    ['', 0o710, 0o700],
    ['state.json', 0o644, 0o600],
    ['state.json', 0o640, 0o600],
    ['state.json', 0o602, 0o600],
    ['vault.yml', 0o604, 0o600],
    ['vault-password', 0o660, 0o600],
    ['vault-password', 0o755, 0o700],
    ['id_ed25519', 0o644, 0o600],
  ])('%j with mode %o is refused with the command, and closed after a yes', async (name, open, closed) => {
    const path = join(dir, name);
    if (name !== '' && name !== 'state.json') writeFileSync(path, 'x');
    chmodSync(path, open);
    for (const answer of [false, nobody]) {
      await expect(keepPrivate(dir, ui(answer))).rejects.toMatchObject({
        code: 'NotPrivate',
        exitCode: 2,
        message: expect.stringContaining(`0${open.toString(8)}`),
        hint: expect.stringContaining(`chmod ${closed.toString(8)} '${path}'`),
      });
      expect(mode(path)).toBe(open);
    }
    await keepPrivate(dir, ui(true));
    expect(mode(path)).toBe(closed);
    expect(events.at(-1)).toMatchObject({ type: 'warning', text: expect.stringContaining('Others on this machine') });
  });

  it('that is a symbolic link, or holds one, is refused and left alone', async () => {
    const link = join(root, 'link');
    symlinkSync(dir, link);
    await expect(keepPrivate(link, ui(true))).rejects.toMatchObject({
      code: 'NotPrivate',
      message: expect.stringContaining('symbolic link'),
    });
    writeFileSync(join(root, 'elsewhere'), 'x', { mode: 0o644 });
    symlinkSync(join(root, 'elsewhere'), join(dir, 'vault-password'));
    await expect(keepPrivate(dir, ui(true))).rejects.toMatchObject({ code: 'NotPrivate' });
    expect(lstatSync(join(root, 'elsewhere')).mode & 0o777).toBe(0o644);
    expect(asked).toEqual([]);
  });

  it.skipIf(process.getuid?.() !== 0)('of another user is refused', async () => {
    chownSync(join(dir, 'state.json'), 12_345, 12_345);
    await expect(keepPrivate(dir, ui(true))).rejects.toMatchObject({
      code: 'NotPrivate',
      message: expect.stringContaining('uid 12345'),
      hint: expect.stringContaining('chown'),
    });
  });

  it('is refused by the command line, which says how to close it; --yes closes it', async () => {
    chmodSync(join(dir, 'state.json'), 0o644);
    const words = ['--name', 'team-07', '--state-dir', root];
    const refused = await cli(['status', ...words], { env: cleanEnv() });
    expect(refused.code).toBe(2);
    expect((refused.stdout + refused.stderr).replaceAll(/\s+/g, ' ')).toContain('chmod 600');
    const mended = await cli(['destroy', '--yes', '--dry-run', '--practice', '--hosts', 'none', ...words], {
      env: cleanEnv(),
    });
    expect(mode(join(dir, 'state.json')), mended.stderr + mended.stdout).toBe(0o600);
    expect((await cli(['status', ...words], { env: cleanEnv() })).code).toBe(0);
  });
});

it('programs get what they need of the environment, and no keys', () => {
  const secrets = [
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'OP_SERVICE_ACCOUNT_TOKEN',
    'DNSIMPLE_TOKEN',
    'GITHUB_TOKEN',
    'HOMEBREW_GITHUB_API_TOKEN',
    'NPM_TOKEN',
    'NODE_OPTIONS',
    'LD_PRELOAD',
    'ANSIBLE_CONFIG',
    'PGPASSWORD',
  ];
  const needed = [
    'PATH',
    'HOME',
    'SSH_AUTH_SOCK',
    'LC_ALL',
    'TERM',
    'https_proxy',
    'DOCKER_HOST',
    'XDG_RUNTIME_DIR',
    'VIRTUAL_ENV',
  ];
  const all = Object.fromEntries([...secrets, ...needed].map((name) => [name, 'x']));
  expect(Object.keys(childEnvironment({ MORE: '1' }, all)).sort()).toEqual([...needed, 'MORE'].sort());
});

it('every part that starts a program decides what it gets of the environment', () => {
  const root = new URL('../../src', import.meta.url).pathname;
  const starting = readdirSync(root, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts') && !name.startsWith('services-api/'))
    .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }))
    .filter(({ text }) => /\b(?:execa|spawn|execFile)\(/.test(text));
  expect(starting.length).toBeGreaterThan(8);
  const without = starting.filter(
    ({ text }) => !/\b(?:childEnvironment|ansibleEnvironment)\(|\bextendEnv: false\b/.test(text),
  );
  // A program of the person's that prints a password is written for the person's own shell.
  expect(without.map(({ name }) => name)).toEqual(['ansible/vault.ts']);
});
