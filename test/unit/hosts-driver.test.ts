import { expect, test } from 'vitest';
import { driver, type Wanted } from '../../src/practice/hosts/driver.ts';
import { EngineError, type Run } from '../../src/practice/hosts/engine.ts';
import { ImageError } from '../../src/practice/hosts/image.ts';
import { inotifyHint } from '../../src/practice/hosts/inotify.ts';
import { instanceMachine } from '../../src/practice/hosts/instance.ts';
import { inParallel, latest } from '../../src/practice/hosts/latest.ts';
import type { Ports } from '../../src/practice/hosts/ports.ts';

interface FakeContainer {
  id: string;
  labels: Record<string, string>;
  status: string;
  startedAt: string;
  ports: Record<string, { HostPort: string }[]>;
  files: number;
  applied: number;
}

/** An engine in memory that understands the words the driver uses, and nothing else: an unknown word is an error. */
function fakeEngine() {
  const containers = new Map<string, FakeContainer>();
  const networks = new Set<string>();
  const calls: string[] = [];
  let count = 0;
  const values = (args: readonly string[], flag: string) => args.filter((_, i) => args[i - 1] === flag);
  const find = (id: string | undefined) => {
    const found = containers.get((id ?? '').replace(/:\/$/, ''));
    if (!found) throw new EngineError(`no such container ${id}`, '', 1);
    return found;
  };
  const run: Run = async (args) => {
    calls.push(args.slice(0, 2).join(' '));
    const last = args.at(-1);
    switch (args[0]) {
      case 'ps':
        return [...containers.keys()].join('\n');
      case 'inspect':
        return JSON.stringify(
          args.slice(3).map((id) => {
            const { labels, status, startedAt, ports } = find(id);
            const State = { Status: status, StartedAt: startedAt };
            return { Id: id, Config: { Labels: labels }, State, HostConfig: { PortBindings: ports } };
          }),
        );
      case 'network':
        if (args[1] === 'ls') return [...networks].join('\n');
        if (args[1] === 'create') networks.add(last ?? '');
        else if (args[1] === 'rm') networks.delete(last ?? '');
        else throw new Error(`unknown: ${args.join(' ')}`);
        return '';
      case 'create': {
        const network = values(args, '--network')[0] ?? '';
        if (!networks.has(network)) throw new EngineError(`network ${network} not found`, '', 1);
        const id = `c${++count}`;
        const labels = Object.fromEntries(values(args, '--label').map((label) => label.split(/=(.*)/s).slice(0, 2)));
        const ports = Object.fromEntries(
          values(args, '-p').map((port) => [`${port.split(':')[2]}/tcp`, [{ HostPort: port.split(':')[1] ?? '' }]]),
        );
        containers.set(id, { id, labels, status: 'created', startedAt: '', ports, files: 0, applied: 0 });
        return id;
      }
      case 'cp':
        find(last).files += 1;
        return '';
      case 'start':
        if (find(last).files === 0) throw new Error('started without its firewall');
        Object.assign(find(last), { status: 'running', startedAt: `t${++count}` });
        return '';
      case 'exec':
        if (find(args[2]).status !== 'running') throw new EngineError('not running', '', 1);
        find(args[2]).applied += 1;
        return 'ssh-ed25519 AAAA';
      case 'stop':
        find(last).status = 'exited';
        return '';
      case 'rm':
        containers.delete(last ?? '');
        return '';
      default:
        throw new Error(`unknown: ${args.join(' ')}`);
    }
  };
  const world = () => ({
    networks: [...networks].sort(),
    hosts: [...containers.values()].map(({ labels, status }) => `${labels['cloudspace.id']} ${status}`).sort(),
  });
  return { run, calls, containers, world };
}

function memoryPorts(): Ports {
  const book: Record<string, Record<string, number>> = {};
  let next = 20_000;
  return {
    of: (id) => book[id] ?? {},
    async allocate(id, ports) {
      book[id] ??= Object.fromEntries(ports.map((port) => [port, next++]));
      return book[id];
    },
    async adopt(id, published) {
      book[id] = { ...published };
    },
    async forget(ids) {
      for (const id of ids) delete book[id];
    },
    get ids() {
      return Object.keys(book);
    },
  };
}

const image = async () => 'image:1';
function drive(
  run: Run,
  getImage: () => Promise<string> = image,
  failures: string[] = [],
  hint: () => Promise<string> = async () => '',
) {
  return driver({
    engine: { command: 'docker', ok: true },
    run,
    practice: 'p'.repeat(16),
    ports: memoryPorts(),
    images: { get: getImage, close: async () => {} },
    onProgress: ({ text }) => failures.push(text),
    hint,
  });
}

