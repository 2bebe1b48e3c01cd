import { describe, expect, it } from 'vitest';
import { atLeast } from '../../src/prerequisites/checks.ts';
import { fixCommands, type Machine, prerequisites, unmet, type Wanted } from '../../src/prerequisites/index.ts';
import { systemOf } from '../../src/prerequisites/machine.ts';
import { ALL, FRESH, INSTALLED, machine, ok, one, statuses } from '../support/machine.ts';

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
