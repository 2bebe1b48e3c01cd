import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { cli, folder } from './cli.ts';

/** What the tests of test/e2e are told of the Cloudspace that they share. */
export interface BuiltCloudspace {
  readonly stateDir: string;
  readonly name: string;
  /** home folder of the commands */
  readonly home: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    cloudspace: BuiltCloudspace;
  }
}

/** The number picks its network; practice.test.ts has 71, for hosts.test.ts see there. */
const NAME = 'e2e-74';

/**
 * Vitest's global set-up of the files that share one Cloudspace: the README's first command, from nothing to an answering application. It is destroyed at the
 * end, whatever the tests did. With CLOUDSPACE_TEST_E2E=<state folder>/<name> one that is there is used and left.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.CLOUDSPACE_TEST_E2E;
  if (given) {
    const dir = resolve(given);
    project.provide('cloudspace', { stateDir: dirname(dir), name: basename(dir), home: folder() });
    return undefined;
  }
  const work = await mkdtemp(join(tmpdir(), 'cloudspace-e2e-'));
  const built: BuiltCloudspace = { stateDir: join(work, 'state'), name: NAME, home: work };
  const run = (...words: string[]) => cli(words, { env: environment(built), cwd: work });
  const destroy = async (): Promise<void> => {
    const { code, stdout, stderr } = await run('destroy', '--yes');
    if (code !== 0) throw new Error(`the shared Cloudspace is left in ${work}: ${stdout}${stderr}`);
    await rm(work, { recursive: true, force: true });
  };
  const started = Date.now();
  const { code, stdout, stderr } = await run('practice', '--yes');
  if (code !== 0) {
    await destroy().catch((error: unknown) => console.error(error));
    throw new Error(`the shared Cloudspace was not built (exit code ${code}):\n${stdout.slice(-3000)}\n${stderr}`);
  }
  console.log(`The shared Cloudspace ${NAME} was built in ${Math.round((Date.now() - started) / 1000)} s.`);
  project.provide('cloudspace', built);
  return destroy;
}

/** The Cloudspace is named by the environment: what follows a host of `cloudspace ssh` is the remote command's. */
export function environment({ stateDir, name, home }: BuiltCloudspace): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HOME: home,
    SSH_AUTH_SOCK: '',
    AWS_PROFILE: '',
    FORCE_COLOR: '0',
    CLOUDSPACE_NAME: name,
    CLOUDSPACE_STATE_DIR: stateDir,
  };
}
