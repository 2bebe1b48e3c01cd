import type { Machine, System } from './machine.ts';
import type { Fix, Prerequisite, Wanted } from './prerequisite.ts';

type Verdict = Pick<Prerequisite, 'status'> & Partial<Pick<Prerequisite, 'advisory' | 'found' | 'fix' | 'advice'>>;

interface Check {
  readonly id: string;
  readonly title: string;
  readonly need: string;
  readonly why: string;
  readonly advisory?: boolean;
  wanted(wanted: Wanted, machine: Machine): boolean;
  /** undefined: it turned out not to be needed */
  look(machine: Machine): Promise<Verdict | undefined>;
}

type Packages = Partial<Record<System, readonly string[]>>;

/** Versions as numbers: is `found` at least `least`? */
export function atLeast(found: string, least: string): boolean {
  const [have, want] = [found, least].map((version) => version.split('.').map(Number));
  for (const [index, wanted] of (want ?? []).entries()) {
    const number = have?.[index] ?? 0;
    if (number !== wanted) return number > wanted;
  }
  return true;
}

/** package.json's `engines`: what the dependencies support */
const nodeIsSupported = (version: string): boolean => {
  const major = Number(version.split('.')[0]);
  return (major === 20 && atLeast(version, '20.19')) || (major === 22 && atLeast(version, '22.12')) || major >= 24;
};

const ANSIBLE: Packages = { debian: ['ansible-core'], fedora: ['ansible-core'], macos: ['ansible'] };
const SSH: Packages = { debian: ['openssh-client'], fedora: ['openssh-clients'] };
const DEBOOTSTRAP: Packages = { debian: ['debootstrap'], fedora: ['debootstrap'] };
// Named because apt-get runs without recommended packages; without iptables Docker makes no network.
const DOCKER: Packages = {
  debian: ['docker.io', 'containerd', 'iptables', 'ca-certificates'],
  fedora: ['moby-engine'],
  macos: ['colima', 'docker'],
};

const install = (machine: Machine, packages: Packages, more: Partial<Fix> = {}): Pick<Verdict, 'fix' | 'advice'> => {
  const names = packages[machine.system];
  if (names === undefined)
    return { advice: `Install ${packages.debian?.[0] ?? 'it'} with this system's package manager.` };
  const needsRoot = machine.system !== 'macos';
  if (needsRoot && !machine.root && !machine.sudo)
    return { advice: `Ask somebody with root rights to install ${names.join(' ')}: there is no sudo here.` };
  return {
    fix: {
      description: `install ${names.join(', ')}`,
      packages: names,
      commands: [],
      startEngine: false,
      needsRoot,
      ...more,
    },
  };
};

/** A program with a version: missing, broken (it does not run), old or ok. */
async function program(
  machine: Machine,
  words: readonly [string, ...string[]],
  pattern: RegExp,
  least: string,
  packages: Packages,
): Promise<Verdict> {
  const said = await machine.run(...words);
  if (said === undefined) return { status: 'missing', ...install(machine, packages) };
  const version = pattern.exec(said.text)?.[1];
  if (version === undefined) {
    const line = said.text.trim().split('\n').at(-1) ?? '';
    return {
      status: 'broken',
      found: `\`${words.join(' ')}\` says: ${line}`,
      advice: `Repair or reinstall ${words[0]}.`,
    };
  }
  if (atLeast(version, least)) return { status: 'ok', found: version };
  return { status: 'old', found: version, advice: `Upgrade it to ${least} or newer.` };
}

