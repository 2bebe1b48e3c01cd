import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, find, invalid, select } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { type Context, on } from '../operation.ts';
import { tagList } from '../tags.ts';
import { newId } from '../world.ts';
import type { Image } from './images.ts';
import type { Volume } from './records.ts';

const TYPES = ['gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1', 'standard'];

/**
 * The volumes of a new instance: the image's, changed and completed by the request's block device mappings.
 * Throws for unknown types, for sizes below the snapshot's and for instance store devices.
 */
export function newVolumes(
  image: Image,
  requested: readonly ec2.BlockDeviceMapping[] | undefined,
  zone: string,
  instanceId: string,
  now: number,
): Volume[] {
  const devices = new Map<string, ec2.EbsBlockDevice>(
    image.BlockDeviceMappings.map((mapping) => [mapping.DeviceName, mapping.Ebs]),
  );
  for (const { DeviceName = '', Ebs, NoDevice, VirtualName } of requested ?? []) {
    if (VirtualName !== undefined) throw invalid(`the practice cloud has no instance store volumes: ${VirtualName}`);
    if (NoDevice !== undefined) {
      devices.delete(DeviceName);
      continue;
    }
    const base = devices.get(DeviceName);
    const type = Ebs?.VolumeType ?? base?.VolumeType ?? 'gp2';
    // IOPS and throughput of the image's device only hold for its own type.
    const inherited =
      base && type === base.VolumeType ? base : { SnapshotId: base?.SnapshotId, VolumeSize: base?.VolumeSize };
    devices.set(DeviceName, { DeleteOnTermination: true, ...inherited, ...Ebs, VolumeType: type });
  }
  return [...devices].map(([device, ebs]) => {
    const { VolumeSize, VolumeType = 'gp2', Iops, Throughput, Encrypted = false, KmsKeyId, SnapshotId } = ebs;
    if (!TYPES.includes(VolumeType)) throw invalid(`Invalid volume type: ${VolumeType}`);
    const least = device === image.RootDeviceName ? image.BlockDeviceMappings[0]?.Ebs.VolumeSize : 1;
    if (VolumeSize === undefined || VolumeSize < (least ?? 1) || VolumeSize > 16384) {
      throw new AwsError(
        'InvalidBlockDeviceMapping',
        `Volume of size ${VolumeSize}GB is smaller than snapshot '${SnapshotId}', expect size >= ${least}GB`,
      );
    }
    const gp3 = VolumeType === 'gp3' ? { iops: Iops ?? 3000, throughput: Throughput ?? 125 } : {};
    const gp2 = VolumeType === 'gp2' ? { iops: Math.min(16000, Math.max(100, VolumeSize * 3)) } : {};
    return {
      id: newId('vol'),
      zone,
      sizeGb: VolumeSize,
      type: VolumeType,
      encrypted: Encrypted,
      ...(Iops === undefined ? {} : { iops: Iops }),
      ...gp3,
      ...gp2,
      ...(SnapshotId ? { snapshotId: SnapshotId } : {}),
      ...(KmsKeyId ? { kmsKeyId: KmsKeyId } : {}),
      createdAt: now,
      attachment: { instanceId, device, deleteOnTermination: ebs.DeleteOnTermination ?? true },
    };
  });
}

function describeVolume({ region, account }: Context, volume: Volume) {
  const { attachment } = volume;
  const key = volume.kmsKeyId ?? 'practice-aws-ebs';
  return {
    VolumeId: volume.id,
    AvailabilityZone: volume.zone,
    State: attachment ? ('in-use' as const) : ('available' as const),
    Size: volume.sizeGb,
    VolumeType: volume.type as ec2.VolumeType,
    Encrypted: volume.encrypted,
    ...(volume.encrypted
      ? { KmsKeyId: key.startsWith('arn:') ? key : `arn:aws:kms:${region.name}:${account}:key/${key}` }
      : {}),
    ...(volume.iops === undefined ? {} : { Iops: volume.iops }),
    ...(volume.throughput === undefined ? {} : { Throughput: volume.throughput }),
    SnapshotId: volume.snapshotId ?? '',
    MultiAttachEnabled: false,
    CreateTime: new Date(volume.createdAt),
    Attachments: attachment
      ? [
          {
            InstanceId: attachment.instanceId,
            VolumeId: volume.id,
            Device: attachment.device,
            State: 'attached' as const,
            AttachTime: new Date(volume.createdAt),
            DeleteOnTermination: attachment.deleteOnTermination,
          },
        ]
      : [],
    Tags: tagList(region, volume.id),
  };
}

export const volumeOperations = [
  on(ec2.DescribeVolumesCommand, (input, context) => {
    const volumes = select(Object.values(context.region.volumes), input.VolumeIds, 'volume');
    const described = volumes.map((volume) => describeVolume(context, volume));
    const found = filtered(described, input.Filters, ec2.Volume$, {
      status: 'State',
      'attachment.status': 'Attachments.State',
    });
    const { items, next } = page(found, input);
    return { Volumes: items, ...next };
  }),

  on(ec2.DeleteVolumeCommand, ({ VolumeId }, { region }) => {
    const { id, attachment } = find(region.volumes, VolumeId, 'volume');
    if (attachment) throw new AwsError('VolumeInUse', `Volume ${id} is currently attached to ${attachment.instanceId}`);
    delete region.volumes[id];
    delete region.tags[id];
    return {};
  }),
];
