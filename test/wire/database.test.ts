import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteSecurityGroupCommand, DescribeNetworkInterfacesCommand } from '@aws-sdk/client-ec2';
import {
  AddTagsToResourceCommand,
  CreateDBInstanceCommand,
  type CreateDBInstanceCommandInput,
  CreateDBSubnetGroupCommand,
  DeleteDBInstanceCommand,
  DeleteDBSnapshotCommand,
  DeleteDBSubnetGroupCommand,
  DescribeCertificatesCommand,
  DescribeDBEngineVersionsCommand,
  DescribeDBInstancesCommand,
  DescribeDBParameterGroupsCommand,
  DescribeDBSnapshotsCommand,
  DescribeOrderableDBInstanceOptionsCommand,
  ListTagsForResourceCommand,
  ModifyDBInstanceCommand,
  paginateDescribeOrderableDBInstanceOptions,
  RemoveTagsFromResourceCommand,
  StartDBInstanceCommand,
  StopDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { World } from '../../src/practice/aws/world.ts';
import { type Bench, bench, codeOf } from './practice.ts';
import { makeGroup, makeNetwork } from './stage.ts';

let cloud: Bench;
beforeEach(async () => {
  cloud = await bench();
});
afterEach(() => cloud.end());

const PASSWORD = 'correct-horse-battery-staple';

async function stage(): Promise<CreateDBInstanceCommandInput & { GroupId: string }> {
  const { VpcId, subnetA, subnetB } = await makeNetwork(cloud.ec2);
  const GroupId = await makeGroup(cloud.ec2, VpcId, 'database', 5432, '10.7.0.0/24');
  await cloud.rds.send(
    new CreateDBSubnetGroupCommand({
      DBSubnetGroupName: 'hackathon-07',
      DBSubnetGroupDescription: 'private subnets',
      SubnetIds: [subnetA, subnetB],
      Tags: [{ Key: 'cloudspace:name', Value: 'hackathon-07' }],
    }),
  );
  return {
    GroupId,
    DBInstanceIdentifier: 'Hackathon-07-Database',
    Engine: 'postgres',
    EngineVersion: '18',
    DBInstanceClass: 'db.t4g.micro',
    AllocatedStorage: 20,
    StorageType: 'gp3',
    StorageEncrypted: true,
    MasterUsername: 'cloudspace',
    MasterUserPassword: PASSWORD,
    DBSubnetGroupName: 'hackathon-07',
    VpcSecurityGroupIds: [GroupId],
    PubliclyAccessible: false,
    CACertificateIdentifier: 'rds-ca-rsa4096-g1',
    CopyTagsToSnapshot: true,
    Tags: [{ Key: 'cloudspace:name', Value: 'hackathon-07' }],
  };
}

const create = ({ GroupId: _, ...input }: CreateDBInstanceCommandInput & { GroupId?: string }) =>
  cloud.rds.send(new CreateDBInstanceCommand(input));

describe('a database', () => {
  it('lives, stops, changes and goes, with a final snapshot when asked', async () => {
    const { rds, ec2 } = cloud;
    const input = await stage();
    const DBInstanceIdentifier = 'hackathon-07-database';
    const { DBInstance } = await create(input);
    expect(DBInstance).toMatchObject({
      DBInstanceIdentifier,
      DBInstanceStatus: 'available',
      EngineVersion: '18.1',
      MasterUsername: 'cloudspace',
      TagList: [{ Key: 'cloudspace:name', Value: 'hackathon-07' }],
    });
    expect(DBInstance?.Endpoint?.Address).toMatch(/^hackathon-07-database\.[0-9a-f]+\.eu-central-1\.rds\.localhost$/);
    expect(await codeOf(create(input))).toMatch(/^DBInstanceAlreadyExists/);
    const { NetworkInterfaces } = await ec2.send(
      new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'group-id', Values: [input.GroupId] }] }),
    );
    expect(NetworkInterfaces).toHaveLength(1);
    expect(await codeOf(ec2.send(new DeleteSecurityGroupCommand({ GroupId: input.GroupId })))).toBe(
      'DependencyViolation',
    );
    expect(await codeOf(rds.send(new DeleteDBSubnetGroupCommand({ DBSubnetGroupName: 'hackathon-07' })))).toMatch(
      /^InvalidDBSubnetGroupState/,
    );

    const status = async () =>
      (await rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier }))).DBInstances?.[0]?.DBInstanceStatus;
    await rds.send(new StopDBInstanceCommand({ DBInstanceIdentifier }));
    expect(await status()).toBe('stopped');
    expect(await codeOf(rds.send(new StopDBInstanceCommand({ DBInstanceIdentifier })))).toMatch(
      /^InvalidDBInstanceState/,
    );
    await rds.send(new StartDBInstanceCommand({ DBInstanceIdentifier }));
    expect(await status()).toBe('available');
    const change = (more: object) => rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier, ...more }));
    const waiting = await change({ DBInstanceClass: 'db.t4g.small' });
    expect(waiting.DBInstance?.PendingModifiedValues?.DBInstanceClass).toBe('db.t4g.small');
    const applied = await change({ DBInstanceClass: 'db.t4g.small', ApplyImmediately: true, DeletionProtection: true });
    expect(applied.DBInstance?.DBInstanceClass).toBe('db.t4g.small');

    const remove = (more: object) => rds.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier, ...more }));
    expect(await codeOf(remove({ SkipFinalSnapshot: true }))).toBe('InvalidParameterCombination');
    await change({ DeletionProtection: false });
    expect(await codeOf(remove({}))).toBe('InvalidParameterCombination');
    await remove({ FinalDBSnapshotIdentifier: 'last' });
    expect(await codeOf(status())).toMatch(/^DBInstanceNotFound/);
    const { DBSnapshots } = await rds.send(new DescribeDBSnapshotsCommand({ DBInstanceIdentifier }));
    expect(DBSnapshots?.[0]).toMatchObject({ DBSnapshotIdentifier: 'last', Status: 'available' });
    expect(DBSnapshots?.[0]?.TagList).toEqual([{ Key: 'cloudspace:name', Value: 'hackathon-07' }]);
    await rds.send(new DeleteDBSnapshotCommand({ DBSnapshotIdentifier: 'last' }));
    await rds.send(new DeleteDBSubnetGroupCommand({ DBSubnetGroupName: 'hackathon-07' }));
    await ec2.send(new DeleteSecurityGroupCommand({ GroupId: input.GroupId }));
  });

  it('is creating for some minutes at speed 1, without an endpoint', async () => {
    const slow = await bench({ speed: 1 });
    const fast = cloud;
    cloud = slow;
    try {
      const { DBInstance } = await create(await stage());
      expect(DBInstance?.DBInstanceStatus).toBe('creating');
      expect(DBInstance?.Endpoint).toBeUndefined();
      const { DBInstance: deleting } = await slow.rds.send(
        new DeleteDBInstanceCommand({ DBInstanceIdentifier: 'hackathon-07-database', SkipFinalSnapshot: true }),
      );
      expect(deleting?.DBInstanceStatus).toBe('deleting');
    } finally {
      cloud = fast;
      await slow.end();
    }
  });

  it('keeps a verifier that proves the master password, never the password', async () => {
    await create(await stage());
    const text = readFileSync(join(cloud.dir, 'world.json'), 'utf8');
    expect(text).not.toContain(PASSWORD);
    const { regions } = JSON.parse(text) as World;
    const verifier = Object.values(regions)[0]?.dbInstances['hackathon-07-database']?.verifier ?? '';
    // What a PostgreSQL server does when a client logs in, written the other way round.
    const [, iterations = '', salt = '', stored, server] =
      /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/.exec(verifier) ?? [];
    const prove = (password: string) => {
      const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
      const clientKey = createHmac('sha256', salted).update('Client Key').digest();
      const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
      return [createHash('sha256').update(clientKey).digest('base64'), serverKey];
    };
    expect(prove(PASSWORD)).toEqual([stored, server]);
    expect(prove('another')).not.toEqual([stored, server]);
    await cloud.rds.send(
      new ModifyDBInstanceCommand({ DBInstanceIdentifier: 'hackathon-07-database', MasterUserPassword: 'another-one' }),
    );
    expect(readFileSync(join(cloud.dir, 'world.json'), 'utf8')).not.toContain(verifier);
  });

  it('is refused when something about it cannot be', async () => {
    const input = await stage();
    const cases: [Partial<CreateDBInstanceCommandInput>, RegExp][] = [
      [{ MasterUserPassword: 'short' }, /^InvalidParameterValue$/],
      [{ MasterUserPassword: 'with spaces in it' }, /^InvalidParameterValue$/],
      [{ EngineVersion: '9.6' }, /^InvalidParameterCombination$/],
      [{ DBInstanceClass: 'db.none' }, /^InvalidParameterValue$/],
      [{ DBSubnetGroupName: 'none' }, /^DBSubnetGroupNotFound/],
      [{ MasterUsername: 'rdsadmin' }, /^InvalidParameterValue$/],
      [{ AllocatedStorage: 5 }, /^InvalidParameterValue$/],
      [{ DBInstanceIdentifier: '1-no--name' }, /^InvalidParameterValue$/],
      [{ ManageMasterUserPassword: true }, /^UnsupportedOperation$/],
    ];
    for (const [change, code] of cases) {
      const { MasterUserPassword: _, ...rest } = input;
      expect(await codeOf(create({ MasterUserPassword: PASSWORD, ...rest, ...change }))).toMatch(code);
    }
    const one = cloud.rds.send(
      new CreateDBSubnetGroupCommand({ DBSubnetGroupName: 'x', DBSubnetGroupDescription: 'x', SubnetIds: [] }),
    );
    expect(await codeOf(one)).toMatch(/^DBSubnetGroupDoesNotCoverEnoughAZs/);
    expect((await cloud.rds.send(new DescribeDBInstancesCommand({}))).DBInstances).toEqual([]);
  });

  it('has tags by ARN', async () => {
    const { DBInstance } = await create(await stage());
    const ResourceName = DBInstance?.DBInstanceArn;
    await cloud.rds.send(new AddTagsToResourceCommand({ ResourceName, Tags: [{ Key: 'a', Value: '1' }] }));
    await cloud.rds.send(new RemoveTagsFromResourceCommand({ ResourceName, TagKeys: ['cloudspace:name'] }));
    const { TagList } = await cloud.rds.send(new ListTagsForResourceCommand({ ResourceName }));
    expect(TagList).toEqual([{ Key: 'a', Value: '1' }]);
  });
});

