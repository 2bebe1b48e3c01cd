import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, invalid } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { on } from '../operation.ts';
import { zoneId, zoneNames } from '../regions.ts';

type Architecture = 'x86_64' | 'arm64';

/** Families: architecture, clock in GHz, network interfaces aside; then size = [vCPUs, memory in MiB]. Source: AWS's instance type pages. */
const FAMILIES: readonly {
  readonly names: readonly string[];
  readonly architecture: Architecture;
  readonly clock: number;
  readonly burstable?: boolean;
  readonly sizes: Readonly<Record<string, readonly [number, number]>>;
}[] = [
  ...(['x86_64', 'arm64'] as const).map((architecture) => ({
    names: architecture === 'arm64' ? ['t4g'] : ['t3', 't3a'],
    architecture,
    clock: 2.5,
    burstable: true,
    sizes: {
      nano: [2, 512],
      micro: [2, 1024],
      small: [2, 2048],
      medium: [2, 4096],
      large: [2, 8192],
      xlarge: [4, 16384],
      '2xlarge': [8, 32768],
    } as const,
  })),
  {
    names: ['t2'],
    architecture: 'x86_64',
    clock: 2.4,
    burstable: true,
    sizes: { micro: [1, 1024], small: [1, 2048], medium: [2, 4096], large: [2, 8192] },
  },
  ...(['x86_64', 'arm64'] as const).flatMap((architecture) =>
    (
      [
        ['m', 4],
        ['c', 2],
        ['r', 8],
      ] as const
    ).map(([letter, gigabytes]) => ({
      names: architecture === 'arm64' ? [`${letter}6g`, `${letter}7g`] : [`${letter}6i`, `${letter}7i`, `${letter}6a`],
      architecture,
      clock: 3,
      sizes: Object.fromEntries(
        [
          ['large', 2],
          ['xlarge', 4],
          ['2xlarge', 8],
          ['4xlarge', 16],
        ].map(([size, cpus]) => [size, [Number(cpus), Number(cpus) * gigabytes * 1024] as const]),
      ),
    })),
  ),
];

export interface InstanceTypeFacts {
  readonly name: string;
  readonly architecture: Architecture;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly clock: number;
  readonly burstable: boolean;
  readonly nitro: boolean;
}

const TYPES: ReadonlyMap<string, InstanceTypeFacts> = new Map(
  FAMILIES.flatMap(({ names, architecture, clock, burstable = false, sizes }) =>
    names.flatMap((family) =>
      Object.entries(sizes).map(([size, [cpus, memoryMib]]) => {
        const name = `${family}.${size}`;
        return [name, { name, architecture, cpus, memoryMib, clock, burstable, nitro: family !== 't2' }] as const;
      }),
    ),
  ),
);

/** Throws InvalidParameterValue for a type that the practice cloud does not have. */
export function instanceType(name: string): InstanceTypeFacts {
  const type = TYPES.get(name);
  if (!type) throw invalid(`Invalid value '${name}' for InstanceType.`);
  return type;
}

function describeType(type: InstanceTypeFacts) {
  return {
    InstanceType: type.name as ec2._InstanceType,
    CurrentGeneration: type.nitro,
    FreeTierEligible: ['t2.micro', 't3.micro', 't4g.micro'].includes(type.name),
    BareMetal: false,
    BurstablePerformanceSupported: type.burstable,
    DedicatedHostsSupported: true,
    AutoRecoverySupported: true,
    HibernationSupported: false,
    InstanceStorageSupported: false,
    Hypervisor: type.nitro ? ('nitro' as const) : ('xen' as const),
    SupportedArchitectures: [type.architecture],
    SupportedBootModes: type.architecture === 'arm64' ? ['uefi' as const] : ['legacy-bios' as const, 'uefi' as const],
    SupportedRootDeviceTypes: ['ebs' as const],
    SupportedUsageClasses: ['on-demand' as const, 'spot' as const],
    SupportedVirtualizationTypes: ['hvm' as const],
    ProcessorInfo: {
      SupportedArchitectures: [type.architecture],
      SustainedClockSpeedInGhz: type.clock,
      Manufacturer: type.architecture === 'arm64' ? 'AWS' : 'Intel',
    },
    VCpuInfo: { DefaultVCpus: type.cpus, DefaultCores: Math.max(1, type.cpus / 2), DefaultThreadsPerCore: 2 },
    MemoryInfo: { SizeInMiB: type.memoryMib },
    EbsInfo: {
      EbsOptimizedSupport: type.nitro ? ('default' as const) : ('unsupported' as const),
      EncryptionSupport: 'supported' as const,
      NvmeSupport: type.nitro ? ('required' as const) : ('unsupported' as const),
    },
    NetworkInfo: {
      NetworkPerformance: 'Up to 5 Gigabit',
      MaximumNetworkInterfaces: 3,
      MaximumNetworkCards: 1,
      DefaultNetworkCardIndex: 0,
      Ipv4AddressesPerInterface: 10,
      Ipv6AddressesPerInterface: 10,
      Ipv6Supported: true,
      EnaSupport: type.nitro ? ('required' as const) : ('unsupported' as const),
      EfaSupported: false,
      EncryptionInTransitSupported: false,
    },
    PlacementGroupInfo: { SupportedStrategies: ['partition' as const, 'spread' as const] },
  };
}

export const instanceTypeOperations = [
  on(ec2.DescribeInstanceTypesCommand, (input) => {
    const wanted = input.InstanceTypes ?? [];
    const unknown = wanted.filter((name) => !TYPES.has(name));
    if (unknown.length) {
      throw new AwsError(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${unknown.join(', ')}]`,
      );
    }
    const all = [...TYPES.values()].filter((type) => !wanted.length || wanted.includes(type.name as ec2._InstanceType));
    const found = filtered(all.map(describeType), input.Filters, ec2.InstanceTypeInfo$, {
      'vcpu-info.default-vcpus': 'VCpuInfo.DefaultVCpus',
      'processor-info.supported-architecture': 'ProcessorInfo.SupportedArchitectures',
      'supported-root-device-type': 'SupportedRootDeviceTypes',
    });
    const { items, next } = page(found, { MaxResults: input.MaxResults ?? 100, NextToken: input.NextToken });
    return { InstanceTypes: items, ...next };
  }),

  on(ec2.DescribeInstanceTypeOfferingsCommand, (input, { region }) => {
    const { LocationType = 'region' } = input;
    const zones = zoneNames(region.name);
    const locations =
      LocationType === 'region'
        ? [region.name]
        : LocationType === 'availability-zone-id'
          ? zones.map((zone) => zoneId(region.name, zone))
          : zones;
    const offerings = [...TYPES.keys()].flatMap((InstanceType) =>
      locations.map((Location) => ({ InstanceType: InstanceType as ec2._InstanceType, LocationType, Location })),
    );
    const { items, next } = page(filtered(offerings, input.Filters, ec2.InstanceTypeOffering$), input);
    return { InstanceTypeOfferings: items, ...next };
  }),
];
