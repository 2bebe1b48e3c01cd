import { realpathSync } from 'node:fs';
import type { AwsCredentialIdentity } from '@smithy/types';
import { usageError } from '../../engine/types.ts';
import { parseName, parseReference, referenceText, type SecretRef } from '../../secrets/reference.ts';
import type { Context } from '../context.ts';
import type { Settings } from '../settings/settings.ts';
import { secretsOf } from '../systems/secrets.ts';

type AwsKey = NonNullable<Settings['aws']>;

/**
 * The access key that `cloudspace.yaml` refers to (`aws: …`), if this run works with it: a flag or the environment that names other credentials wins, as
 * everywhere.
 */
export function keyInUse({ options }: Pick<Context, 'options'>, env = process.env): AwsKey | undefined {
  const other = options.profile ?? env.AWS_PROFILE ?? env.AWS_ACCESS_KEY_ID;
  return other === undefined || other === '' ? options.settings?.aws : undefined;
}

/** The same as what the AWS clients ask for credentials; undefined: AWS's own chain. Nothing is read before they ask. */
export function configuredKey(context: Context): (() => Promise<AwsCredentialIdentity>) | undefined {
  const key = keyInUse(context);
  return key === undefined ? undefined : () => readKey(context, key);
}

async function readKey(context: Context, key: AwsKey): Promise<AwsCredentialIdentity> {
  const secrets = secretsOf(context);
  // A temporary key is asked for when the one before has ended: its source has another one by then.
  const how = { again: key.sessionToken !== undefined };
  return {
    accessKeyId: await secrets.read(key.accessKeyId, 'aws.access-key-id', how),
    secretAccessKey: await secrets.read(key.secretAccessKey, 'aws.secret-access-key', how),
    ...(key.sessionToken && { sessionToken: await secrets.read(key.sessionToken, 'aws.session-token', how) }),
  };
}

/**
 * `cloudspace credential-process`: prints the access key as AWS's tools ask for it ("Sourcing credentials with an external process" in the SDK guide): from
 * references in flags, else from `cloudspace.yaml`. Throws a usage error when neither says where the key is.
 */
export async function run(context: Context): Promise<number> {
  const { accessKeyId, secretAccessKey, sessionToken } = context.options;
  const flags =
    accessKeyId !== undefined && secretAccessKey !== undefined
      ? {
          accessKeyId: parseName(accessKeyId),
          secretAccessKey: parseReference(secretAccessKey),
          ...(sessionToken === undefined ? {} : { sessionToken: parseReference(sessionToken) }),
        }
      : undefined;
  const key = flags ?? context.options.settings?.aws;
  if (key === undefined)
    throw usageError(
      'nothing says where the AWS access key is kept',
      'give --access-key-id and --secret-access-key as references (op://vault/item/field, env:NAME, file:PATH), or aws: {…} in cloudspace.yaml',
    );
  const {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
  } = await readKey(context, key);
  // Not by `print`, which hides secrets: whoever asked is to get this one.
  process.stdout.write(
    `${JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey, ...(SessionToken && { SessionToken }) })}\n`,
  );
  return 0;
}

/**
 * The line for `credential_process` in an AWS profile: it holds references, never a key. Throws a usage error on what no other program could read this way:
 * a question, or a command with characters that a shell would take for its own.
 */
export function credentialProcess(key: AwsKey, program: readonly string[] = thisProgram()): string {
  const flags: [string, SecretRef | undefined][] = [
    ['--access-key-id', key.accessKeyId],
    ['--secret-access-key', key.secretAccessKey],
    ['--session-token', key.sessionToken],
  ];
  const words = flags.flatMap(([flag, ref]) => {
    if (ref === undefined) return [];
    if (ref.kind === 'prompt')
      throw usageError(
        'an AWS profile cannot ask for the key: aws is "prompt" in cloudspace.yaml',
        'keep the key in 1Password, a file or a variable to have a profile with it, or decline the profile',
      );
    return [flag, referenceText(ref)];
  });
  const all = [...program, 'credential-process', ...words];
  const bad = all.find((word) => /["$`\\\n]/.test(word));
  if (bad !== undefined)
    throw usageError(
      `"${bad}" cannot stand in an AWS profile: a shell would change it`,
      'put the command into a script of its own, and name that',
    );
  return all.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `"${word}"`)).join(' ');
}

function thisProgram(): string[] {
  return [process.execPath, realpathSync(process.argv[1] ?? '')];
}
