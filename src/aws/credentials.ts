import { homedir } from 'node:os';
import { join } from 'node:path';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import { loadSharedConfigFiles } from '@smithy/core/config';
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types';
import { CloudspaceError, usageError } from '../engine/types.ts';
import type { Aws } from './clients.ts';
import { translate, withoutExchange } from './errors.ts';
import { silenceSdkNotice } from './sdkNotice.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Credentials are renewed when they have less than this left, in milliseconds (as AWS's own tools do). */
const MARGIN = 5 * 60_000;

/** The role that AWS Organizations puts into every account it makes. */
export const ORGANIZATION_ROLE = 'OrganizationAccountAccessRole';

export interface CredentialOptions {
  /** `--profile`; left out: AWS_PROFILE, else the environment's keys, else `default` */
  readonly profile?: string | undefined;
  /** assume this role with what the chain gives */
  readonly roleArn?: string | undefined;
  /** for the role's session, in CloudTrail: who did it */
  readonly sessionName?: string | undefined;
  /** ARN of the MFA device that the role asks for (profiles bring their own `mfa_serial`) */
  readonly mfaSerial?: string | undefined;
  /** asks the person for the device's six digits; left out: a role or profile that wants MFA fails and says so */
  readonly mfaCode?: ((serial: string) => Promise<string>) | undefined;
  /** for STS, where a role is assumed */
  readonly region?: string | undefined;
  readonly endpointUrl?: string | undefined;
  /** instead of the chain, as what the role is assumed with (tests, practice) */
  readonly base?: AwsCredentialIdentity | AwsCredentialIdentityProvider | undefined;
}

/** One set of credentials for all clients of a run: asked for once, renewed before it ends. */
export interface Credentials {
  /** for `connect`; throws CloudspaceError `NoCredentials`, `NoSuchProfile`, `ExpiredToken`, `AccessDenied` */
  readonly provider: AwsCredentialIdentityProvider;
  /** when those last given out end; undefined: not asked for yet, or they do not end */
  expiration(): Date | undefined;
  /** gets new ones now, whatever is left of the old: after `aws sso login`, or after ExpiredToken */
  renew(): Promise<void>;
  /** renews what would end within `seconds`; false when even the new ones do */
  lastFor(seconds: number): Promise<boolean>;
}

/**
 * AWS's chain: the profile (static keys, role with source_profile and MFA, SSO, credential_process, web identity), else environment, container and
 * instance role; then, if told, a role on top. Nothing is read before the provider is first asked.
 */
export function credentials(options: CredentialOptions = {}): Credentials {
  let current: AwsCredentialIdentity | undefined;
  let fetching: Promise<AwsCredentialIdentity> | undefined;

  const fetchNew = (): Promise<AwsCredentialIdentity> => {
    fetching ??= load(options)
      .then((fresh) => {
        current = fresh;
        return fresh;
      })
      .finally(() => {
        fetching = undefined;
      });
    return fetching;
  };
  const left = (): number =>
    current?.expiration ? current.expiration.getTime() - Date.now() : Number.POSITIVE_INFINITY;

  const provider = async (): Promise<AwsCredentialIdentity> =>
    current !== undefined && left() > MARGIN ? current : fetchNew();
  return {
    // `memoized` keeps each SDK client from keeping a copy of its own, which `renew` could not reach
    provider: Object.assign(provider, { memoized: true }),
    expiration: () => current?.expiration,
    async renew() {
      await fetchNew();
    },
    async lastFor(seconds) {
      await provider();
      if (left() < seconds * 1000) await fetchNew();
      return left() >= seconds * 1000;
    },
  };
}

async function load(options: CredentialOptions): Promise<AwsCredentialIdentity> {
  silenceSdkNotice();
  const { base } = options;
  const chain = typeof base === 'object' ? async () => base : (base ?? (() => fromChain(options)));
  if (options.roleArn === undefined) return chain();
  const source = await chain();
  try {
    return await fromTemporaryCredentials({
      masterCredentials: source,
      params: {
        RoleArn: options.roleArn,
        RoleSessionName: (options.sessionName ?? 'cloudspace').replaceAll(/[^\w+=,.@-]/g, '-').slice(0, 64),
        ...(options.mfaSerial !== undefined && { SerialNumber: options.mfaSerial }),
      },
      ...(options.mfaCode && { mfaCodeProvider: options.mfaCode }),
      clientConfig: stsConfig(options),
    })();
  } catch (error) {
    if (error instanceof Error && options.endpointUrl !== undefined)
      Object.assign(error, { endpoint: options.endpointUrl });
    throw translate(withoutExchange(error), `assume the role ${options.roleArn}`);
  }
}

