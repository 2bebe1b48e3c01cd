import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, find, invalid, select } from '../errors.ts';
import { filtered, page } from '../filters.ts';
import { type Clock, type Context, on } from '../operation.ts';
import { zoneId } from '../regions.ts';
import { tagList } from '../tags.ts';
import { images } from './images.ts';
import { type InstanceState, instanceState, stateOf } from './instanceState.ts';
import { instanceType } from './instanceTypes.ts';
import { networkInterfaces, privateDnsName, publicDnsName } from './interfaces.ts';
import type { Instance } from './records.ts';

function stateReason(instance: Instance, state: InstanceState) {
  const { reason } = instance;
  if (!reason || state === 'running' || state === 'pending') return { StateTransitionReason: '' };
  const at = new Date(instance.terminatedAt ?? instance.stoppedAt ?? 0).toISOString();
  return {
    StateReason: { Code: reason.code, Message: reason.message },
    StateTransitionReason: `${reason.message} (${at.slice(0, 10)} ${at.slice(11, 19)} GMT)`,
  };
}

function describeInstance(context: Context, instance: Instance, interfaces: ReturnType<typeof networkInterfaces>) {
  const { region } = context;
  const State = stateOf(instance, context);
  const type = instanceType(instance.type);
  const image = images(region.name).find((one) => one.ImageId === instance.imageId);
  const zone = region.subnets[instance.interface.subnetId]?.zone ?? '';
  const eni = interfaces.find((one) => one.NetworkInterfaceId === instance.interface.id);
  const hostnames = region.vpcs[instance.vpcId]?.dnsHostnames ?? false;
  const publicIp = eni?.Association?.PublicIp;
  const { metadata } = instance;
  return {
    InstanceId: instance.id,
    ImageId: instance.imageId,
    InstanceType: instance.type as ec2._InstanceType,
    AmiLaunchIndex: instance.launchIndex,
    ClientToken: instance.clientToken,
    ...(instance.keyName ? { KeyName: instance.keyName } : {}),
    State,
    ...stateReason(instance, State.Name),
    LaunchTime: new Date(instance.startedAt),
    Placement: {
      AvailabilityZone: zone,
      AvailabilityZoneId: zoneId(region.name, zone),
      GroupName: '',
      Tenancy: 'default' as const,
    },
    Monitoring: { State: instance.monitoring ? ('enabled' as const) : ('disabled' as const) },
    // A terminated instance has lost its network.
    PrivateDnsName: eni ? privateDnsName(eni.PrivateIpAddress, region.name) : '',
    PublicDnsName: publicIp && hostnames ? publicDnsName(publicIp, region.name) : '',
    ...(publicIp ? { PublicIpAddress: publicIp } : {}),
    ...(eni
      ? {
          PrivateIpAddress: eni.PrivateIpAddress,
          SubnetId: eni.SubnetId,
          VpcId: eni.VpcId,
          SourceDestCheck: instance.sourceDestCheck,
        }
      : {}),
    SecurityGroups: eni?.Groups ?? [],
    NetworkInterfaces: eni ? [eni] : [],
    BlockDeviceMappings: Object.values(region.volumes).flatMap(({ id, attachment, createdAt }) =>
      attachment?.instanceId === instance.id
        ? [
            {
              DeviceName: attachment.device,
              Ebs: {
                VolumeId: id,
                Status: 'attached' as const,
                AttachTime: new Date(createdAt),
                DeleteOnTermination: attachment.deleteOnTermination,
              },
            },
          ]
        : [],
    ),
    Architecture: image?.Architecture ?? type.architecture,
    RootDeviceName: '/dev/xvda',
    RootDeviceType: 'ebs' as const,
    VirtualizationType: 'hvm' as const,
    Hypervisor: 'xen' as const,
    EnaSupport: true,
    EbsOptimized: instance.ebsOptimized,
    PlatformDetails: 'Linux/UNIX',
    UsageOperation: 'RunInstances',
    UsageOperationUpdateTime: new Date(instance.launchedAt),
    ProductCodes: [],
    CpuOptions: { CoreCount: Math.max(1, type.cpus / 2), ThreadsPerCore: type.cpus > 1 ? 2 : 1 },
    CapacityReservationSpecification: { CapacityReservationPreference: 'open' as const },
    HibernationOptions: { Configured: false },
    EnclaveOptions: { Enabled: false },
    MaintenanceOptions: { AutoRecovery: 'default' as const, RebootMigration: 'default' as const },
    PrivateDnsNameOptions: {
      HostnameType: 'ip-name' as const,
      EnableResourceNameDnsARecord: false,
      EnableResourceNameDnsAAAARecord: false,
    },
    MetadataOptions: {
      State: 'applied' as const,
      HttpTokens: metadata.tokens,
      HttpEndpoint: metadata.endpoint,
      HttpPutResponseHopLimit: metadata.hopLimit,
      HttpProtocolIpv6: 'disabled' as const,
      InstanceMetadataTags: metadata.instanceTags,
    },
    Tags: tagList(region, instance.id),
  };
}

