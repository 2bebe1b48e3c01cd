import { describe, expect, it } from 'vitest';
import type { Event, Question, Ui } from '../../src/engine/types.ts';
import { atLeast } from '../../src/prerequisites/checks.ts';
import {
  type EngineFacts,
  ensurePrerequisites,
  fix,
  fixCommands,
  type Machine,
  type Prerequisite,
  prerequisites,
  type RunCommand,
  unmet,
  type Wanted,
} from '../../src/prerequisites/index.ts';
import { type Said, systemOf } from '../../src/prerequisites/machine.ts';

const ALL: Wanted = { hosts: 'containers', provision: 'ansible' };
const ok = (text: string): Said => ({ code: 0, text });
const INSTALLED: Record<string, Said> = {
  'ssh -V': ok('OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.17 1 Jul 2025'),
  'ssh-add -l': ok('256 SHA256:abc me (ED25519)\n'),
  'ansible-playbook --version': ok('ansible-playbook [core 2.14.18]\n  config file = None'),
  'docker --version': ok('Docker version 20.10.24+dfsg1, build 297e128'),
  'podman --version': ok('podman version 4.3.1'),
  'docker images --format {{.Repository}}:{{.Tag}}': ok('cloudspace-practice:base-123\n'),
};
const DOCKER: EngineFacts = { ok: true, command: 'docker', version: '20.10.24' };

/** A machine on which the given programs answer; by default a Debian with everything, its user root. */
function machine(
  more: Partial<Omit<Machine, 'run' | 'engine'>> & { says?: Record<string, Said>; engine?: EngineFacts } = {},
): Machine {
  const { says = INSTALLED, engine = DOCKER, ...rest } = more;
  return {
    platform: 'linux',
    system: 'debian',
    root: true,
    user: 'root',
    sudo: true,
    systemd: false,
    nodeVersion: '20.19.0',
    run: async (...words) => says[words.join(' ')],
    engine: async () => engine,
    inotify: async () => undefined,
    registryAnswers: async () => false,
    ...rest,
  };
}
const without = (...programs: string[]): Record<string, Said> =>
  Object.fromEntries(Object.entries(INSTALLED).filter(([words]) => !programs.includes(words.split(' ')[0] ?? '')));
const FRESH = { says: {}, engine: { ok: false, command: 'docker', reason: 'docker is not installed' } } as const;
const statuses = (found: readonly Prerequisite[]) => Object.fromEntries(found.map(({ id, status }) => [id, status]));
const one = async (id: string, on: Machine, wanted = ALL): Promise<Prerequisite | undefined> =>
  (await prerequisites(wanted, on)).find((found) => found.id === id);

it.each([
  ['2.14', '2.14', true],
  ['2.14.18', '2.14', true],
  ['2.9', '2.14', false],
  ['10.0', '8', true],
  ['7.9', '8', false],
  ['8', '8.1', false],
])('%s is at least %s: %s', (found, least, want) => expect(atLeast(found, least)).toBe(want));

