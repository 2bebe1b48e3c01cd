import { AssociateAddressCommand, DisassociateAddressCommand } from '@aws-sdk/client-ec2';
import type { Kind, Output } from '../../engine/types.ts';
import type { Aws } from '../clients.ts';
import { ignoreGone } from '../errors.ts';
import { must, words } from './common.ts';
import { readAddresses } from './eip.ts';

export interface EipAssociationProps {
  readonly allocationId: string;
  /** has to be running */
  readonly instanceId: string;
}

export interface EipAssociationOutput extends Output {
  readonly allocationId: string;
  readonly instanceId: string;
}

/** An Elastic IP on an instance. (A NAT gateway's address is associated by the gateway itself.) */
export const eipAssociation: Kind<EipAssociationProps, EipAssociationOutput, Aws> = {
  type: 'aws_eip_association',
  label: 'address association',
  async list(aws, scope) {
    return (await readAddresses(aws, scope)).flatMap(({ AssociationId, AllocationId, InstanceId }) =>
      AssociationId && InstanceId
        ? [
            {
              out: {
                id: AssociationId,
                allocationId: AllocationId ?? '',
                instanceId: InstanceId,
              },
            },
          ]
        : [],
    );
  },
  exclusive: ({ allocationId, instanceId }) => `association of ${allocationId} with ${instanceId}`,
  matches: (props, out) => props.allocationId === out.allocationId && props.instanceId === out.instanceId,
  async create(aws, { allocationId, instanceId }, { signal }) {
    const answer = await aws.ec2.send(
      new AssociateAddressCommand({ AllocationId: allocationId, InstanceId: instanceId }),
      { abortSignal: signal },
    );
    return { id: must(answer.AssociationId, 'AssociationId'), allocationId, instanceId };
  },
  delete: (aws, { id }, signal) =>
    ignoreGone(aws.ec2.send(new DisassociateAddressCommand({ AssociationId: id }), { abortSignal: signal })),
  cli: ({ allocationId, instanceId }) =>
    words`aws ec2 associate-address --allocation-id ${allocationId} --instance-id ${instanceId}`,
};
