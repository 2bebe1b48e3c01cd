import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetConsoleOutputCommand } from '@aws-sdk/client-ec2';
import { parseConsoleHostKeys } from '../../ansible/hostKeys.ts';
import { writeInventory } from '../../ansible/inventory.ts';
import { playError } from '../../ansible/run.ts';
import { writeSshFiles } from '../../ansible/sshConfig.ts';
import type { Host } from '../../ansible/types.ts';
import type { Vault } from '../../ansible/vault.ts';
import type { Aws } from '../../aws/clients.ts';
import type { Journal } from '../../engine/journal.ts';
import { CloudspaceError, type Event, type Output, type Play } from '../../engine/types.ts';
import type { Config } from '../../steps/config.ts';
import { DATABASE_NAME } from '../../steps/controller.ts';
import { hostsOf } from '../../steps/hosts.ts';
import { sshOptions, writeHosts } from '../hosts/hostsFile.ts';
import { type DeploymentMapping, mapGroups, mapPlay } from '../settings/deploymentMapping.ts';
import { patientPlay } from './patientPlay.ts';

export interface ProvisionOptions {
  readonly config: Config;
  readonly dir: string;
  readonly deployment: string;
  /** how that repository is used, when it is a team's own */
  readonly mapping: DeploymentMapping;
  readonly aws: Aws;
  readonly journal: Journal;
  readonly vault: Vault;
  readonly outputs: ReadonlyMap<string, Output>;
  readonly practice: boolean;
  /** where this machine reaches an address's port (practice); undefined: at the address itself */
  readonly reach: (address: string, port: number) => { host: string; port: number } | undefined;
  readonly pace: number;
  readonly notify: (event: Event) => void;
  readonly signal: AbortSignal;
  /** makes sure that nobody else works on the Cloudspace */
  readonly hold: () => Promise<void>;
}

/** Console output appears minutes after the boot on AWS ("posted after each transition", GetConsoleOutput); longer than this it is a fault. Seconds. */
const CONSOLE_SECONDS = 600;

/** How one play is run differently from what its step says. */
export interface ProvisionMore {
  /** variables for this play alone; they reach Ansible in a private file and may be secrets */
  readonly extraVars?: Readonly<Record<string, unknown>>;
  /** runs it also when nothing it depends on has changed */
  readonly always?: boolean;
}

/** Gives the function that runs one play: host keys pinned, ssh files and inventory written, Ansible, outcome in the journal. */
export function provisioner(options: ProvisionOptions): (play: Play, more?: ProvisionMore) => Promise<void> {
  const { config, dir, journal, notify, signal } = options;
  let writing: Promise<unknown> = Promise.resolve();

  /** One at a time: plays run beside each other and write the same files. */
  function prepare(): Promise<{ hosts: Host[]; inventory: string; sshConfig: string }> {
    const next = writing.then(async () => {
      const hosts = await reachableHosts(options);
      return { hosts, ...(await writeHostFiles(options, hosts)) };
    });
    writing = next.catch(() => {});
    return next;
  }

  return async (described, more = {}) => {
    const play = mapPlay(described, options.mapping);
    if (!play) {
      const { key, title, hosts } = described;
      notify({
        type: 'play',
        key,
        title,
        status: 'skipped',
        hosts,
        summary: 'the deployment repository has no playbook for it',
      });
      return;
    }
    await Promise.all(play.hosts.map((key) => pinHostKeys(options, key)));
    const { hosts, inventory, sshConfig } = await prepare();
    const mine = hosts.filter((host) => play.hosts.includes(host.name));
    const fingerprint = await fingerprintOf(options, play, mine);
    const before = journal.state.plays[play.key];
    if (!more.always && before?.status === 'done' && before.fingerprint === fingerprint) {
      notify({ type: 'play', key: play.key, title: play.title, status: 'kept', hosts: play.hosts });
      return;
    }
    await options.hold();
    // Only what failed is run again, if nothing else has changed since.
    const again = before?.status === 'failed' && before.fingerprint === fingerprint ? before.failedHosts : undefined;
    const logFile = join(dir, 'logs', `${play.key}.log`);
    const result = await patientPlay({
      hosts,
      pace: options.pace,
      key: play.key,
      title: play.title,
      deployment: options.deployment,
      playbook: play.playbook,
      inventory,
      sshConfig,
      limit: again && again.length > 0 ? again : play.hosts,
      extraVars: {
        cloudspace_name: config.name,
        cloudspace_region: config.region,
        cloudspace_practice: options.practice,
        cloudspace_state_dir: resolve(dir),
        // Where applications live without a DNS of one's own; with one it is among the mapping's variables.
        ...(options.practice ? { cloudspace_domain: 'localhost' } : {}),
        base_authorized_keys: [config.publicKey],
        ...database(options.outputs),
        ...options.mapping.extraVars,
        ...more.extraVars,
      },
      vault: options.vault,
      vaultIds: options.mapping.vaultIds ?? {},
      home: join(dir, 'ansible'),
      logFile,
      signal,
      onEvent: notify,
    });
    await journal.update((state) => {
      state.plays[play.key] = {
        fingerprint,
        at: new Date().toISOString(),
        status: result.ok ? 'done' : 'failed',
        log: logFile,
        ...(result.ok ? {} : { failedHosts: result.failedHosts }),
      };
    });
    if (!result.ok) throw playError(play.title, result);
  };
}

