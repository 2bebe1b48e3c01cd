import { AllocateAddressCommand, CreateVpcCommand } from '@aws-sdk/client-ec2';
import { expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { bench, codeOf } from '../wire/practice.ts';

it('other quotas than the defaults hold', async () => {
  const { ec2, end } = await bench({ quotas: ['vpc=1', 'eip=6'] });
  try {
    await ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }));
    expect(await codeOf(ec2.send(new CreateVpcCommand({ CidrBlock: '10.8.0.0/16' })))).toBe('VpcLimitExceeded');
    for (let n = 1; n <= 6; n += 1) await ec2.send(new AllocateAddressCommand({}));
    expect(await codeOf(ec2.send(new AllocateAddressCommand({})))).toBe('AddressLimitExceeded');
  } finally {
    await end();
  }
});

it('a full quota is shown with its name, and what to do', async () => {
  const { code, stderr, stdout } = await cli(
    'practice --yes --hosts none --speed Infinity --provision skip --until vpc --quota vpc=0'.split(' '),
  );
  expect(code).toBe(1);
  expect(stderr + stdout).toMatch(/VPCs per Region: 0 of 0 are used.*L-F678F1CE.*nothing was made.*QuotaExceeded/s);
});

it.each([
  ['cpu=1', /"cpu" in "cpu=1" is no quota; there are: vpc, eip, nat, vcpu/],
  ['vpc=many', /"many" in "vpc=many" is not a whole number.*vpc=5/s],
  ['vpc', /"" in "vpc" is not a whole number/],
])('a bad quota is refused: %s', async (quota, says) => {
  const { code, stderr, stdout } = await cli([
    'practice',
    '--yes',
    '--hosts',
    'none',
    '--quota',
    'nat=6',
    '--quota',
    quota,
  ]);
  expect(code).toBe(2);
  expect((stderr + stdout).replaceAll(/\s+/g, ' ')).toMatch(says);
});
