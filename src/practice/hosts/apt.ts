import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { childEnvironment } from '../../system/environment.ts';

const DEBIAN = 'http://deb.debian.org/debian';
const SECURITY = 'http://deb.debian.org/debian-security';

/** How packages are fetched inside the image: as on this machine, where that is known. */
export interface AptSettings {
  readonly mirror: string;
  readonly security: string;
  /** lines of apt configuration (proxies, time checks, certificates); may hold a proxy's password */
  readonly conf: string;
  /** certificate authorities that this machine trusts beyond the distribution's, as PEM by file name */
  readonly authorities: readonly { readonly name: string; readonly pem: string }[];
}

/**
 * Reads this machine's mirror, proxies and added certificate authorities, so that a practice host can install packages where this
 * machine can. Sources: apt's configuration on Debian, the proxy variables of the environment, the folders of update-ca-certificates.
 */
export async function machineApt(env: NodeJS.ProcessEnv = process.env): Promise<AptSettings> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const debian = /^ID="?debian"?$/m.test(release);
  const sources = debian ? await readSources() : [];
  const dump = await execa('apt-config', ['dump'], {
    reject: false,
    stdin: 'ignore',
    env: childEnvironment(),
    extendEnv: false,
  });
  return {
    mirror: sources.find((uri) => /\/debian$/.test(uri)) ?? DEBIAN,
    security: sources.find((uri) => /\/debian-security$/.test(uri)) ?? SECURITY,
    conf: [...usefulSettings(dump.failed ? '' : dump.stdout), ...proxySettings(env)].join('\n'),
    authorities: await readAuthorities(),
  };
}

async function readSources(): Promise<string[]> {
  const folder = '/etc/apt/sources.list.d';
  const names = await readdir(folder).catch(() => []);
  const paths = ['/etc/apt/sources.list', ...names.sort().map((name) => join(folder, name))];
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
  return texts.flatMap(sourceUris);
}

/** The URIs of a sources file in either of apt's formats, without a slash at the end; comments and disabled entries left out. */
export function sourceUris(text: string): string[] {
  const uris = text.split(/\n\s*\n/).flatMap((stanza) => {
    if (/^Enabled:\s*no/im.test(stanza)) return [];
    const oneLine = [...stanza.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/gm)].map((match) => match[1] ?? '');
    const fields = [...stanza.matchAll(/^URIs:\s*(.+)$/gim)].flatMap((match) => (match[1] ?? '').split(/\s+/));
    return [...oneLine, ...fields];
  });
  return uris.filter((uri) => /^https?:/.test(uri)).map((uri) => uri.replace(/\/+$/, ''));
}

/** Of `apt-config dump` what decides whether a download works: the rest is this machine's taste, or names files of this machine. */
export function usefulSettings(dump: string): string[] {
  const wanted =
    /^Acquire::(https?::Proxy(::\S+)?|https::(Verify-Peer|Verify-Host)|Check-Valid-Until|Check-Date|Max-FutureTime) "/;
  return dump.split('\n').filter((line) => wanted.test(line) && !line.endsWith('"";'));
}

function proxySettings(env: NodeJS.ProcessEnv): string[] {
  return (['http', 'https'] as const).flatMap((scheme) => {
    const proxy = env[`${scheme}_proxy`] ?? env[`${scheme.toUpperCase()}_PROXY`];
    // A proxy on this machine's loopback means another machine inside a container: of no use there.
    if (!proxy || /\/\/([^@/]*@)?(localhost|127\.|\[::1\])/.test(proxy) || proxy.includes('"')) return [];
    return [`Acquire::${scheme}::Proxy "${proxy}";`];
  });
}

async function readAuthorities(): Promise<AptSettings['authorities']> {
  const found = await Promise.all([
    readCertificates('/usr/local/share/ca-certificates', true),
    // The distribution's own are symbolic links; plain files were put there by hand. The bundle is made of all.
    readCertificates('/etc/ssl/certs', false),
  ]);
  const seen = new Set<string>();
  return found.flat().filter(({ pem }) => !seen.has(pem) && seen.add(pem));
}

async function readCertificates(folder: string, recursive: boolean): Promise<{ name: string; pem: string }[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && /\.(crt|pem)$/.test(entry.name));
  const plain = files
    .filter((entry) => entry.name !== 'ca-certificates.crt')
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const read = await Promise.all(
    plain.map(async (entry) => ({
      name: entry.name.replace(/\.(crt|pem)$/, '').replace(/[^A-Za-z0-9._-]/g, '_'),
      pem: (await readFile(join(entry.parentPath, entry.name), 'utf8').catch(() => '')).trim(),
    })),
  );
  return read.filter(({ pem }) => pem.startsWith('-----BEGIN CERTIFICATE-----'));
}
