import * as rds from '@aws-sdk/client-rds';
import { AwsError } from '../errors.ts';
import { on } from '../operation.ts';
import { zoneNames } from '../regions.ts';
import { arn, filtered, invalidValue, pageOf } from './common.ts';

/** PostgreSQL versions on offer, oldest first. The hosts run Debian's PostgreSQL, whatever version the API says. */
const VERSIONS = ['14.19', '14.20', '15.14', '15.15', '16.10', '16.11', '17.6', '17.7', '18.1'];
const DEFAULT_VERSION = '17.6';

/** Certificate authorities with the ends of their validity. Source: RDS User Guide, "Using SSL/TLS to encrypt a connection". */
export const CERTIFICATES = [
  { id: 'rds-ca-rsa2048-g1', from: '2021-05-19T18:28:23Z', till: '2061-05-19T19:28:23Z' },
  { id: 'rds-ca-rsa4096-g1', from: '2021-05-19T18:36:20Z', till: '2121-05-19T19:36:20Z' },
  { id: 'rds-ca-ecc384-g1', from: '2021-05-19T18:41:03Z', till: '2121-05-19T19:41:03Z' },
];
export const DEFAULT_CA = 'rds-ca-rsa2048-g1';

/** Classes on offer, with the oldest major version they run. */
const CLASSES: readonly (readonly [string, number])[] = [
  ...['micro', 'small', 'medium', 'large'].flatMap((size) => [
    [`db.t3.${size}`, 11] as const,
    [`db.t4g.${size}`, 12] as const,
  ]),
  ...['large', 'xlarge', '2xlarge'].flatMap((size) =>
    ['m6g', 'm6i', 'm7g', 'r6g', 'r6i', 'r7g'].map((family) => [`db.${family}.${size}`, 13] as const),
  ),
];
export const STORAGE_TYPES = ['gp2', 'gp3', 'io1', 'io2', 'standard'];

export const major = (version: string) => version.split('.')[0] ?? version;

export function parameterGroupFamily(version: string): string {
  return `postgres${major(version)}`;
}

/** The version a request means: `17` is the newest 17. Throws when there is none. */
export function chosenVersion(requested: string | undefined): string {
  if (requested === undefined) return DEFAULT_VERSION;
  const found = VERSIONS.findLast((version) => version === requested || major(version) === requested);
  if (!found) throw new AwsError('InvalidParameterCombination', `Cannot find version ${requested} for postgres`);
  return found;
}

/** Throws when the class is not on offer. */
export function checkClass(name: string | undefined, version: string): string {
  const found = CLASSES.find(([one]) => one === name);
  if (!name || !found) throw invalidValue(`Invalid DB Instance class: ${name}`);
  if (Number(major(version)) < found[1]) {
    throw new AwsError(
      'InvalidParameterCombination',
      `RDS does not support creating a DB instance with the following combination: DBInstanceClass=${name}, Engine=postgres, EngineVersion=${version}`,
    );
  }
  return name;
}

function describeVersion(EngineVersion: string) {
  const upgrades = VERSIONS.slice(VERSIONS.indexOf(EngineVersion) + 1);
  return {
    Engine: 'postgres',
    EngineVersion,
    MajorEngineVersion: major(EngineVersion),
    DBParameterGroupFamily: parameterGroupFamily(EngineVersion),
    DBEngineDescription: 'PostgreSQL',
    DBEngineVersionDescription: `PostgreSQL ${EngineVersion}-R1`,
    Status: 'available',
    ValidUpgradeTarget: upgrades.map((version) => ({
      Engine: 'postgres',
      EngineVersion: version,
      Description: `PostgreSQL ${version}-R1`,
      AutoUpgrade: false,
      IsMajorVersionUpgrade: major(version) !== major(EngineVersion),
    })),
    ExportableLogTypes: ['postgresql', 'upgrade'],
    SupportsLogExportsToCloudwatchLogs: true,
    SupportsReadReplica: true,
    SupportedFeatureNames: [],
    SupportedEngineModes: ['provisioned'],
    SupportsParallelQuery: false,
    SupportsGlobalDatabases: false,
    SupportedCACertificateIdentifiers: CERTIFICATES.map((one) => one.id),
    SupportsCertificateRotationWithoutRestart: true,
    SupportedTimezones: [],
  };
}