function wanted(names: readonly string[], change: { state?: 'running' | 'stopped'; sources?: string[] } = {}): Wanted {
  const machines = names.map((name, index) =>
    instanceMachine(
      {
        id: `i-${name}`,
        vpcId: 'vpc-1',
        name,
        privateIp: `10.7.1.${10 + index}`,
        public: true,
        state: change.state ?? 'running',
        publicKey: 'ssh-ed25519 AAAA',
        ingress: [{ protocol: 'tcp', fromPort: 22, toPort: 22, sources: change.sources ?? ['0.0.0.0/0'] }],
      },
      '10.7.0.1',
    ),
  );
  return { networks: [{ vpcId: 'vpc-1', cidr: '10.7.0.0/16' }], machines, broken: new Map() };
}
const nothing: Wanted = { networks: [], machines: [], broken: new Map() };
const never = () => new AbortController().signal;

test('a further pass over the same state reads and does nothing, in three commands however many hosts there are', async () => {
  const engine = fakeEngine();
  const one = drive(engine.run);
  await one.reconcile(wanted(['a', 'b', 'c', 'd', 'e', 'f']), never());
  expect(one.states.get('i-f')).toEqual({ state: 'running' });
  for (let round = 0; round < 2; round++) {
    engine.calls.length = 0;
    await one.reconcile(wanted(['a', 'b', 'c', 'd', 'e', 'f']), never());
    expect(engine.calls.toSorted()).toEqual(['inspect --type', 'network ls', 'ps -aq']);
  }
});

test('a changed rule is applied in one command to the hosts it concerns; a host that was started anew gets it again', async () => {
  const engine = fakeEngine();
  const one = drive(engine.run);
  await one.reconcile(wanted(['a', 'b']), never());
  await one.reconcile(wanted(['a', 'b']), never());
  engine.calls.length = 0;
  const [changed] = wanted(['a'], { sources: ['192.0.2.1/32'] }).machines;
  const [, same] = wanted(['a', 'b']).machines;
  if (!changed || !same) throw new Error('no machines');
  await one.reconcile({ ...nothing, networks: wanted([]).networks, machines: [changed, same] }, never());
  expect(engine.calls.filter((call) => call.startsWith('exec'))).toEqual(['exec -i']);
  const restarted = [...engine.containers.values()].find(({ labels }) => labels['cloudspace.id'] === 'i-b');
  if (!restarted) throw new Error('no container');
  // What `reboot` inside the host does, or the engine's own restart.
  restarted.startedAt = 'later';
  await one.reconcile({ ...nothing, networks: wanted([]).networks, machines: [changed, same] }, never());
  expect(restarted.applied).toBe(2);
});

test('stop, start and terminate; nothing is left', async () => {
  const engine = fakeEngine();
  const one = drive(engine.run);
  await one.reconcile(wanted(['a', 'b']), never());
  await one.reconcile(wanted(['a', 'b'], { state: 'stopped' }), never());
  expect(one.states.get('i-a')).toEqual({ state: 'stopped' });
  expect(engine.world().hosts).toEqual(['i-a exited', 'i-b exited']);
  await one.reconcile(wanted(['a', 'b']), never());
  expect(engine.world().hosts).toEqual(['i-a running', 'i-b running']);
  expect(engine.calls.filter((call) => call.startsWith('create')).length).toBe(2);
  await one.reconcile(wanted(['b']), never());
  expect(one.states.has('i-a')).toBe(false);
  await one.reconcile(nothing, never());
  expect(engine.world()).toEqual({ networks: [], hosts: [] });
});

test('killed before or after any command, on the way up and down: the next driver ends where an undisturbed one does', async () => {
  const clean = fakeEngine();
  await drive(clean.run).reconcile(wanted(['a', 'b']), never());
  const up = clean.calls.length;
  const there = clean.world();
  for (let n = 1; n <= up + 6; n++) {
    for (const effect of [false, true]) {
      const engine = fakeEngine();
      const aborted = new AbortController();
      let calls = 0;
      const dying: Run = async (args, options) => {
        calls += 1;
        if (calls > n || (calls === n && !effect)) {
          aborted.abort();
          throw new Error('killed');
        }
        return engine.run(args, options);
      };
      const victim = drive(dying);
      await victim.reconcile(wanted(['a', 'b']), aborted.signal);
      await victim.reconcile(nothing, aborted.signal);
      const next = drive(engine.run);
      await next.reconcile(wanted(['a', 'b']), never());
      expect(engine.world(), `killed at ${n}`).toEqual(there);
      expect([...engine.containers.values()].every(({ applied }) => applied > 0)).toBe(true);
      await next.reconcile(nothing, never());
      expect(engine.world()).toEqual({ networks: [], hosts: [] });
    }
  }
});