describe('what RDS offers', () => {
  it('lists versions, defaults, certificates and classes', async () => {
    const { rds } = cloud;
    const versions = async (more: object) =>
      (await rds.send(new DescribeDBEngineVersionsCommand({ Engine: 'postgres', ...more }))).DBEngineVersions?.map(
        (one) => one.EngineVersion,
      );
    expect((await versions({}))?.length).toBeGreaterThan(5);
    expect(await versions({ EngineVersion: '18' })).toEqual(['18.1']);
    expect(await versions({ DefaultOnly: true })).toEqual(['17.6']);
    expect(await versions({ DefaultOnly: true, EngineVersion: '16' })).toEqual(['16.11']);
    expect((await rds.send(new DescribeDBEngineVersionsCommand({ Engine: 'mysql' }))).DBEngineVersions).toEqual([]);
    const { Certificates } = await rds.send(new DescribeCertificatesCommand({}));
    expect(Certificates?.map((one) => one.ValidTill?.getUTCFullYear())).toEqual([2061, 2121, 2121]);
    const { OrderableDBInstanceOptions } = await rds.send(
      new DescribeOrderableDBInstanceOptionsCommand({
        Engine: 'postgres',
        EngineVersion: '18.1',
        DBInstanceClass: 'db.t4g.micro',
        MaxRecords: 20,
      }),
    );
    expect(OrderableDBInstanceOptions?.[0]).toMatchObject({ DBInstanceClass: 'db.t4g.micro' });
    const { DBParameterGroups } = await rds.send(
      new DescribeDBParameterGroupsCommand({ DBParameterGroupName: 'default.postgres18' }),
    );
    expect(DBParameterGroups).toHaveLength(1);
  });

  it('comes in pages', async () => {
    let count = 0;
    const seen = new Set<string>();
    const pages = paginateDescribeOrderableDBInstanceOptions(
      { client: cloud.rds, pageSize: 50 },
      { Engine: 'postgres' },
    );
    for await (const page of pages) {
      for (const one of page.OrderableDBInstanceOptions ?? []) {
        seen.add(`${one.EngineVersion} ${one.DBInstanceClass} ${one.StorageType}`);
        count += 1;
      }
    }
    expect(seen.size).toBe(count);
    expect(count).toBeGreaterThan(100);
  });
});
