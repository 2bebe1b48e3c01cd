import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { childEnvironment } from '../../system/environment.ts';
import { machineApt } from './apt.ts';
import type { Engine, EngineError, Run } from './engine.ts';
import { baseLayer, type Layer, type Variant, variantLayer } from './recipe.ts';
import { tar } from './tar.ts';

export interface Progress {
  readonly key: string;
  readonly text: string;
  readonly status: 'started' | 'going' | 'done' | 'failed';
}

export interface ImageOptions {
  readonly engine: Engine;
  readonly run: Run;
  /** the practice's folder: a bare system is unpacked here on the way */
  readonly dir: string;
  /** label of everything this practice makes, so that a killed build's container is found again */
  readonly label: string;
  readonly onProgress: (progress: Progress) => void;
  /** ends a build that is under way */
  readonly signal: AbortSignal;
}

export interface Images {
  /** The image's name; built when it is missing. */
  get(variant: Variant): Promise<string>;
  /** Waits until the builds under way have ended; abort the signal first. */
  close(): Promise<void>;
}

/** An image that cannot be had: trying again at once would only repeat minutes of work. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}

const REGISTRY = 'https://registry-1.docker.io/v2/';
/** Milliseconds until a build that failed is tried again. */
const RETRY_AFTER = 30_000;
/** Milliseconds between two reports of a build: hundreds of packages pass by. */
const REPORT_EVERY = 300;
const DEBIAN_IMAGE = 'debian:12';

/**
 * Practice images of this machine. They are built once, are named by a hash of everything that goes into them (`cloudspace-practice:base-…`)
 * and stay when a practice is destroyed: they are a cache. `get` builds what is missing and shares one build between callers;
 * it throws ImageError when it cannot be built, and tries anew half a minute later at the
 * earliest: each change of the practice world asks again.
 */
