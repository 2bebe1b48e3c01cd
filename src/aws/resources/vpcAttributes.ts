import { DescribeVpcAttributeCommand, ModifyVpcAttributeCommand } from '@aws-sdk/client-ec2';
import type { Found, Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone, isNotFound } from '../errors.ts';
import { differs, must } from './common.ts';
import { readVpcs } from './vpc.ts';

export interface VpcDnsHostnamesProps {
  readonly vpcId: string;
}

/** `id` is the VPC's */
export interface VpcDnsHostnamesOutput extends Output {
  readonly vpcId: string;
  /** enableDnsSupport: without it the host names are of no use */
  readonly resolution: boolean;
}

/**
 * DNS host names in a VPC: off in a new one, and needed for the names of databases and load balancers. An attribute of the VPC, but a request
 * of its own, so a kind of its own: it exists when it is on. DNS resolution itself, enableDnsSupport, is on in every new VPC; who switched it off is told, and it is put back.
 */
export const vpcDnsHostnames: Kind<VpcDnsHostnamesProps, VpcDnsHostnamesOutput, Aws> = {
  type: 'aws_vpc_dns_hostnames',
  label: 'DNS host names in the VPC',
  async list(aws, scope) {
    const vpcs = await readVpcs(aws, scope);
    const looked = await Promise.all(
      vpcs.map(async ({ VpcId }): Promise<Found<VpcDnsHostnamesOutput>[]> => {
        const vpcId = must(VpcId, 'VpcId');
        try {
          const [names, support] = await Promise.all(
            (['enableDnsHostnames', 'enableDnsSupport'] as const).map((Attribute) =>
              aws.ec2.send(new DescribeVpcAttributeCommand({ VpcId: vpcId, Attribute })),
            ),
          );
          const resolution = support?.EnableDnsSupport?.Value ?? true;
          return names?.EnableDnsHostnames?.Value ? [{ out: { id: vpcId, vpcId, resolution } }] : [];
        } catch (error) {
          if (isNotFound(error)) return [];
          throw error;
        }
      }),
    );
    return looked.flat();
  },
  matches: (props, out) => props.vpcId === out.vpcId,
  async create(aws, { vpcId }, { signal }) {
    await aws.ec2.send(new ModifyVpcAttributeCommand({ VpcId: vpcId, EnableDnsHostnames: { Value: true } }), {
      abortSignal: signal,
    });
    return { id: vpcId, vpcId, resolution: true };
  },
  drift: (_props, { vpcId, resolution }) =>
    differs('enableDnsSupport', true, resolution, {
      mend: ['aws', 'ec2', 'modify-vpc-attribute', '--vpc-id', vpcId, '--enable-dns-support'],
    }),
  async update(aws, { vpcId }, out, { signal }) {
    await aws.ec2.send(new ModifyVpcAttributeCommand({ VpcId: vpcId, EnableDnsSupport: { Value: true } }), {
      abortSignal: signal,
    });
    return { ...out, resolution: true };
  },
  delete: (aws, { vpcId }, signal) =>
    ignoreGone(
      aws.ec2.send(new ModifyVpcAttributeCommand({ VpcId: vpcId, EnableDnsHostnames: { Value: false } }), {
        abortSignal: signal,
      }),
    ),
  partOf: ({ vpcId }) => vpcId,
  cli: ({ vpcId }) => ['aws', 'ec2', 'modify-vpc-attribute', '--vpc-id', vpcId, '--enable-dns-hostnames'],
};
