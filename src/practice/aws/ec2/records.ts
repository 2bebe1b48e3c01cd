/** What the practice cloud remembers of EC2's network resources. Tags are kept apart, by id. */

export interface Vpc {
  readonly id: string;
  readonly cidr: string;
  readonly associationId: string;
  readonly tenancy: 'default' | 'dedicated' | 'host';
  dnsSupport: boolean;
  dnsHostnames: boolean;
  usageMetrics: boolean;
}

export interface Subnet {
  readonly id: string;
  readonly vpcId: string;
  readonly cidr: string;
  readonly zone: string;
  /** of its association with the VPC's default network ACL */
  readonly aclAssociationId: string;
  mapPublicIp: boolean;
  hostnameType: 'ip-name' | 'resource-name';
  resourceNameARecord: boolean;
  resourceNameAAAARecord: boolean;
}

export interface InternetGateway {
  readonly id: string;
  vpcId?: string;
}

export interface Route {
  readonly destination: string;
  /** an internet gateway's id, or `local` */
  gatewayId?: string;
  natGatewayId?: string;
  networkInterfaceId?: string;
  readonly origin: 'CreateRouteTable' | 'CreateRoute';
}

export interface RouteTable {
  readonly id: string;
  readonly vpcId: string;
  routes: Route[];
  /** without a subnet: the association that makes this the VPC's main table */
  associations: { readonly id: string; readonly subnetId?: string }[];
}

/** Each VPC's default network ACL; others are not simulated. */
export interface NetworkAcl {
  readonly id: string;
  readonly vpcId: string;
}

export interface SecurityGroup {
  readonly id: string;
  readonly vpcId: string;
  readonly name: string;
  readonly description: string;
}

/** One rule with exactly one peer: an IPv4 range, an IPv6 range, a prefix list or a group. */
export interface SecurityGroupRule {
  readonly id: string;
  readonly groupId: string;
  readonly egress: boolean;
  /** tcp, udp, icmp, icmpv6, -1 (all) or a protocol number */
  protocol: string;
  /** -1 for all ports, or the ICMP type */
  fromPort: number;
  toPort: number;
  cidr4?: string;
  cidr6?: string;
  prefixListId?: string;
  peerGroupId?: string;
  description?: string;
}

export interface Address {
  /** the allocation id */
  readonly id: string;
  readonly publicIp: string;
  association?: { readonly id: string; readonly networkInterfaceId: string };
}

/** A network interface as its owner keeps it (instances, NAT gateways, load balancers and databases own theirs). */
export interface Interface {
  readonly id: string;
  readonly subnetId: string;
  readonly privateIp: string;
  groups: string[];
}

export interface NatGateway {
  readonly id: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly connectivity: 'public' | 'private';
  readonly allocationId?: string;
  readonly associationId?: string;
  readonly publicIp?: string;
  readonly interface: Interface;
  readonly createdAt: number;
  /** it will end as `failed` with this */
  readonly failure?: { readonly code: string; readonly message: string };
  deletedAt?: number;
}

export interface KeyPair {
  readonly id: string;
  readonly name: string;
  readonly type: 'ed25519' | 'rsa';
  readonly fingerprint: string;
  /** OpenSSH public key line, without a comment */
  readonly publicKey: string;
  readonly createdAt: number;
}

export interface Volume {
  readonly id: string;
  readonly zone: string;
  readonly sizeGb: number;
  readonly type: string;
  readonly encrypted: boolean;
  readonly iops?: number;
  readonly throughput?: number;
  readonly snapshotId?: string;
  readonly kmsKeyId?: string;
  readonly createdAt: number;
  attachment?: { readonly instanceId: string; readonly device: string; deleteOnTermination: boolean };
}

export interface MetadataOptions {
  tokens: 'optional' | 'required';
  endpoint: 'enabled' | 'disabled';
  hopLimit: number;
  instanceTags: 'enabled' | 'disabled';
}

export interface Instance {
  readonly id: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly clientToken: string;
  readonly imageId: string;
  type: string;
  readonly vpcId: string;
  readonly interface: Interface;
  /** assigned at launch where the subnet or the request says so; an Elastic IP hides it */
  publicIp?: string;
  readonly publicOnLaunch: boolean;
  readonly keyName?: string;
  /** the key pair's public key at launch: deleting the key pair later does not take it from the host */
  readonly publicKey?: string;
  /** base64 */
  readonly userData?: string;
  readonly metadata: MetadataOptions;
  monitoring: boolean;
  ebsOptimized: boolean;
  sourceDestCheck: boolean;
  shutdownBehavior: 'stop' | 'terminate';
  disableApiTermination: boolean;
  disableApiStop: boolean;
  cpuCredits?: 'standard' | 'unlimited';
  readonly launchedAt: number;
  startedAt: number;
  /** the host was seen running once */
  booted: boolean;
  stoppedAt?: number;
  terminatedAt?: number;
  /** it does not come up: a fault */
  readonly doomed?: true;
  /** why it was stopped or ended */
  reason?: { readonly code: string; readonly message: string };
}

export interface Ec2Records {
  readonly vpcs: Record<string, Vpc>;
  readonly subnets: Record<string, Subnet>;
  readonly internetGateways: Record<string, InternetGateway>;
  readonly routeTables: Record<string, RouteTable>;
  readonly networkAcls: Record<string, NetworkAcl>;
  readonly securityGroups: Record<string, SecurityGroup>;
  readonly securityGroupRules: Record<string, SecurityGroupRule>;
  readonly addresses: Record<string, Address>;
  readonly natGateways: Record<string, NatGateway>;
  /** by name */
  readonly keyPairs: Record<string, KeyPair>;
  readonly volumes: Record<string, Volume>;
  readonly instances: Record<string, Instance>;
}
