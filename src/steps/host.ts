import { eip } from '../aws/resources/eip.ts';
import { eipAssociation } from '../aws/resources/eipAssociation.ts';
import { instance } from '../aws/resources/instance.ts';
import { keyPair } from '../aws/resources/keyPair.ts';
import type { securityGroup } from '../aws/resources/securityGroup.ts';
import type { subnet } from '../aws/resources/subnet.ts';
import { type Action, type Kind, type Output, out, resource, type TypedResource } from '../engine/types.ts';
import type { Config } from './config.ts';
import { hostRecord } from './dns.ts';
import { network } from './vpc.ts';

// biome-ignore lint/suspicious/noExplicitAny: only the output's type is taken from the kind
type OutputOf<K> = K extends Kind<any, infer O extends Output, any> ? O : never;
type Group = TypedResource<OutputOf<typeof securityGroup>>;
type Subnet = TypedResource<OutputOf<typeof subnet>>;

/** The public half of your key, imported under the Cloudspace's name. */
export const sshKeyPair = (config: Config) => resource(keyPair, 'key-pair', { publicKey: config.publicKey });

/** A host of the Cloudspace: Debian 12, IMDSv2, an encrypted root volume; the same for all, but for where it is and who may reach it. */
export function host(config: Config, key: string, group: Group, subnetOfHost: Subnet) {
  return resource(instance, key, {
    imageId: config.ami,
    instanceType: config.instanceType,
    rootDevice: config.rootDevice,
    subnetId: out(subnetOfHost, 'id'),
    securityGroupIds: [out(group, 'id')],
    keyName: out(sshKeyPair(config), 'name'),
  });
}

/** A host with an Elastic IP, and a name for it: both stay when the instance is replaced. */
export function publicHost(config: Config, key: string, group: Group, subnetOfHost: Subnet): Action[] {
  const machine = host(config, key, group, subnetOfHost);
  const address = resource(eip, `eip-${key}`, {});
  const association = resource(
    eipAssociation,
    `eip-association-${key}`,
    { allocationId: out(address, 'id'), instanceId: out(machine, 'id') },
    // EC2 refuses public addresses in a VPC without an internet gateway.
    [out(network.attachment(config), 'id')],
  );
  return [{ resource: machine }, { resource: address }, { resource: association }, ...hostRecord(config, key, address)];
}