/** Instances of one request, in the API's form. */
export function describeInstances(context: Context, instances: readonly Instance[]) {
  const interfaces = networkInterfaces(context);
  return instances.map((instance) => describeInstance(context, instance, interfaces));
}

export const instanceOperations = [
  on(ec2.DescribeInstancesCommand, (input, context) => {
    const { region, account } = context;
    if (input.InstanceIds?.length && input.MaxResults !== undefined) {
      throw new AwsError(
        'InvalidParameterCombination',
        'The parameter instancesSet cannot be used with the parameter maxResults',
      );
    }
    const selected = select(Object.values(region.instances), input.InstanceIds, 'instance');
    const reservation = (item: { InstanceId: string }) => [region.instances[item.InstanceId]?.reservationId];
    const found = filtered(describeInstances(context, selected), input.Filters, ec2.Instance$, {
      'instance-state-name': 'State.Name',
      'instance-state-code': 'State.Code',
      'instance.group-id': 'SecurityGroups.GroupId',
      'instance.group-name': 'SecurityGroups.GroupName',
      'group-id': 'SecurityGroups.GroupId',
      'availability-zone': 'Placement.AvailabilityZone',
      'ip-address': 'PublicIpAddress',
      'dns-name': 'PublicDnsName',
      'network-interface.addresses.private-ip-address': 'NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress',
      'reservation-id': reservation,
      'owner-id': () => [account],
    });
    const { items, next } = page(found, input);
    const reservations = new Map<string, typeof items>();
    for (const item of items) {
      const [id = ''] = reservation(item);
      reservations.set(id, [...(reservations.get(id) ?? []), item]);
    }
    return {
      Reservations: [...reservations].map(([ReservationId, Instances]) => ({
        ReservationId,
        OwnerId: account,
        Groups: [],
        Instances,
      })),
      ...next,
    };
  }),

  on(ec2.DescribeInstanceStatusCommand, (input, context) => {
    const { region, clock } = context;
    const all = input.IncludeAllInstances ?? false;
    const statuses = select(Object.values(region.instances), input.InstanceIds, 'instance')
      .map((instance) => describeStatus(context, instance, clock))
      .filter((status) => all || status.InstanceState.Name === 'running');
    const found = filtered(statuses, input.Filters, ec2.InstanceStatus$, {
      'instance-state-name': 'InstanceState.Name',
      'instance-state-code': 'InstanceState.Code',
      'instance-status.status': 'InstanceStatus.Status',
      'system-status.status': 'SystemStatus.Status',
    });
    const { items, next } = page(found, input);
    return { InstanceStatuses: items, ...next };
  }),

  on(ec2.DescribeInstanceCreditSpecificationsCommand, (input, { region }) => {
    const specifications = select(Object.values(region.instances), input.InstanceIds, 'instance')
      .filter((instance) => instance.cpuCredits && instance.terminatedAt === undefined)
      .map((instance) => ({ InstanceId: instance.id, CpuCredits: instance.cpuCredits }));
    const { items, next } = page(filtered(specifications, input.Filters, ec2.InstanceCreditSpecification$), input);
    return { InstanceCreditSpecifications: items, ...next };
  }),

  on(ec2.GetConsoleOutputCommand, async ({ InstanceId, Latest: _ }, context) => {
    const instance = find(context.region.instances, InstanceId, 'instance');
    const state = instanceState(instance, context);
    const text = context.hosts ? await context.hosts.consoleOutput(instance.id) : bootMessages(instance, state);
    const now = new Date(context.clock.now());
    return {
      InstanceId: instance.id,
      Timestamp: now,
      ...(text ? { Output: Buffer.from(text).toString('base64') } : {}),
    };
  }),

  on(ec2.DescribeInstanceAttributeCommand, ({ InstanceId, Attribute }, { region }) => {
    const instance = find(region.instances, InstanceId, 'instance');
    const Value = (value: boolean) => ({ Value: value });
    switch (Attribute) {
      case 'instanceType':
        return { InstanceId, InstanceType: { Value: instance.type } };
      case 'userData':
        return { InstanceId, UserData: instance.userData ? { Value: instance.userData } : {} };
      case 'disableApiTermination':
        return { InstanceId, DisableApiTermination: Value(instance.disableApiTermination) };
      case 'disableApiStop':
        return { InstanceId, DisableApiStop: Value(instance.disableApiStop) };
      case 'instanceInitiatedShutdownBehavior':
        return { InstanceId, InstanceInitiatedShutdownBehavior: { Value: instance.shutdownBehavior } };
      case 'sourceDestCheck':
        return { InstanceId, SourceDestCheck: Value(instance.sourceDestCheck) };
      case 'ebsOptimized':
        return { InstanceId, EbsOptimized: Value(instance.ebsOptimized) };
      case 'groupSet':
        return { InstanceId, Groups: instance.interface.groups.map((GroupId) => ({ GroupId })) };
      default:
        throw invalid(`the practice cloud does not simulate the instance attribute '${Attribute}'`);
    }
  }),
];

