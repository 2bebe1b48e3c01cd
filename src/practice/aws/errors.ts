/** An error as AWS reports it: a wire code, a message and an HTTP status. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = 'AwsError';
    this.code = code;
    this.status = status;
  }
}

/** Codes and messages EC2 uses for ids that are not there, by kind. Source: EC2 API Reference, "Error codes". */
const NOT_FOUND = {
  vpc: ['InvalidVpcID.NotFound', 'vpc ID'],
  vpcEndpoint: ['InvalidVpcEndpointId.NotFound', 'Vpc Endpoint Id'],
  vpcPeeringConnection: ['InvalidVpcPeeringConnectionID.NotFound', 'vpcPeeringConnection ID'],
  subnet: ['InvalidSubnetID.NotFound', 'subnet ID'],
  internetGateway: ['InvalidInternetGatewayID.NotFound', 'internetGateway ID'],
  routeTable: ['InvalidRouteTableID.NotFound', 'routeTable ID'],
  networkAcl: ['InvalidNetworkAclID.NotFound', 'networkAcl ID'],
  securityGroup: ['InvalidGroup.NotFound', 'security group'],
  securityGroupRule: ['InvalidSecurityGroupRuleId.NotFound', 'security group rule ID'],
  address: ['InvalidAllocationID.NotFound', 'allocation ID'],
  association: ['InvalidAssociationID.NotFound', 'association ID'],
  natGateway: ['NatGatewayNotFound', 'NAT gateway'],
  keyPair: ['InvalidKeyPair.NotFound', 'key pair'],
  instance: ['InvalidInstanceID.NotFound', 'instance ID'],
  image: ['InvalidAMIID.NotFound', 'image id'],
  volume: ['InvalidVolume.NotFound', 'volume'],
  networkInterface: ['InvalidNetworkInterfaceID.NotFound', 'networkInterface ID'],
} as const;

export type Ec2Kind = keyof typeof NOT_FOUND;

export function notFound(kind: Ec2Kind, ids: readonly string[]): AwsError {
  const [code, label] = NOT_FOUND[kind];
  const [s, verb] = ids.length === 1 ? ['', 'does'] : ['s', 'do'];
  return new AwsError(code, `The ${label}${s} '${ids.join(', ')}' ${verb} not exist`);
}

/** The record with this id. Throws the kind's NotFound error. */
export function find<T>(collection: Readonly<Record<string, T>>, id: string | undefined, kind: Ec2Kind): T {
  const record = id === undefined ? undefined : collection[id];
  if (record === undefined) throw notFound(kind, [id ?? '']);
  return record;
}

/** All records, or exactly those with the given ids. Throws the kind's NotFound error naming every id that is not there. */
export function select<T extends { readonly id: string }>(
  records: readonly T[],
  ids: readonly string[] | undefined,
  kind: Ec2Kind,
): T[] {
  if (!ids?.length) return [...records];
  const missing = ids.filter((id) => !records.some((record) => record.id === id));
  if (missing.length) throw notFound(kind, missing);
  return records.filter((record) => ids.includes(record.id));
}

export function missing(parameter: string): AwsError {
  return new AwsError('MissingParameter', `The request must contain the parameter ${parameter}`);
}

export function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterValue', message);
}

export function dependency(message: string): AwsError {
  return new AwsError('DependencyViolation', message);
}
