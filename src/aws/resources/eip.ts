import {
  type Address,
  AllocateAddressCommand,
  DescribeAddressesCommand,
  paginateDescribeNatGateways,
  ReleaseAddressCommand,
} from '@aws-sdk/client-ec2';
import type { Kind, Output, Scope } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { priceOf } from '../prices.ts';
import {
  all,
  candidate,
  cliTagSpecifications,
  ec2Tags,
  found,
  must,
  ofCloudspace,
  optional,
  tagSpecifications,
  words,
} from './common.ts';

export type EipProps = Readonly<Record<never, never>>;

/** `id` is the allocation's */
export interface EipOutput extends Output {
  readonly publicIp: string;
}

/** This Cloudspace's Elastic IPs, with what they are associated to; read once a listing round. The API has no pages here. */
export function readAddresses(aws: Aws, scope: Scope): Promise<Address[]> {
  return scope.once('DescribeAddresses', async () => {
    const answer = await aws.ec2.send(new DescribeAddressesCommand({ Filters: [ofCloudspace(scope)] }));
    return answer.Addresses ?? [];
  });
}

export const eip: Kind<EipProps, EipOutput, Aws> = {
  type: 'aws_eip',
  label: 'Elastic IP',
  quota: () => [{ code: 'L-0263D0A3', amount: 1 }],
  async list(aws, scope) {
    const addresses = await readAddresses(aws, scope);
    return addresses.map((one) =>
      found({ id: must(one.AllocationId, 'AllocationId'), publicIp: one.PublicIp ?? '' }, one.Tags),
    );
  },
  async create(aws, _props, { tags, signal }) {
    const answer = await aws.ec2.send(
      new AllocateAddressCommand({ Domain: 'vpc', TagSpecifications: tagSpecifications(tags, 'elastic-ip') }),
      { abortSignal: signal },
    );
    return { id: must(answer.AllocationId, 'AllocationId'), publicIp: answer.PublicIp ?? '' };
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new ReleaseAddressCommand({ AllocationId: id }), { abortSignal: signal })),
  async candidates(aws) {
    const [answer, gateways] = await Promise.all([
      aws.ec2.send(new DescribeAddressesCommand({})),
      all(paginateDescribeNatGateways({ client: aws.ec2, pageSize: 1000 }, {}), (page) => page.NatGateways),
    ]);
    return (answer.Addresses ?? []).map((one) => {
      const id = must(one.AllocationId, 'AllocationId');
      const uses = gateways.filter(
        ({ State, NatGatewayAddresses = [] }) =>
          (State === 'pending' || State === 'available') && NatGatewayAddresses.some((of) => of.AllocationId === id),
      );
      return {
        ...candidate({ id, publicIp: one.PublicIp ?? '' }, one.Tags),
        connections: {
          aws_eip_association:
            one.InstanceId && one.AssociationId
              ? [{ id: one.AssociationId, allocationId: id, instanceId: one.InstanceId }]
              : [],
          aws_nat_gateway: uses.map((of) => ({
            id: of.NatGatewayId ?? '',
            subnetId: of.SubnetId ?? '',
            allocationId: id,
          })),
        },
        ...optional('boundTo', uses[0]?.NatGatewayId ?? one.InstanceId ?? one.NetworkInterfaceId),
      };
    });
  },
  ...ec2Tags(),
  cli: (_props, { tags }) => words`aws ec2 allocate-address --domain vpc ${cliTagSpecifications(tags, 'elastic-ip')}`,
  price: (_props, region) => priceOf('publicIpv4', region),
};
