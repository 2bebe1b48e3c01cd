/**
 * The practice world: everything the practice cloud knows, as plain JSON. Records hold facts (ids, settings, times); states and
 * descriptions are computed from them when they are read. Times are milliseconds since 1970.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ec2Records } from './ec2/records.ts';
import type { ElbRecords } from './elbv2/records.ts';
import type { RdsRecords } from './rds/records.ts';

export type Tags = Record<string, string>;

/** Temporary credentials from AssumeRole or GetSessionToken. The token is kept as its SHA-256. */
export interface Session {
  readonly account: string;
  readonly arn: string;
  readonly userId: string;
  readonly tokenHash: string;
  readonly expiresAt: number;
}

/** One account's resources in one region. Tags are keyed by resource id or ARN. */
export interface RegionWorld extends Ec2Records, ElbRecords, RdsRecords {
  readonly name: string;
  readonly account: string;
  readonly tags: Record<string, Tags>;
  /** client tokens, keyed `operation token`: what the request with it made */
  readonly tokens: Record<string, { readonly hash: string; readonly ids: readonly string[] }>;
}

export interface World {
  readonly version: 1;
  readonly sessions: Record<string, Session>;
  /** keyed `account/region` */
  readonly regions: Record<string, RegionWorld>;
}

/** The resources of an account in a region, to be changed: kept from now on, if they were not there. */
export function regionOf(world: World, account: string, name: string): RegionWorld {
  const region = readRegion(world, account, name);
  world.regions[`${account}/${name}`] = region;
  return region;
}

/** The resources of an account in a region, to be read: empty, and not kept, if there are none. */
export function readRegion(world: World, account: string, name: string): RegionWorld {
  return world.regions[`${account}/${name}`] ?? emptyRegion(account, name);
}

function emptyRegion(account: string, name: string): RegionWorld {
  return {
    name,
    account,
    tags: {},
    tokens: {},
    vpcs: {},
    subnets: {},
    internetGateways: {},
    routeTables: {},
    networkAcls: {},
    securityGroups: {},
    securityGroupRules: {},
    addresses: {},
    natGateways: {},
    keyPairs: {},
    volumes: {},
    instances: {},
    loadBalancers: {},
    targetGroups: {},
    listeners: {},
    dbSubnetGroups: {},
    dbInstances: {},
    dbSnapshots: {},
  };
}

export interface Store {
  /** the newest committed world; do not keep it across an await of a mutation */
  readonly world: World;
  /** the same as JSON */
  readonly text: string;
  /**
   * Runs `change` on the world and saves the result before it returns. When `change` or the write throws, the world is as it was
   * before. Returns the result and whether anything changed.
   */
  transact<T>(change: (world: World) => T): { readonly result: T; readonly changed: boolean };
}

/** Opens `<dir>/world.json`, or an empty world. Throws when the file is damaged or from another version. */
export function openWorld(dir: string): Store {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const file = join(dir, 'world.json');
  const empty: World = { version: 1, sessions: {}, regions: {} };
  let saved = readIfThere(file) ?? JSON.stringify(empty);
  let world = parse(saved, file);
  return {
    get world() {
      return world;
    },
    get text() {
      return saved;
    },
    transact(change) {
      try {
        const result = change(world);
        const text = JSON.stringify(world);
        const changed = text !== saved;
        if (changed) {
          writeFileSync(`${file}.tmp`, text, { mode: 0o600 });
          renameSync(`${file}.tmp`, file);
          saved = text;
        }
        return { result, changed };
      } catch (error) {
        world = parse(saved, file);
        throw error;
      }
    },
  };
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(text: string, file: string): World {
  let world: World;
  try {
    world = JSON.parse(text) as World;
  } catch (cause) {
    throw new Error(`the practice world ${file} is damaged (not JSON): delete the file to start with an empty one`, {
      cause,
    });
  }
  if (world?.version !== 1) {
    throw new Error(
      `the practice world ${file} has version ${world?.version}, this program reads version 1: use the program that wrote it, or delete the file`,
    );
  }
  // Worlds saved before a kind of resource was there get its empty collection.
  for (const [key, region] of Object.entries(world.regions)) {
    world.regions[key] = { ...emptyRegion(region.account, region.name), ...region };
  }
  return world;
}

/** A new id as AWS forms them: `vpc-0` and 16 hexadecimal digits. */
export function newId(prefix: string): string {
  return `${prefix}-0${randomBytes(8).toString('hex')}`;
}
