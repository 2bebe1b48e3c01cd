import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fingerprint } from '../../src/ansible/hostKeys.ts';
import { hasSshd } from '../support/sshd.ts';
import { type Wizard, wizard } from '../support/wizard.ts';

const hasAnsible = spawnSync('ansible-playbook', ['--version']).status === 0;

/** The built wizard, real Ansible and real SSH, under faults. One Cloudspace after the other, each on the world of the one before. */
describe.skipIf(!hasAnsible || !hasSshd)('the wizard, when provisioning goes wrong', { timeout: 600_000 }, () => {
  let it_: Wizard;
  beforeAll(async () => {
    it_ = await wizard();
  });
  afterAll(() => it_.end());

  const start = (options?: Parameters<Wizard['run']>[1]) =>
    it_.run(['start', '--yes', '--until', 'bastion', ...it_.words], options);
  const base = (): readonly string[] => it_.words.slice(0, 4);
  const mark = (name: string): string =>
    `- name: Mark ${name}\n  ansible.builtin.shell: echo x >> ${it_.dir}/${name}\n`;
  const marks = (name: string): string =>
    existsSync(join(it_.dir, name)) ? readFileSync(join(it_.dir, name), 'utf8').replaceAll('\n', '') : '';
  const slow = (): string => `- name: Work\n  ansible.builtin.shell: touch ${it_.dir}/at-work; sleep 600\n`;
  const atWork = async (): Promise<void> => {
    while (!existsSync(join(it_.dir, 'at-work'))) await sleep(50);
    rmSync(join(it_.dir, 'at-work'));
  };
  /** Ansible's processes and ssh's, of this test's folder. */
  const processes = (): string[] =>
    execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(it_.dir) && /ansible|ssh /.test(line) && !/sshd/.test(line));

  it('a playbook that fails half way: host, task, last lines, log and choices are shown', async () => {
    it_.playbook(
      `${mark('before')}- name: Install the gate\n  ansible.builtin.shell: "[ -e ${it_.dir}/mended ] || { echo the hinge is missing >&2; exit 3; }"\n${mark('after')}`,
    );
    const { code, stdout, stderr } = await start();
    const text = (stdout + stderr).replaceAll(/\s+/g, ' ');
    expect(code, text).toBe(1);
    expect(text).toContain('bastion failed in "Install the gate"');
    expect(text).toContain('the hinge is missing');
    expect(text.replaceAll(' ', '')).toContain(join(it_.place, 'logs/play-bastion.log'));
    expect(text).toContain('run the same command again');
    expect(text).toContain('cloudspace ssh bastion');
    expect(marks('after')).toBe('');
  });

  it('the next run does what is missing, and the one after that nothing', async () => {
    execFileSync('touch', [join(it_.dir, 'mended')]);
    const { code, stdout, stderr } = await start();
    expect(code, stdout + stderr).toBe(0);
    expect(marks('after')).toBe('x');
    const before = marks('before');
    expect((await start()).code).toBe(0);
    expect([marks('before'), marks('after')]).toEqual([before, 'x']);
  });

  it('killed in the middle: Ansible and its ssh end by themselves, and the next run finishes the play', async () => {
    it_.playbook(slow() + mark('killed'));
    let child: ChildProcess | undefined;
    const first = start({
      started: (started) => {
        child = started;
      },
    });
    await atWork();
    expect(processes()).not.toEqual([]);
    child?.kill('SIGKILL');
    expect((await first).code).toBe(null);
    // Shared connections outlive their last use by a minute.
    for (let wait = 0; wait < 500 && processes().length > 0; wait++) await sleep(200);
    expect(processes()).toEqual([]);
    it_.playbook(mark('killed'));
    const again = await start();
    expect(again.code, again.stdout + again.stderr).toBe(0);
    expect(marks('killed')).toBe('x');
  });

  it('Ctrl-C in the middle: exit 130, and nothing is left running', async () => {
    it_.playbook(slow());
    const first = start({ started: (child) => void atWork().then(() => child.kill('SIGINT')) });
    const { code, stdout, stderr } = await first;
    expect(code, stdout + stderr).toBe(130);
    expect(processes()).toEqual([]);
    it_.playbook(mark('stopped'));
    expect((await start()).code).toBe(0);
    expect(marks('stopped')).toBe('x');
  });

  it('a host that cannot be reached is named, with the reason of ssh', async () => {
    await it_.server.stop();
    it_.playbook(mark('reached'));
    const { code, stdout, stderr } = await start();
    const text = (stdout + stderr).replaceAll(/\s+/g, ' ');
    expect(code, text).toBe(1);
    expect(text).toMatch(/bastion failed in "Mark reached": cannot be reached over SSH:.*Connection refused/);
    await it_.server.start();
    expect((await start()).code).toBe(0);
  });

  it('a changed host key: the play stops, ssh and check warn, and nothing is trusted by accident', async () => {
    const pinned = it_.server.hostKey();
    await it_.server.stop();
    it_.server.renewHostKey();
    await it_.server.start();
    const came = it_.server.hostKey();
    it_.playbook(mark('changed'));
    for (const words of [
      ['start', '--yes', '--until', 'bastion', ...it_.words],
      ['ssh', ...base(), 'bastion', 'true'],
    ]) {
      const { code, stdout, stderr } = await it_.run(words);
      expect(code).toBe(1);
      expect(stdout + stderr).toContain(`pinned: ${fingerprint(pinned)}`);
      expect(stdout + stderr).toContain(`came: ${fingerprint(came)}`);
      expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toContain('cloudspace hosts trust bastion');
    }
    expect(marks('changed')).toBe('');

    const trust = (...more: string[]) => it_.run(['hosts', 'trust', ...base(), '--yes', ...more, 'bastion']);
    const refused = await trust();
    expect(refused.code).toBe(1);
    expect(refused.stderr + refused.stdout).toContain('nothing vouches');
    const wrong = await trust('--fingerprint', fingerprint(pinned).split(' ')[1] ?? '');
    expect(wrong.code).toBe(2);
    expect((await trust('--fingerprint', 'SHA256:short')).code).toBe(2);
    expect((await it_.run(['ssh', ...base(), 'bastion', 'true'])).code).toBe(1);

    const given = await trust('--fingerprint', fingerprint(came).split(' ')[1] ?? '');
    expect(given.code, given.stderr + given.stdout).toBe(0);
    expect((await it_.run(['ssh', ...base(), 'bastion', 'true'])).code).toBe(0);
    expect((await it_.run(['hosts', ...base()])).stdout).toContain(fingerprint(came));
    expect((await start()).code).toBe(0);
    expect(marks('changed')).toBe('x');
  });

  it('a new key that the console output shows is pinned after a yes', async () => {
    await it_.server.stop();
    it_.server.renewHostKey();
    await it_.server.start();
    it_.console.keys = it_.server.hostKey();
    const trusted = await it_.run(['hosts', 'trust', ...base(), '--yes', 'bastion']);
    expect(trusted.code, trusted.stderr + trusted.stdout).toBe(0);
    expect(trusted.stdout + trusted.stderr).toContain('console output');
    expect((await it_.run(['ssh', ...base(), 'bastion', 'true'])).code).toBe(0);
  });
});
