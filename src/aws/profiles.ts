import { homedir } from 'node:os';
import { join } from 'node:path';
import { loadSharedConfigFiles } from '@smithy/core/config';
import { usageError } from '../engine/types.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The AWS files, as the SDK and the CLI find them. */
export function awsFiles(env: Env = process.env): { readonly config: string; readonly credentials: string } {
  const home = env.HOME ?? homedir();
  const path = (given: string | undefined, name: string) =>
    given ? given.replace(/^~(?=\/)/, home) : join(home, '.aws', name);
  return {
    config: path(env.AWS_CONFIG_FILE, 'config'),
    credentials: path(env.AWS_SHARED_CREDENTIALS_FILE, 'credentials'),
  };
}

async function loadFiles(env: Env) {
  const files = awsFiles(env);
  return loadSharedConfigFiles({ filepath: files.credentials, configFilepath: files.config, ignoreCache: true });
}

/** Names of the profiles in both files, and where these are. */
export async function profiles(
  env: Env = process.env,
): Promise<{ readonly names: readonly string[]; readonly files: readonly string[] }> {
  const loaded = await loadFiles(env);
  const names = [...Object.keys(loaded.credentialsFile), ...Object.keys(loaded.configFile)].filter(
    (name) => !/^(?:sso-session|services)\./.test(name),
  );
  return { names: [...new Set(names)].sort(), files: Object.values(awsFiles(env)).reverse() };
}

/** All settings of a profile, of both files; empty when there is none of this name. */
export async function profileSettings(
  profile: string,
  env: Env = process.env,
): Promise<Readonly<Record<string, string | undefined>>> {
  const loaded = await loadFiles(env);
  return { ...loaded.credentialsFile[profile], ...loaded.configFile[profile] };
}

/** One setting of the profile that is in use; the config file wins over the credentials file, as in the SDK for what is no key. */
async function profileSetting(
  name: string,
  { profile, env }: { readonly profile?: string | undefined; readonly env: Env },
): Promise<string | undefined> {
  return (await profileSettings(profile ?? env.AWS_PROFILE ?? 'default', env))[name];
}

/** A setting and where it came from, for people. */
export interface Resolved {
  readonly value: string;
  readonly from: string;
}

/** `--region`, AWS_REGION, AWS_DEFAULT_REGION, the profile's `region`; undefined: ask. Throws a usage error on what is no region's name. */
export async function resolveRegion(
  options: { readonly region?: string | undefined; readonly profile?: string | undefined; readonly env?: Env } = {},
): Promise<Resolved | undefined> {
  const { env = process.env } = options;
  const found = firstOf([
    [options.region, '--region'],
    [env.AWS_REGION, 'AWS_REGION'],
    [env.AWS_DEFAULT_REGION, 'AWS_DEFAULT_REGION'],
    [await profileSetting('region', { profile: options.profile, env }), 'the profile'],
  ]);
  if (found !== undefined && !/^[a-z]{2,}(?:-[a-z]+)+-\d+$/.test(found.value)) {
    throw usageError(
      `"${found.value}" (${found.from}) is no AWS region`,
      'Give one such as eu-central-1 or us-east-1 with --region.',
    );
  }
  return found;
}

/** `--endpoint-url`, AWS_ENDPOINT_URL, the profile's `endpoint_url`; undefined: AWS itself. Throws a usage error on what is no http(s) URL. */
export async function resolveEndpoint(
  options: {
    readonly endpointUrl?: string | undefined;
    readonly profile?: string | undefined;
    readonly env?: Env;
  } = {},
): Promise<Resolved | undefined> {
  const { env = process.env } = options;
  const configured = env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS !== 'true';
  const found = firstOf([
    [options.endpointUrl, '--endpoint-url'],
    [configured ? env.AWS_ENDPOINT_URL : undefined, 'AWS_ENDPOINT_URL'],
    [configured ? await profileSetting('endpoint_url', { profile: options.profile, env }) : undefined, 'the profile'],
  ]);
  if (found !== undefined && !(URL.canParse(found.value) && /^https?:/.test(found.value))) {
    throw usageError(
      `"${found.value}" (${found.from}) is no http or https URL`,
      'Give one such as http://127.0.0.1:4566.',
    );
  }
  return found;
}

function firstOf(candidates: readonly (readonly [string | undefined, string])[]): Resolved | undefined {
  for (const [value, from] of candidates) if (value) return { value, from };
  return undefined;
}