/** Credentials are part of the first contact: no endpoint may let them wait for minutes. */
const stsConfig = ({ region, endpointUrl }: CredentialOptions) => ({
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 5000, requestTimeout: 30_000, throwOnRequestTimeout: true },
  ...(region !== undefined && { region }),
  ...(endpointUrl !== undefined && { endpoint: endpointUrl }),
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function fromChain(options: CredentialOptions): Promise<AwsCredentialIdentity> {
  const { profile = process.env.AWS_PROFILE } = options;
  const known = await profiles();
  if (profile !== undefined && !known.names.includes(profile)) {
    throw new CloudspaceError(`there is no AWS profile "${profile}" in ${known.files.join(' or ')}`, {
      code: 'NoSuchProfile',
      hint:
        known.names.length > 0
          ? `Profiles there: ${known.names.join(', ')}. Name one with --profile or AWS_PROFILE.`
          : 'There is none at all: make one with `aws configure` or `aws configure sso`.',
      exitCode: 2,
    });
  }
  try {
    return await fromNodeProviderChain({
      ...(profile !== undefined && { profile }),
      ...(options.mfaCode && { mfaCodeProvider: options.mfaCode }),
      clientConfig: stsConfig(options),
      // a person may have signed in again in another terminal since
      ignoreCache: true,
      logger: silent,
    })();
  } catch (error) {
    if (/could not load credentials from any providers/i.test(String((error as Error).message)))
      throw noCredentials(known, profile);
    const translated = translate(
      withoutExchange(error),
      profile === undefined ? 'get credentials' : `get credentials with the profile "${profile}"`,
    );
    if (translated.code !== 'ExpiredToken' || profile === undefined) throw translated;
    throw new CloudspaceError(translated.message, {
      code: 'ExpiredToken',
      hint: `Sign in again: aws sso login --profile ${profile}. Nothing is lost, the run goes on where it stopped.`,
      cause: error,
    });
  }
}

function noCredentials(
  known: { names: readonly string[]; files: readonly string[] },
  profile: string | undefined,
): CloudspaceError {
  const where = [
    'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment',
    `the profile "${profile ?? 'default'}" in ${known.files.join(' and ')}${known.names.length > 0 ? ` (there: ${known.names.join(', ')})` : ' (no profile there)'}`,
    'SSO, credential_process, web identity, and the role of a container or instance',
  ];
  return new CloudspaceError(`no AWS credentials found; looked at ${where.join('; ')}`, {
    code: 'NoCredentials',
    hint: 'Run `aws configure sso` (or `aws configure` with an access key), then give the profile with --profile NAME; without an AWS account try `cloudspace practice`.',
    exitCode: 2,
  });
}

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

/** One setting of a profile; the credentials file wins over the config file, as in the SDK. */
async function profileSetting(
  name: string,
  options: { readonly profile?: string | undefined; readonly env: Env },
): Promise<string | undefined> {
  const loaded = await loadFiles(options.env);
  const profile = options.profile ?? options.env.AWS_PROFILE ?? 'default';
  return loaded.configFile[profile]?.[name] ?? loaded.credentialsFile[profile]?.[name];
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

/** The ARN of a role in an account: `OrganizationAccountAccessRole`, unless told. Throws a usage error on what is no account id. */
export function roleArn(account: string, role: string = ORGANIZATION_ROLE): string {
  if (!/^\d{12}$/.test(account)) {
    throw usageError(
      `"${account}" is no AWS account id`,
      'An account id has 12 digits; the console shows it at the top right.',
    );
  }
  return `arn:aws:iam::${account}:role/${role}`;
}

export interface Identity {
  readonly account: string;
  readonly arn: string;
  readonly userId: string;
}

/** Who the credentials belong to. AWS allows this call to everybody. */
export async function identity(aws: Aws): Promise<Identity> {
  const answer = await aws.sts.send(new GetCallerIdentityCommand({}));
  return { account: answer.Account ?? '', arn: answer.Arn ?? '', userId: answer.UserId ?? '' };
}
