import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hash, LABEL } from '../../src/practice/hosts/machine.ts';
import { cli, folder, type Result } from '../support/cli.ts';

/**
 * The README's first command, from nothing to nothing: practice with real containers. Installs what this machine lacks (Debian as root), as the
 * command itself does. The numbers of the names keep these networks apart from anything else that practises here.
 */
const dir = folder();
const home = folder();
const NAME = 'e2e-71';
// The daemon's own network settings need the proxy and mirror settings of the machine, but nothing of the person's.
const env = { ...process.env, HOME: home, SSH_AUTH_SOCK: '', AWS_PROFILE: '', FORCE_COLOR: '0' };
const run = (words: readonly string[]) => cli(words, { env, cwd: dir });
const base = ['--name', NAME];

interface Seen {
  readonly type: string;
  readonly status?: string;
  readonly key?: string;
  readonly chapter?: string;
}
const events = ({ stdout }: Result): Seen[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Seen);

/** What this practice has in the engine. Others may practise on this machine at the same time, so only its own things are looked at. */
async function ours(): Promise<{ containers: string[]; networks: string[] }> {
  const label = `label=${LABEL.practice}=${hash(join(dir, '.cloudspace', NAME, 'practice', 'hosts'))}`;
  return {
    containers: await docker('ps', '-aq', '--filter', label),
    networks: await docker('network', 'ls', '-q', '--filter', label),
  };
}

async function docker(...args: string[]): Promise<string[]> {
  return (await execa('docker', args)).stdout.split('\n').filter(Boolean);
}

beforeAll(async () => {
  const doctor = await run(['doctor', '--fix', '--yes']);
  expect(doctor.code, doctor.stdout + doctor.stderr).toBe(0);
}, 600_000);

afterAll(async () => {
  await run(['destroy', '--yes', ...base]);
}, 120_000);

