import {
  CreateDBInstanceCommand,
  type DBInstance,
  DeleteDBInstanceCommand,
  ModifyDBInstanceCommand,
  paginateDescribeDBInstances,
} from '@aws-sdk/client-rds';
import type { Kind, Output, Status } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { codeOf, ignoreGone } from '../errors.ts';
import { HOURS_A_MONTH, priceOf } from '../prices.ts';
import {
  all,
  cliTags,
  differs,
  found,
  fromTagList,
  must,
  nameOf,
  optional,
  rdsTags,
  TAG,
  tagList,
  words,
} from './common.ts';

export interface DbInstanceProps {
  readonly instanceClass: string;
  /** PostgreSQL's, such as 18.1 */
  readonly engineVersion: string;
  /** name */
  readonly dbSubnetGroup: string;
  readonly securityGroupIds: readonly string[];
  readonly masterUsername: string;
  /** name of the secret that holds the master password; the password itself is read when the request is made */
  readonly masterPasswordSecret: string;
  readonly databaseName?: string;
  /** such as rds-ca-rsa2048-g1; left out: AWS's default */
  readonly caCertificate?: string;
  /** gigabytes of encrypted gp3 (default 20, the smallest) */
  readonly storageGb?: number;
  /** days that automated backups are kept, 0 to 35 (default 1; 0 switches them off) */
  readonly backupRetentionDays?: number;
  /** left out: `<cloudspace>-<key>` */
  readonly name?: string;
}

/** `id` is the DB instance identifier. The endpoint is known when it is available. */
export interface DbInstanceOutput extends Output {
  readonly arn: string;
  readonly status: string;
  readonly endpoint?: string;
  readonly port?: number;
  readonly instanceClass: string;
  readonly engineVersion: string;
  readonly masterUsername: string;
  readonly publiclyAccessible: boolean;
  readonly backupRetentionDays: number;
  readonly securityGroupIds: readonly string[];
  /** set by a teardown that was asked to keep one: the name of the snapshot that is made when it is deleted */
  readonly finalSnapshot?: string;
}

