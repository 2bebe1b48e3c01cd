import {
  type _InstanceType,
  type Instance,
  ModifyInstanceAttributeCommand,
  ModifyInstanceMetadataOptionsCommand,
  paginateDescribeInstances,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Found, Kind, Output, Status } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { codeOf, ignoreGone } from '../errors.ts';
import { HOURS_A_MONTH, priceOf } from '../prices.ts';
import { isStandard, vcpusOf } from '../vcpus.ts';
import {
  all,
  candidate,
  cliTagSpecifications,
  differs,
  ec2Tags,
  found,
  fromTagList,
  must,
  ofCloudspace,
  optional,
  TAG,
  type Tags,
  tagSpecifications,
  words,
} from './common.ts';
import { decodeKeySet, encodeKeySet } from './keySet.ts';

export interface InstanceProps {
  readonly imageId: string;
  readonly instanceType: string;
  readonly subnetId: string;
  readonly securityGroupIds: readonly string[];
  /** name of a key pair */
  readonly keyName?: string;
  /** the image's root device (default /dev/xvda, Debian's) */
  readonly rootDevice?: string;
  /** of the encrypted gp3 root volume (default 20) */
  readonly rootSizeGb?: number;
}

export interface InstanceOutput extends Output {
  readonly state: string;
  readonly privateIp: string;
  readonly publicIp?: string;
  readonly subnetId: string;
  readonly imageId: string;
  readonly instanceType: string;
  /** ISO time */
  readonly launchedAt: string;
  readonly securityGroupIds: readonly string[];
  readonly keyName?: string;
  /** of the metadata service and of source/destination checks only what is not as the walk makes it: a thousand runners have to fit the state */
  readonly httpTokens?: string;
  readonly hopLimit?: number;
  readonly sourceDestCheck?: false;
  /** why it ended, when nobody asked it to */
  readonly reason?: string;
}

/** Ended by AWS, not by a person: a full disk quota, a lost host, an image that cannot start. */
function endedByItself(instance: Instance): boolean {
  return (
    instance.State?.Name === 'terminated' &&
    /^(?:Server\.|Client\.(?!UserInitiated|InstanceInitiated))/.test(instance.StateReason?.Code ?? '')
  );
}

/** IMDSv2 only, and a hop limit of 1: an application's container cannot ask it as if it were the host. */
const METADATA = { HttpTokens: 'required', HttpEndpoint: 'enabled', HttpPutResponseHopLimit: 1 } as const;

const unless = <T>(usual: T, value: T | undefined): T | undefined => (value === usual ? undefined : value);

const output = (instance: Instance | undefined): InstanceOutput => ({
  id: must(instance?.InstanceId, 'InstanceId'),
  state: instance?.State?.Name ?? 'pending',
  privateIp: instance?.PrivateIpAddress ?? '',
  ...optional('publicIp', instance?.PublicIpAddress),
  subnetId: instance?.SubnetId ?? '',
  imageId: instance?.ImageId ?? '',
  instanceType: instance?.InstanceType ?? '',
  launchedAt: instance?.LaunchTime?.toISOString() ?? '',
  securityGroupIds: (instance?.SecurityGroups ?? []).flatMap(({ GroupId }) => GroupId ?? []).sort(),
  ...optional('keyName', instance?.KeyName),
  ...optional('httpTokens', unless(METADATA.HttpTokens, instance?.MetadataOptions?.HttpTokens)),
  ...optional('hopLimit', unless(METADATA.HttpPutResponseHopLimit, instance?.MetadataOptions?.HttpPutResponseHopLimit)),
  ...(instance?.SourceDestCheck === false && { sourceDestCheck: false as const }),
  ...(instance !== undefined && endedByItself(instance) && { reason: instance.StateReason?.Message ?? 'AWS ended it' }),
});