async function lookAtEngine(machine: Machine): Promise<Verdict> {
  const engine = await machine.engine();
  if (engine.ok) return { status: 'ok', found: `${engine.command} ${engine.version ?? ''}`.trim() };
  const [docker, podman] = await Promise.all([machine.run('docker', '--version'), machine.run('podman', '--version')]);
  if (docker === undefined && podman === undefined) {
    const macos = machine.system === 'macos';
    const more = macos ? { commands: [['colima', 'start']] } : { startEngine: true };
    const verdict: Verdict = { status: 'missing', ...install(machine, DOCKER, more) };
    return macos ? { ...verdict, advice: 'Or install and open Docker Desktop.' } : verdict;
  }
  const found = engine.reason ?? `${engine.command} does not answer`;
  if (docker === undefined) return { status: 'broken', found, advice: 'Start podman, or install Docker.' };
  if (/permission denied/i.test(found)) {
    const advice = 'Then log out and in again: a new group holds from the next login.';
    if (!machine.sudo || machine.user === '') return { status: 'broken', found, advice };
    const fix: Fix = {
      description: `let ${machine.user} use Docker`,
      packages: [],
      commands: [['sudo', 'usermod', '-aG', 'docker', machine.user]],
      startEngine: false,
      needsRoot: true,
    };
    return { status: 'broken', found, fix, advice };
  }
  const stopped = /daemon|cannot connect|connection refused/i.test(found);
  if (!stopped || machine.platform !== 'linux')
    return { status: 'broken', found, ...(stopped ? { advice: 'Open Docker Desktop, or run `colima start`.' } : {}) };
  if (!machine.root && !machine.sudo)
    return { status: 'broken', found, advice: 'Ask somebody with root rights to start Docker.' };
  return {
    status: 'broken',
    found: 'installed, but its daemon does not run',
    fix: {
      description: "start Docker's daemon",
      packages: [],
      commands: [],
      startEngine: true,
      needsRoot: true,
    },
  };
}

/** A Debian without a registry comes from debootstrap; with an image or a registry it is not needed. */
async function lookAtDebootstrap(machine: Machine): Promise<Verdict | undefined> {
  const tool = await machine.run('debootstrap', '--version');
  const version = /([\d.]+\d)/.exec(tool?.text ?? '')?.[1] ?? 'installed';
  if (tool !== undefined && machine.root) return { status: 'ok', found: version };
  const engine = await machine.engine();
  if (engine.ok) {
    const images = await machine.run(engine.command, 'images', '--format', '{{.Repository}}:{{.Tag}}');
    if (/^(localhost\/)?cloudspace-practice:|^(docker\.io\/library\/)?debian:12$/m.test(images?.text ?? ''))
      return undefined;
    const mirrors =
      engine.command === 'docker'
        ? await machine.run('docker', 'info', '--format', '{{json .RegistryConfig.Mirrors}}')
        : undefined;
    if (mirrors?.text.includes('http')) return undefined;
  }
  if (await machine.registryAnswers()) return undefined;
  if (!machine.root)
    return {
      status: 'broken',
      found: tool === undefined ? 'no registry answers' : `${version}, but it works for root only`,
      advice: 'Run this once as root, or let the container engine reach a registry.',
    };
  return { status: 'missing', ...install(machine, DEBOOTSTRAP) };
}

/** For the usual practice with some to spare: five hosts take about 35. */
const INOTIFY_FREE = 64;
const INOTIFY_LIMIT = 1024;
const INOTIFY_FILE = '/etc/sysctl.d/60-cloudspace.conf';

/** Nobody is stopped by it who cannot raise it: a practice that runs already has what it needs. */
async function lookAtInotify(machine: Machine): Promise<Verdict | undefined> {
  const found = await machine.inotify();
  if (!found) return undefined;
  const text = `${Math.max(0, found.limit - found.used)} free of ${found.limit}`;
  if (found.limit - found.used >= INOTIFY_FREE) return { status: 'ok', found: text };
  const setting = `fs.inotify.max_user_instances=${Math.max(INOTIFY_LIMIT, found.limit * 2)}`;
  if (!machine.root && !machine.sudo)
    return { status: 'broken', advisory: true, found: text, advice: `Ask somebody with root rights for ${setting}.` };
  const script = `echo ${setting} > ${INOTIFY_FILE} && sysctl -q -p ${INOTIFY_FILE}`;
  return {
    status: 'broken',
    found: text,
    fix: {
      description: `raise the limit: ${setting}`,
      packages: [],
      commands: [[...(machine.root ? [] : ['sudo']), 'sh', '-c', script]],
      startEngine: false,
      needsRoot: true,
    },
  };
}

