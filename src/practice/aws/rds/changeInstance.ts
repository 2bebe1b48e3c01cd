import * as rds from '@aws-sdk/client-rds';
import { AwsError } from '../errors.ts';
import { type Context, on } from '../operation.ts';
import { combination, database } from './common.ts';
import {
  checkCertificate,
  checkParameterGroup,
  checkRetention,
  checkStorage,
  databaseGroups,
  masterVerifier,
} from './createInstance.ts';
import { checkClass, chosenVersion, major } from './engines.ts';
import { databaseStatus, describeDatabase } from './instances.ts';
import type { DbInstance } from './records.ts';
import { takeSnapshot } from './snapshots.ts';

/** Throws InvalidDBInstanceState unless the database is in one of the statuses. */
function needStatus(context: Context, one: DbInstance, allowed: readonly string[]): void {
  const status = databaseStatus(one, context);
  if (status === 'deleting')
    throw new AwsError('InvalidDBInstanceState', `Instance ${one.id} is already being deleted.`);
  if (!allowed.includes(status)) {
    throw new AwsError(
      'InvalidDBInstanceState',
      `Instance ${one.id} is not in ${allowed.join(' or ')} state. (it is ${status})`,
    );
  }
}

/** Class, storage and version change at once or wait, as `ApplyImmediately` says. */
function resize(one: DbInstance, input: rds.ModifyDBInstanceCommandInput): void {
  const { DBInstanceClass, AllocatedStorage, EngineVersion, ApplyImmediately = false } = input;
  const { pending } = one;
  if (DBInstanceClass !== undefined) pending.instanceClass = checkClass(DBInstanceClass, one.engineVersion);
  if (AllocatedStorage !== undefined && AllocatedStorage !== one.storageGb) {
    if (AllocatedStorage < one.storageGb)
      throw combination(`Invalid storage size: storage cannot shrink from ${one.storageGb} GiB`);
    pending.storageGb = checkStorage(AllocatedStorage);
  }
  if (EngineVersion !== undefined && EngineVersion !== one.engineVersion) {
    const version = chosenVersion(EngineVersion);
    if (version.localeCompare(one.engineVersion, 'en', { numeric: true }) < 0) {
      throw combination(`Cannot upgrade postgres from ${one.engineVersion} to ${version}`);
    }
    if (major(version) !== major(one.engineVersion) && !input.AllowMajorVersionUpgrade) {
      throw combination('The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.');
    }
    pending.engineVersion = version;
  }
  if (!ApplyImmediately) return;
  one.instanceClass = pending.instanceClass ?? one.instanceClass;
  one.storageGb = pending.storageGb ?? one.storageGb;
  if (pending.engineVersion) {
    one.engineVersion = pending.engineVersion;
    one.parameterGroup = checkParameterGroup(undefined, pending.engineVersion);
  }
  one.pending = {};
}

export const changeDatabaseOperations = [
  on(rds.ModifyDBInstanceCommand, (input, context) => {
    const one = database(context.region, input.DBInstanceIdentifier);
    needStatus(context, one, ['available', 'backing-up', 'modifying', 'stopped']);
    const { MasterUserPassword, VpcSecurityGroupIds, BackupRetentionPeriod, CACertificateIdentifier } = input;
    resize(one, input);
    if (input.AllowMajorVersionUpgrade && input.EngineVersion === undefined)
      throw combination('AllowMajorVersionUpgrade needs EngineVersion');
    if (MasterUserPassword !== undefined) one.verifier = masterVerifier(MasterUserPassword);
    if (VpcSecurityGroupIds?.length) {
      one.interface.groups = databaseGroups(context.region, VpcSecurityGroupIds, one.vpcId);
    }
    if (BackupRetentionPeriod !== undefined) one.backupRetentionDays = checkRetention(BackupRetentionPeriod);
    if (CACertificateIdentifier !== undefined) one.caCertificate = checkCertificate(CACertificateIdentifier);
    one.parameterGroup = checkParameterGroup(input.DBParameterGroupName, one.engineVersion);
    one.port = input.DBPortNumber ?? one.port;
    one.multiAz = input.MultiAZ ?? one.multiAz;
    one.copyTagsToSnapshot = input.CopyTagsToSnapshot ?? one.copyTagsToSnapshot;
    one.deletionProtection = input.DeletionProtection ?? one.deletionProtection;
    one.autoMinorVersionUpgrade = input.AutoMinorVersionUpgrade ?? one.autoMinorVersionUpgrade;
    one.iamAuthentication = input.EnableIAMDatabaseAuthentication ?? one.iamAuthentication;
    one.backupWindow = input.PreferredBackupWindow ?? one.backupWindow;
    one.maintenanceWindow = input.PreferredMaintenanceWindow?.toLowerCase() ?? one.maintenanceWindow;
    if (input.MaxAllocatedStorage !== undefined) one.maxStorageGb = input.MaxAllocatedStorage;
    if (databaseStatus(one, context) !== 'stopped') one.modifiedAt = context.clock.now();
    return { DBInstance: describeDatabase(context, one) };
  }),

  on(rds.DeleteDBInstanceCommand, (input, context) => {
    const { region, clock } = context;
    const one = database(region, input.DBInstanceIdentifier);
    const { SkipFinalSnapshot = false, FinalDBSnapshotIdentifier, DeleteAutomatedBackups: _ } = input;
    if (databaseStatus(one, context) === 'deleting') {
      throw new AwsError('InvalidDBInstanceState', `Instance ${one.id} is already being deleted.`);
    }
    if (one.deletionProtection) {
      throw combination('Cannot delete protected DB Instance, please disable deletion protection and try again.');
    }
    if (SkipFinalSnapshot && FinalDBSnapshotIdentifier !== undefined) {
      throw combination('FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.');
    }
    if (!SkipFinalSnapshot) {
      if (FinalDBSnapshotIdentifier === undefined) {
        throw combination('FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.');
      }
      needStatus(context, one, ['available', 'backing-up', 'stopped']);
      takeSnapshot(context, one, FinalDBSnapshotIdentifier, undefined);
    }
    one.deletedAt = clock.now();
    return { DBInstance: describeDatabase(context, one) };
  }),

  on(rds.StopDBInstanceCommand, (input, context) => {
    const one = database(context.region, input.DBInstanceIdentifier);
    needStatus(context, one, ['available']);
    if (input.DBSnapshotIdentifier !== undefined) takeSnapshot(context, one, input.DBSnapshotIdentifier, undefined);
    one.stoppedAt = context.clock.now();
    return { DBInstance: describeDatabase(context, one) };
  }),

  on(rds.StartDBInstanceCommand, ({ DBInstanceIdentifier }, context) => {
    const one = database(context.region, DBInstanceIdentifier);
    needStatus(context, one, ['stopped']);
    delete one.stoppedAt;
    one.startedAt = context.clock.now();
    return { DBInstance: describeDatabase(context, one) };
  }),

  on(rds.RebootDBInstanceCommand, ({ DBInstanceIdentifier, ForceFailover: _ }, context) => {
    const one = database(context.region, DBInstanceIdentifier);
    needStatus(context, one, ['available']);
    one.rebootedAt = context.clock.now();
    return { DBInstance: describeDatabase(context, one) };
  }),
];