export function images(options: ImageOptions): Images {
  const builds = new Map<Variant, Promise<string>>();
  const layers = machineApt().then((apt) => baseLayer(apt, process.arch));
  layers.catch(() => {});
  const get = (variant: Variant): Promise<string> => {
    const known = builds.get(variant);
    if (known) return known;
    const build = make(variant);
    builds.set(variant, build);
    build.catch(() => setTimeout(() => builds.delete(variant), RETRY_AFTER).unref());
    return build;
  };
  const make = async (variant: Variant): Promise<string> => {
    const base = await layers;
    const layer = variant === 'base' ? base : variantLayer(variant, base);
    const tag = `cloudspace-practice:${variant}-${layer.hash}`;
    if (await exists(options.run, tag)) return tag;
    const below = variant === 'base' ? undefined : await get('base');
    const started = Date.now();
    let reported = 0;
    const say = (text: string, status: Progress['status'] = 'going') => {
      if (status === 'going' && Date.now() - reported < REPORT_EVERY) return;
      reported = Date.now();
      options.onProgress({ key: `image-${variant}`, text, status });
    };
    try {
      say(
        variant === 'base'
          ? 'building the practice hosts’ image (Debian 12, once, about a minute)'
          : `building the practice ${variant} image (once)`,
        'started',
      );
      const parent = below ?? (await bareDebian(options, say));
      await buildLayer(options, layer, parent, tag, (line) => {
        const text = packageStep(line);
        if (text) say(text);
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!options.signal.aborted) say(`the practice ${variant} image could not be built: ${reason}`, 'failed');
      throw new ImageError(`the practice ${variant} image could not be built: ${reason}`, { cause: error });
    }
    say(`practice ${variant} image built in ${Math.round((Date.now() - started) / 1000)} s`, 'done');
    return tag;
  };
  return {
    get,
    async close() {
      await Promise.allSettled(builds.values());
    },
  };
}

async function exists(run: Run, image: string): Promise<boolean> {
  return (await run(['images', '-q', image])) !== '';
}

/** What a person wants to see of apt's output. */
function packageStep(line: string): string | undefined {
  if (/^(Get|Hit):1 /.test(line)) return 'fetching the package lists';
  const count = /^(\d+) upgraded, (\d+) newly installed/.exec(line);
  if (count) return `installing ${Number(count[1]) + Number(count[2])} packages`;
  return /^(Setting up|Unpacking) (\S+)/.exec(line)?.[0];
}

/** A Debian 12 without anything: found, pulled, or bootstrapped from the package mirror. Returns the image's name. */
async function bareDebian(options: ImageOptions, say: (text: string) => void): Promise<string> {
  const { run } = options;
  const bootstrap = process.platform === 'linux' && (await canBootstrap());
  if (await registryAnswers(options)) {
    say(`pulling ${DEBIAN_IMAGE}`);
    try {
      await run(['pull', '-q', DEBIAN_IMAGE], { timeout: 180_000, signal: options.signal });
      return DEBIAN_IMAGE;
    } catch (error) {
      if (await exists(run, DEBIAN_IMAGE)) return DEBIAN_IMAGE;
      if (bootstrap !== true) throw error;
    }
  }
  if (await exists(run, DEBIAN_IMAGE)) return DEBIAN_IMAGE;
  if (bootstrap === true) return await debootstrap(options, say);
  // An engine behind a proxy of its own can pull although the registry does not answer here.
  try {
    say(`pulling ${DEBIAN_IMAGE}`);
    await run(['pull', '-q', DEBIAN_IMAGE], { timeout: 180_000, signal: options.signal });
    return DEBIAN_IMAGE;
  } catch (error) {
    const without = bootstrap === false ? 'debootstrap works on Linux only' : bootstrap;
    throw new Error(`no Debian 12 to start from: no container registry answers, and ${without}`, { cause: error });
  }
}

async function registryAnswers({ run, engine }: ImageOptions): Promise<boolean> {
  if (engine.command === 'docker') {
    const mirrors = await run(['info', '--format', '{{json .RegistryConfig.Mirrors}}']).catch(() => '[]');
    if (mirrors.includes('http')) return true;
  }
  try {
    await fetch(REGISTRY, { signal: AbortSignal.timeout(3000) });
    return true;
  } catch {
    return false;
  }
}

/** True, or what is missing. */
async function canBootstrap(): Promise<true | string> {
  const version = await execa('debootstrap', ['--version'], {
    reject: false,
    stdin: 'ignore',
    env: childEnvironment(),
    extendEnv: false,
  });
  if (version.failed) return 'debootstrap is not installed: install the package debootstrap';
  return process.getuid?.() === 0
    ? true
    : 'debootstrap needs root: run this once as root, or let the engine reach a registry';
}

async function debootstrap(options: ImageOptions, say: (text: string) => void): Promise<string> {
  const apt = await machineApt();
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
  const root = join(options.dir, 'image.tmp');
  const image = `cloudspace-practice:debian-12-${architecture}`;
  // Kept from a build that went on to fail; the base layer brings its packages up to date.
  if (await exists(options.run, image)) return image;
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true, mode: 0o700 });
  try {
    say(`no container registry answers: bootstrapping Debian 12 from ${apt.mirror.replace(/\/\/[^@/]*@/, '//')}`);
    const words = [
      '--variant=minbase',
      '--include=ca-certificates',
      `--arch=${architecture}`,
      'bookworm',
      root,
      apt.mirror,
    ];
    const child = execa('debootstrap', words, {
      stdin: 'ignore',
      all: true,
      reject: false,
      timeout: 600_000,
      cancelSignal: options.signal,
      env: childEnvironment(),
      extendEnv: false,
    });
    let last = '';
    for await (const line of child.iterable({ from: 'all' })) {
      last = line;
      const step = /^I: (Retrieving|Validating|Extracting|Unpacking|Configuring) (\S+?)\.*$/.exec(line);
      if (step) say(`Debian 12: ${step[1]?.toLowerCase()} ${step[2]}`);
    }
    const result = await child;
    if (result.failed) throw new Error(`debootstrap failed: ${last || result.shortMessage}`);
    say('Debian 12: handing the system to the container engine');
    const pack = execa('tar', ['-C', root, '--numeric-owner', '-c', '.'], {
      encoding: 'buffer',
      buffer: false,
      stdin: 'ignore',
      env: childEnvironment(),
      extendEnv: false,
    });
    await pack.pipe(options.engine.command, ['import', '-', image], {
      timeout: 300_000,
      env: childEnvironment(),
      extendEnv: false,
    });
    return image;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Runs a layer's command in a container of `parent` and keeps the result as `tag`. */
async function buildLayer(
  { run, label, signal }: ImageOptions,
  layer: Layer,
  parent: string,
  tag: string,
  onLine: (line: string) => void,
): Promise<void> {
  const id = await run(['create', '--label', label, '--label', 'cloudspace.kind=build', parent, ...layer.command]);
  try {
    await run(['cp', '-', `${id}:/`], { input: tar(layer.files) });
    const said: string[] = [];
    await run(['start', '-a', id], {
      timeout: 900_000,
      signal,
      onLine: (line) => {
        said.push(line);
        onLine(line);
      },
    }).catch((error: unknown) => {
      const errors = said.filter((line) => /^(E|Err|W):|error/i.test(line)).slice(-2);
      const last = (errors.length > 0 ? errors : said.slice(-2)).join(' / ');
      throw new Error(`the packages could not be installed: ${last || (error as EngineError).message}`, {
        cause: error,
      });
    });
    // A commit inherits the container's labels: an image belongs to no practice.
    const changes = ['CMD ["/sbin/init"]', 'LABEL cloudspace.practice= cloudspace.kind=image'];
    await run(['commit', ...changes.flatMap((change) => ['-c', change]), id, tag]);
  } finally {
    await run(['rm', '-f', '-v', id]).catch(() => {});
  }
}
