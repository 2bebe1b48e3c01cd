import { createHash } from 'node:crypto';
import * as ec2 from '@aws-sdk/client-ec2';
import { notFound } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { on } from '../operation.ts';

/** The account of Debian's own images. Source: https://wiki.debian.org/Cloud/AmazonEC2Image */
const DEBIAN_OWNER = '136693071363';

const ARCHITECTURES = { amd64: 'x86_64', arm64: 'arm64' } as const;

/** Builds as Debian names them: release, date, build number. */
const BUILDS = [
  ['11', '20260512-2476'],
  ['12', '20251112-2294'],
  ['12', '20260210-2383'],
  ['12', '20260519-2482'],
  ['12', '20260811-2243'],
  ['13', '20260519-2482'],
  ['13', '20260914-2600'],
] as const;

/** A stable id: the same image has the same one in every practice cloud, and another in each region. */
function stableId(prefix: string, text: string): string {
  return `${prefix}-0${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

/** The images of a region. */
export function images(regionName: string) {
  return BUILDS.flatMap(([release, build]) =>
    (['amd64', 'arm64'] as const).map((port) => {
      const Name = `debian-${release}-${port}-${build}`;
      const date = `${build.slice(0, 4)}-${build.slice(4, 6)}-${build.slice(6, 8)}`;
      return {
        ImageId: stableId('ami', `${regionName}/${Name}`),
        Name,
        Description: `Debian ${release} (${build})`,
        ImageLocation: `amazon/${Name}`,
        OwnerId: DEBIAN_OWNER,
        ImageOwnerAlias: 'amazon',
        CreationDate: `${date}T12:00:00.000Z`,
        DeprecationTime: `${Number(build.slice(0, 4)) + 2}${date.slice(4)}T12:00:00.000Z`,
        State: 'available' as const,
        Public: true,
        ImageType: 'machine' as const,
        Architecture: ARCHITECTURES[port],
        PlatformDetails: 'Linux/UNIX',
        UsageOperation: 'RunInstances',
        RootDeviceName: '/dev/xvda',
        RootDeviceType: 'ebs' as const,
        VirtualizationType: 'hvm' as const,
        Hypervisor: 'xen' as const,
        EnaSupport: true,
        SriovNetSupport: 'simple',
        BootMode: port === 'arm64' ? ('uefi' as const) : ('uefi-preferred' as const),
        BlockDeviceMappings: [
          {
            DeviceName: '/dev/xvda',
            Ebs: {
              SnapshotId: stableId('snap', `${regionName}/${Name}`),
              VolumeSize: 8,
              VolumeType: 'gp3' as const,
              Encrypted: false,
              DeleteOnTermination: true,
              Iops: 3000,
              Throughput: 125,
            },
          },
        ],
        ProductCodes: [],
        Tags: [],
      };
    }),
  );
}

export type Image = ReturnType<typeof images>[number];

export const imageOperations = [
  on(ec2.DescribeImagesCommand, (input, { region }) => {
    const { ImageIds = [], Owners = [], ExecutableUsers = [], IncludeDeprecated: _, IncludeDisabled: _2 } = input;
    const all = images(region.name);
    const unknown = ImageIds.filter((id) => !all.some((image) => image.ImageId === id));
    if (unknown.length) throw notFound('image', unknown);
    const selected = all.filter(
      (image) =>
        (!ImageIds.length || ImageIds.includes(image.ImageId)) &&
        (!Owners.length || Owners.includes(image.OwnerId) || Owners.includes(image.ImageOwnerAlias)) &&
        (!ExecutableUsers.length || ExecutableUsers.includes('all')),
    );
    const found = filtered(selected, input.Filters, ec2.Image$, {
      'is-public': 'Public',
      'owner-alias': 'ImageOwnerAlias',
      'block-device-mapping.volume-type': 'BlockDeviceMappings.Ebs.VolumeType',
      'block-device-mapping.encrypted': 'BlockDeviceMappings.Ebs.Encrypted',
    });
    const { items, next } = page(found, input, 1);
    return { Images: items, ...next };
  }),
];
