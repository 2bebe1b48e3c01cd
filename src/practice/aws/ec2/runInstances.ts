import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, find, invalid, missing, notFound } from '../errors.ts';
import { idempotent } from '../idempotency.ts';
import { type Context, on } from '../operation.ts';
import { requestedTags, setTags } from '../tags.ts';
import { newId } from '../world.ts';
import { freePublicIp } from './addresses.ts';
import { type Image, images } from './images.ts';
import { instanceState } from './instanceState.ts';
import { describeInstances } from './instances.ts';
import { instanceType } from './instanceTypes.ts';
import { newInterface } from './interfaces.ts';
import type { Instance, Interface, MetadataOptions } from './records.ts';
import { checkGroups, defaultGroupOf } from './securityGroups.ts';
import { newVolumes } from './volumes.ts';

interface Placement {
  readonly subnetId: string;
  readonly groups: readonly string[];
  readonly privateIp: string | undefined;
  readonly publicIp: boolean | undefined;
}

/** Where the request puts the instances: at its top level or in one network interface specification. */
function placement(input: ec2.RunInstancesCommandInput): Placement {
  const { SubnetId, SecurityGroupIds = [], SecurityGroups = [], PrivateIpAddress, NetworkInterfaces } = input;
  if (SecurityGroups.length) throw notFound('securityGroup', SecurityGroups);
  const [specification, ...others] = NetworkInterfaces ?? [];
  if (others.length) throw invalid('the practice cloud gives an instance one network interface');
  if (specification) {
    if (SubnetId !== undefined || SecurityGroupIds.length) {
      throw new AwsError(
        'InvalidParameterCombination',
        'Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request',
      );
    }
    if (specification.NetworkInterfaceId !== undefined)
      throw notFound('networkInterface', [specification.NetworkInterfaceId]);
    if (specification.SubnetId === undefined) throw missing('NetworkInterface.1.SubnetId');
    return {
      subnetId: specification.SubnetId,
      groups: specification.Groups ?? [],
      privateIp: specification.PrivateIpAddress,
      publicIp: specification.AssociatePublicIpAddress,
    };
  }
  if (SubnetId === undefined) {
    throw new AwsError(
      'VPCIdNotSpecified',
      'No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.',
    );
  }
  return { subnetId: SubnetId, groups: SecurityGroupIds, privateIp: PrivateIpAddress, publicIp: undefined };
}

function metadataOptions(request: ec2.InstanceMetadataOptionsRequest | undefined): MetadataOptions {
  return {
    tokens: request?.HttpTokens ?? 'optional',
    endpoint: request?.HttpEndpoint ?? 'enabled',
    hopLimit: request?.HttpPutResponseHopLimit ?? 1,
    instanceTags: request?.InstanceMetadataTags ?? 'disabled',
  };
}

function imageAndType(context: Context, imageId: string | undefined, typeName: string): Image {
  if (imageId === undefined) throw missing('ImageId');
  const image = images(context.region.name).find((one) => one.ImageId === imageId);
  if (!image) throw new AwsError('InvalidAMIID.NotFound', `The image id '[${imageId}]' does not exist`);
  const type = instanceType(typeName);
  if (type.architecture !== image.Architecture) {
    throw invalid(
      `The architecture '${type.architecture}' of the specified instance type does not match the architecture '${image.Architecture}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.`,
    );
  }
  return image;
}

function checkQuota(context: Context, typeName: string, count: number): void {
  const running = Object.values(context.region.instances).filter((one) =>
    ['pending', 'running'].includes(instanceState(one, context)),
  );
  const used = running.reduce((sum, one) => sum + instanceType(one.type).cpus, 0);
  if (used + instanceType(typeName).cpus * count > context.quotas.vcpu) {
    throw new AwsError(
      'VcpuLimitExceeded',
      `You have requested more vCPU capacity than your current vCPU limit of ${context.quotas.vcpu} allows for the instance bucket that the specified instance type belongs to.`,
    );
  }
}

