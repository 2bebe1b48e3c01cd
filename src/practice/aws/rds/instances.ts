import * as rds from '@aws-sdk/client-rds';
import { type Context, on } from '../operation.ts';
import { tagList } from '../tags.ts';
import { database, filtered, pageOf } from './common.ts';
import { major } from './engines.ts';
import type { DbInstance } from './records.ts';
import { describeSubnetGroup } from './subnetGroups.ts';

/** Typical seconds. A new database is created, then backed up where it has backups, then available. */
const SECONDS = {
  creating: 300,
  failing: 60,
  backingUp: 60,
  modifying: 30,
  rebooting: 30,
  stopping: 120,
  starting: 180,
  deleting: 180,
};

/** A database's status now: the time's share, and where there are hosts, theirs. */
export function databaseStatus(database: DbInstance, { clock, hosts }: Pick<Context, 'clock' | 'hosts'>): string {
  const host = hosts?.state(database.resourceId).state;
  if (database.deletedAt !== undefined) return 'deleting';
  if (database.stoppedAt !== undefined) {
    const off = host === undefined || host !== 'running';
    return off && clock.passed(database.stoppedAt, SECONDS.stopping) ? 'stopped' : 'stopping';
  }
  if (database.stuck === 'creating') return 'creating';
  if (database.stuck === 'failed' && clock.passed(database.createdAt, SECONDS.failing)) return 'failed';
  if (host === 'failed' && !database.booted) return 'failed';
  const up = host === undefined || host === 'running';
  if (database.startedAt !== undefined && !(up && clock.passed(database.startedAt, SECONDS.starting)))
    return 'starting';
  if (!clock.passed(database.createdAt, SECONDS.creating)) return 'creating';
  if (!up) return database.booted ? 'starting' : 'creating';
  if (database.backupRetentionDays > 0 && !clock.passed(database.createdAt, SECONDS.creating + SECONDS.backingUp)) {
    return 'backing-up';
  }
  if (database.rebootedAt !== undefined && !clock.passed(database.rebootedAt, SECONDS.rebooting)) return 'rebooting';
  if (database.modifiedAt !== undefined && !clock.passed(database.modifiedAt, SECONDS.modifying)) return 'modifying';
  return 'available';
}

/** Notes which hosts came up, and forgets databases that are deleted. */
export function sweepDatabases({ region, clock, hosts }: Pick<Context, 'region' | 'clock' | 'hosts'>): void {
  for (const one of Object.values(region.dbInstances)) {
    const host = hosts?.state(one.resourceId).state;
    if (host === 'running') one.booted = true;
    const gone = host === undefined || host === 'absent' || host === 'failed';
    if (one.deletedAt !== undefined && gone && clock.passed(one.deletedAt, SECONDS.deleting)) {
      delete region.dbInstances[one.id];
      delete region.tags[one.arn];
    }
  }
}

export function describeDatabase(context: Context, one: DbInstance) {
  const { region, account } = context;
  const status = databaseStatus(one, context);
  const group = region.dbSubnetGroups[one.subnetGroup];
  const failure = context.hosts?.state(one.resourceId);
  return {
    DBInstanceIdentifier: one.id,
    DBInstanceArn: one.arn,
    DbiResourceId: one.resourceId,
    DBInstanceStatus: status,
    DBInstanceClass: one.instanceClass,
    Engine: 'postgres',
    EngineVersion: one.engineVersion,
    EngineLifecycleSupport: one.lifecycleSupport,
    LicenseModel: 'postgresql-license',
    MasterUsername: one.username,
    ...(one.database ? { DBName: one.database } : {}),
    // The endpoint is made while the database is created.
    ...(['creating', 'failed'].includes(status)
      ? {}
      : { Endpoint: { Address: one.endpoint, Port: one.port, HostedZoneId: 'Z0PRACTICE00000000RDS' } }),
    DbInstancePort: 0,
    ...(status === 'creating' ? {} : { InstanceCreateTime: new Date(one.createdAt) }),
    AllocatedStorage: one.storageGb,
    ...(one.maxStorageGb === undefined ? {} : { MaxAllocatedStorage: one.maxStorageGb }),
    StorageType: one.storageType,
    ...(one.iops === undefined ? {} : { Iops: one.iops }),
    ...(one.throughput === undefined ? {} : { StorageThroughput: one.throughput }),
    StorageEncrypted: one.encrypted,
    ...(one.encrypted ? { KmsKeyId: `arn:aws:kms:${region.name}:${account}:key/practice-aws-rds` } : {}),
    AvailabilityZone: one.zone,
    MultiAZ: one.multiAz,
    PubliclyAccessible: false,
    NetworkType: 'IPV4',
    ...(group ? { DBSubnetGroup: describeSubnetGroup(region, group) } : {}),
    VpcSecurityGroups: one.interface.groups.map((VpcSecurityGroupId) => ({ VpcSecurityGroupId, Status: 'active' })),
    DBSecurityGroups: [],
    DBParameterGroups: [{ DBParameterGroupName: one.parameterGroup, ParameterApplyStatus: 'in-sync' }],
    OptionGroupMemberships: [{ OptionGroupName: `default:postgres-${major(one.engineVersion)}`, Status: 'in-sync' }],
    BackupRetentionPeriod: one.backupRetentionDays,
    BackupTarget: 'region',
    PreferredBackupWindow: one.backupWindow,
    PreferredMaintenanceWindow: one.maintenanceWindow,
    AutoMinorVersionUpgrade: one.autoMinorVersionUpgrade,
    CACertificateIdentifier: one.caCertificate,
    CertificateDetails: { CAIdentifier: one.caCertificate },
    CopyTagsToSnapshot: one.copyTagsToSnapshot,
    DeletionProtection: one.deletionProtection,
    IAMDatabaseAuthenticationEnabled: one.iamAuthentication,
    PerformanceInsightsEnabled: false,
    MonitoringInterval: 0,
    CustomerOwnedIpEnabled: false,
    DedicatedLogVolume: false,
    IsStorageConfigUpgradeAvailable: false,
    ActivityStreamStatus: 'stopped' as const,
    AssociatedRoles: [],
    DomainMemberships: [],
    ReadReplicaDBInstanceIdentifiers: [],
    EnabledCloudwatchLogsExports: [],
    PendingModifiedValues: {
      ...(one.pending.instanceClass ? { DBInstanceClass: one.pending.instanceClass } : {}),
      ...(one.pending.storageGb ? { AllocatedStorage: one.pending.storageGb } : {}),
      ...(one.pending.engineVersion ? { EngineVersion: one.pending.engineVersion } : {}),
    },
    StatusInfos:
      status === 'failed' && failure?.state === 'failed'
        ? [{ StatusType: 'practice host', Normal: false, Status: 'error', Message: failure.reason }]
        : [],
    TagList: tagList(region, one.arn),
  };
}

export const databaseOperations = [
  on(rds.DescribeDBInstancesCommand, (input, context) => {
    const { region } = context;
    const { DBInstanceIdentifier } = input;
    const selected =
      DBInstanceIdentifier === undefined ? Object.values(region.dbInstances) : [database(region, DBInstanceIdentifier)];
    const found = filtered(selected, input.Filters, {
      'db-instance-id': (one) => [one.id, one.arn],
      'dbi-resource-id': (one) => [one.resourceId],
      engine: () => ['postgres'],
      'db-cluster-id': () => [],
      domain: () => [],
    });
    const { items, next } = pageOf(found, input);
    return { DBInstances: items.map((one) => describeDatabase(context, one)), ...next };
  }),
];
