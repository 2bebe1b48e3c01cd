import { CloudspaceError, type Event, usageError } from '../../engine/types.ts';
import { lastLines, quote, type Remote, remoteError } from '../hosts/remote.ts';
import { CONTROLLER, type Healthcheck, type Node } from './swarm.ts';

/** The Cloudspace's own registry, by the name that all hosts know. */
export const REGISTRY = 'controller:5000';

/** How many of the build's last lines an error shows. */
const BUILD_LINES = 20;
/** Seconds. A first build installs packages. */
const BUILD_TIMEOUT = 1800;

/** What the registry says of an image. */
export interface ImageConfig {
  readonly ports: readonly number[];
  readonly healthcheck: Healthcheck | undefined;
}

/**
 * The builder with the least to do: fewest processes that want to run for each processor, then fewest containers, then by name. Nodes marked as builders count
 * when they are ready. Throws `NoBuilder` when none answers.
 */
export async function chooseBuilder(remote: Remote, nodes: readonly Node[]): Promise<string> {
  const names = buildersOf(
    nodes,
    remote.hosts.map((host) => host.name),
  );
  if (names.length === 0)
    throw new CloudspaceError('no builder is ready', {
      code: 'NoBuilder',
      hint: 'see the nodes with: cloudspace ssh controller -- sudo docker node ls; then cloudspace check runners',
    });
  const probe = 'cat /proc/loadavg; nproc; sudo docker ps --quiet | wc -l';
  const loads = await Promise.all(
    names.map(async (name) => ({ name, ...(await remote.run(name, probe, { timeout: 20 })) })),
  );
  const answering = loads
    .filter((load) => load.exitCode === 0)
    .map(({ name, stdout }) => ({ name, load: parseLoad(stdout) }));
  const best = leastLoaded(answering);
  if (best !== undefined) return best;
  const [first] = loads;
  throw first ? remoteError(first.name, 'looking for a builder', first) : new Error('unreachable');
}

/** Host names of the nodes that may build: ready, labelled `builder=true`, and known to ssh. */
export function buildersOf(nodes: readonly Node[], hosts: readonly string[]): string[] {
  return nodes
    .filter((node) => node.Status.State === 'ready' && node.Spec.Labels?.builder === 'true')
    .map((node) => node.Spec.Labels?.host ?? node.Description.Hostname)
    .filter((name) => hosts.includes(name))
    .sort();
}

export function leastLoaded(
  hosts: readonly { readonly name: string; readonly load: readonly [number, number] }[],
): string | undefined {
  const sorted = [...hosts].sort(
    (a, b) => a.load[0] - b.load[0] || a.load[1] - b.load[1] || (a.name < b.name ? -1 : 1),
  );
  return sorted[0]?.name;
}

/** Load for each processor, in tenths so that noise does not decide, and containers. */
function parseLoad(text: string): [number, number] {
  const [load = '', processors = '1', containers = '0'] = text.trim().split('\n');
  return [Math.round((Number(load.split(' ')[0]) / Math.max(1, Number(processors))) * 10), Number(containers)];
}

/** Run on the controller: prints an image's configuration; exit code 44 without such an image. */
const ASK_REGISTRY = `import json, ssl, sys, urllib.error, urllib.request
base, version = sys.argv[1:]
context = ssl.create_default_context(cafile="/etc/cloudspace/ca.crt")
# The registry lets in who shows a certificate of the Cloudspace's authority: the host's own, which root alone may read.
context.load_cert_chain("/etc/cloudspace/tls/host.crt", "/etc/cloudspace/tls/host.key")
def get(path):
    headers = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    request = urllib.request.Request(base + path, headers=headers)
    return urllib.request.urlopen(request, context=context, timeout=20).read().decode()
try:
    manifest = json.loads(get("/manifests/" + version))
    print(get("/blobs/" + manifest["config"]["digest"]))
except urllib.error.HTTPError as error:
    if error.code == 404:
        sys.exit(44)
    sys.exit(str(error))
except OSError as error:
    sys.exit(str(error))
`;