const output = (db: DBInstance | undefined): DbInstanceOutput => ({
  id: must(db?.DBInstanceIdentifier, 'DBInstanceIdentifier'),
  arn: db?.DBInstanceArn ?? '',
  status: db?.DBInstanceStatus ?? 'creating',
  ...optional('endpoint', db?.Endpoint?.Address),
  ...optional('port', db?.Endpoint?.Port),
  instanceClass: db?.DBInstanceClass ?? '',
  engineVersion: db?.EngineVersion ?? '',
  masterUsername: db?.MasterUsername ?? '',
  publiclyAccessible: db?.PubliclyAccessible ?? false,
  backupRetentionDays: db?.BackupRetentionPeriod ?? 0,
  securityGroupIds: (db?.VpcSecurityGroups ?? []).flatMap(({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? []).sort(),
});

/** Statuses that need a person. Everything else that is not usable passes by itself. */
const FAILED =
  /^(?:failed|restore-error|inaccessible-encryption-credentials.*|incompatible-.*|insufficient-capacity|storage-full)$/;
/** Reachable, whatever RDS does to it behind. */
const USABLE =
  /^(?:available|backing-up|configuring-.*|maintenance|modifying|storage-optimization|storage-config-upgrade|storage-initialization|stopped)$/;

function status(out: DbInstanceOutput): Status {
  if (out.status === 'deleting') return { state: 'deleting' };
  if (FAILED.test(out.status)) return { state: 'failed', reason: `the database is ${out.status}` };
  // while it is created it passes through backing-up and modifying before its endpoint is known
  return { state: USABLE.test(out.status) && out.endpoint !== undefined ? 'ready' : 'pending' };
}

export const dbInstance: Kind<DbInstanceProps, DbInstanceOutput, Aws> = {
  type: 'aws_db_instance',
  label: 'PostgreSQL database',
  keepsData: true,
  quota: () => [{ code: 'L-7B6409FD', amount: 1 }],
  seconds: 420,
  async list(aws, scope) {
    const databases = await scope.once('DescribeDBInstances', () =>
      all(paginateDescribeDBInstances({ client: aws.rds, pageSize: 100 }, {}), (page) => page.DBInstances),
    );
    return databases
      .filter(({ TagList }) => fromTagList(TagList)[TAG.name] === scope.name)
      .map((one) => found(output(one), one.TagList));
  },
  async create(aws, props, { tags, signal }) {
    const answer = await aws.rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: nameOf(props, tags),
        Engine: 'postgres',
        EngineVersion: props.engineVersion,
        DBInstanceClass: props.instanceClass,
        AllocatedStorage: props.storageGb ?? 20,
        StorageType: 'gp3',
        StorageEncrypted: true,
        MasterUsername: props.masterUsername,
        MasterUserPassword: await aws.secret(props.masterPasswordSecret),
        ...optional('DBName', props.databaseName),
        DBSubnetGroupName: props.dbSubnetGroup,
        VpcSecurityGroupIds: [...props.securityGroupIds],
        PubliclyAccessible: false,
        MultiAZ: false,
        BackupRetentionPeriod: props.backupRetentionDays ?? 1,
        CopyTagsToSnapshot: true,
        AutoMinorVersionUpgrade: true,
        DeletionProtection: false,
        ...optional('CACertificateIdentifier', props.caCertificate),
        Tags: tagList(tags),
      }),
      { abortSignal: signal },
    );
    return output(answer.DBInstance);
  },
  status,
  drift(props, out) {
    const modify = words`aws rds modify-db-instance --db-instance-identifier ${out.id} --apply-immediately`;
    const major = (version: string) => version.split('.')[0];
    return [
      // Another class means a restart, another major version more than that: nothing that is done by itself.
      ...differs('instanceClass', props.instanceClass, out.instanceClass, { fixed: true }),
      // minor versions are upgraded by RDS itself
      ...(major(out.engineVersion) === major(props.engineVersion)
        ? []
        : differs('engineVersion', props.engineVersion, out.engineVersion, { fixed: true })),
      ...differs('publiclyAccessible', false, out.publiclyAccessible, {
        mend: [...modify, '--no-publicly-accessible'],
      }),
      ...differs('backupRetentionDays', props.backupRetentionDays ?? 1, out.backupRetentionDays, {
        mend: [...modify, '--backup-retention-period', String(props.backupRetentionDays ?? 1)],
      }),
      ...differs('securityGroupIds', [...props.securityGroupIds].sort(), out.securityGroupIds, {
        mend: [...modify, '--vpc-security-group-ids', ...props.securityGroupIds],
      }),
    ];
  },
  async update(aws, props, out, { signal }) {
    const wanted = {
      publiclyAccessible: false,
      backupRetentionDays: props.backupRetentionDays ?? 1,
      securityGroupIds: [...props.securityGroupIds].sort(),
    };
    const answer = await aws.rds.send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier: out.id,
        ApplyImmediately: true,
        ...(out.publiclyAccessible && { PubliclyAccessible: false }),
        ...(wanted.backupRetentionDays !== out.backupRetentionDays && {
          BackupRetentionPeriod: wanted.backupRetentionDays,
        }),
        ...(String(wanted.securityGroupIds) !== String(out.securityGroupIds) && {
          VpcSecurityGroupIds: wanted.securityGroupIds,
        }),
      }),
      { abortSignal: signal },
    );
    // The answer shows the values before the change.
    return { ...output(answer.DBInstance), ...wanted };
  },
  /**
   * Without its automated backups, and without a final snapshot unless the output names one: a Cloudspace that is destroyed leaves nothing that costs
   * but what was asked for.
   */
  async delete(aws, { id, finalSnapshot }, signal) {
    const snapshot =
      finalSnapshot === undefined
        ? { SkipFinalSnapshot: true }
        : { SkipFinalSnapshot: false, FinalDBSnapshotIdentifier: finalSnapshot };
    try {
      await ignoreGone(
        aws.rds.send(
          new DeleteDBInstanceCommand({ DBInstanceIdentifier: id, ...snapshot, DeleteAutomatedBackups: true }),
          { abortSignal: signal },
        ),
      );
    } catch (error) {
      if (
        codeOf(error) !== 'InvalidDBInstanceState' ||
        !/already being deleted/i.test(String((error as Error).message))
      )
        throw error;
    }
  },
  ...rdsTags,
  protection: {
    refused: (error) => /protected DB Instance|deletion protection/i.test(String((error as Error).message)),
    async lift(aws, { id }, signal) {
      const change = { DBInstanceIdentifier: id, DeletionProtection: false, ApplyImmediately: true };
      await aws.rds.send(new ModifyDBInstanceCommand(change), { abortSignal: signal });
    },
  },
  cli: (props, { tags }) => {
    const password = `$${props.masterPasswordSecret.replaceAll(/[^A-Za-z0-9]+/g, '_').toUpperCase()}`;
    const more = [
      ...(props.databaseName === undefined ? [] : ['--db-name', props.databaseName]),
      ...(props.caCertificate === undefined ? [] : ['--ca-certificate-identifier', props.caCertificate]),
    ];
    return words`aws rds create-db-instance --db-instance-identifier ${nameOf(props, tags)} --engine postgres --engine-version ${props.engineVersion} --db-instance-class ${props.instanceClass} --allocated-storage ${props.storageGb ?? 20} --storage-type gp3 --storage-encrypted --master-username ${props.masterUsername} --master-user-password ${password} ${more} --db-subnet-group-name ${props.dbSubnetGroup} --vpc-security-group-ids ${props.securityGroupIds} --no-publicly-accessible --no-multi-az --backup-retention-period ${props.backupRetentionDays ?? 1} --copy-tags-to-snapshot --no-deletion-protection ${cliTags(tags)}`;
  },
  price: (props, region) =>
    priceOf(props.instanceClass, region) + ((props.storageGb ?? 20) * priceOf('rdsGp3GbMonth', region)) / HOURS_A_MONTH,
};
