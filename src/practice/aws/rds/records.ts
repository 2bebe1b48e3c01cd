import type { Interface } from '../ec2/records.ts';

/** What the practice cloud remembers of RDS. Tags are kept apart, by ARN. The master password is never among it. */

export interface DbSubnetGroup {
  readonly name: string;
  readonly arn: string;
  readonly vpcId: string;
  description: string;
  subnetIds: string[];
}

export interface DbInstance {
  readonly id: string;
  readonly arn: string;
  /** unique for ever, as `db-…`; the practice host's id too */
  readonly resourceId: string;
  readonly subnetGroup: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly interface: Interface;
  readonly endpoint: string;
  readonly username: string;
  /** PostgreSQL's SCRAM-SHA-256 verifier of the master password */
  verifier: string;
  readonly database?: string;
  readonly encrypted: boolean;
  readonly lifecycleSupport: string;
  port: number;
  engineVersion: string;
  instanceClass: string;
  storageGb: number;
  storageType: string;
  iops?: number;
  throughput?: number;
  maxStorageGb?: number;
  multiAz: boolean;
  backupRetentionDays: number;
  backupWindow: string;
  maintenanceWindow: string;
  parameterGroup: string;
  caCertificate: string;
  copyTagsToSnapshot: boolean;
  deletionProtection: boolean;
  autoMinorVersionUpgrade: boolean;
  iamAuthentication: boolean;
  /** waits for the maintenance window, which never comes in the practice cloud: `ApplyImmediately` applies it */
  pending: { instanceClass?: string; storageGb?: number; engineVersion?: string };
  readonly createdAt: number;
  /** the host was seen running once */
  booted: boolean;
  modifiedAt?: number;
  startedAt?: number;
  rebootedAt?: number;
  stoppedAt?: number;
  deletedAt?: number;
  /** it never gets further than this: a fault */
  readonly stuck?: 'creating' | 'failed';
}

/** A snapshot's facts: the practice cloud keeps no data in it, and cannot restore it. */
export interface DbSnapshot {
  readonly id: string;
  readonly arn: string;
  readonly instanceId: string;
  readonly resourceId: string;
  readonly engineVersion: string;
  readonly storageGb: number;
  readonly storageType: string;
  readonly port: number;
  readonly zone: string;
  readonly vpcId: string;
  readonly username: string;
  readonly encrypted: boolean;
  readonly instanceCreatedAt: number;
  readonly createdAt: number;
}

export interface RdsRecords {
  /** by name */
  readonly dbSubnetGroups: Record<string, DbSubnetGroup>;
  /** by identifier */
  readonly dbInstances: Record<string, DbInstance>;
  readonly dbSnapshots: Record<string, DbSnapshot>;
}
