import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { detectEngine, runner } from '../../src/practice/hosts/engine.ts';
import { containerHosts } from '../../src/practice/hosts/index.ts';

// The engines are small scripts that say what the real programs say.

let bin: string;
const saved = { PATH: process.env.PATH, DOCKER_HOST: process.env.DOCKER_HOST };

beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), 'cloudspace-bin-'));
  process.env.PATH = bin;
  delete process.env.DOCKER_HOST;
});
afterEach(async () => {
  process.env.PATH = saved.PATH;
  if (saved.DOCKER_HOST === undefined) delete process.env.DOCKER_HOST;
  else process.env.DOCKER_HOST = saved.DOCKER_HOST;
  await rm(bin, { recursive: true, force: true });
});

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, name), 0o755);
}
const answers = (json: object) => `echo '${JSON.stringify(json)}'`;

test('no engine: says what is missing, and hosts are refused with that', async () => {
  const engine = await detectEngine();
  expect(engine).toEqual({ command: 'docker', ok: false, reason: 'docker is not installed' });
  await expect(containerHosts({ dir: bin, name: 'hackathon-07' })).rejects.toThrow(
    'no container engine for the hosts of hackathon-07: docker is not installed',
  );
});

test('Docker is taken before Podman, Podman where Docker does not answer', async () => {
  await program('podman', answers({ host: { os: 'linux', cgroupVersion: 'v2' }, version: { Version: '4.9.0' } }));
  expect(await detectEngine()).toEqual({ command: 'podman', ok: true, version: '4.9.0' });
  await program('docker', answers({ ServerVersion: '28.2.2', OSType: 'linux' }));
  expect(await detectEngine()).toEqual({ command: 'docker', ok: true, version: '28.2.2' });
  // Docker's program without its daemon: the answer is JSON all the same, and older ones even end with success.
  const down = { ServerErrors: ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock.'] };
  await program('docker', answers(down));
  expect((await detectEngine()).command).toBe('podman');
  await program('podman', 'exit 125');
  const neither = await detectEngine();
  expect(neither.ok).toBe(false);
  expect(neither.reason).toMatch(/docker is installed, but its daemon does not run: start it/);
});

test('a socket that is not ours, Windows containers, an engine that hangs, an engine elsewhere', async () => {
  await program('docker', 'echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1');
  expect((await detectEngine()).reason).toMatch(/add the user to the group "docker"/);
  await program('docker', answers({ ServerVersion: '28', OSType: 'windows' }));
  expect((await detectEngine()).reason).toMatch(/switch it to Linux containers/);
  await program('docker', 'exec /bin/sleep 20');
  expect((await detectEngine(300)).reason).toMatch(/no answer within 0.3 s/);
  await program('docker', answers({ ServerVersion: '28', OSType: 'linux' }));
  process.env.DOCKER_HOST = 'ssh://me:secret@elsewhere';
  const remote = await detectEngine();
  expect(remote.reason).toMatch(/works on another machine \(ssh:\/\/elsewhere\).*unset DOCKER_HOST/);
  process.env.DOCKER_HOST = 'unix:///run/other.sock';
  expect((await detectEngine()).ok).toBe(true);
});

test("a command's input, output and failure: the engine's last words are the message", async () => {
  await program(
    'docker',
    'case $1 in cat) exec /bin/cat ;; *) echo first >&2; echo "no such image: x" >&2; exit 3 ;; esac',
  );
  const run = runner({ command: 'docker' });
  expect(await run(['cat'], { input: 'secret on standard input\n' })).toBe('secret on standard input');
  const lines: string[] = [];
  await run(['cat'], { input: 'one\ntwo\n', onLine: (line) => lines.push(line) });
  expect(lines).toEqual(['one', 'two']);
  await expect(run(['pull', '-q', 'x'])).rejects.toMatchObject({
    message: 'docker pull -q failed: first / no such image: x',
    exitCode: 3,
  });
  await program('docker', 'exec /bin/sleep 20');
  await expect(run(['ps'], { timeout: 200 })).rejects.toThrow('docker ps failed: no answer within 0.2 s');
});
