import type { Dialect } from './codec.ts';
import { addressOperations } from './ec2/addresses.ts';
import { gatewayOperations } from './ec2/gateways.ts';
import { imageOperations } from './ec2/images.ts';
import { instanceActionOperations } from './ec2/instanceActions.ts';
import { sweepInstances } from './ec2/instanceState.ts';
import { instanceOperations } from './ec2/instances.ts';
import { instanceTypeOperations } from './ec2/instanceTypes.ts';
import { keyPairOperations } from './ec2/keyPairs.ts';
import { natGatewayOperations, sweepNatGateways } from './ec2/natGateways.ts';
import { networkInterfaceOperations } from './ec2/networkInterfaces.ts';
import { regionOperations } from './ec2/regions.ts';
import { routeTableOperations } from './ec2/routeTables.ts';
import { runInstancesOperations } from './ec2/runInstances.ts';
import { securityGroupRuleOperations } from './ec2/securityGroupRules.ts';
import { securityGroupOperations } from './ec2/securityGroups.ts';
import { subnetOperations } from './ec2/subnets.ts';
import { tagOperations } from './ec2/tags.ts';
import { volumeOperations } from './ec2/volumes.ts';
import { vpcOperations } from './ec2/vpcs.ts';
import { listenerOperations } from './elbv2/listeners.ts';
import { sweepLoadBalancers } from './elbv2/loadBalancerState.ts';
import { loadBalancerOperations } from './elbv2/loadBalancers.ts';
import { elbTagOperations } from './elbv2/tags.ts';
import { targetGroupOperations } from './elbv2/targetGroups.ts';
import { sweepTargets, targetOperations } from './elbv2/targets.ts';
import { sweepTokens } from './idempotency.ts';
import type { Context, Operation } from './operation.ts';
import { changeDatabaseOperations } from './rds/changeInstance.ts';
import { createDatabaseOperations } from './rds/createInstance.ts';
import { engineOperations } from './rds/engines.ts';
import { databaseOperations, sweepDatabases } from './rds/instances.ts';
import { snapshotOperations } from './rds/snapshots.ts';
import { subnetGroupOperations } from './rds/subnetGroups.ts';
import { rdsTagOperations } from './rds/tags.ts';
import { serviceQuotaOperations } from './serviceQuotas.ts';
import { stsOperations } from './sts.ts';

export interface Service extends Dialect {
  readonly operations: ReadonlyMap<string, Operation>;
}

function service(ec2: boolean, xmlns: string, operations: readonly Operation[]): Service {
  return { ec2, xmlns, operations: new Map(operations.map((operation) => [operation.name, operation])) };
}

/** By the name in the SigV4 credential scope. */
export const services: Readonly<Record<string, Service>> = {
  ec2: service(true, 'http://ec2.amazonaws.com/doc/2016-11-15/', [
    ...regionOperations,
    ...vpcOperations,
    ...subnetOperations,
    ...gatewayOperations,
    ...addressOperations,
    ...natGatewayOperations,
    ...routeTableOperations,
    ...securityGroupOperations,
    ...securityGroupRuleOperations,
    ...networkInterfaceOperations,
    ...keyPairOperations,
    ...imageOperations,
    ...instanceTypeOperations,
    ...runInstancesOperations,
    ...instanceOperations,
    ...instanceActionOperations,
    ...volumeOperations,
    ...tagOperations,
  ]),
  elasticloadbalancing: service(false, 'http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/', [
    ...loadBalancerOperations,
    ...targetGroupOperations,
    ...targetOperations,
    ...listenerOperations,
    ...elbTagOperations,
  ]),
  rds: service(false, 'http://rds.amazonaws.com/doc/2014-10-31/', [
    ...engineOperations,
    ...subnetGroupOperations,
    ...createDatabaseOperations,
    ...databaseOperations,
    ...changeDatabaseOperations,
    ...snapshotOperations,
    ...rdsTagOperations,
  ]),
  servicequotas: { ...service(false, '', serviceQuotaOperations), json: true },
  sts: service(false, 'https://sts.amazonaws.com/doc/2011-06-15/', stsOperations),
};

/** Brings the records up to date with the time: what is long gone is forgotten, and gives back what it held. */
export function sweep(context: Pick<Context, 'region' | 'clock' | 'hosts'>): void {
  sweepInstances(context);
  sweepNatGateways(context);
  sweepLoadBalancers(context);
  sweepTargets(context);
  sweepDatabases(context);
  sweepTokens(context.region);
}
