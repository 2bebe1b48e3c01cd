import { CloudspaceError, usageError } from '../../engine/types.ts';
import type { Context } from '../context.ts';
import { openRemote, type Remote, remoteError } from '../hosts/remote.ts';
import { openOwnVault } from '../session/ownVault.ts';
import { locateExisting } from '../session/places.ts';

/** The host that the API runs on, by its key in the walkthrough. */
const HOST = 'services';
/** Seconds for one request: making a database is a matter of a second, a busy server's of some. */
const SECONDS = 60;

export interface ServicesAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Asks the services API. Throws CloudspaceError: `ServicesRefused` with its own words, `ServicesUnreachable`. */
export type AskServices = (method: string, path: string, body?: unknown) => Promise<ServicesAnswer>;

/** The way to the services API of the Cloudspace that the command is about: over SSH, as to everything else; no port of it need be open to you. */
export async function openServices(context: Context): Promise<AskServices> {
  const place = await locateExisting(context);
  const remote = await openRemote(place, context.signal);
  if (!remote.hosts.some(({ name }) => name === HOST))
    throw usageError(
      `"${place.name}" has no services API yet`,
      'go on with the walkthrough: its last chapter makes it',
      'NoServices',
    );
  const vault = await openOwnVault(context, place.dir);
  const token = await vault.peek('services_api_token').finally(() => vault.close());
  if (token === undefined)
    throw usageError(
      'the vault holds no services_api_token: the services API was never provisioned from here',
      'go on with the walkthrough: its last chapter makes it',
      'NoServices',
    );
  return (method, path, body) => ask(remote, token, method, path, body);
}

async function ask(remote: Remote, token: string, method: string, path: string, body: unknown) {
  const what = `ask the services API (${method} ${path})`;
  // curl reads its settings from standard input: neither token nor body is ever an argument, which every user of a host can see.
  const result = await remote.run(HOST, 'curl --config -', {
    input: curlConfig(token, method, path, body),
    timeout: SECONDS + 30,
  });
  if (result.exitCode === 255) throw remoteError(HOST, what, result);
  if (result.exitCode !== 0)
    throw new CloudspaceError(
      `the services API does not answer: ${result.stderr.trim() || `curl ${result.exitCode}`}`,
      {
        code: 'ServicesUnreachable',
        hint: `look at it: cloudspace ssh ${HOST} -- sudo journalctl -u services-api -n 20; or: cloudspace check services`,
      },
    );
  const end = result.stdout.lastIndexOf('\n');
  const status = Number(result.stdout.slice(end + 1));
  const answer = parse(result.stdout.slice(0, end));
  if (status >= 200 && status < 300) return { status, body: answer };
  throw new CloudspaceError(`the services API refused (${status}): ${answer.description ?? 'without a reason'}`, {
    code: 'ServicesRefused',
  });
}

/** curl's configuration format (curl(1), --config). Exported for tests. */
export function curlConfig(token: string, method: string, path: string, body: unknown): string {
  const settings: [string, string][] = [
    ['request', method],
    ['url', `https://${HOST}${path}`],
    // It has the certificate of its own name; asked on the host itself, whatever the name means elsewhere.
    ['connect-to', `${HOST}:443:127.0.0.1:443`],
    ['cacert', '/etc/cloudspace/ca.crt'],
    ['header', `Authorization: Bearer ${token}`],
    ['header', 'X-Cloudspace-User: cloudspace command'],
    ['max-time', String(SECONDS)],
    ['write-out', '\n%{http_code}'],
  ];
  if (body !== undefined)
    settings.push(['header', 'Content-Type: application/json'], ['data-raw', JSON.stringify(body)]);
  const lines = settings.map(([key, value]) => `${key} = "${escaped(value)}"`);
  // path-as-is: ".." in an id stays in its place.
  return ['silent', 'show-error', 'path-as-is', ...lines, ''].join('\n');
}

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', '\\r');

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
