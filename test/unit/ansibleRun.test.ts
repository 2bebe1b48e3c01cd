import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followPlay } from '../../src/ansible/events.ts';
import { writeInventory } from '../../src/ansible/inventory.ts';
import { callbackPlugins, packageRoot, referenceDeployment } from '../../src/ansible/paths.ts';
import { type PlaybookOptions, playError, runPlaybook } from '../../src/ansible/run.ts';
import type { Host } from '../../src/ansible/types.ts';
import { openVault } from '../../src/ansible/vault.ts';
import { ansibleVersion, isAtLeast, MINIMUM_ANSIBLE, sshVersion } from '../../src/ansible/versions.ts';
import type { Event } from '../../src/engine/types.ts';

const hasAnsible = spawnSync('ansible-playbook', ['--version']).status === 0;

describe('package', () => {
  it('brings the deployment and the callback plugin', () => {
    expect(JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).files).toContain('deployment');
    expect(existsSync(join(referenceDeployment(), 'playbooks/site.yml'))).toBe(true);
    expect(readdirSync(callbackPlugins())).toContain('cloudspace_events.py');
  });
});

describe('versions', () => {
  it('are compared number by number', () => {
    expect(isAtLeast('2.14', '2.14')).toBe(true);
    expect(isAtLeast('2.14.18', '2.14')).toBe(true);
    expect(isAtLeast('2.9.27', '2.14')).toBe(false);
    expect(isAtLeast('3', '2.14')).toBe(true);
    expect(isAtLeast('2', '2.14')).toBe(false);
  });

  it.skipIf(!hasAnsible)('are read from the programs', async () => {
    expect(isAtLeast((await ansibleVersion()) as string, MINIMUM_ANSIBLE)).toBe(true);
    expect(await sshVersion()).toMatch(/^\d+\.\d+/);
  });

  it('are undefined for programs that are missing', async () => {
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      expect(await ansibleVersion()).toBeUndefined();
      expect(await sshVersion()).toBeUndefined();
    } finally {
      process.env.PATH = path;
    }
  });
});

describe('events', () => {
  it('count handlers and unforeseen tasks, drop cut lines, forget what a rescue mended', () => {
    const events: Event[] = [];
    const follow = followPlay('bastion', (event) => events.push(event));
    follow.line('{"event":"start","of":2}');
    follow.line('{"event":"task","host":"a","task":"t","status":"started"}');
    follow.line('{"event":"task","host":"a","task":"t","status":"failed","message":"m"}');
    follow.line('{"event":"task","host":"a","task":"h","status":"changed","extra":true}');
    follow.line('{"event":"task","host":"b","task":"u","status":"unreachable"}');
    follow.line('{"event":"task","host":"b","task":"v","status":"ok"}');
    expect(events.map((event) => event.type === 'task' && [event.done, event.of])).toEqual([
      [0, 2],
      [1, 2],
      [2, 3],
      [3, 3],
      [4, 4],
    ]);
    expect(follow.progress().recap).toBeUndefined();
    const clean = { ok: 1, changed: 0, unreachable: 0, failures: 0, skipped: 0, rescued: 1, ignored: 0 };
    follow.line(JSON.stringify({ event: 'stats', hosts: { a: clean, b: { ...clean, unreachable: 1 } } }));
    follow.line('{"event":"task","ho');
    expect(follow.progress().failures).toEqual([{ host: 'b', task: 'u', message: 'no message' }]);
  });
});

/** Runs ansible-playbook as run.ts does, in a group of its own with a socket for the events, and reads all of them or the first only. */
const READER = `
import os, socket, subprocess, sys, time
ours, theirs = socket.socketpair()
subprocess.Popen(["ansible-playbook", *sys.argv[2:]], pass_fds=[theirs.fileno()], start_new_session=True,
    env={**os.environ, "CLOUDSPACE_EVENTS_FD": str(theirs.fileno())}, stdin=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
theirs.close()
while True:
    os.write(1, ours.recv(65536))
    if sys.argv[1] == "once":
        time.sleep(100)
`;

