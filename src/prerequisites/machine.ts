import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { childEnvironment } from '../system/environment.ts';

/** What a program said; `text` is its output and error output together. */
export interface Said {
  readonly code: number | undefined;
  readonly text: string;
}

/** A container engine, as the practice hosts' own detection reports it. */
export interface EngineFacts {
  readonly ok: boolean;
  readonly command: string;
  readonly version?: string;
  readonly reason?: string;
}

export type System = 'debian' | 'fedora' | 'macos' | 'other';

/** This machine as the checks see it: everything they ask of the outside. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly system: System;
  readonly root: boolean;
  readonly user: string;
  readonly sudo: boolean;
  /** systemd is PID 1: services are its to start */
  readonly systemd: boolean;
  readonly nodeVersion: string;
  /** Runs a program for at most ten seconds; undefined when it is not installed. Never throws. */
  run(command: string, ...args: string[]): Promise<Said | undefined>;
  engine(): Promise<EngineFacts>;
  /** root's inotify instances, which all hosts in containers share; undefined where there is no limit */
  inotify(): Promise<{ readonly limit: number; readonly used: number } | undefined>;
  /** can container images be pulled? */
  registryAnswers(): Promise<boolean>;
}

/** Which packages a Linux distribution takes: by ID and ID_LIKE of /etc/os-release (os-release(5)). */
export function systemOf(platform: NodeJS.Platform, osRelease: string): System {
  if (platform === 'darwin') return 'macos';
  const names = [...osRelease.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].flatMap(([, value = '']) =>
    value.replaceAll(/["']/g, '').split(/\s+/),
  );
  if (names.includes('debian') || names.includes('ubuntu')) return 'debian';
  if (names.includes('fedora') || names.includes('rhel')) return 'fedora';
  return 'other';
}

/**
 * Programs speak English and UTF-8, whatever the person's locale: their answers are read here, and Ansible refuses to start
 * where the locale is not UTF-8. macOS has no C.UTF-8.
 */
export const programEnv = (platform: NodeJS.Platform): { LC_ALL: string } => ({
  LC_ALL: platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8',
});

const REGISTRY = 'https://registry-1.docker.io/v2/';

/** @param detectEngine the practice hosts' detection: this part knows no engine's details */
export async function thisMachine(detectEngine: () => Promise<EngineFacts>): Promise<Machine> {
  const { platform } = process;
  const run = async (command: string, ...args: string[]): Promise<Said | undefined> => {
    const { execa } = await import('execa');
    const env = childEnvironment(programEnv(platform));
    const options = { reject: false, stdin: 'ignore', all: true, timeout: 10_000, env, extendEnv: false } as const;
    const result = await execa(command, args, options);
    if (result.code === 'ENOENT') return undefined;
    return { code: result.exitCode, text: result.all };
  };
  const [osRelease, sudo] = await Promise.all([
    readFile('/etc/os-release', 'utf8').catch(() => ''),
    run('sudo', '--version'),
  ]);
  let engine: Promise<EngineFacts> | undefined;
  return {
    platform,
    system: systemOf(platform, osRelease),
    root: process.getuid?.() === 0,
    user: process.env.USER ?? process.env.LOGNAME ?? '',
    sudo: sudo?.code === 0,
    systemd: existsSync('/run/systemd/system'),
    nodeVersion: process.versions.node,
    run,
    inotify: async () => (await import('../practice/hosts/inotify.ts')).inotifyInstances(),
    engine: () => {
      engine ??= detectEngine();
      return engine;
    },
    // Any HTTP answer counts: without credentials it is 401.
    registryAnswers: () =>
      fetch(REGISTRY, { signal: AbortSignal.timeout(3000) }).then(
        () => true,
        () => false,
      ),
  };
}