test('a passing failure is tried again; a lasting one is recorded with its reason and does not stop the others', async () => {
  const engine = fakeEngine();
  let refusals = 1;
  const flaky: Run = async (args, options) => {
    if (args[0] === 'start' && refusals-- > 0) throw new EngineError('docker start failed: busy', 'busy', 1);
    return engine.run(args, options);
  };
  const one = drive(flaky);
  await one.reconcile(wanted(['a']), never());
  expect(one.states.get('i-a')).toEqual({ state: 'running' });
  expect(engine.world().hosts).toEqual(['i-a running']);

  const broken: Run = async (args, options) => {
    if (args[0] === 'create' && args.includes('ip-10-7-1-10'))
      throw new EngineError('docker create failed: no', 'no', 1);
    return engine.run(args, options);
  };
  const failures: string[] = [];
  const two = drive(broken, image, failures);
  await two.reconcile(nothing, never());
  await two.reconcile(wanted(['x', 'y']), never());
  expect(two.states.get('i-x')).toEqual({ state: 'failed', reason: 'docker create failed: no' });
  expect(two.states.get('i-y')).toEqual({ state: 'running' });
  expect(failures).toEqual(['x: docker create failed: no']);
});

test('ports that another program took are replaced as long as nothing has run in the container', async () => {
  const engine = fakeEngine();
  let first = true;
  const taken: Run = async (args, options) => {
    if (args[0] === 'start' && first) {
      first = false;
      throw new EngineError('docker start failed: bind: address already in use', '', 125);
    }
    return engine.run(args, options);
  };
  const one = drive(taken);
  await one.reconcile(wanted(['a']), never());
  expect(one.states.get('i-a')).toEqual({ state: 'running' });
  expect([...engine.containers.values()].map(({ ports }) => ports['22/tcp'])).toEqual([[{ HostPort: '20004' }]]);
});

test('an image that cannot be built fails the host at once; a newer state does not wait for an image', async () => {
  const engine = fakeEngine();
  let builds = 0;
  const one = drive(engine.run, async () => {
    builds += 1;
    throw new ImageError('no Debian 12 to start from');
  });
  await one.reconcile(wanted(['a']), never());
  expect(one.states.get('i-a')).toEqual({ state: 'failed', reason: 'no Debian 12 to start from' });
  expect(builds).toBe(1);

  const waiting = drive(engine.run, () => new Promise(() => {}));
  const work = latest<Wanted>((value, superseded) => waiting.reconcile(value, superseded));
  work.set(wanted(['a']));
  await new Promise((resolve) => setTimeout(resolve, 20));
  work.set(nothing);
  await work.idle();
  expect(engine.world()).toEqual({ networks: [], hosts: [] });
});

test('a host that cannot be described keeps what it has', async () => {
  const engine = fakeEngine();
  const one = drive(engine.run);
  await one.reconcile(wanted(['a']), never());
  await one.reconcile({ ...wanted([]), broken: new Map([['i-a', '"x" is no IPv4 range']]) }, never());
  expect(engine.world().hosts).toEqual(['i-a running']);
  expect(one.states.get('i-a')).toEqual({ state: 'failed', reason: '"x" is no IPv4 range' });
});

test('only the newest value is worked on, one at a time', async () => {
  const seen: number[] = [];
  let under = 0;
  const work = latest<number>(async (value) => {
    expect(++under).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.push(value);
    under -= 1;
  });
  for (const value of [1, 2, 3, 4]) work.set(value);
  await work.idle();
  expect(seen).toEqual([1, 4]);
  await work.close();
  work.set(5);
  await work.idle();
  expect(seen).toEqual([1, 4]);
});

test('parallel work is bounded and goes on past an error', async () => {
  let now = 0;
  let most = 0;
  const done: number[] = [];
  const all = inParallel(3, [1, 2, 3, 4, 5, 6, 7], async (n) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 2));
    now -= 1;
    if (n === 2) throw new Error('two');
    done.push(n);
  });
  await expect(all).rejects.toThrow('two');
  expect(most).toBe(3);
  expect(done.length).toBe(6);
});

test('a host that cannot boot because inotify instances are used up says so', async () => {
  expect(await inotifyHint(async () => ({ limit: 128, used: 90 }))).toBe('');
  expect(await inotifyHint(async () => undefined)).toBe('');
  const full = async () => ({ limit: 128, used: 126 });
  expect(await inotifyHint(full)).toMatch(/used up \(126 of 128\).*doctor --fix/);
  const engine = fakeEngine();
  const refusing: Run = async (args, options) => {
    if (args[0] === 'exec') throw new EngineError('docker exec failed: not ready after waiting', '', 1);
    return engine.run(args, options);
  };
  const one = drive(refusing, image, [], () => inotifyHint(full));
  await one.reconcile(wanted(['a']), never());
  const state = one.states.get('i-a');
  expect(state?.state === 'failed' && state.reason).toMatch(
    /^docker exec failed: not ready after waiting; this machine's inotify/,
  );
});