function status({ state, reason }: InstanceOutput): Status {
  switch (state) {
    case 'running':
    case 'stopped':
      return { state: 'ready' };
    case 'shutting-down':
      return { state: 'deleting' };
    case 'terminated':
      return { state: 'gone', ...optional('reason', reason) };
    default:
      return { state: 'pending' };
  }
}

/** One request for `count` equal instances. */
const request = (props: InstanceProps, count: number, token: string, tags: Tags) =>
  new RunInstancesCommand({
    ImageId: props.imageId,
    InstanceType: props.instanceType as _InstanceType,
    MinCount: count,
    MaxCount: count,
    SubnetId: props.subnetId,
    SecurityGroupIds: [...props.securityGroupIds],
    ...optional('KeyName', props.keyName),
    ClientToken: token,
    MetadataOptions: METADATA,
    BlockDeviceMappings: [
      {
        DeviceName: props.rootDevice ?? '/dev/xvda',
        Ebs: { VolumeType: 'gp3', VolumeSize: props.rootSizeGb ?? 20, Encrypted: true, DeleteOnTermination: true },
      },
    ],
    TagSpecifications: tagSpecifications(tags, 'instance', 'volume'),
  });

/** `Name` of instances that are made together: the keys' common beginning. */
function batchName(name: string, keys: readonly string[]): string {
  const prefixes = new Set(keys.map((key) => key.replace(/-?\d+$/, '')));
  return `${name}-${[...prefixes].join('-')}`;
}

