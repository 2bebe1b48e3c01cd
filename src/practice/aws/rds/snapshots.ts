import * as rds from '@aws-sdk/client-rds';
import { AwsError } from '../errors.ts';
import { type Context, on } from '../operation.ts';
import { tagList } from '../tags.ts';
import type { RegionWorld } from '../world.ts';
import { addTags, arn, checkIdentifier, database, filtered, pageOf } from './common.ts';
import { databaseStatus } from './instances.ts';
import type { DbInstance, DbSnapshot } from './records.ts';

/** Typical seconds until a snapshot is available. */
const CREATING_SECONDS = 60;

/** Records a manual snapshot. Throws DBSnapshotAlreadyExists. */
export function takeSnapshot(
  context: Context,
  one: DbInstance,
  identifier: string,
  tags: rds.Tag[] | undefined,
): DbSnapshot {
  const { region, clock } = context;
  const id = checkIdentifier(identifier, 'DBSnapshotIdentifier', 255);
  if (region.dbSnapshots[id]) {
    throw new AwsError(
      'DBSnapshotAlreadyExists',
      `Cannot create the snapshot because a snapshot with the identifier ${id} already exists.`,
    );
  }
  const snapshot: DbSnapshot = {
    id,
    arn: arn(region, 'snapshot', id),
    instanceId: one.id,
    resourceId: one.resourceId,
    engineVersion: one.engineVersion,
    storageGb: one.storageGb,
    storageType: one.storageType,
    port: one.port,
    zone: one.zone,
    vpcId: one.vpcId,
    username: one.username,
    encrypted: one.encrypted,
    instanceCreatedAt: one.createdAt,
    createdAt: clock.now(),
  };
  region.dbSnapshots[id] = snapshot;
  addTags(region, snapshot.arn, one.copyTagsToSnapshot ? tagList(region, one.arn) : []);
  addTags(region, snapshot.arn, tags);
  return snapshot;
}

function describe({ region, clock }: Context, snapshot: DbSnapshot) {
  const available = clock.passed(snapshot.createdAt, CREATING_SECONDS);
  return {
    DBSnapshotIdentifier: snapshot.id,
    DBSnapshotArn: snapshot.arn,
    DBInstanceIdentifier: snapshot.instanceId,
    DbiResourceId: snapshot.resourceId,
    SnapshotType: 'manual',
    Status: available ? 'available' : 'creating',
    PercentProgress: available ? 100 : 0,
    SnapshotCreateTime: new Date(snapshot.createdAt),
    InstanceCreateTime: new Date(snapshot.instanceCreatedAt),
    Engine: 'postgres',
    EngineVersion: snapshot.engineVersion,
    LicenseModel: 'postgresql-license',
    AllocatedStorage: snapshot.storageGb,
    StorageType: snapshot.storageType,
    Encrypted: snapshot.encrypted,
    Port: snapshot.port,
    AvailabilityZone: snapshot.zone,
    VpcId: snapshot.vpcId,
    MasterUsername: snapshot.username,
    IAMDatabaseAuthenticationEnabled: false,
    ProcessorFeatures: [],
    TagList: tagList(region, snapshot.arn),
  };
}

function find(region: RegionWorld, identifier: string | undefined): DbSnapshot {
  const snapshot = region.dbSnapshots[(identifier ?? '').replace(/^arn:.*:snapshot:/, '').toLowerCase()];
  if (!snapshot) throw new AwsError('DBSnapshotNotFound', `DBSnapshot ${identifier} not found.`, 404);
  return snapshot;
}

export const snapshotOperations = [
  on(rds.CreateDBSnapshotCommand, (input, context) => {
    const one = database(context.region, input.DBInstanceIdentifier);
    const status = databaseStatus(one, context);
    if (!['available', 'stopped'].includes(status)) {
      throw new AwsError('InvalidDBInstanceState', `Instance ${one.id} is not in available state. (it is ${status})`);
    }
    return { DBSnapshot: describe(context, takeSnapshot(context, one, input.DBSnapshotIdentifier ?? '', input.Tags)) };
  }),

  on(rds.DescribeDBSnapshotsCommand, (input, context) => {
    const { region } = context;
    const { DBSnapshotIdentifier, DBInstanceIdentifier, DbiResourceId, SnapshotType } = input;
    const named =
      DBSnapshotIdentifier === undefined ? Object.values(region.dbSnapshots) : [find(region, DBSnapshotIdentifier)];
    const selected = named.filter(
      (one) =>
        (DBInstanceIdentifier === undefined || one.instanceId === DBInstanceIdentifier.toLowerCase()) &&
        (DbiResourceId === undefined || one.resourceId === DbiResourceId) &&
        (SnapshotType === undefined || SnapshotType === 'manual'),
    );
    const found = filtered(selected, input.Filters, {
      'db-instance-id': (one) => [one.instanceId],
      'db-snapshot-id': (one) => [one.id],
      'dbi-resource-id': (one) => [one.resourceId],
      'snapshot-type': () => ['manual'],
      engine: () => ['postgres'],
    });
    const { items, next } = pageOf(found, input);
    return { DBSnapshots: items.map((snapshot) => describe(context, snapshot)), ...next };
  }),

  on(rds.DeleteDBSnapshotCommand, ({ DBSnapshotIdentifier }, context) => {
    const { region } = context;
    const snapshot = find(region, DBSnapshotIdentifier);
    const described = { ...describe(context, snapshot), Status: 'deleted' };
    delete region.dbSnapshots[snapshot.id];
    delete region.tags[snapshot.arn];
    return { DBSnapshot: described };
  }),
];