/** ssh-add(1): 0 keys are listed, 1 the agent has none, 2 no agent answers */
async function lookAtAgent(machine: Machine): Promise<Verdict> {
  const said = await machine.run('ssh-add', '-l');
  if (said?.code === 0) {
    const keys = said.text.trim().split('\n').length;
    return { status: 'ok', found: keys === 1 ? '1 key' : `${keys} keys` };
  }
  const advice = 'Load one with `ssh-add`, name a file with `--ssh-public-key`, or let the walkthrough make a key.';
  return said?.code === 1
    ? { status: 'missing', found: 'the agent holds no key', advice }
    : { status: 'missing', found: 'no agent answers', advice };
}

const onHosts = ({ hosts, provision }: Wanted): boolean => hosts === 'containers' || provision === 'ansible';

/** Everything that is looked at, in the order in which a person would install it. */
const CHECKS: readonly Check[] = [
  {
    id: 'node',
    title: 'Node.js',
    need: '20.19+, 22.12+ or 24+',
    why: 'runs this program',
    wanted: () => true,
    look: async ({ nodeVersion }) =>
      nodeIsSupported(nodeVersion)
        ? { status: 'ok', found: nodeVersion }
        : { status: 'old', found: nodeVersion, advice: 'Install a supported line from https://nodejs.org.' },
  },
  {
    id: 'ssh',
    title: 'OpenSSH client',
    need: '8 or newer',
    why: 'reaches every host through the bastion',
    wanted: onHosts,
    look: (machine) => program(machine, ['ssh', '-V'], /OpenSSH\w*_(\d+(?:\.\d+)*)/, '8', SSH),
  },
  {
    id: 'ssh-agent',
    title: 'SSH agent',
    need: 'one key',
    why: 'your key opens the hosts without lying on them',
    advisory: true,
    wanted: onHosts,
    look: lookAtAgent,
  },
  {
    id: 'ansible',
    title: 'Ansible',
    need: 'core 2.14 or newer',
    why: 'sets up the hosts over SSH',
    wanted: ({ provision }) => provision === 'ansible',
    look: (machine) => program(machine, ['ansible-playbook', '--version'], /\[core (\d+(?:\.\d+)*)/, '2.14', ANSIBLE),
  },
  {
    id: 'engine',
    title: 'Container engine',
    need: 'Docker or Podman',
    why: 'practice hosts are containers on this machine',
    wanted: ({ hosts }) => hosts === 'containers',
    look: lookAtEngine,
  },
  {
    id: 'debootstrap',
    title: 'debootstrap',
    need: 'any, as root',
    why: "makes the practice hosts' Debian image, because no container registry answers here",
    wanted: ({ hosts }, { platform }) => hosts === 'containers' && platform === 'linux',
    look: lookAtDebootstrap,
  },
  {
    id: 'inotify',
    title: 'inotify instances',
    need: `${INOTIFY_FREE} free`,
    why: 'the hosts in containers share them with this machine; without a free one no further host boots',
    wanted: ({ hosts }, { platform }) => hosts === 'containers' && platform === 'linux',
    look: lookAtInotify,
  },
];

/** Looks at everything that is needed, all at once. Never throws for what it finds. */
export async function prerequisites(wanted: Wanted, machine: Machine): Promise<Prerequisite[]> {
  const looked = await Promise.all(
    CHECKS.filter((check) => check.wanted(wanted, machine)).map(async (check): Promise<Prerequisite[]> => {
      const verdict = await check.look(machine);
      if (verdict === undefined) return [];
      const { id, title, need, why, advisory = false } = check;
      return [{ id, title, need, why, advisory, ...verdict }];
    }),
  );
  return looked.flat();
}

/** Those without which the walkthrough cannot go on. */
export const unmet = (found: readonly Prerequisite[]): Prerequisite[] =>
  found.filter(({ status, advisory }) => status !== 'ok' && !advisory);