export const instance: Kind<InstanceProps, InstanceOutput, Aws> = {
  type: 'aws_instance',
  label: 'instance',
  quota: ({ instanceType }) => {
    const cpus = typeof instanceType === 'string' && isStandard(instanceType) ? vcpusOf(instanceType) : undefined;
    return cpus === undefined ? [] : [{ code: 'L-1216C47A', amount: cpus }];
  },
  seconds: 20,
  async list(aws, scope) {
    const instances = await scope.once('DescribeInstances', () =>
      all(paginateDescribeInstances({ client: aws.ec2, pageSize: 1000 }, { Filters: [ofCloudspace(scope)] }), (page) =>
        page.Reservations?.flatMap((reservation) => reservation.Instances ?? []),
      ),
    );
    return instances
      .filter((one) => one.State?.Name !== 'terminated' || endedByItself(one))
      .map((one): Found<InstanceOutput> => {
        const keys = decodeKeySet(fromTagList(one.Tags)[TAG.key] ?? '');
        const key = keys.length > 1 ? keys[one.AmiLaunchIndex ?? 0] : keys[0];
        return { ...found(output(one), one.Tags), ...optional('key', key) };
      });
  },
  async create(aws, props, { tags, token, signal }) {
    const answer = await aws.ec2.send(request(props, 1, token, tags), { abortSignal: signal });
    return output(answer.Instances?.[0]);
  },
  batch: {
    groupBy: (props) => JSON.stringify(Object.entries(props).sort(([a], [b]) => (a < b ? -1 : 1))),
    async create(aws, props, keys, { tags, token, name, signal }) {
      const set = encodeKeySet(keys);
      const common = { ...tags, [TAG.key]: set, Name: batchName(name, keys) };
      const answer = await aws.ec2.send(request(props, keys.length, token, common), { abortSignal: signal });
      const members = decodeKeySet(set);
      const byKey = new Map(
        (answer.Instances ?? []).map((one, index) => [members[one.AmiLaunchIndex ?? index], output(one)]),
      );
      return keys.map((key) => must(byKey.get(key), `instance for ${key}`));
    },
  },
  status,
  drift(props, out) {
    const modify = words`aws ec2 modify-instance-attribute --instance-id ${out.id}`;
    const metadata = words`aws ec2 modify-instance-metadata-options --instance-id ${out.id} --http-tokens required --http-put-response-hop-limit ${METADATA.HttpPutResponseHopLimit}`;
    return [
      ...(['imageId', 'instanceType', 'subnetId'] as const).flatMap((attribute) =>
        differs(attribute, props[attribute], out[attribute], { fixed: true }),
      ),
      ...differs('keyName', props.keyName, out.keyName, { fixed: true }),
      ...differs('securityGroupIds', [...props.securityGroupIds].sort(), out.securityGroupIds, {
        mend: [...modify, '--groups', ...props.securityGroupIds],
      }),
      ...(out.httpTokens === undefined
        ? []
        : differs('httpTokens', METADATA.HttpTokens, out.httpTokens, { mend: metadata })),
      ...(out.hopLimit === undefined
        ? []
        : differs('hopLimit', METADATA.HttpPutResponseHopLimit, out.hopLimit, { mend: metadata })),
      ...differs('sourceDestCheck', true, out.sourceDestCheck ?? true, { mend: [...modify, '--source-dest-check'] }),
    ];
  },
  /** one of: the metadata options, the security groups, the source/destination check */
  async update(aws, props, out, { signal }) {
    const InstanceId = out.id;
    const { httpTokens, hopLimit, sourceDestCheck: _unchecked, ...rest } = out;
    if (httpTokens !== undefined || hopLimit !== undefined) {
      await aws.ec2.send(new ModifyInstanceMetadataOptionsCommand({ InstanceId, ...METADATA }), {
        abortSignal: signal,
      });
      return { ...rest, ...optional('sourceDestCheck', out.sourceDestCheck) };
    }
    const securityGroupIds = [...props.securityGroupIds].sort();
    if (JSON.stringify(securityGroupIds) !== JSON.stringify(out.securityGroupIds)) {
      await aws.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, Groups: securityGroupIds }), {
        abortSignal: signal,
      });
      return { ...out, securityGroupIds };
    }
    await aws.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, SourceDestCheck: { Value: true } }), {
      abortSignal: signal,
    });
    return rest;
  },
  async candidates(aws, { subnetId }) {
    const Filters = [{ Name: 'subnet-id', Values: [subnetId] }];
    const instances = await all(paginateDescribeInstances({ client: aws.ec2, pageSize: 1000 }, { Filters }), (page) =>
      page.Reservations?.flatMap((reservation) => reservation.Instances ?? []),
    );
    return instances.filter(({ State }) => State?.Name !== 'terminated').map((one) => candidate(output(one), one.Tags));
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }), { abortSignal: signal })),
  ...ec2Tags(),
  deleteMany: {
    most: 1000, // EC2's limit on ids in one request
    async send(aws, outs, signal) {
      const InstanceIds = outs.map(({ id }) => id);
      await aws.ec2.send(new TerminateInstancesCommand({ InstanceIds }), { abortSignal: signal });
    },
  },
  protection: {
    refused: (error) => codeOf(error) === 'OperationNotPermitted',
    async lift(aws, { id }, signal) {
      const change = { InstanceId: id, DisableApiTermination: { Value: false } };
      await aws.ec2.send(new ModifyInstanceAttributeCommand(change), { abortSignal: signal });
    },
  },
  cli: (props, { tags }) => {
    const volume = `DeviceName=${props.rootDevice ?? '/dev/xvda'},Ebs={VolumeType=gp3,VolumeSize=${props.rootSizeGb ?? 20},Encrypted=true}`;
    const key = props.keyName === undefined ? [] : ['--key-name', props.keyName];
    return words`aws ec2 run-instances --image-id ${props.imageId} --instance-type ${props.instanceType} --subnet-id ${props.subnetId} --security-group-ids ${props.securityGroupIds} ${key} --metadata-options HttpTokens=required,HttpEndpoint=enabled,HttpPutResponseHopLimit=1 --block-device-mappings ${volume} ${cliTagSpecifications(tags, 'instance', 'volume')}`;
  },
  price: (props, region) =>
    priceOf(props.instanceType, region) + ((props.rootSizeGb ?? 20) * priceOf('gp3GbMonth', region)) / HOURS_A_MONTH,
};
