import type { AnyKind } from '../../engine/types.ts';
import { dbInstance } from './dbInstance.ts';
import { dbSubnetGroup } from './dbSubnetGroup.ts';
import { eip } from './eip.ts';
import { eipAssociation } from './eipAssociation.ts';
import { instance } from './instance.ts';
import { internetGateway } from './internetGateway.ts';
import { internetGatewayAttachment } from './internetGatewayAttachment.ts';
import { keyPair } from './keyPair.ts';
import { listener } from './listener.ts';
import { loadBalancer } from './loadBalancer.ts';
import { natGateway } from './natGateway.ts';
import { route } from './route.ts';
import { routeTable } from './routeTable.ts';
import { routeTableAssociation } from './routeTableAssociation.ts';
import { securityGroup } from './securityGroup.ts';
import { securityGroupRules } from './securityGroupRules.ts';
import { subnet } from './subnet.ts';
import { targetGroup } from './targetGroup.ts';
import { targetGroupAttachment } from './targetGroupAttachment.ts';
import { vpc } from './vpc.ts';
import { vpcDnsHostnames } from './vpcAttributes.ts';
import { vpcTag } from './vpcTag.ts';

export {
  dbInstance,
  dbSubnetGroup,
  eip,
  eipAssociation,
  instance,
  internetGateway,
  internetGatewayAttachment,
  keyPair,
  listener,
  loadBalancer,
  natGateway,
  route,
  routeTable,
  routeTableAssociation,
  securityGroup,
  securityGroupRules,
  subnet,
  targetGroup,
  targetGroupAttachment,
  vpc,
  vpcDnsHostnames,
  vpcTag,
};

/** Every kind, what others stand on first. */
export const KINDS: readonly AnyKind[] = [
  vpc,
  vpcDnsHostnames,
  vpcTag,
  subnet,
  internetGateway,
  internetGatewayAttachment,
  routeTable,
  routeTableAssociation,
  eip,
  natGateway,
  route,
  securityGroup,
  securityGroupRules,
  keyPair,
  instance,
  eipAssociation,
  dbSubnetGroup,
  dbInstance,
  targetGroup,
  targetGroupAttachment,
  loadBalancer,
  listener,
];
