import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { referenceDeployment } from '../../src/ansible/paths.ts';
import { decrypt } from '../../src/ansible/vaultFormat.ts';
import type { Hosts } from '../../src/practice/hosts/types.ts';
import { startPractice } from '../../src/practice/index.ts';
import { cleanEnv, cli, folder, PUBLIC_KEY, type Result } from '../support/cli.ts';

/**
 * A whole walk, unattended, with every program that it starts replaced or wrapped by one that writes down its arguments, its environment and what it was given on
 * standard input. Then every secret there is, is looked for everywhere.
 */
const dir = folder();
const place = join(dir, 'state/team-07');
const calls = join(dir, 'calls');
const PLANTED = {
  OP_SERVICE_ACCOUNT_TOKEN: 'planted-one-password-token',
  GITHUB_TOKEN: 'planted-github-token',
  AWS_SESSION_TOKEN: '',
};

interface Call {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

let result: Result;
let practice: Awaited<ReturnType<typeof startPractice>>;
let awsSecrets: string[];
/** SHA-256 of the session tokens that were given out: more the practice cloud does not keep. */
let tokenHashes: string[];

/** Is one of the session tokens a word of this text? */
const hasToken = (text: string): boolean =>
  (text.match(/[A-Za-z0-9+/=_-]{30,}/g) ?? []).some((word) =>
    tokenHashes.includes(createHash('sha256').update(word).digest('hex')),
  );

/** Writes down how it was called, NUL between the words; then `rest` runs. */
const recorder = (rest: string): string => `#!/bin/sh
call=$(mktemp ${calls}/XXXXXXXX)
{ printf '%s\\0' "\${0##*/}" "$#" "$@"; env -0; } > "$call"
${rest}
`;
/** Ansible, as far as the wizard sees it: every host that it was limited to is done. */
const ANSIBLE = `
[ "$1" != --version ] || { echo 'ansible-playbook [core 2.14.18]'; exit; }
while [ "$1" != --limit ]; do shift; done
good='{"ok": 1, "changed": 0, "unreachable": 0, "failures": 0, "skipped": 0, "rescued": 0, "ignored": 0}'
printf '{"event": "stats", "hosts": {%s}}\\n' "$(echo "$2" | tr , '\\n' | sed "s/.*/\\"&\\": $good/" | paste -sd, -)" >&3
echo PLAY RECAP`;

beforeAll(async () => {
  mkdirSync(calls);
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  const stand = (name: string, rest: string): void => {
    writeFileSync(join(bin, name), recorder(rest));
    chmodSync(join(bin, name), 0o755);
  };
  stand('ansible-playbook', ANSIBLE);
  stand('ssh', 'echo no route >&2; exit 255');
  for (const name of ['ssh-keygen', 'ssh-add', 'docker', 'podman', 'tar']) {
    const real = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
    if (real !== '') stand(name, `exec ${real} "$@"`);
  }
  const console = `-----BEGIN SSH HOST KEY KEYS-----\n${PUBLIC_KEY}\n-----END SSH HOST KEY KEYS-----\n`;
  const hosts: Hosts = {
    sync: () => {},
    settled: async () => {},
    state: () => ({ state: 'running' }),
    consoleOutput: async () => console,
    targetHealth: async () => [],
    reach: () => undefined,
    close: async () => {},
  };
  practice = await startPractice({ dir: join(dir, 'cloud'), speed: Number.POSITIVE_INFINITY, hosts });
  // A copy counts as a team's own: the sample application, which needs real hosts, is left out.
  cpSync(referenceDeployment(), join(dir, 'deployment'), { recursive: true });
  const base = cleanEnv({
    ...PLANTED,
    AWS_ENDPOINT_URL: practice.endpoint,
    AWS_ACCESS_KEY_ID: practice.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: practice.credentials.secretAccessKey,
    AWS_REGION: 'eu-central-1',
  });
  const words = ['--name', 'team-07', '--state-dir', join(dir, 'state'), '--ssh-from', '198.51.100.7/32'];
  const umask = process.umask(0);
  try {
    result = await cli(
      ['start', '--yes', '--json', ...words, '--account', '100000000107', '--deployment', join(dir, 'deployment')],
      {
        env: { ...base, PATH: `${bin}:${base.PATH}` },
        // Without hosts the checks that follow the plays would look for minutes for what is not there.
        started: (child) => void allPlaysDone().then(() => child.kill('SIGINT')),
      },
    );
  } finally {
    process.umask(umask);
  }
  const world = JSON.parse(readFileSync(join(dir, 'cloud/world.json'), 'utf8')) as {
    sessions: Record<string, { tokenHash: string }>;
  };
  awsSecrets = [practice.credentials.secretAccessKey];
  tokenHashes = Object.values(world.sessions).map(({ tokenHash }) => tokenHash);
}, 600_000);
afterAll(() => practice?.close());

async function allPlaysDone(): Promise<void> {
  for (;;) {
    await sleep(300);
    const state = existsSync(join(place, 'state.json')) ? readFileSync(join(place, 'state.json'), 'utf8') : '{}';
    const { plays = {} } = JSON.parse(state) as { plays?: Record<string, { status: string }> };
    if (Object.values(plays).filter(({ status }) => status === 'done').length >= 5) return;
  }
}

const recorded = (): Call[] =>
  readdirSync(calls).map((name) => {
    const [program = '', count = '0', ...words] = readFileSync(join(calls, name), 'utf8').split('\0');
    const env = words.slice(Number(count)).map((word): [string, string] => {
      const at = word.indexOf('=');
      return [word.slice(0, at), word.slice(at + 1)];
    });
    return { program, args: words.slice(0, Number(count)), env: Object.fromEntries(env) };
  });

async function vaultSecrets(): Promise<Record<string, string>> {
  const password = readFileSync(join(place, 'vault-password'), 'utf8').trim();
  const plain = await decrypt(readFileSync(join(place, 'vault.yml'), 'utf8'), password);
  return { ...(parse(plain ?? '') as Record<string, string>), vault_password: password };
}

const filesBelow = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

it('the walk went through: every play ran, every secret of the guide was made', async () => {
  const events = result.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const plays = events.filter((event) => event.type === 'play' && event.status === 'done').map((event) => event.key);
  expect(result.code).toBe(130);
  expect(new Set(plays).size, result.stderr).toBeGreaterThanOrEqual(5);
  expect(Object.keys(await vaultSecrets()).length).toBeGreaterThanOrEqual(8);
  expect(tokenHashes.length).toBeGreaterThanOrEqual(1);
  const programs = new Set(recorded().map(({ program }) => program));
  for (const program of ['ansible-playbook', 'ssh', 'ssh-keygen', 'ssh-add']) expect([...programs]).toContain(program);
});

it('no secret is in the events, in what is printed, in the state, the logs or any other file', async () => {
  const own = ['vault-password', 'id_ed25519'];
  const files = [...filesBelow(join(dir, 'state')), ...filesBelow(join(dir, 'cloud'))].filter(
    (file) => !own.some((name) => file.endsWith(`/${name}`)),
  );
  expect(files.map((file) => file.slice(place.length + 1))).toEqual(
    expect.arrayContaining(['state.json', 'hosts.json']),
  );
  const texts = files.map((file) => [file, readFileSync(file, 'utf8')] as const);
  const secrets = Object.entries(await vaultSecrets());
  for (const [name, secret] of secrets) {
    expect(String(secret).length, name).toBeGreaterThanOrEqual(20);
    for (const [file, text] of texts) expect(text.includes(secret), `${name} in ${file}`).toBe(false);
    expect(result.stdout.includes(secret), `${name} in the events`).toBe(false);
    expect(result.stderr.includes(secret), `${name} in what is printed`).toBe(false);
  }
  for (const [file, text] of texts) expect(hasToken(text), file).toBe(false);
  expect(hasToken(result.stdout + result.stderr)).toBe(false);
  for (const secret of [...awsSecrets, ...Object.values(PLANTED)].filter((text) => text !== '')) {
    for (const [file, text] of texts) expect(text.includes(secret), file).toBe(false);
    expect((result.stdout + result.stderr).includes(secret)).toBe(false);
  }
});

it('no secret is an argument or in the environment of a program', async () => {
  const secrets = [...Object.values(await vaultSecrets()), ...awsSecrets, ...Object.values(PLANTED)].filter(
    (text) => text !== '',
  );
  for (const { program, args, env } of recorded()) {
    const all = JSON.stringify([args, env]);
    for (const secret of secrets) expect(all.includes(secret), program).toBe(false);
    expect(hasToken(all), program).toBe(false);
    expect(
      Object.keys(env).filter((name) => /^(AWS_|OP_|GITHUB_|CLOUDSPACE_(?!EVENTS_FD))/.test(name)),
      program,
    ).toEqual([]);
  }
});

it('all that is written is the owner’s alone, whatever the umask', () => {
  const entries = readdirSync(join(dir, 'state'), { recursive: true, withFileTypes: true });
  const open = entries.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    const { mode } = statSync(path);
    // Keys' public halves are public.
    if ((mode & 0o077) === 0 || path.endsWith('.pub')) return [];
    return [`${(mode & 0o777).toString(8)} ${path.slice(dir.length)}`];
  });
  expect(entries.length).toBeGreaterThan(10);
  expect(open).toEqual([]);
  expect(statSync(dirname(place)).mode & 0o777).toBe(0o700);
});

it('the database’s password went to AWS, which keeps a verifier of it', () => {
  expect(
    execFileSync('grep', ['-c', 'SCRAM-SHA-256', join(dir, 'cloud/world.json')], { encoding: 'utf8' }).trim(),
  ).not.toBe('0');
});