export const runInstancesOperations = [
  on(ec2.RunInstancesCommand, (input, context) => {
    const { region, clock, account, world } = context;
    const { ClientToken } = input;
    const { earlier, remember } = idempotent(context, 'RunInstances', ClientToken, (ids) => {
      const instances = ids.flatMap((id) => region.instances[id] ?? []);
      return instances.length ? instances : undefined;
    });
    const answer = (instances: readonly Instance[]) => ({
      ReservationId: instances[0]?.reservationId,
      OwnerId: account,
      Groups: [],
      Instances: describeInstances(context, instances),
    });
    if (earlier) return answer(earlier);

    const { MinCount = 0, MaxCount = 0, InstanceType: typeName = 'm1.small', KeyName } = input;
    if (MinCount < 1 || MaxCount < MinCount)
      throw invalid(`Invalid value '${MinCount}' for MinCount or '${MaxCount}' for MaxCount`);
    const place = placement(input);
    const image = imageAndType(context, input.ImageId, typeName);
    const subnet = find(region.subnets, place.subnetId, 'subnet');
    const zone = input.Placement?.AvailabilityZone;
    if (zone !== undefined && zone !== subnet.zone) {
      throw invalid(`The availability zone '${zone}' does not match that of subnet '${subnet.id}', ${subnet.zone}`);
    }
    checkGroups(region, place.groups, subnet.vpcId, subnet.id);
    const groups = place.groups.length ? place.groups : [defaultGroupOf(region, subnet.vpcId)];
    const key = KeyName === undefined ? undefined : find(region.keyPairs, KeyName, 'keyPair');
    if (place.privateIp !== undefined && MaxCount > 1) {
      throw new AwsError('InvalidParameterCombination', 'Multiple instances cannot have the same private IP address');
    }
    checkQuota(context, typeName, MaxCount);
    const types = ['instance', 'volume', 'network-interface'] as const;
    const [instanceTags, volumeTags, interfaceTags] = types.map((type) =>
      requestedTags(input.TagSpecifications, type, types),
    );
    const { burstable, nitro } = instanceType(typeName);
    const credits = input.CreditSpecification?.CpuCredits === 'standard' || !nitro ? 'standard' : 'unlimited';
    const reservationId = newId('r');
    const made: Interface[] = [];
    const publicIps: string[] = [];
    const instances = Array.from({ length: MaxCount }, (_, launchIndex): Instance => {
      const eni = newInterface(context, subnet.id, groups, place.privateIp, made);
      made.push(eni);
      const publicOnLaunch = place.publicIp ?? subnet.mapPublicIp;
      const publicIp = publicOnLaunch ? freePublicIp(world, publicIps, true) : undefined;
      if (publicIp) publicIps.push(publicIp);
      return {
        id: newId('i'),
        reservationId,
        launchIndex,
        clientToken: ClientToken ?? '',
        imageId: image.ImageId,
        type: typeName,
        vpcId: subnet.vpcId,
        interface: eni,
        ...(publicIp ? { publicIp } : {}),
        publicOnLaunch,
        ...(key ? { keyName: key.name, publicKey: key.publicKey } : {}),
        ...(input.UserData === undefined ? {} : { userData: input.UserData }),
        metadata: metadataOptions(input.MetadataOptions),
        monitoring: input.Monitoring?.Enabled ?? false,
        ebsOptimized: input.EbsOptimized ?? false,
        sourceDestCheck: true,
        shutdownBehavior: input.InstanceInitiatedShutdownBehavior || 'stop',
        disableApiTermination: input.DisableApiTermination ?? false,
        disableApiStop: input.DisableApiStop ?? false,
        ...(burstable ? { cpuCredits: credits } : {}),
        launchedAt: clock.now(),
        startedAt: clock.now(),
        booted: false,
        ...(context.spoiled === 'boot' ? { doomed: true as const } : {}),
      };
    });
    for (const instance of instances) {
      region.instances[instance.id] = instance;
      setTags(region, instance.id, instanceTags);
      setTags(region, instance.interface.id, interfaceTags);
      for (const volume of newVolumes(image, input.BlockDeviceMappings, subnet.zone, instance.id, clock.now())) {
        region.volumes[volume.id] = volume;
        setTags(region, volume.id, volumeTags);
      }
    }
    remember(instances.map((instance) => instance.id));
    return answer(instances);
  }),
];
