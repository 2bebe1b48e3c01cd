import { describe, expect, it } from 'vitest';
import type { Event, Question, Ui } from '../../src/engine/types.ts';
import {
  type EngineFacts,
  ensurePrerequisites,
  fix,
  type Machine,
  type Prerequisite,
  prerequisites,
  type RunCommand,
  unmet,
} from '../../src/prerequisites/index.ts';
import { ALL, DOCKER, FRESH, machine, without } from '../support/machine.ts';

/** Notes events and answers questions as told. */
function recorder(answer = true) {
  const events: Event[] = [];
  const questions: Question[] = [];
  const ui = {
    notify: (event: Event) => void events.push(event),
    ask: async (question: Question) => {
      questions.push(question);
      return answer;
    },
    close: () => {},
  } as Ui;
  return { ui, events, questions };
}

describe('fixing', () => {
  const started: EngineFacts = { ok: true, command: 'docker' };
  it('runs the commands in order, shows what they do, starts the engine last', async () => {
    const fresh = machine(FRESH);
    const ran: string[] = [];
    const run: RunCommand = async (words, { onLine }) => {
      ran.push(words.at(4) === 'update' || words.includes('update') ? 'update' : 'install');
      onLine('Get:1 http://deb.debian.org/debian bookworm InRelease');
      onLine('Setting up docker.io (20.10.24) ...');
      return { exitCode: 0 };
    };
    const { events } = recorder();
    await fix(unmet(await prerequisites(ALL, fresh)), {
      machine: fresh,
      notify: (event) => void events.push(event),
      startDockerd: async () => {
        ran.push('start');
        return started;
      },
      interactive: false,
      run,
    });
    expect(ran).toEqual(['update', 'install', 'start']);
    const progress = events.map((event) =>
      event.type === 'progress' ? `${event.key} ${event.status} ${event.text}` : '',
    );
    expect(progress.slice(0, 4)).toEqual([
      'fix-0 started apt-get update',
      'fix-0 going downloading',
      'fix-0 going setting up docker.io',
      'fix-0 done apt-get update',
    ]);
    expect(progress.at(-1)).toBe('fix-2 done dockerd');
  });

  it("stops at the first failure with the package manager's own words", async () => {
    const fresh = machine(FRESH);
    const run: RunCommand = async (_, { onLine }) => {
      for (const line of ['Err:1 http://x', 'E: Unable to locate package ansible-core', 'noise', '']) onLine(line);
      return { exitCode: 100 };
    };
    const { events } = recorder();
    const context = { machine: fresh, notify: (event: Event) => void events.push(event), interactive: false, run };
    const trouble = fix(unmet(await prerequisites(ALL, fresh)), { ...context, startDockerd: async () => started });
    await expect(trouble).rejects.toMatchObject({
      code: 'FixFailed',
      message: expect.stringMatching(
        /apt-get .*update` failed: Err:1 http:\/\/x\nE: Unable to locate package ansible-core$/,
      ),
    });
    expect(events.at(-1)).toMatchObject({ type: 'progress', status: 'failed' });
  });

  it('asks for rights before it shows progress, and never for a password unattended', async () => {
    const laptop = machine({ ...FRESH, root: false, user: 'ada', systemd: true, registryAnswers: async () => true });
    const ran: string[] = [];
    const run: RunCommand = async (words) => {
      ran.push(words.join(' '));
      return { exitCode: 1 };
    };
    const { events } = recorder();
    const context = {
      machine: laptop,
      notify: (event: Event) => void events.push(event),
      run,
      startDockerd: async () => started,
    };
    const broken = unmet(await prerequisites(ALL, laptop));
    await expect(fix(broken, { ...context, interactive: false })).rejects.toMatchObject({ code: 'FixFailed' });
    await expect(fix(broken, { ...context, interactive: true })).rejects.toMatchObject({ code: 'FixFailed' });
    expect(ran).toEqual(['sudo -n -v', 'sudo -v']);
    expect(events).toEqual([]);
  });

  it('runs real programs and reads their output', async () => {
    const [broken] = unmet(
      await prerequisites({ hosts: 'none', provision: 'ansible' }, machine({ says: without('ssh') })),
    );
    if (broken?.fix === undefined) throw new Error('nothing to fix');
    const real = (commands: string[][]): Prerequisite[] => [
      { ...broken, fix: { description: '', packages: [], commands, startEngine: false, needsRoot: false } },
    ];
    const { events } = recorder();
    const context = {
      machine: machine(),
      notify: (event: Event) => void events.push(event),
      startDockerd: async () => started,
      interactive: false,
    };
    await fix(real([['sh', '-c', 'echo Setting up one; echo Setting up two >&2']]), context);
    expect(events.filter((event) => event.type === 'progress' && event.status === 'going')).toHaveLength(2);
    await expect(fix(real([['sh', '-c', 'echo it is broken >&2; exit 3']]), context)).rejects.toThrow('it is broken');
    await expect(fix(real([['no-such-program-here']]), context)).rejects.toThrow(/no-such-program-here/);
  });
});

describe('ensuring', () => {
  const engines = { detectEngine: async () => DOCKER, startDockerd: async () => ({ ok: true, command: 'docker' }) };
  const run: RunCommand = async () => ({ exitCode: 0 });
  /** each look sees the next machine */
  const looks =
    (...machines: Machine[]) =>
    async () =>
      machines.shift() ?? machine();

  it('is silent when nothing is missing', async () => {
    const { ui, events, questions } = recorder();
    await ensurePrerequisites({ ...ALL, ...engines, interactive: false, look: looks(machine()), run }, ui);
    expect([events, questions]).toEqual([[], []]);
  });

  it('names each missing thing and asks once', async () => {
    const { ui, events, questions } = recorder();
    const found = await ensurePrerequisites(
      { ...ALL, ...engines, interactive: false, look: looks(machine(FRESH)), run },
      ui,
    );
    expect(unmet(found)).toEqual([]);
    expect(questions).toHaveLength(1);
    expect(questions[0]).toMatchObject({ kind: 'confirm', default: true, flag: '--yes' });
    const [first] = events;
    const text = first?.type === 'info' ? first.text : '';
    for (const name of ['OpenSSH client', 'Ansible', 'Container engine', 'debootstrap', 'docker.io'])
      expect(text).toContain(name);
  });

  it('does nothing after a no', async () => {
    const { ui } = recorder(false);
    const never: RunCommand = async () => {
      throw new Error('it was declined');
    };
    const options = { ...ALL, ...engines, interactive: false, look: looks(machine(FRESH)), run: never };
    await expect(ensurePrerequisites(options, ui)).rejects.toMatchObject({ code: 'Declined', exitCode: 1 });
  });

  it('does not ask where no command helps, and tells what to do', async () => {
    const { ui, questions } = recorder();
    const options = { ...ALL, ...engines, interactive: false, look: looks(machine({ nodeVersion: '18.0.0' })), run };
    await expect(ensurePrerequisites(options, ui)).rejects.toMatchObject({
      code: 'MissingPrerequisite',
      message: 'Node.js is old (18.0.0)',
      hint: expect.stringContaining('nodejs.org'),
    });
    expect(questions).toEqual([]);
  });

  it('believes the second look, not the commands', async () => {
    const { ui } = recorder();
    const options = {
      ...ALL,
      ...engines,
      interactive: false,
      look: looks(machine(FRESH), machine({ says: without('ssh') })),
      run,
    };
    await expect(ensurePrerequisites(options, ui)).rejects.toMatchObject({
      code: 'MissingPrerequisite',
      message: 'OpenSSH client is missing',
    });
  });
});