/** For the playbooks, once the database is available; its password comes with the vault. */
function database(outputs: ReadonlyMap<string, Output>): { cloudspace_database?: Record<string, unknown> } {
  const found = outputs.get('database') as
    | (Output & { endpoint?: string; port?: number; masterUsername?: string })
    | undefined;
  if (found?.endpoint === undefined) return {};
  return {
    cloudspace_database: { host: found.endpoint, port: found.port, name: DATABASE_NAME, user: found.masterUsername },
  };
}

/** Hosts whose instance is there and whose host key is pinned. */
async function reachableHosts({ config, outputs, journal, reach, mapping }: ProvisionOptions): Promise<Host[]> {
  return hostsOf(config, outputs).flatMap((host) => {
    const hostKeys = journal.state.hostKeys[host.instanceId];
    if (!hostKeys) return [];
    const through = host.publicIp === undefined ? undefined : reach(host.publicIp, 22);
    return [mapGroups({ ...host, hostKeys, ...(through ? { reach: through } : {}) }, mapping)];
  });
}

/** hosts.json, ssh_config, known_hosts and the inventory, for our own ssh and for the person's. Gives the paths. */
async function writeHostFiles(
  { config, dir, journal }: ProvisionOptions,
  hosts: readonly Host[],
): Promise<{ inventory: string; sshConfig: string }> {
  await writeHosts(dir, hosts);
  const { sshConfig } = await writeSshFiles(dir, hosts, sshOptions(config.name, journal.state));
  return { inventory: await writeInventory(dir, hosts, { sshConfig }), sshConfig };
}

/** Reads the host keys from the instance's console output, once: then they are pinned. Waits for the output to appear. */
async function pinHostKeys(
  { aws, journal, outputs, pace, signal, notify }: ProvisionOptions,
  key: string,
): Promise<void> {
  const instanceId = outputs.get(key)?.id;
  if (instanceId === undefined || journal.state.hostKeys[instanceId]) return;
  const until = Date.now() + CONSOLE_SECONDS * 1000;
  const text = `host keys of ${key} from its console output`;
  for (let look = 0; ; look++) {
    const { Output } = await aws.ec2.send(new GetConsoleOutputCommand({ InstanceId: instanceId }), {
      abortSignal: signal,
    });
    const keys = parseConsoleHostKeys(Buffer.from(Output ?? '', 'base64').toString('utf8'));
    if (keys.length > 0) {
      // One is enough to know a host by, and Ed25519's is short: a thousand hosts' keys fit the state file.
      const ed25519 = keys.filter((candidate) => candidate.startsWith('ssh-ed25519 '));
      await journal.update((state) => {
        state.hostKeys[instanceId] = ed25519.length > 0 ? ed25519 : keys;
      });
      if (look > 0) notify({ type: 'progress', key: `host-keys-${key}`, text, status: 'done' });
      return;
    }
    if (Date.now() > until) {
      notify({ type: 'progress', key: `host-keys-${key}`, text, status: 'failed' });
      throw new CloudspaceError(
        `the console output of ${key} (${instanceId}) shows no SSH host keys after ${CONSOLE_SECONDS / 60} minutes`,
        {
          code: 'NoHostKeys',
          hint: 'look at it in the EC2 console (Monitor and troubleshoot, Get system log); an image with cloud-init prints them. Then run again',
        },
      );
    }
    if (look === 0) notify({ type: 'progress', key: `host-keys-${key}`, text, status: 'started' });
    await sleep(Math.max(500, Math.min(15_000, 3000 * 1.3 ** look) * Math.max(pace, 0.2)), undefined, { signal });
  }
}

/** What the play would do, as a hash: the deployment repository's files, what it is told, and the instances it runs on. */
async function fingerprintOf(
  { deployment, mapping }: Pick<ProvisionOptions, 'deployment' | 'mapping'>,
  play: Play,
  hosts: readonly Host[],
): Promise<string> {
  const hash = createHash('sha256').update(
    JSON.stringify([play.playbook, hosts.map((host) => [host.name, host.instanceId]), mapping]),
  );
  const entries = await readdir(deployment, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('/.git') && !/\.(md|pyc)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) hash.update(file.slice(deployment.length)).update(await readFile(file));
  return hash.digest('hex');
}
