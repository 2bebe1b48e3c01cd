import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  IAMClient,
  ListAccessKeysCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { ServicesConfig } from '../config.ts';
import { ApiError } from '../errors.ts';
import type { Instance } from '../store.ts';
import type { Driver } from './types.ts';

/** IAM path of all users made here: the host's instance profile needs rights over this path alone. */
const USER_PATH = '/cloudspace-services/';
const POLICY = 'bucket';

/**
 * Buckets on AWS. A binding is an IAM user with one access key, whose policy names one bucket. Credentials are those of the host's instance profile
 * (docs/services-api.md has its policy). `endpoint` is for tests.
 */
export function objectStore({ region, prefix }: NonNullable<ServicesConfig['objectStore']>, endpoint?: string): Driver {
  const settings = { region, maxAttempts: 5, ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }) };
  const s3 = new S3Client(settings);
  const iam = new IAMClient(settings);
  /** Bucket names are the world's: the Cloudspace's name is in them. No underscores, at most 63 characters. */
  const bucketOf = (instance: Instance): string =>
    `${prefix}-${instance.name.replaceAll('_', '-')}`.toLowerCase().slice(0, 63).replace(/-+$/, '');

  async function emptyBucket(Bucket: string): Promise<void> {
    for (;;) {
      const page = await s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 1000 }));
      const objects = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
      if (objects.length === 0) return;
      const { Errors = [] } = await s3.send(
        new DeleteObjectsCommand({
          Bucket,
          Delete: { Quiet: true, Objects: objects.map(({ Key, VersionId }) => ({ Key, VersionId })) },
        }),
      );
      // Else the same page would come for ever.
      const [first] = Errors;
      if (first) throw new ApiError(502, 'BackendError', `S3 keeps the object ${first.Key}: ${first.Message}`);
    }
  }

  async function deleteAccessKeys(UserName: string): Promise<void> {
    const { AccessKeyMetadata = [] } = await iam.send(new ListAccessKeysCommand({ UserName }));
    for (const { AccessKeyId } of AccessKeyMetadata)
      await iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId: AccessKeyId as string }));
  }

  return {
    create: (instance) =>
      explained(async () => {
        const Bucket = bucketOf(instance);
        await unless(['BucketAlreadyOwnedByYou'], () =>
          s3.send(
            new CreateBucketCommand({
              Bucket,
              // S3's oldest region is the one that may not be named.
              ...(region === 'us-east-1'
                ? {}
                : { CreateBucketConfiguration: { LocationConstraint: region as 'eu-central-1' } }),
            }),
          ),
        );
        await s3.send(
          new PutPublicAccessBlockCommand({
            Bucket,
            PublicAccessBlockConfiguration: {
              BlockPublicAcls: true,
              BlockPublicPolicy: true,
              IgnorePublicAcls: true,
              RestrictPublicBuckets: true,
            },
          }),
        );
        await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
      }),

    delete: (instance) =>
      explained(async () => {
        const Bucket = bucketOf(instance);
        await unless(['NoSuchBucket', 'NotFound'], async () => {
          await s3.send(new HeadBucketCommand({ Bucket }));
          await emptyBucket(Bucket);
          await s3.send(new DeleteBucketCommand({ Bucket }));
        });
      }),

    bind: (instance, UserName) =>
      explained(async () => {
        const bucket = bucketOf(instance);
        await unless(['EntityAlreadyExists', 'EntityAlreadyExistsException'], () =>
          iam.send(new CreateUserCommand({ UserName, Path: USER_PATH })),
        );
        await iam.send(
          new PutUserPolicyCommand({ UserName, PolicyName: POLICY, PolicyDocument: JSON.stringify(policyOf(bucket)) }),
        );
        // A key whose secret was never stored is of no use to anybody.
        await deleteAccessKeys(UserName);
        const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
        return {
          uri: `s3://${bucket}`,
          bucket,
          region,
          access_key_id: AccessKey?.AccessKeyId ?? '',
          secret_access_key: AccessKey?.SecretAccessKey ?? '',
        };
      }),

    unbind: (_instance, UserName) =>
      explained(async () => {
        const gone = ['NoSuchEntity', 'NoSuchEntityException'];
        await unless(gone, () => deleteAccessKeys(UserName));
        await unless(gone, () => iam.send(new DeleteUserPolicyCommand({ UserName, PolicyName: POLICY })));
        await unless(gone, () => iam.send(new DeleteUserCommand({ UserName })));
      }),

    ping: () =>
      explained(async () => {
        await s3.send(new ListBucketsCommand({ MaxBuckets: 1 }));
      }),
  };
}

function policyOf(bucket: string): unknown {
  return {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['s3:ListBucket'], Resource: `arn:aws:s3:::${bucket}` },
      {
        Effect: 'Allow',
        Action: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
        Resource: `arn:aws:s3:::${bucket}/*`,
      },
    ],
  };
}

/** Runs the work; errors of these names mean that it is done already. */
async function unless(names: readonly string[], work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!names.includes((error as Error).name)) throw error;
  }
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const { name, message } = error as Error;
    if (name === 'CredentialsProviderError')
      throw new ApiError(
        501,
        'NoObjectStore',
        'the services host has no AWS credentials: attach an instance profile to it that may make buckets and users (docs/services-api.md)',
        error,
      );
    throw new ApiError(502, 'BackendError', `AWS refused: ${name}: ${message.slice(0, 300)}`, error);
  }
}