describe('practice with hosts', () => {
  it('killed in the middle, then run again: all chapters are done, every host is provisioned, the sample application answers', async () => {
    const killed = await cli(['practice', '--yes', '--json', ...base], {
      env,
      cwd: dir,
      started: (child) => {
        let text = '';
        child.stdout?.on('data', (chunk) => {
          text += chunk;
          // Ansible is at work on the bastion, others are being made.
          if (text.includes('"type":"task"')) child.kill('SIGKILL');
        });
      },
    });
    expect(killed.code).toBe(null);
    const done = await run(['practice', '--yes', '--json', ...base]);
    expect(done.code, done.stderr).toBe(0);
    const seen = events(done);
    expect(
      seen.filter((event) => event.type === 'chapter' && event.status === 'done').map((event) => event.chapter),
    ).toEqual(['login', 'vpc', 'bastion', 'controller', 'runners', 'ingress', 'services']);
    expect(
      seen
        .filter((event) => event.type === 'play' && event.status === 'done')
        .map((event) => event.key)
        .sort(),
    ).toEqual(['play-bastion', 'play-connect', 'play-controller', 'play-runners', 'play-services']);
    expect(seen.filter((event) => event.type === 'play' && event.status === 'skipped')).toEqual([]);
    const { url } = (seen.at(-1) as { data?: { url?: string } }).data ?? {};
    const { port } = new URL(url ?? 'http://none');
    // By address: a test must not depend on how this machine looks names up.
    const answer = await execa('curl', [
      '-s',
      '--max-time',
      '20',
      '-H',
      `Host: hello.localhost:${port}`,
      `http://127.0.0.1:${port}/`,
    ]);
    expect(answer.stdout).toMatch(/Served by .* on <code>runner-[12]</);
  }, 1_500_000);

  it('ssh reaches a private host through the bastion, and its exit code comes back', async () => {
    expect((await run(['ssh', ...base, 'runner-1', '--', 'hostname'])).stdout.trim()).toBe('runner-1');
    expect((await run(['ssh', ...base, 'controller', '--', 'exit 7'])).code).toBe(7);
    expect((await run(['ssh', ...base, 'nobody'])).code).toBe(2);
  }, 60_000);

  it('psql reaches the database from the controller and is refused from a runner', async () => {
    const good = await run(['ssh', ...base, 'controller', '--', 'psql', 'service=cloudspace', '-Atc', "'select 40+2'"]);
    expect(good.stdout.trim(), good.stderr).toBe('42');
    const refused = await run(['ssh', ...base, 'runner-1', '--', 'psql', 'service=cloudspace', '-Atc', "'select 1'"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/timeout expired/);
  }, 60_000);

  it('plan keeps everything, and a second practice changes nothing', async () => {
    const plan = await run(['plan', '--practice', '--json', ...base]);
    expect(plan.code, plan.stderr).toBe(0);
    expect(JSON.parse(plan.stdout).resources.filter((one: { action: string }) => one.action !== 'keep')).toEqual([]);
    const again = await run(['practice', '--yes', '--json', ...base]);
    expect(again.code, again.stderr).toBe(0);
    const seen = events(again);
    expect(seen.at(-1)).toMatchObject({ type: 'summary', data: { mutations: 0 } });
    expect(new Set(seen.filter((event) => event.type === 'play').map((event) => event.status))).toEqual(
      new Set(['kept']),
    );
  }, 120_000);

  it('the inventory works with Ansible, and a second provisioning of everything reports 0 changed', async () => {
    const state = join(dir, '.cloudspace', NAME);
    const { answers, resources } = JSON.parse(readFileSync(join(state, 'state.json'), 'utf8'));
    const { endpoint, port, masterUsername } = resources.database.out;
    // What the wizard passes (deployment/README.md); the secrets come from the vault.
    const passed = {
      cloudspace_name: NAME,
      cloudspace_region: 'eu-central-1',
      cloudspace_practice: true,
      cloudspace_domain: 'localhost',
      cloudspace_state_dir: state,
      base_authorized_keys: [answers.publicKey],
      cloudspace_database: { host: endpoint, port, name: 'cloudspace', user: masterUsername },
    };
    const words = ['-i', join(state, 'inventory.json'), '--vault-id', `development@${join(state, 'vault-password')}`];
    const site = await execa(
      'ansible-playbook',
      [...words, '-e', `@${join(state, 'vault.yml')}`, '-e', JSON.stringify(passed), 'playbooks/site.yml'],
      { cwd: 'deployment', env: { ...env, LC_ALL: 'C.UTF-8', ANSIBLE_HOME: join(state, 'ansible') }, reject: false },
    );
    const recap = site.stdout
      .slice(site.stdout.indexOf('PLAY RECAP'))
      .split('\n')
      .filter((line) => line.includes('ok='));
    expect(recap, site.stdout.slice(-3000)).toHaveLength(5);
    for (const line of recap) expect(line).toMatch(/changed=0 +unreachable=0 +failed=0/);
  }, 600_000);

  it('no file holds a secret in the clear, and nobody else can read any', async () => {
    const state = join(dir, '.cloudspace', NAME);
    const password = (
      await execa('ssh', ['-F', join(state, 'ssh_config'), 'controller', 'cut -d: -f5- ~/.pgpass'])
    ).stdout.trim();
    expect(password).toMatch(/^[A-Za-z0-9]{64}$/);
    for (const entry of readdirSync(state, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      expect(readFileSync(path, 'utf8').includes(password), path).toBe(false);
      if (!/\.(pub|crt)$/.test(path)) expect(statSync(path).mode & 0o077, path).toBe(0);
    }
  }, 60_000);

  it('destroy leaves the world empty and the engine as it was', async () => {
    const { containers, networks } = await ours();
    // Five hosts, the database, the load balancer, in one network.
    expect([containers.length, networks.length]).toEqual([7, 1]);
    const volumes = await docker('inspect', '--format', '{{range .Mounts}}{{println .Name}}{{end}}', ...containers);
    const down = await run(['destroy', '--yes', ...base]);
    expect(down.code, down.stdout + down.stderr).toBe(0);
    expect(await ours()).toEqual({ containers: [], networks: [] });
    const left = new Set(await docker('volume', 'ls', '-q'));
    expect(volumes.length).toBeGreaterThan(5);
    expect(volumes.filter((volume) => left.has(volume))).toEqual([]);
    const plan = await run(['plan', '--practice', '--json', ...base]);
    expect(new Set(JSON.parse(plan.stdout).resources.map((one: { action: string }) => one.action))).toEqual(
      new Set(['create']),
    );
  }, 120_000);
});