/** Asks the registry for an image; undefined when it has none of this name and version. */
export async function imageConfig(remote: Remote, app: string, version: string): Promise<ImageConfig | undefined> {
  const command = `sudo python3 -B - ${quote(`https://${REGISTRY}/v2/${app}`)} ${quote(version)}`;
  const result = await remote.run(CONTROLLER, command, { input: ASK_REGISTRY });
  if (result.exitCode === 44) return undefined;
  if (result.exitCode !== 0) throw remoteError(CONTROLLER, 'asking the image registry', result);
  return parseImageConfig(result.stdout);
}

export function parseImageConfig(text: string): ImageConfig {
  const { config } = JSON.parse(text) as {
    config?: { ExposedPorts?: Record<string, unknown> | null; Healthcheck?: Healthcheck | null };
  };
  return {
    ports: Object.keys(config?.ExposedPorts ?? {})
      .filter((port) => !port.includes('/') || port.endsWith('/tcp'))
      .map((port) => Number(port.split('/')[0]))
      .sort((a, b) => a - b),
    healthcheck: config?.Healthcheck ?? undefined,
  };
}

/** The port that the application listens on: the flag's, else the only one that its image exposes. Throws a usage error otherwise. */
export function portOf(image: ImageConfig, flag: number | undefined): number {
  if (flag !== undefined) return flag;
  const [port, ...more] = image.ports;
  if (port !== undefined && more.length === 0) return port;
  throw usageError(
    port === undefined ? 'the image exposes no port' : `the image exposes several ports: ${image.ports.join(', ')}`,
    port === undefined ? 'add a line EXPOSE to its Dockerfile, or say which with --port' : 'say which with --port',
    'WhichPort',
  );
}

/**
 * Builds the folder on a builder with its Docker and pushes the image. The folder's tar travels over ssh's standard input and is unpacked there, so that
 * `.dockerignore` counts. Throws `BuildFailed` with the build's last lines.
 */
export async function buildAndPush(
  remote: Remote,
  builder: string,
  folder: string,
  image: string,
  notify: (event: Event) => void,
): Promise<void> {
  const text = `building ${image} on ${builder}`;
  const key = 'build';
  notify({ type: 'progress', key, text, status: 'started' });
  const lines: string[] = [];
  const tell = (line: string): void => {
    if (line.trim() === '') return;
    lines.push(line);
    if (/^(Step \d|#\d+ \[)/.test(line))
      notify({ type: 'progress', key, text: `${text}: ${line.slice(0, 100)}`, status: 'going' });
  };
  const script = [
    'set -eu',
    'folder=$(mktemp --directory)',
    'trap \'sudo rm --recursive --force "$folder"\' EXIT',
    'tar --extract --no-same-owner --directory "$folder"',
    // Docker's own client is asked for plain text whatever builder it uses.
    `sudo env BUILDKIT_PROGRESS=plain docker build --tag ${quote(image)} "$folder" </dev/null`,
  ].join('\n');
  const built = await remote.sendFolder(builder, folder, script, { timeout: BUILD_TIMEOUT, onLine: tell });
  if (built.exitCode !== 0) {
    notify({ type: 'progress', key, text, status: 'failed' });
    if (built.exitCode === 255) throw remoteError(builder, 'sending the folder', built);
    throw new CloudspaceError(
      `the image does not build (on ${builder}):\n${lastLines(lines.join('\n'), BUILD_LINES)}`,
      {
        code: 'BuildFailed',
        hint: 'nothing was changed: what runs goes on running. Correct the Dockerfile and deploy again',
      },
    );
  }
  notify({ type: 'progress', key, text: `pushing ${image}`, status: 'going' });
  const pushed = await remote.run(builder, `sudo docker push ${quote(image)}`, { timeout: 600 });
  if (pushed.exitCode !== 0) {
    notify({ type: 'progress', key, text, status: 'failed' });
    throw remoteError(builder, `pushing ${image}`, pushed);
  }
  notify({ type: 'progress', key, text: `built ${image} on ${builder}`, status: 'done' });
}