/** Status checks pass some two minutes after the start. */
function describeStatus(context: Context, instance: Instance, clock: Clock) {
  const InstanceState = stateOf(instance, context);
  const running = InstanceState.Name === 'running';
  const passed = clock.passed(instance.startedAt, 120);
  const Status = running ? (passed ? ('ok' as const) : ('initializing' as const)) : ('not-applicable' as const);
  const check = {
    Status,
    Details: running
      ? [{ Name: 'reachability' as const, Status: passed ? ('passed' as const) : ('initializing' as const) }]
      : [],
  };
  return {
    InstanceId: instance.id,
    AvailabilityZone: context.region.subnets[instance.interface.subnetId]?.zone ?? '',
    InstanceState,
    InstanceStatus: check,
    SystemStatus: check,
    Events: [],
    Tags: tagList(context.region, instance.id),
  };
}

/** What the console shows when no host runs: a boot, and plainly no host keys, because there is no host that has any. */
function bootMessages(instance: Instance, state: InstanceState): string | undefined {
  if (state === 'pending') return undefined;
  const name = `ip-${instance.interface.privateIp.replaceAll('.', '-')}`;
  return [
    '[    0.000000] Linux version 6.1.0-cloud-amd64 (debian-kernel@lists.debian.org)',
    '[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-6.1.0-cloud-amd64 root=/dev/xvda1 ro console=ttyS0,115200',
    '[    2.104310] systemd[1]: Detected virtualization amazon.',
    `[    2.348812] systemd[1]: Hostname set to <${name}>.`,
    `[    6.512004] cloud-init[412]: Cloud-init running 'init' at ${new Date(instance.startedAt).toUTCString()}. Up 6.51 seconds.`,
    '[    9.870112] cloud-init[530]: practice cloud without hosts: there is no SSH server, and there are no host keys',
    `${name} login: `,
    '',
  ].join('\r\n');
}