describe.skipIf(!hasAnsible)('runPlaybook (ansible-playbook on this machine, connection local)', () => {
  let dir: string;
  let events: Event[];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'cs run-'));
    mkdirSync(join(dir, 'deployment/playbooks'), { recursive: true });
    events = [];
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const local = (name: string): Host => ({
    name,
    groups: ['runners'],
    instanceId: `i-${name}`,
    privateIp: '127.0.0.1',
    user: 'nobody',
    hostKeys: [],
    vars: { ansible_connection: 'local' },
  });

  async function options(playbook: string, more: Partial<PlaybookOptions> = {}): Promise<PlaybookOptions> {
    writeFileSync(join(dir, 'deployment/playbooks/test.yml'), playbook);
    return {
      key: 'test',
      title: 'test play',
      deployment: join(dir, 'deployment'),
      playbook: 'test.yml',
      inventory: await writeInventory(dir, [local('one'), local('two')], { sshConfig: join(dir, 'ssh_config') }),
      home: join(dir, 'ansible'),
      logFile: join(dir, 'logs/test.log'),
      signal: new AbortController().signal,
      onEvent: (event) => events.push(event),
      ...more,
    };
  }
  const play = (tasks: string): string =>
    `- hosts: runners\n  gather_facts: false\n  tasks:\n${tasks.replace(/^/gm, '    ')}\n`;
  const touch = (path: string): string =>
    `- name: Make a file\n  ansible.builtin.file: {path: "${path}-{{ inventory_hostname }}", state: touch}`;

  it('reports each task on each host with done and of, and changes nothing but what it is told to', async () => {
    const home = join(dir, 'empty home');
    mkdirSync(home);
    const before = process.env.HOME;
    process.env.HOME = home;
    const result = await runPlaybook(
      await options(
        play(
          `${touch(join(dir, 'x'))}\n- name: Say it\n  ansible.builtin.debug: {msg: hi}\n  when: inventory_hostname == 'one'`,
        ),
      ),
    ).finally(() => {
      process.env.HOME = before;
    });
    expect(result).toMatchObject({ ok: true, changed: 2, failures: [], failedHosts: [] });
    expect(result.recap.one).toMatchObject({ ok: 2, changed: 1 });
    expect(events[0]).toMatchObject({ type: 'play', key: 'test', status: 'started' });
    expect(events.at(-1)).toMatchObject({ type: 'play', status: 'done', summary: '2 hosts, 2 changed' });
    const ends = events.flatMap((event) => (event.type === 'task' && event.status !== 'started' ? [event] : []));
    expect(ends.map((event) => event.done)).toEqual([1, 2, 3, 4]);
    expect(ends.every((event) => event.of === 4)).toBe(true);
    expect(ends.map((event) => `${event.host} ${event.task} ${event.status}`).sort()).toEqual([
      'one Make a file changed',
      'one Say it ok',
      'two Make a file changed',
      'two Say it skipped',
    ]);
    expect(statSync(result.logFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(result.logFile, 'utf8')).toContain('PLAY RECAP');
    // Modules of a local connection use the remote side's folder; our side leaves nothing.
    expect(readdirSync(home).filter((name) => name !== '.ansible')).toEqual([]);
    expect(readdirSync(join(dir, 'ansible')).filter((name) => name.startsWith('vars-'))).toEqual([]);
  }, 60_000);

  it('names host, task and message of a failure; a retry is limited to the hosts that failed', async () => {
    const marker = join(dir, 'mended');
    const text = play(
      `- name: Look for the part\n  ansible.builtin.stat: {path: ${marker}}\n  register: part\n` +
        `- name: Use the part\n  ansible.builtin.fail: {msg: the part is missing}\n  when: inventory_hostname == 'two' and not part.stat.exists\n` +
        `- name: Fail in a loop and ignore it\n  ansible.builtin.command: "false"\n  loop: [1]\n  ignore_errors: true\n  changed_when: false`,
    );
    const result = await runPlaybook(await options(text));
    expect(result.ok).toBe(false);
    expect(result.failures).toEqual([{ host: 'two', task: 'Use the part', message: 'the part is missing' }]);
    expect(result.failedHosts).toEqual(['two']);
    expect(playError('test play', result).message).toBe('test play: two failed in "Use the part": the part is missing');
    expect(events.at(-1)).toMatchObject({ type: 'play', status: 'failed' });
    writeFileSync(marker, '');
    const again = await runPlaybook(await options(text, { limit: result.failedHosts }));
    expect(again).toMatchObject({ ok: true, failedHosts: [] });
    expect(Object.keys(again.recap)).toEqual(['two']);
  }, 60_000);

  it('shows what a failing command and a failing loop item said, and nothing of a task with no_log', async () => {
    const result = await runPlaybook(
      await options(
        play(
          `- name: Run\n  ansible.builtin.shell: echo the cause >&2; exit 3\n  when: inventory_hostname == 'one'\n` +
            `- name: Hide\n  ansible.builtin.shell: "echo {{ hidden }}; exit 1"\n  no_log: true\n  loop: [1]`,
        ),
        { extraVars: { hidden: 'hunter2', text: '{{ not_a_template }}' } },
      ),
    );
    expect(result.failures.find((failure) => failure.host === 'one')?.message).toContain('the cause');
    expect(result.failures.find((failure) => failure.host === 'two')).toEqual({
      host: 'two',
      task: 'Hide',
      message: 'the output is hidden, because the task says no_log',
    });
    expect(JSON.stringify(events) + readFileSync(result.logFile, 'utf8')).not.toContain('hunter2');
  }, 60_000);

  it('gives extra variables and the vault to the play, without running templates in them', async () => {
    const vault = openVault({ dir, vaultId: 'development' });
    const secret = await vault.secret('vault_secret');
    const result = await runPlaybook(
      await options(
        play(`- ansible.builtin.assert: {that: [vault_secret | length == 64, "text == '{' ~ '{ 7 * 7 }}'"]}`),
        {
          vault,
          extraVars: { text: '{{ 7 * 7 }}' },
        },
      ),
    );
    expect(result.failures).toEqual([]);
    expect(readFileSync(result.logFile, 'utf8')).not.toContain(secret);
  }, 60_000);

  it('says so when the playbook has no play for a host that is asked for', async () => {
    const text = play('- ansible.builtin.debug: {msg: hi}').replace('hosts: runners', 'hosts: one');
    const result = await runPlaybook(await options(text, { limit: ['one', 'two'] }));
    expect(result).toMatchObject({ ok: false, failedHosts: ['two'] });
    expect(playError('x', result).message).toContain('no play for this host');
  }, 60_000);

  it('gives the words of Ansible for a playbook that cannot be read, and looks for the file itself', async () => {
    await expect(runPlaybook(await options('- hosts: [\n'))).rejects.toMatchObject({
      code: 'PlaybookBroken',
      message: expect.stringMatching(/YAML|yaml/),
    });
    await expect(runPlaybook(await options('', { playbook: 'other.yml' }))).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('no playbook other.yml'),
    });
  }, 60_000);

  it('says which program is missing', async () => {
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      await expect(runPlaybook(await options('[]'))).rejects.toMatchObject({ code: 'ToolMissing' });
    } finally {
      process.env.PATH = path;
    }
  });

  it('names what ssh says about a host that cannot be reached', async () => {
    const sshConfig = join(dir, 'ssh_config');
    writeFileSync(sshConfig, 'Host *\n  HostName 127.0.0.1\n  Port 9\n');
    const all = await options(play('- ansible.builtin.ping:'), { sshConfig });
    await writeInventory(dir, [{ ...local('one'), vars: {} }], { sshConfig });
    const result = await runPlaybook(all);
    expect(result).toMatchObject({ ok: false, failedHosts: ['one'] });
    expect(result.failures[0]?.message).toContain('port 9: Connection refused');
  }, 60_000);

  /** Processes that have this test's folder in their arguments, ours aside. */
  const leftovers = (): string =>
    execFileSync('sh', ['-c', 'ps -eo pid,args | grep -F "$1" | grep -v grep || true', 'sh', `${dir}/deployment`], {
      encoding: 'utf8',
    });
  const slow = play(`- ansible.builtin.debug: {msg: hi}\n- name: Sleep\n  ansible.builtin.command: sleep 60`);

  it('stops all of its processes when interrupted', async () => {
    const abort = new AbortController();
    const started = Date.now();
    const onEvent = (event: Event): void => {
      if (event.type === 'task' && event.task === 'Sleep') setTimeout(() => abort.abort(), 500);
    };
    await expect(runPlaybook(await options(slow, { signal: abort.signal, onEvent }))).rejects.toMatchObject({
      code: 'Interrupted',
      exitCode: 130,
    });
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(leftovers()).toBe('');
  }, 60_000);

  it.each(['everything', 'once'])(
    'ends by itself when the process that reads its events (%s) is killed',
    async (reads) => {
      const { inventory } = await options(slow);
      const script = join(dir, 'reader.py');
      writeFileSync(script, READER);
      const reader = spawn('python3', [script, reads, '-i', inventory, join(dir, 'deployment/playbooks/test.yml')], {
        env: {
          ...process.env,
          LC_ALL: 'C.UTF-8',
          ANSIBLE_HOME: dir,
          ANSIBLE_CALLBACK_PLUGINS: callbackPlugins(),
          PYTHONDONTWRITEBYTECODE: '1',
        },
      });
      await new Promise<void>((resolve) =>
        reader.stdout.on('data', (data) => String(data).includes('"start"') && resolve()),
      );
      await sleep(1000); // the plugin writes about the tasks
      expect(leftovers()).not.toBe('');
      reader.kill('SIGKILL');
      for (let wait = 0; wait < 100 && leftovers() !== ''; wait++) await sleep(200);
      expect(leftovers()).toBe('');
    },
    60_000,
  );
});
