import { describe, expect, it } from 'vitest';
import { architectureOf } from '../../src/aws/lookups.ts';
import { hasPrice, hasPrices, priceOf } from '../../src/aws/prices.ts';
import { dbInstance, instance, loadBalancer, natGateway } from '../../src/aws/resources/index.ts';

describe('prices', () => {
  it('knows two regions, and reckons others with us-east-1', () => {
    expect(priceOf('natGateway', 'eu-central-1')).toBe(0.052);
    expect(hasPrices('eu-central-1')).toBe(true);
    expect(hasPrices('sa-east-1')).toBe(false);
    expect(priceOf('natGateway', 'sa-east-1')).toBe(0.045);
    expect(priceOf('c7g.large', 'eu-central-1')).toBe(0.0725);
  });

  it('says what it does not know, and reckons it with nothing', () => {
    expect(hasPrice('x99.huge')).toBe(false);
    expect(priceOf('x99.huge', 'us-east-1')).toBe(0);
    expect(hasPrice('toString')).toBe(false);
  });

  it('adds what a resource brings along: disks and public addresses', () => {
    const host = { imageId: '', instanceType: 't3.micro', subnetId: '', securityGroupIds: [] };
    expect(instance.price?.(host, 'us-east-1')).toBeCloseTo(0.0104 + (20 * 0.08) / 730, 6);
    expect(loadBalancer.price?.({ subnetIds: ['a', 'b'], securityGroupIds: [] }, 'us-east-1')).toBeCloseTo(0.0325, 6);
    expect(natGateway.price?.({ subnetId: '', allocationId: '' }, 'us-east-1')).toBe(0.045);
    const database = {
      instanceClass: 'db.t4g.micro',
      engineVersion: '18.1',
      dbSubnetGroup: '',
      securityGroupIds: [],
      masterUsername: '',
      masterPasswordSecret: '',
    };
    expect(dbInstance.price?.(database, 'us-east-1')).toBeCloseTo(0.016 + (20 * 0.115) / 730, 6);
  });
});

it.each([
  ['t3.small', 'amd64'],
  ['t4g.small', 'arm64'],
  ['m7g.large', 'arm64'],
  ['c7gn.large', 'arm64'],
  ['a1.medium', 'arm64'],
  ['g4dn.xlarge', 'amd64'],
  ['m6i.large', 'amd64'],
])('%s runs %s', (type, arch) => {
  expect(architectureOf(type)).toBe(arch);
});

describe('statuses', () => {
  const database = {
    id: 'd',
    arn: '',
    endpoint: 'd.example',
    instanceClass: '',
    engineVersion: '',
    masterUsername: '',
    publiclyAccessible: false,
    backupRetentionDays: 1,
    securityGroupIds: [],
  };
  it.each([
    ['creating', 'pending'],
    ['backing-up', 'ready'],
    ['available', 'ready'],
    ['stopped', 'ready'],
    ['deleting', 'deleting'],
    ['storage-full', 'failed'],
    ['incompatible-network', 'failed'],
    ['a-new-one', 'pending'],
  ])('a database that is %s is %s', (status, state) => {
    expect(dbInstance.status?.({ ...database, status }).state).toBe(state);
  });

  it('a database without an endpoint is not ready', () => {
    const { endpoint: _, ...without } = database;
    expect(dbInstance.status?.({ ...without, status: 'available' }).state).toBe('pending');
  });

  const host = {
    id: 'i',
    privateIp: '',
    subnetId: '',
    imageId: '',
    instanceType: '',
    launchedAt: '',
    securityGroupIds: [],
  };
  it.each([
    ['pending', 'pending'],
    ['running', 'ready'],
    ['stopping', 'pending'],
    ['stopped', 'ready'],
    ['shutting-down', 'deleting'],
    ['terminated', 'gone'],
  ])('an instance that is %s is %s', (state, status) => {
    expect(instance.status?.({ ...host, state }).state).toBe(status);
  });

  it('an instance that ended by itself says why', () => {
    expect(instance.status?.({ ...host, state: 'terminated', reason: 'Client.VolumeLimitExceeded' })).toEqual({
      state: 'gone',
      reason: 'Client.VolumeLimitExceeded',
    });
  });

  it('a failed NAT gateway says why', () => {
    const failed = { id: 'nat', state: 'failed', subnetId: '', failureMessage: 'no internet gateway' };
    expect(natGateway.status?.(failed)).toEqual({ state: 'failed', reason: 'no internet gateway' });
  });
});
