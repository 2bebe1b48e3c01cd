import { randomBytes } from 'node:crypto';
import * as rds from '@aws-sdk/client-rds';
import { newInterface } from '../ec2/interfaces.ts';
import { defaultGroupOf } from '../ec2/securityGroups.ts';
import { AwsError, missing } from '../errors.ts';
import { type Context, on } from '../operation.ts';
import type { RegionWorld } from '../world.ts';
import { addTags, arn, checkIdentifier, combination, invalidValue } from './common.ts';
import { CERTIFICATES, checkClass, chosenVersion, DEFAULT_CA, parameterGroupFamily, STORAGE_TYPES } from './engines.ts';
import { describeDatabase } from './instances.ts';
import type { DbInstance, DbSubnetGroup } from './records.ts';
import { scramVerifier } from './scram.ts';
import { subnetGroup } from './subnetGroups.ts';

/** RDS refuses these as master user: PostgreSQL's own and reserved words. */
const RESERVED_USERS = ['admin', 'rdsadmin', 'postgres_admin', 'user', 'public', 'none', 'pg_signal_backend'];

/** The verifier of a new master password. Throws for passwords RDS would not take; the message never holds the password. */
export function masterVerifier(password: string): string {
  if (password.length < 8 || password.length > 128) {
    throw invalidValue(
      'The parameter MasterUserPassword is not a valid password because it does not have 8 to 128 characters.',
    );
  }
  if (!/^[\x21-\x7e]+$/.test(password) || /[/"@]/.test(password)) {
    throw invalidValue(
      "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
    );
  }
  return scramVerifier(password);
}

/** The groups asked for, else the VPC's default one. Throws for groups of another network. */
export function databaseGroups(region: RegionWorld, requested: readonly string[] | undefined, vpcId: string): string[] {
  if (!requested?.length) return [defaultGroupOf(region, vpcId)];
  const wrong = requested.find((id) => region.securityGroups[id]?.vpcId !== vpcId);
  if (wrong) throw invalidValue(`Invalid security group , groupId= ${wrong}, groupName=.`);
  return [...requested];
}

export function checkStorage(size: number | undefined): number {
  if (size === undefined) throw missing('AllocatedStorage');
  if (size < 20 || size > 65536)
    throw invalidValue(
      `Invalid storage size for engine name postgres and storage type: ${size}. 20 to 65536 GiB are allowed`,
    );
  return size;
}

export function checkCertificate(id: string): string {
  if (!CERTIFICATES.some((one) => one.id === id))
    throw new AwsError('CertificateNotFound', `Certificate ${id} not found.`, 404);
  return id;
}

export function checkParameterGroup(name: string | undefined, version: string): string {
  const group = `default.${parameterGroupFamily(version)}`;
  if (name !== undefined && name !== group)
    throw new AwsError('DBParameterGroupNotFound', `DBParameterGroup not found: ${name}`, 404);
  return group;
}

export function checkRetention(days: number): number {
  if (days < 0 || days > 35)
    throw invalidValue(`Invalid backup retention period: ${days}. Retention period must be between 0 and 35`);
  return days;
}

/** The group's subnet in the zone asked for, else the first by zone. */
function chosenSubnet(region: RegionWorld, group: DbSubnetGroup, zone: string | undefined) {
  const subnets = group.subnetIds.flatMap((id) => region.subnets[id] ?? []).sort((a, b) => (a.zone < b.zone ? -1 : 1));
  const subnet = subnets.find((one) => zone === undefined || one.zone === zone);
  if (!subnet)
    throw new AwsError(
      'InvalidVPCNetworkStateFault',
      `DB subnet group ${group.name} has no subnet in ${zone ?? 'any zone'}`,
    );
  return subnet;
}

function newDatabase(context: Context, input: rds.CreateDBInstanceCommandInput): DbInstance {
  const { region, clock } = context;
  const id = checkIdentifier(input.DBInstanceIdentifier, 'DBInstanceIdentifier');
  if (input.Engine !== 'postgres')
    throw invalidValue(`Invalid DB engine: ${input.Engine} (the practice cloud has postgres only)`);
  if (region.dbInstances[id]) throw new AwsError('DBInstanceAlreadyExists', 'DB instance already exists');
  if (Object.keys(region.dbInstances).length >= context.quotas.db) {
    throw new AwsError('InstanceQuotaExceeded', 'You have exceeded your quota of DB instances');
  }
  const { MasterUsername = '', MasterUserPassword, DBName, StorageType = 'gp2', Port = 5432, NetworkType } = input;
  if (MasterUserPassword === undefined) throw missing('MasterUserPassword');
  if (!/^[A-Za-z][A-Za-z0-9_]{0,62}$/.test(MasterUsername) || RESERVED_USERS.includes(MasterUsername.toLowerCase())) {
    throw invalidValue(
      `MasterUsername ${MasterUsername} cannot be used as it is a reserved word used by the engine, or not a valid name`,
    );
  }
  if (DBName !== undefined && !/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(DBName)) {
    throw invalidValue(`DBName must begin with a letter and contain only alphanumeric characters: '${DBName}'`);
  }
  if (input.PubliclyAccessible) {
    throw new AwsError('UnsupportedOperation', 'the practice cloud has no publicly accessible databases');
  }
  if (NetworkType !== undefined && NetworkType !== 'IPV4')
    throw invalidValue(`network type ${NetworkType} is not simulated`);
  if (input.LicenseModel !== undefined && input.LicenseModel !== 'postgresql-license') {
    throw combination(`license model ${input.LicenseModel} is not available for postgres`);
  }
  if (!STORAGE_TYPES.includes(StorageType)) throw invalidValue(`Invalid storage type: ${StorageType}`);
  if (Port < 1150 || Port > 65535) throw invalidValue(`Invalid port ${Port}: 1150 to 65535 are allowed`);
  const engineVersion = chosenVersion(input.EngineVersion);
  const group = subnetGroup(region, input.DBSubnetGroupName);
  const subnet = chosenSubnet(region, group, input.AvailabilityZone);
  const resourceId = `db-${randomBytes(13).toString('hex').toUpperCase()}`;
  const gp3 = StorageType === 'gp3' ? { iops: 3000, throughput: 125 } : {};
  return {
    id,
    arn: arn(region, 'db', id),
    resourceId,
    subnetGroup: group.name,
    vpcId: group.vpcId,
    zone: subnet.zone,
    interface: newInterface(context, subnet.id, databaseGroups(region, input.VpcSecurityGroupIds, group.vpcId)),
    // Names under `.localhost` never leave this machine.
    endpoint: `${id}.${resourceId.slice(3, 15).toLowerCase()}.${region.name}.rds.localhost`,
    username: MasterUsername,
    verifier: masterVerifier(MasterUserPassword),
    ...(DBName === undefined ? {} : { database: DBName }),
    encrypted: input.StorageEncrypted ?? false,
    lifecycleSupport: input.EngineLifecycleSupport ?? 'open-source-rds-extended-support',
    port: Port,
    engineVersion,
    instanceClass: checkClass(input.DBInstanceClass, engineVersion),
    storageGb: checkStorage(input.AllocatedStorage),
    storageType: StorageType,
    ...gp3,
    ...(input.Iops === undefined ? {} : { iops: input.Iops }),
    ...(input.StorageThroughput === undefined ? {} : { throughput: input.StorageThroughput }),
    ...(input.MaxAllocatedStorage === undefined ? {} : { maxStorageGb: input.MaxAllocatedStorage }),
    multiAz: input.MultiAZ ?? false,
    backupRetentionDays: checkRetention(input.BackupRetentionPeriod ?? 1),
    backupWindow: input.PreferredBackupWindow ?? '03:00-03:30',
    maintenanceWindow: (input.PreferredMaintenanceWindow ?? 'sun:04:00-sun:04:30').toLowerCase(),
    parameterGroup: checkParameterGroup(input.DBParameterGroupName, engineVersion),
    caCertificate: checkCertificate(input.CACertificateIdentifier ?? DEFAULT_CA),
    copyTagsToSnapshot: input.CopyTagsToSnapshot ?? false,
    deletionProtection: input.DeletionProtection ?? false,
    autoMinorVersionUpgrade: input.AutoMinorVersionUpgrade ?? true,
    iamAuthentication: input.EnableIAMDatabaseAuthentication ?? false,
    pending: {},
    ...(context.spoiled === 'failed' || context.spoiled === 'creating' ? { stuck: context.spoiled } : {}),
    createdAt: clock.now(),
    booted: false,
  };
}

export const createDatabaseOperations = [
  on(rds.CreateDBInstanceCommand, (input, context) => {
    const made = newDatabase(context, input);
    context.region.dbInstances[made.id] = made;
    addTags(context.region, made.arn, input.Tags);
    return { DBInstance: describeDatabase(context, made) };
  }),
];
