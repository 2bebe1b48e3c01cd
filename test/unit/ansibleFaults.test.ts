import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeConnections, presentedHostKey, whyUnreachable } from '../../src/ansible/connections.ts';
import { fingerprint, keyChange, keyChangeError } from '../../src/ansible/hostKeys.ts';
import { writeInventory } from '../../src/ansible/inventory.ts';
import { playError } from '../../src/ansible/run.ts';
import { writeSshFiles } from '../../src/ansible/sshConfig.ts';
import type { Host } from '../../src/ansible/types.ts';
import { type PatientOptions, patientPlay } from '../../src/commands/walk/patientPlay.ts';
import type { Event } from '../../src/engine/types.ts';
import { hasSshd, type Sshd, sshd } from '../support/sshd.ts';

const hasAnsible = spawnSync('ansible-playbook', ['--version']).status === 0;

describe.skipIf(!hasAnsible || !hasSshd)('plays over real SSH, to servers on loopback', () => {
  let dir: string;
  let servers: Sshd[];
  let hosts: Host[];
  let files: Awaited<ReturnType<typeof writeSshFiles>>;
  let events: Event[];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'cs-faults-'));
    mkdirSync(join(dir, 'deployment/playbooks'), { recursive: true });
    const first = await sshd();
    servers = [first, await sshd(first.identity)];
    await Promise.all(servers.map((server) => server.start()));
    hosts = servers.map((server, index) => ({
      name: `runner-${index + 1}`,
      groups: ['runners'],
      instanceId: `i-000${index + 1}`,
      privateIp: `10.7.10.${index + 1}`,
      user: server.user,
      hostKeys: [server.hostKey()],
      reach: { host: '127.0.0.1', port: server.port },
    }));
    files = await writeSshFiles(dir, hosts, { name: 'team-07', useAgent: false, identityFile: first.identity });
    events = [];
  });
  afterEach(async () => {
    await closeConnections(files.sshConfig, hosts);
    await Promise.all(servers.map((server) => server.end()));
    rmSync(dir, { recursive: true, force: true });
  });

  const [one, two] = [(): Sshd => servers[0] as Sshd, (): Sshd => servers[1] as Sshd];
  const options = async (tasks: string, more: Partial<PatientOptions> = {}): Promise<PatientOptions> => {
    writeFileSync(
      join(dir, 'deployment/playbooks/test.yml'),
      `- hosts: runners\n  gather_facts: false\n  tasks:\n${tasks.replace(/^/gm, '    ')}\n`,
    );
    return {
      key: 'test',
      title: 'The runners',
      deployment: join(dir, 'deployment'),
      playbook: 'test.yml',
      inventory: await writeInventory(dir, hosts, { sshConfig: files.sshConfig }),
      home: join(dir, 'ansible'),
      logFile: join(dir, 'logs/test.log'),
      signal: new AbortController().signal,
      onEvent: (event) => events.push(event),
      limit: hosts.map(({ name }) => name),
      sshConfig: files.sshConfig,
      hosts,
      pace: 1,
      ...more,
    };
  };
  const mark = (name: string): string =>
    `- name: Mark ${name}\n  ansible.builtin.shell: echo x >> ${dir}/${name}-{{ inventory_hostname }}\n`;
  const marks = (name: string): string =>
    existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8').replaceAll('\n', '') : '';

  it('a host that cannot be reached is named with the reason, and the other one is done', async () => {
    await two().stop();
    const result = await patientPlay(await options(mark('a')));
    expect(result).toMatchObject({ ok: false, failedHosts: ['runner-2'] });
    const error = playError('The runners', result);
    expect(error.message).toMatch(/^The runners: runner-2 failed in "Mark a": cannot be reached over SSH: .*refused/);
    expect(error.hint).toContain(join(dir, 'logs/test.log'));
    expect(error.hint).toContain('cloudspace check');
    expect(marks('a-runner-1')).toBe('x');
  }, 120_000);

  it('a host that goes away in the middle is waited for, and gets the rest; the other one gets nothing twice', async () => {
    const wait = `- name: Work for a while\n  ansible.builtin.shell: "[ -e ${dir}/went ] || [ {{ inventory_hostname }} = runner-1 ] || { touch ${dir}/went; sleep 600; }"\n`;
    const running = patientPlay(await options(mark('a') + wait + mark('b')));
    while (!existsSync(join(dir, 'went'))) await sleep(50);
    await two().stop();
    const waiting = (event: Event): boolean => event.type === 'progress' && event.status === 'started';
    while (!events.some(waiting)) await sleep(50);
    await two().start();
    const result = await running;
    expect(result.failures).toEqual([]);
    expect(Object.keys(result.recap)).toEqual(['runner-2']);
    expect(events.find(waiting)).toMatchObject({ text: expect.stringContaining('runner-2 went away in the middle') });
    expect([marks('b-runner-1'), marks('b-runner-2')]).toEqual(['x', 'x']);
    expect(marks('a-runner-1')).toBe('x');
  }, 120_000);

  it('a host that stays away fails with its name after a bounded wait', async () => {
    const wait = `- name: Work for a while\n  ansible.builtin.shell: "[ {{ inventory_hostname }} = runner-1 ] || { touch ${dir}/went; sleep 600; }"\n`;
    const running = patientPlay(await options(mark('a') + wait, { patience: 2 }));
    while (!existsSync(join(dir, 'went'))) await sleep(50);
    await two().stop();
    const result = await running;
    expect(result).toMatchObject({ ok: false, failedHosts: ['runner-2'] });
    expect(events.filter((event) => event.type === 'progress').at(-1)).toMatchObject({ status: 'failed' });
  }, 120_000);

  it('another host key than the pinned one stops the play, at once and with both fingerprints', async () => {
    const pinned = two().hostKey();
    await two().stop();
    two().renewHostKey();
    await two().start();
    const patient = '- ansible.builtin.wait_for_connection: {timeout: 300, sleep: 1}\n';
    const failure = await patientPlay(await options(patient + mark('a'))).then(
      () => undefined,
      (error: unknown) => error as Error & { code: string; hint: string },
    );
    expect(failure).toMatchObject({ code: 'HostKeyChanged' });
    expect(failure?.message).toContain('the host key of runner-2 (i-0002) is not the one that was pinned');
    expect(failure?.message).toContain(`pinned: ${fingerprint(pinned)}`);
    expect(failure?.message).toContain(`came: ${fingerprint(two().hostKey())}`);
    expect(failure?.message).toContain('attack');
    expect(failure?.hint).toContain('cloudspace hosts trust runner-2');
    expect(marks('a-runner-2')).toBe('');
  }, 120_000);

  it('a key of another type than the pinned one is a changed key too', async () => {
    const stderr =
      'No ED25519 host key is known for i-0002 and you have requested strict checking.\r\nHost key verification failed.';
    expect(keyChange(stderr.replaceAll('\r', ''))).toEqual({ instanceId: 'i-0002', came: 'ED25519 key' });
    const rsa = hosts.map((host) => ({
      ...host,
      hostKeys: [`ssh-rsa ${Buffer.from('\0\0\0\x07ssh-rsaxxxxxxxx').toString('base64')}`],
    }));
    await writeSshFiles(dir, rsa, { name: 'team-07', useAgent: false, identityFile: one().identity });
    const change = keyChange((await whyUnreachable(files.sshConfig, 'runner-2')) ?? '');
    expect(change?.instanceId).toBe('i-0002');
    expect(keyChangeError(change ?? { instanceId: '', came: '' }, hosts).message).toContain('runner-2');
    expect(keyChange('ssh: connect to host 127.0.0.1 port 9: Connection refused')).toBeUndefined();
  }, 120_000);

  it('shows the key a host has now, without logging in', async () => {
    expect(await presentedHostKey(files.sshConfig, 'runner-2')).toBe(two().hostKey());
    two().renewHostKey();
    await two().stop();
    expect(await presentedHostKey(files.sshConfig, 'runner-2')).toBeUndefined();
    await two().start();
    expect(await presentedHostKey(files.sshConfig, 'runner-2')).toBe(two().hostKey());
  }, 120_000);

  it('an interrupted run leaves no process and no shared connection', async () => {
    const abort = new AbortController();
    const running = patientPlay(
      await options(`- ansible.builtin.shell: touch ${dir}/went; sleep 600\n`, { signal: abort.signal }),
    );
    while (!existsSync(join(dir, 'went'))) await sleep(50);
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: 'Interrupted', exitCode: 130 });
    const left = spawnSync('sh', ['-c', 'ps -eo pid,args | grep -F "$1" | grep -v "grep -F"', 'sh', dir], {
      encoding: 'utf8',
    });
    expect(left.stdout.split('\n').filter((line) => line.includes('ansible') || line.includes('ssh '))).toEqual([]);
    expect(spawnSync('ssh', ['-F', files.sshConfig, '-O', 'check', 'runner-1']).status).not.toBe(0);
  }, 120_000);
});

it('a failure is told with its last lines, and the other hosts', () => {
  const recap = { ok: 3, changed: 0, unreachable: 0, failures: 1, skipped: 0, rescued: 0, ignored: 0 };
  const names = Array.from({ length: 9 }, (_, index) => `runner-${index + 1}`);
  const message = Array.from({ length: 40 }, (_, index) => `line ${index + 1}`).join('\n');
  const error = playError('The runners', {
    ok: false,
    changed: 0,
    failures: names.map((host) => ({ host, task: 'Install Docker', message })),
    failedHosts: names,
    recap: Object.fromEntries(names.map((name) => [name, recap])),
    logFile: '/state/logs/runners.log',
  });
  expect(error.message).toContain('runner-1 failed in "Install Docker"');
  expect(error.message).toContain('line 40');
  expect(error.message).not.toContain('line 30\n');
  expect(error.message).toContain('also runner-2, in "Install Docker"');
  expect(error.message).toContain('and 3 more');
  expect(error.hint).toMatch(/\/state\/logs\/runners\.log.*cloudspace ssh runner-1.*same command again/);
});