it.each([
  ['linux', 'ID=debian\nVERSION_ID="12"', 'debian'],
  ['linux', 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"', 'debian'],
  ['linux', 'ID=fedora', 'fedora'],
  ['linux', 'ID="rocky"\nID_LIKE="rhel centos fedora"', 'fedora'],
  ['linux', 'ID=alpine', 'other'],
  ['linux', '', 'other'],
  ['darwin', '', 'macos'],
] as const)('on %s, %j takes the packages of %s', (platform, osRelease, want) =>
  expect(systemOf(platform, osRelease)).toBe(want),
);

describe('inotify instances, which all hosts share', () => {
  const look = (limit: number, used: number, more: Partial<Pick<Machine, 'root' | 'sudo'>> = {}) =>
    one('inotify', machine({ inotify: async () => ({ limit, used }), ...more }));

  it('are enough for a practice, or are raised for good', async () => {
    expect(await look(128, 40)).toMatchObject({ status: 'ok', found: '88 free of 128' });
    const few = await look(128, 70);
    expect(few).toMatchObject({ status: 'broken', advisory: false, found: '58 free of 128' });
    const script =
      'echo fs.inotify.max_user_instances=1024 > /etc/sysctl.d/60-cloudspace.conf && sysctl -q -p /etc/sysctl.d/60-cloudspace.conf';
    expect(few?.fix?.commands).toEqual([['sh', '-c', script]]);
    expect((await look(128, 70, { root: false }))?.fix?.commands).toEqual([['sudo', 'sh', '-c', script]]);
    expect((await look(1024, 1000))?.fix?.description).toContain('2048');
  });

  it('stop nobody who cannot raise them, and are looked at for hosts in containers only', async () => {
    const found = await look(128, 70, { root: false, sudo: false });
    expect(found).toMatchObject({ status: 'broken', advisory: true });
    expect(unmet(found ? [found] : [])).toEqual([]);
    expect(await one('inotify', machine())).toBeUndefined();
    const none = machine({ inotify: async () => ({ limit: 128, used: 128 }) });
    expect(await one('inotify', none, { hosts: 'none', provision: 'ansible' })).toBeUndefined();
  });
});

describe('what is found', () => {
  it('is all good where everything is', async () => {
    const found = await prerequisites(ALL, machine());
    expect(statuses(found)).toEqual({ node: 'ok', ssh: 'ok', 'ssh-agent': 'ok', ansible: 'ok', engine: 'ok' });
    expect(found.map((each) => each.found)).toEqual(['20.19.0', '9.2', '1 key', '2.14.18', 'docker 20.10.24']);
  });

  it('on a fresh Debian as root: everything is named with its reason and one set of commands', async () => {
    const fresh = machine(FRESH);
    const found = await prerequisites(ALL, fresh);
    expect(statuses(found)).toEqual({
      node: 'ok',
      ssh: 'missing',
      'ssh-agent': 'missing',
      ansible: 'missing',
      engine: 'missing',
      debootstrap: 'missing',
    });
    for (const each of found) expect(each.why).not.toBe('');
    const apt = 'env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120';
    expect(fixCommands(unmet(found), fresh).map((words) => words.join(' '))).toEqual([
      `${apt} update`,
      `${apt} install -y --no-install-recommends openssh-client ansible-core docker.io containerd iptables ca-certificates debootstrap`,
      'dockerd',
    ]);
  });

  it('goes through sudo for others than root, and through systemd where that starts services', async () => {
    const laptop = machine({ ...FRESH, root: false, user: 'ada', systemd: true, registryAnswers: async () => true });
    const commands = fixCommands(unmet(await prerequisites(ALL, laptop)), laptop);
    expect(commands.map((words) => words[0])).toEqual(['sudo', 'sudo', 'sudo']);
    expect(commands.at(-1)).toEqual(['sudo', 'systemctl', 'start', 'docker']);
  });

  it('without root and sudo there is no command, only advice', async () => {
    const found = unmet(await prerequisites(ALL, machine({ ...FRESH, root: false, sudo: false })));
    expect(found.map((each) => [each.id, each.fix])).toEqual([
      ['ssh', undefined],
      ['ansible', undefined],
      ['engine', undefined],
      ['debootstrap', undefined],
    ]);
    expect(found[1]?.advice).toContain('ansible-core');
  });

  it('knows Fedora and macOS', async () => {
    const fedora = machine({
      ...FRESH,
      system: 'fedora',
      root: false,
      systemd: true,
      registryAnswers: async () => true,
    });
    expect(fixCommands(unmet(await prerequisites(ALL, fedora)), fedora)).toEqual([
      ['sudo', 'dnf', 'install', '-y', 'openssh-clients', 'ansible-core', 'moby-engine'],
      ['sudo', 'systemctl', 'start', 'docker'],
    ]);
    const mac = machine({
      ...FRESH,
      platform: 'darwin',
      system: 'macos',
      root: false,
      says: { 'ssh -V': ok('OpenSSH_9.9p1, LibreSSL 3.3.6') },
    });
    const found = unmet(await prerequisites(ALL, mac));
    expect(found.map(({ id }) => id)).toEqual(['ansible', 'engine']);
    expect(fixCommands(found, mac)).toEqual([
      ['brew', 'install', 'ansible', 'colima', 'docker'],
      ['colima', 'start'],
    ]);
    expect(found[1]?.advice).toContain('Docker Desktop');
  });

  it('asks only for what is wanted', async () => {
    const bare = machine(FRESH);
    const ids = async (wanted: Wanted) => (await prerequisites(wanted, bare)).map(({ id }) => id);
    expect(await ids({ hosts: 'none', provision: 'skip' })).toEqual(['node']);
    expect(await ids({ hosts: 'none', provision: 'ansible' })).toEqual(['node', 'ssh', 'ssh-agent', 'ansible']);
    expect(await ids({ hosts: 'containers', provision: 'skip' })).toEqual([
      'node',
      'ssh',
      'ssh-agent',
      'engine',
      'debootstrap',
    ]);
  });

  it.each([
    ['18.20.0', 'old'],
    ['20.18.3', 'old'],
    ['20.20.2', 'ok'],
    ['21.7.0', 'old'],
    ['22.11.0', 'old'],
    ['22.12.0', 'ok'],
    ['23.1.0', 'old'],
    ['24.0.0', 'ok'],
    ['26.1.0', 'ok'],
  ])('Node.js %s is %s', async (nodeVersion, want) =>
    expect((await one('node', machine({ nodeVersion })))?.status).toBe(want),
  );

  it('tells old and broken programs from missing ones', async () => {
    const old = machine({ says: { ...INSTALLED, 'ansible-playbook --version': ok('ansible-playbook [core 2.13.1]') } });
    expect(await one('ansible', old)).toMatchObject({ status: 'old', found: '2.13.1' });
    const said = { code: 1, text: 'Traceback\nModuleNotFoundError: No module named ansible' };
    const broken = machine({ says: { ...INSTALLED, 'ansible-playbook --version': said } });
    expect(await one('ansible', broken)).toMatchObject({
      status: 'broken',
      found: '`ansible-playbook --version` says: ModuleNotFoundError: No module named ansible',
    });
    expect(
      await one('ssh', machine({ says: { ...INSTALLED, 'ssh -V': ok('OpenSSH_for_Windows_8.1p1') } })),
    ).toMatchObject({
      status: 'ok',
      found: '8.1',
    });
  });

  it.each([
    [{ code: 1, text: 'The agent has no identities.' }, 'the agent holds no key'],
    [{ code: 2, text: 'Could not open a connection' }, 'no agent answers'],
  ])('an agent without keys is advice, not a need: %j', async (said, found) => {
    const agent = await one('ssh-agent', machine({ says: { ...INSTALLED, 'ssh-add -l': said } }));
    expect(agent).toMatchObject({ status: 'missing', advisory: true, found });
    expect(unmet(agent ? [agent] : [])).toEqual([]);
  });
});

describe('the container engine', () => {
  const stopped = {
    ok: false,
    command: 'docker',
    reason: 'docker is installed, but its daemon does not run: start it',
  };
  it('that does not run is started', async () => {
    const root = machine({ engine: stopped });
    const engine = await one('engine', root);
    expect(engine).toMatchObject({ status: 'broken', fix: { packages: [], startEngine: true } });
    expect(fixCommands(engine ? [engine] : [], root)).toEqual([['dockerd']]);
    const ada = machine({ engine: stopped, root: false, user: 'ada' });
    expect(fixCommands(engine ? [engine] : [], ada)).toEqual([['sudo', 'service', 'docker', 'start']]);
    expect((await one('engine', machine({ engine: stopped, platform: 'darwin', system: 'macos' })))?.advice).toContain(
      'Docker Desktop',
    );
  });
  it('that refuses the user: the group, and a new login', async () => {
    const reason = 'docker refuses this user (permission denied on its socket)';
    const engine = await one('engine', machine({ engine: { ...stopped, reason }, root: false, user: 'ada' }));
    expect(engine?.fix?.commands).toEqual([['sudo', 'usermod', '-aG', 'docker', 'ada']]);
    expect(engine?.advice).toContain('log out and in');
  });
  it('that is elsewhere is no matter of installing', async () => {
    const reason = 'docker works on another machine (tcp://build:2375)';
    expect(await one('engine', machine({ engine: { ...stopped, reason } }))).toMatchObject({
      status: 'broken',
      found: reason,
    });
    expect((await one('engine', machine({ engine: { ...stopped, reason } })))?.fix).toBeUndefined();
  });
});

describe('debootstrap', () => {
  const images = 'docker images --format {{.Repository}}:{{.Tag}}';
  const mirrors = 'docker info --format {{json .RegistryConfig.Mirrors}}';
  const none = { ...INSTALLED, [images]: ok('nginx:latest\n'), [mirrors]: ok('[]') };
  it.each([
    [
      'an image of the practice',
      { ...none, [images]: ok('x:1\ncloudspace-practice:debian-12-amd64\n') },
      false,
      undefined,
    ],
    ["Debian's image", { ...none, [images]: ok('debian:12\n') }, false, undefined],
    ['a mirror of the registry', { ...none, [mirrors]: ok('["http://mirror:5000/"]') }, false, undefined],
    ['a registry', none, true, undefined],
    ['nothing to start from', none, false, 'missing'],
  ])('with %s', async (_, says, registry, want) => {
    const found = await one('debootstrap', machine({ says, registryAnswers: async () => registry }));
    expect(found?.status).toBe(want);
  });
  it('does not help a user who is not root', async () => {
    const says = { ...none, 'debootstrap --version': ok('debootstrap 1.0.128+nmu2') };
    expect(await one('debootstrap', machine({ says }))).toMatchObject({ status: 'ok', found: '1.0.128' });
    expect(await one('debootstrap', machine({ says, root: false }))).toMatchObject({ status: 'broken' });
  });
  it('is nothing for macOS', async () => {
    expect(await one('debootstrap', machine({ says: none, platform: 'darwin', system: 'macos' }))).toBeUndefined();
  });
});

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
