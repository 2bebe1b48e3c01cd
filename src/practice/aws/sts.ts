import { randomBytes } from 'node:crypto';
import * as sts from '@aws-sdk/client-sts';
import { hashToken, ROLE, ROOT_ACCOUNT, SUB_ACCOUNTS } from './credentials.ts';
import { AwsError } from './errors.ts';
import { type Context, on } from './operation.ts';
import type { Session } from './world.ts';

export const stsOperations = [
  on(sts.GetCallerIdentityCommand, (_input, { account, callerArn, callerId }) => ({
    UserId: callerId,
    Account: account,
    Arn: callerArn,
  })),

  on(sts.AssumeRoleCommand, (input, context) => {
    const { RoleArn = '', RoleSessionName = '', DurationSeconds = 3600 } = input;
    const [, account = '', role] = /^arn:aws:iam::(\d{12}):role\/(.+)$/.exec(RoleArn) ?? [];
    if (!role) throw validation(`${RoleArn} is invalid`);
    if (!/^[\w+=,.@-]{2,64}$/.test(RoleSessionName)) throw validation(`role session name "${RoleSessionName}"`);
    const allowed = [ROOT_ACCOUNT, account].includes(context.account) && SUB_ACCOUNTS.includes(account);
    if (!allowed || role !== ROLE) {
      throw new AwsError(
        'AccessDenied',
        `User: ${context.callerArn} is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`,
        403,
      );
    }
    if (DurationSeconds < 900 || DurationSeconds > 43200) throw validation(`duration ${DurationSeconds} seconds`);
    // Role chaining (assuming from a role's session) is limited to an hour, as on AWS.
    if (context.account !== ROOT_ACCOUNT && DurationSeconds > 3600) {
      throw validation(
        'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
      );
    }
    const roleId = `AROAPRACTICE0000000${account.slice(-2)}:${RoleSessionName}`;
    const arn = `arn:aws:sts::${account}:assumed-role/${role}/${RoleSessionName}`;
    return {
      Credentials: startSession(context, { account, arn, userId: roleId }, DurationSeconds),
      AssumedRoleUser: { AssumedRoleId: roleId, Arn: arn },
    };
  }),

  on(sts.GetSessionTokenCommand, ({ DurationSeconds = 43200 }, context) => {
    if (DurationSeconds < 900 || DurationSeconds > 129600) throw validation(`duration ${DurationSeconds} seconds`);
    if (context.callerArn.includes(':assumed-role/')) {
      throw new AwsError('AccessDenied', 'Cannot call GetSessionToken with session credentials', 403);
    }
    const { account, callerArn: arn, callerId: userId } = context;
    return { Credentials: startSession(context, { account, arn, userId }, DurationSeconds) };
  }),
];

function validation(message: string): AwsError {
  return new AwsError('ValidationError', message);
}

function startSession(context: Context, who: Pick<Session, 'account' | 'arn' | 'userId'>, seconds: number) {
  const { world, clock, sessionLife } = context;
  for (const [key, session] of Object.entries(world.sessions)) {
    // Long expired ones are forgotten; recent ones are kept, so that they are reported as expired, not as unknown.
    if (session.expiresAt + 24 * 3_600_000 < clock.now()) delete world.sessions[key];
  }
  const accessKeyId = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
  const token = randomBytes(96).toString('base64');
  // The expiry is what real time says: credentials do not age faster with the practice cloud's speed.
  const expiresAt = Math.floor(clock.now() / 1000 + Math.min(seconds, sessionLife)) * 1000;
  world.sessions[accessKeyId] = { ...who, tokenHash: hashToken(token), expiresAt };
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: randomBytes(30).toString('base64'),
    SessionToken: token,
    Expiration: new Date(expiresAt),
  };
}
