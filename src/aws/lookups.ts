import {
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  paginateDescribeImages,
  paginateDescribeInstanceTypeOfferings,
} from '@aws-sdk/client-ec2';
import {
  DescribeOrderableDBInstanceOptionsCommand,
  paginateDescribeCertificates,
  paginateDescribeDBEngineVersions,
} from '@aws-sdk/client-rds';
import { CloudspaceError, usageError } from '../engine/types.ts';
import type { Aws } from './clients.ts';
import { isNotFound } from './errors.ts';
import { all } from './resources/common.ts';

/** Debian's own account on AWS: https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm */
const DEBIAN = '136693071363';

export interface Image {
  readonly id: string;
  readonly name: string;
  readonly rootDevice: string;
}

/** The newest Debian 12 of Debian's own account. Throws CloudspaceError `NoImage`. */
export async function newestDebian(aws: Aws, arch: 'amd64' | 'arm64' = 'amd64'): Promise<Image> {
  const images = await all(
    paginateDescribeImages(
      { client: aws.ec2, pageSize: 1000 },
      {
        Owners: [DEBIAN],
        Filters: [
          { Name: 'name', Values: [`debian-12-${arch}-*`] },
          { Name: 'state', Values: ['available'] },
        ],
      },
    ),
    (page) => page.Images,
  );
  const [newest] = images.sort((a, b) => (b.CreationDate ?? '').localeCompare(a.CreationDate ?? ''));
  if (newest?.ImageId === undefined) {
    throw new CloudspaceError(`no image debian-12-${arch}-* of Debian’s account ${DEBIAN} in ${aws.region}`, {
      code: 'NoImage',
      hint: 'Give an image with --ami ID (a Debian 12, login user "admin").',
    });
  }
  return { id: newest.ImageId, name: newest.Name ?? '', rootDevice: newest.RootDeviceName ?? '/dev/xvda' };
}

/**
 * The image of an id, and the device that its root disk is attached as. Throws a usage error when the region has no such image, or when its architecture
 * is not that of the instance type: `RunInstances` would refuse both, half way through the walk.
 */
export async function imageOf(aws: Aws, id: string, instanceType: string): Promise<Image> {
  const answer = await aws.ec2.send(new DescribeImagesCommand({ ImageIds: [id] })).catch((error) => {
    if (isNotFound(error)) return { Images: [] };
    throw error;
  });
  const image = answer.Images?.[0];
  if (image === undefined)
    throw usageError(
      `there is no image ${id} in ${aws.region}, or this account may not use it`,
      'images have an id of their own in each region; without --ami the newest Debian 12 is taken',
      'NoImage',
    );
  const wanted = architectureOf(instanceType);
  const has = image.Architecture === 'arm64' ? 'arm64' : 'amd64';
  if (has !== wanted)
    throw usageError(
      `${id} is an image for ${has}, and ${instanceType} has ${wanted} processors`,
      'choose another --ami, or another --instance-type (t3.small is amd64, t4g.small arm64)',
      'WrongArchitecture',
    );
  return { id, name: image.Name ?? '', rootDevice: image.RootDeviceName ?? '/dev/xvda' };
}

/** The architecture of Debian's images for an instance type: AWS's own processors have a `g` after the generation (t4g, m7g, c7gn). */
export function architectureOf(instanceType: string): 'amd64' | 'arm64' {
  return /^[a-z]+\d+g[a-z]*\./.test(instanceType) || /^a1\./.test(instanceType) ? 'arm64' : 'amd64';
}

/**
 * The first two availability zones, by name, that are available and offer all these instance types. Throws a usage error when a type is
 * not offered in the region, CloudspaceError `TooFewZones` when fewer than two zones fit.
 */
