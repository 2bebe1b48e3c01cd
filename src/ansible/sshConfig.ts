import { createHash } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { usageError } from '../engine/types.ts';
import { writeAtomically } from '../system/files.ts';
import { checkHosts, checkName } from './checkHosts.ts';
import { knownHosts } from './hostKeys.ts';
import type { Host } from './types.ts';

export interface SshOptions {
  /** the Cloudspace's name: hosts are also known as `<host>.<name>` */
  readonly name: string;
  /** private key, or the public half of a key that the agent holds; without it ssh tries what it usually tries */
  readonly identityFile?: string;
  /** false: the agent is not asked at all */
  readonly useAgent: boolean;
}

export interface RenderOptions extends SshOptions {
  /** where this very configuration will be: connections through the bastion read it again */
  readonly configFile: string;
  readonly knownHostsFile: string;
  /** short folder for the sockets of shared connections; undefined: none are shared */
  readonly controlDir?: string | undefined;
}

/** sun_path holds 104 bytes on macOS and BSD, 108 on Linux, with a final NUL; ssh adds a random suffix of 17 while it binds. */
const SOCKET_LIMIT = 104 - 1 - 17;
/** "/", 8 digits, "-" and the 40 of ssh's %C */
const SOCKET_NAME = 1 + 8 + 1 + 40;

/**
 * An ssh_config for all hosts of one Cloudspace: one block a machine, known under its name, `<name>.<cloudspace>` and its addresses. The bastion
 * is reached directly, every other host through it where there is one. Host keys are checked against `knownHostsFile` alone, and never asked about.
 * Throws CloudspaceError `BadHost` or `BadPath` on values that ssh_config cannot hold.
 */
export function renderSshConfig(hosts: readonly Host[], options: RenderOptions): string {
  checkHosts(hosts);
  checkName(options.name);
  const bastion = hosts.find((host) => host.groups.includes('bastion'));
  const blocks = hosts.map((host) => hostBlock(host, bastion, options));
  return `${[...blocks, commonBlock(options)].join('\n')}`;
}

function hostBlock(host: Host, bastion: Host | undefined, options: RenderOptions): string {
  const through = bastion && bastion !== host ? bastion : undefined;
  const address = through ? { host: host.privateIp, port: 22 } : directAddress(host);
  const aliases = new Set([host.name, `${host.name}.${options.name}`, host.privateIp]);
  if (host.publicIp !== undefined) aliases.add(host.publicIp);
  const lines = [
    `Host ${[...aliases].join(' ')}`,
    `  HostName ${address.host}`,
    `  Port ${address.port}`,
    `  User ${host.user}`,
    `  HostKeyAlias ${host.instanceId}`,
  ];
  // What `ProxyJump ${bastion}` stands for, except that ssh does not quote the path of its configuration there.
  if (through) lines.push(`  ProxyCommand ssh -F ${shellQuoted(options.configFile)} -W '[%h]:%p' ${through.name}`);
  // ssh's %C is a digest of address, port and user only, which another machine may have tomorrow.
  if (options.controlDir !== undefined)
    lines.push(`  ControlPath ${quoted(`${options.controlDir}/${digest(host.instanceId)}-`, '%C')}`);
  return `${lines.join('\n')}\n`;
}

function directAddress(host: Host): { readonly host: string; readonly port: number } {
  return host.reach ?? { host: host.publicIp ?? host.privateIp, port: 22 };
}

function commonBlock(options: RenderOptions): string {
  const lines = [
    'Host *',
    `  UserKnownHostsFile ${quoted(options.knownHostsFile)}`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  UpdateHostKeys no',
    '  CheckHostIP no',
    '  PreferredAuthentications publickey',
    '  PasswordAuthentication no',
    '  KbdInteractiveAuthentication no',
    '  ForwardAgent no',
    '  ForwardX11 no',
    '  ConnectTimeout 10',
    '  ServerAliveInterval 15',
    '  ServerAliveCountMax 4',
  ];
  if (options.identityFile !== undefined)
    lines.push(`  IdentityFile ${quoted(options.identityFile)}`, '  IdentitiesOnly yes');
  if (!options.useAgent) lines.push('  IdentityAgent none');
  if (options.controlDir !== undefined) lines.push('  ControlMaster auto', '  ControlPersist 60s');
  return `${lines.join('\n')}\n`;
}

/** A path as one argument in ssh_config: in double quotes, percent signs doubled, `suffix` kept as it is. */
function quoted(path: string, suffix = ''): string {
  checkPath(path);
  return `"${path.replaceAll('%', '%%')}${suffix}"`;
}

/** A path inside ProxyCommand: ssh expands percent signs, then a shell reads it. */
function shellQuoted(path: string): string {
  checkPath(path);
  return `'${path.replaceAll("'", `'\\''`).replaceAll('%', '%%')}'`;
}

/** ssh_config has no way to write these in every version that is in use: a quote or backslash, a line's end, a variable. */
function checkPath(path: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (!isAbsolute(path) || /["\\\u0000-\u001f\u007f]|\$\{/.test(path)) {
    throw usageError(
      `path ${JSON.stringify(path)} cannot be written into an ssh_config`,
      'use an absolute path without quotes, backslashes, control characters and "${", for example with --state-dir',
      'BadPath',
    );
  }
}

export interface SshFiles {
  readonly sshConfig: string;
  readonly knownHosts: string;
}

/**
 * Writes `ssh_config` and `known_hosts` for these hosts into `dir` (each whole or not at all, mode 0600) and makes the folder for shared connections.
 * Cheap: call it before each use, since folders under /tmp go away. Throws as renderSshConfig does.
 */
export async function writeSshFiles(dir: string, hosts: readonly Host[], options: SshOptions): Promise<SshFiles> {
  const files = { sshConfig: join(dir, 'ssh_config'), knownHosts: join(dir, 'known_hosts') };
  const controlDir = await makeControlDir(dir);
  const config = renderSshConfig(hosts, {
    ...options,
    configFile: files.sshConfig,
    knownHostsFile: files.knownHosts,
    controlDir,
  });
  await writeAtomically(files.knownHosts, knownHosts(hosts));
  await writeAtomically(files.sshConfig, config);
  return files;
}

/**
 * A folder for sockets that belongs to this user and this state folder alone, with a path short enough for a socket: below XDG_RUNTIME_DIR,
 * else /tmp. undefined when somebody else holds its name, or the path is too long: connections are then not shared, which is slower and safe.
 */
export async function makeControlDir(dir: string): Promise<string | undefined> {
  const uid = process.getuid?.() ?? 0;
  const bases = [process.env.XDG_RUNTIME_DIR, '/tmp'];
  for (const base of bases) {
    if (!base || !isAbsolute(base) || /["\\$]/.test(base)) continue;
    const path = join(base, `cloudspace-${digest(`${uid}:${dir}`)}`);
    if (Buffer.byteLength(path) + SOCKET_NAME > SOCKET_LIMIT) continue;
    try {
      await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      const found = await lstat(path);
      if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return path;
    } catch {
      // The base is missing or read-only: try the next one.
    }
  }
  return undefined;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
