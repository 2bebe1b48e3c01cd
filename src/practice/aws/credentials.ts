/**
 * Who is calling. Practice accounts: a management account with one fixed root key, and ten sub-accounts (`hackathon-00` to
 * `hackathon-09`) that are reached, as in an AWS Organization, by assuming `OrganizationAccountAccessRole`.
 * The access key id, the session token and its expiry are checked; the request's signature is not.
 */
import { createHash } from 'node:crypto';
import { AwsError } from './errors.ts';
import type { World } from './world.ts';

export const ROOT_ACCOUNT = '100000000000';
/** Sub-account of team N: 1000000001NN. */
export const SUB_ACCOUNTS = Array.from({ length: 10 }, (_, team) => `10000000010${team}`);
export const ROLE = 'OrganizationAccountAccessRole';
export const ROOT_CREDENTIALS = {
  accessKeyId: 'AKIAPRACTICE00000000',
  secretAccessKey: 'practice-only-secret-nothing-real-behind',
} as const;

export interface Caller {
  readonly account: string;
  readonly callerArn: string;
  readonly callerId: string;
}

/** What the request's Authorization header says. */
export interface Scope {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
  readonly token: string | undefined;
}

/**
 * Reads the SigV4 credential scope. Undefined when the request is not signed. Presigned URLs are not taken: a web page could send a
 * browser to one, while it cannot set this header.
 */
export function readScope(header: string | undefined, token: string | undefined): Scope | undefined {
  const credential = /Credential=([^,\s]+)/.exec(header ?? '')?.[1] ?? '';
  const [accessKeyId, , region, service] = credential.split('/');
  return accessKeyId && region && service ? { accessKeyId, region, service, token } : undefined;
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The caller behind a key. Throws as the service does: EC2 has its own codes for bad and expired credentials. */
export function identify(world: World, scope: Scope, now: number): Caller {
  const ec2 = scope.service === 'ec2';
  if (scope.accessKeyId === ROOT_CREDENTIALS.accessKeyId && !scope.token) {
    return { account: ROOT_ACCOUNT, callerArn: `arn:aws:iam::${ROOT_ACCOUNT}:root`, callerId: ROOT_ACCOUNT };
  }
  const session = world.sessions[scope.accessKeyId];
  if (!session || !scope.token || session.tokenHash !== hashToken(scope.token)) {
    throw ec2
      ? new AwsError('AuthFailure', 'AWS was not able to validate the provided access credentials', 401)
      : new AwsError('InvalidClientTokenId', 'The security token included in the request is invalid', 403);
  }
  if (session.expiresAt <= now) {
    throw ec2
      ? new AwsError('RequestExpired', 'Request has expired.', 400)
      : new AwsError('ExpiredToken', 'The security token included in the request is expired', 403);
  }
  return { account: session.account, callerArn: session.arn, callerId: session.userId };
}