export async function twoZones(aws: Aws, instanceTypes: readonly string[] = []): Promise<readonly [string, string]> {
  const types = [...new Set(instanceTypes)];
  const [answer, offerings] = await Promise.all([
    aws.ec2.send(
      new DescribeAvailabilityZonesCommand({
        Filters: [
          { Name: 'state', Values: ['available'] },
          { Name: 'zone-type', Values: ['availability-zone'] },
        ],
      }),
    ),
    types.length === 0
      ? []
      : all(
          paginateDescribeInstanceTypeOfferings(
            { client: aws.ec2, pageSize: 1000 },
            { LocationType: 'availability-zone', Filters: [{ Name: 'instance-type', Values: types }] },
          ),
          (page) => page.InstanceTypeOfferings,
        ),
  ]);
  for (const type of types) {
    if (!offerings.some(({ InstanceType }) => InstanceType === type)) {
      throw usageError(
        `the instance type "${type}" is not offered in ${aws.region}`,
        'Take another with --instance-type, or another --region.',
      );
    }
  }
  const fits = (zone: string) =>
    types.every((type) => offerings.some(({ InstanceType, Location }) => InstanceType === type && Location === zone));
  const names = (answer.AvailabilityZones ?? []).flatMap(({ ZoneName }) => ZoneName ?? []);
  const [first, second] = names.filter(fits).sort();
  if (first === undefined || second === undefined) {
    throw new CloudspaceError(
      `only ${names.filter(fits).length} of ${names.length} zones in ${aws.region} offer ${types.join(' and ') || 'what is needed'}`,
      {
        code: 'TooFewZones',
        hint: 'The load balancer and the database need two zones: take another --instance-type or --region.',
      },
    );
  }
  return [first, second];
}

/**
 * Major version of Debian 12's PostgreSQL client. pg_dump refuses servers that are newer than itself, and a database that cannot be
 * backed up is none to keep data in.
 */
const NEWEST_WITH_BACKUPS = 15;

/**
 * The newest minor of the newest PostgreSQL major that RDS offers, that the hosts' own pg_dump can back up and, if a class is given, that can be
 * ordered with it; beta and preview versions (18beta1, 18.0-rc1) are left out. Throws a usage error when no version fits the class.
 */
export async function latestPostgres(aws: Aws, dbClass?: string): Promise<string> {
  const versions = await all(
    paginateDescribeDBEngineVersions({ client: aws.rds, pageSize: 100 }, { Engine: 'postgres' }),
    (page) => page.DBEngineVersions,
  );
  const names = versions
    .filter(({ Status = 'available' }) => Status === 'available')
    .flatMap(({ EngineVersion = '' }) => (/^\d+\.\d+$/.test(EngineVersion) ? [EngineVersion] : []))
    .filter((version) => Number(major(version)) <= NEWEST_WITH_BACKUPS);
  const newestFirst = [...new Set(names)].sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const majors = newestFirst.filter(
    (version, index) => newestFirst.findIndex((other) => major(other) === major(version)) === index,
  );
  for (const version of majors) {
    if (dbClass === undefined || (await isOrderable(aws, version, dbClass))) return version;
  }
  throw usageError(
    majors.length === 0
      ? `RDS offers no PostgreSQL up to ${NEWEST_WITH_BACKUPS} in ${aws.region}`
      : `the database class "${dbClass}" cannot be ordered with PostgreSQL ${majors.join(', ')} in ${aws.region}`,
    'Take another class with --db-class, such as db.t4g.micro, or another --region.',
  );
}

const major = (version: string) => version.split('.')[0];

async function isOrderable(aws: Aws, version: string, dbClass: string): Promise<boolean> {
  const answer = await aws.rds.send(
    new DescribeOrderableDBInstanceOptionsCommand({
      Engine: 'postgres',
      EngineVersion: version,
      DBInstanceClass: dbClass,
      Vpc: true,
      MaxRecords: 20,
    }),
  );
  return (answer.OrderableDBInstanceOptions ?? []).length > 0;
}

/** The RDS certificate authority that expires last, such as rds-ca-rsa4096-g1. Throws CloudspaceError `NoCertificate`. */
export async function lastExpiringCa(aws: Aws): Promise<string> {
  const certificates = await all(
    paginateDescribeCertificates({ client: aws.rds, pageSize: 100 }, {}),
    (page) => page.Certificates,
  );
  const [last] = certificates
    .filter(({ CertificateIdentifier = '' }) => CertificateIdentifier.startsWith('rds-ca-'))
    .sort(
      (a, b) =>
        (b.ValidTill?.getTime() ?? 0) - (a.ValidTill?.getTime() ?? 0) ||
        (a.CertificateIdentifier ?? '').localeCompare(b.CertificateIdentifier ?? ''),
    );
  if (last?.CertificateIdentifier !== undefined) return last.CertificateIdentifier;
  throw new CloudspaceError(`RDS lists no certificate authority rds-ca-* in ${aws.region}`, { code: 'NoCertificate' });
}