export const engineOperations = [
  on(rds.DescribeDBEngineVersionsCommand, (input) => {
    const { Engine, EngineVersion, DBParameterGroupFamily, DefaultOnly = false, IncludeAll: _ } = input;
    // Descriptions of character sets and time zones are lists that PostgreSQL does not have.
    const { ListSupportedCharacterSets: _2, ListSupportedTimezones: _3 } = input;
    const wanted = VERSIONS.filter(
      (version) =>
        (Engine === undefined || Engine === 'postgres') &&
        (EngineVersion === undefined || version === EngineVersion || major(version) === EngineVersion) &&
        (DBParameterGroupFamily === undefined || parameterGroupFamily(version) === DBParameterGroupFamily),
    );
    // The default of a major version is its newest minor one, but for the engine's default itself.
    const inMajor = EngineVersion === undefined && DBParameterGroupFamily === undefined ? undefined : wanted.at(-1);
    const defaults = wanted.filter((version) => version === (inMajor ?? DEFAULT_VERSION));
    const found = filtered((DefaultOnly ? defaults : wanted).map(describeVersion), input.Filters, {
      engine: (one) => [one.Engine],
      'engine-version': (one) => [one.EngineVersion],
      'db-parameter-group-family': (one) => [one.DBParameterGroupFamily],
      status: (one) => [one.Status],
      'engine-mode': (one) => one.SupportedEngineModes,
    });
    const { items, next } = pageOf(found, input);
    return { DBEngineVersions: items, ...next };
  }),

  on(rds.DescribeCertificatesCommand, (input, { region }) => {
    const { CertificateIdentifier } = input;
    const selected = CERTIFICATES.filter(
      ({ id }) => CertificateIdentifier === undefined || id === CertificateIdentifier,
    );
    if (!selected.length)
      throw new AwsError('CertificateNotFound', `Certificate ${CertificateIdentifier} not found.`, 404);
    const described = selected.map(({ id, from, till }) => ({
      CertificateIdentifier: id,
      CertificateType: 'CA',
      CertificateArn: `arn:aws:rds:${region.name}::cert:${id}`,
      ValidFrom: new Date(from),
      ValidTill: new Date(till),
      CustomerOverride: false,
    }));
    const { items, next } = pageOf(filtered(described, input.Filters, {}), input);
    return { DefaultCertificateForNewLaunches: DEFAULT_CA, Certificates: items, ...next };
  }),

  on(rds.DescribeOrderableDBInstanceOptionsCommand, (input, { region }) => {
    const { Engine, EngineVersion, DBInstanceClass, LicenseModel, Vpc = true, AvailabilityZoneGroup } = input;
    if (Engine === undefined) throw new AwsError('MissingParameter', 'The request must contain the parameter Engine');
    const offered =
      Engine === 'postgres' &&
      Vpc &&
      [undefined, 'postgresql-license'].includes(LicenseModel) &&
      [undefined, region.name].includes(AvailabilityZoneGroup);
    const options = (offered ? VERSIONS : [])
      .filter((version) => EngineVersion === undefined || version === EngineVersion || major(version) === EngineVersion)
      .flatMap((version) =>
        CLASSES.filter(
          ([name, oldest]) => (DBInstanceClass ?? name) === name && Number(major(version)) >= oldest,
        ).flatMap(([name]) =>
          ['gp2', 'gp3', 'io1'].map((storage) => describeOption(region.name, version, name, storage)),
        ),
      );
    const { items, next } = pageOf(filtered(options, input.Filters, {}), input);
    return { OrderableDBInstanceOptions: items, ...next };
  }),

  on(rds.DescribeDBParameterGroupsCommand, (input, { region }) => {
    const { DBParameterGroupName } = input;
    const families = [...new Set(VERSIONS.map(parameterGroupFamily))];
    const groups = families
      .map((family) => ({
        DBParameterGroupName: `default.${family}`,
        DBParameterGroupFamily: family,
        DBParameterGroupArn: arn(region, 'pg', `default.${family}`),
        Description: `Default parameter group for ${family}`,
      }))
      .filter((group) => (DBParameterGroupName ?? group.DBParameterGroupName) === group.DBParameterGroupName);
    if (!groups.length)
      throw new AwsError('DBParameterGroupNotFound', `DBParameterGroup not found: ${DBParameterGroupName}`, 404);
    const { items, next } = pageOf(filtered(groups, input.Filters, {}), input);
    return { DBParameterGroups: items, ...next };
  }),
];

function describeOption(regionName: string, EngineVersion: string, DBInstanceClass: string, StorageType: string) {
  return {
    Engine: 'postgres',
    EngineVersion,
    DBInstanceClass,
    LicenseModel: 'postgresql-license',
    StorageType,
    AvailabilityZones: zoneNames(regionName).map((Name) => ({ Name })),
    MultiAZCapable: true,
    ReadReplicaCapable: true,
    Vpc: true,
    SupportsStorageEncryption: true,
    SupportsIAMDatabaseAuthentication: true,
    SupportsPerformanceInsights: true,
    SupportsEnhancedMonitoring: true,
    SupportsIops: StorageType !== 'gp2',
    SupportsStorageThroughput: StorageType === 'gp3',
    SupportsStorageAutoscaling: true,
    SupportsKerberosAuthentication: true,
    SupportsGlobalDatabases: false,
    SupportsClusters: false,
    OutpostCapable: false,
    MinStorageSize: StorageType === 'io1' ? 100 : 20,
    MaxStorageSize: 65536,
    SupportedNetworkTypes: ['IPV4'],
    SupportedActivityStreamModes: [],
    SupportedEngineModes: ['provisioned'],
    AvailableProcessorFeatures: [],
  };
}
