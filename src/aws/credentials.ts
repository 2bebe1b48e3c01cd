import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types';
import { CloudspaceError, hasCode, usageError } from '../engine/types.ts';
import type { Aws } from './clients.ts';
import { translate, withoutExchange } from './errors.ts';
import { profiles } from './profiles.ts';
import { silenceSdkNotice } from './sdkNotice.ts';

export { awsFiles, profiles, type Resolved, resolveEndpoint, resolveRegion } from './profiles.ts';

/** Credentials are renewed when they have less than this left, in milliseconds (as AWS's own tools do); short-lived ones at half of their life. */
const MARGIN = 5 * 60_000;

/** The role that AWS Organizations puts into every account it makes. */
const ORGANIZATION_ROLE = 'OrganizationAccountAccessRole';

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
  /** for `connect`; throws CloudspaceError `NoCredentials`, `NoSuchProfile`, `ExpiredToken`, `AccessDenied`, and `OtherAccount` as `pin` says */
  readonly provider: AwsCredentialIdentityProvider;
  /** when those last given out end; undefined: not asked for yet, or they do not say */
  expiration(): Date | undefined;
  /**
   * Gets new ones now, whatever is left of the old: after `aws sso login`, or after ExpiredToken. Once pinned, STS is asked whether they work. Throws
   * as the provider does, `InvalidCredentials` too.
   */
  renew(): Promise<void>;
  /** renews what would end within `seconds`; false when even the new ones do */
  lastFor(seconds: number): Promise<boolean>;
  /** From now on credentials of another account are refused (`OtherAccount`) before they are used for anything. */
  pin(account: string): void;
}

/**
 * AWS's chain: the profile (static keys, role with source_profile and MFA, SSO, credential_process, web identity), else environment, container and
 * instance role; then, if told, a role on top. Nothing is read before the provider is first asked.
 */
export function credentials(options: CredentialOptions = {}): Credentials {
  let current: AwsCredentialIdentity | undefined;
  /** milliseconds before their end at which `current` are renewed */
  let margin = MARGIN;
  let account: string | undefined;
  let fetching: Promise<AwsCredentialIdentity> | undefined;

  const left = (of = current): number =>
    of?.expiration ? of.expiration.getTime() - Date.now() : Number.POSITIVE_INFINITY;

  const fetchNew = (how: { proven: boolean }): Promise<AwsCredentialIdentity> => {
    fetching ??= load(options)
      .then(async (fresh) => {
        const same = fresh.accessKeyId === current?.accessKeyId && fresh.sessionToken === current?.sessionToken;
        // The role's ARN holds its account, and STS has just given its keys out: no question left.
        if (options.roleArn === undefined && account !== undefined && (how.proven || !same))
          await checkAccount(fresh, account, options);
        margin = Math.min(MARGIN, left(fresh) / 2);
        current = fresh;
        return fresh;
      })
      .finally(() => {
        fetching = undefined;
      });
    return fetching;
  };

  const provider = async (): Promise<AwsCredentialIdentity> => {
    if (current !== undefined && left() > margin) return current;
    try {
      return await fetchNew({ proven: false });
    } catch (error) {
      // Those at hand still work: a sign-in that has ended matters when they end, not before.
      if (current !== undefined && left() > 0 && !hasCode(error, 'OtherAccount')) return current;
      throw error;
    }
  };
  return {
    // `memoized` keeps each SDK client from keeping a copy of its own, which `renew` could not reach
    provider: Object.assign(provider, { memoized: true }),
    expiration: () => current?.expiration,
    async renew() {
      await fetchNew({ proven: true });
    },
    async lastFor(seconds) {
      await provider();
      if (left() < seconds * 1000) await fetchNew({ proven: false }).catch(refusedOnly);
      return left() >= seconds * 1000;
    },
    pin(only) {
      account = only;
    },
  };
}

/** Where nothing new is to be had, the old ones are used to their end. */
function refusedOnly(error: unknown): void {
  if (hasCode(error, 'OtherAccount')) throw error;
}

/** Throws CloudspaceError `OtherAccount` when the keys belong to an account that is not `only`, and what STS says when they do not work. */
async function checkAccount(keys: AwsCredentialIdentity, only: string, options: CredentialOptions): Promise<void> {
  const sts = new STSClient({ ...stsConfig(options), credentials: keys });
  try {
    const { Account: account = '' } = await sts.send(new GetCallerIdentityCommand({}));
    if (account === only) return;
    throw new CloudspaceError(
      `the credentials now belong to account ${account}, and this run works in account ${only}`,
      {
        code: 'OtherAccount',
        hint: `Sign in to ${only} again, then run the same command: it goes on where it stopped. Nothing was sent to ${account}.`,
      },
    );
  } catch (error) {
    throw translate(withoutExchange(error), 'ask STS whose credentials these are');
  } finally {
    sts.destroy();
  }
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
