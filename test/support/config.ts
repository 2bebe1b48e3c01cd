import type { Config } from '../../src/steps/config.ts';
import { PUBLIC_KEY } from './cli.ts';

/** A configuration with all that a walk is a function of. */
export const config: Config = {
  name: 'hackathon-07',
  team: 7,
  region: 'eu-central-1',
  account: '123456789012',
  cidr: '10.7.0.0/16',
  zones: ['eu-central-1a', 'eu-central-1b'],
  runners: 2,
  sshFrom: '198.51.100.7/32',
  publicKey: PUBLIC_KEY,
  ami: 'ami-0123456789abcdef0',
  rootDevice: '/dev/xvda',
  instanceType: 't3.small',
  dbClass: 'db.t4g.micro',
  postgresVersion: '17.4',
  caCertificate: 'rds-ca-rsa4096-g1',
};
