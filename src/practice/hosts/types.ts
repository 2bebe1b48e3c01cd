/**
 * The contract between the practice world (the simulated AWS API) and the practice hosts (containers). It is level-triggered: after every
 * change the world hands over everything that should be there, and the hosts make reality match. A crash in between costs nothing.
 */

/** One direction, one address range or one list of peer addresses. Addresses are CIDRs; the world has resolved referenced groups already. */
export interface FirewallRule {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'all';
  /** inclusive; ignored for icmp and all */
  readonly fromPort: number;
  readonly toPort: number;
  readonly sources: readonly string[];
}

export interface DesiredInstance {
  readonly id: string;
  readonly vpcId: string;
  readonly name: string;
  readonly privateIp: string;
  /** in a subnet whose route table has an internet gateway: its ports are published on loopback */
  readonly public: boolean;
  readonly state: 'running' | 'stopped';
  /** OpenSSH public key line of the key pair, if one was given */
  readonly publicKey?: string;
  readonly ingress: readonly FirewallRule[];
  /** it runs, and nothing reaches it or is reached by it */
  readonly network?: 'down';
}

export interface DesiredDatabase {
  readonly id: string;
  readonly vpcId: string;
  readonly privateIp: string;
  /** endpoint host name, resolvable by every host of the VPC */
  readonly endpoint: string;
  readonly port: number;
  readonly user: string;
  /** PostgreSQL SCRAM-SHA-256 verifier of the master password: the password itself is never stored */
  readonly verifier: string;
  readonly database?: string;
  readonly state: 'running' | 'stopped';
  readonly ingress: readonly FirewallRule[];
}

export interface DesiredLoadBalancer {
  readonly arn: string;
  readonly vpcId: string;
  readonly name: string;
  readonly privateIp: string;
  /** resolvable by every host of the VPC */
  readonly dnsName: string;
  readonly ingress: readonly FirewallRule[];
  readonly listeners: readonly {
    readonly port: number;
    readonly targetGroupArn: string;
  }[];
  readonly targetGroups: readonly {
    readonly arn: string;
    readonly port: number;
    readonly health: {
      readonly port: number;
      readonly intervalSeconds: number;
      readonly healthyThreshold: number;
      readonly unhealthyThreshold: number;
    };
    readonly targets: readonly { readonly id: string; readonly address: string; readonly port: number }[];
  }[];
}

export interface DesiredHosts {
  readonly networks: readonly { readonly vpcId: string; readonly cidr: string }[];
  readonly instances: readonly DesiredInstance[];
  readonly databases: readonly DesiredDatabase[];
  readonly loadBalancers: readonly DesiredLoadBalancer[];
}

export type HostState =
  | { readonly state: 'absent' | 'starting' | 'running' | 'stopped' }
  | { readonly state: 'failed'; readonly reason: string };

export interface TargetHealth {
  readonly id: string;
  readonly state: 'initial' | 'healthy' | 'unhealthy' | 'unused';
  readonly reason?: string;
}

export interface Hosts {
  /** Takes the new desired state and returns at once; the work is done in order, the newest state wins. */
  sync(desired: DesiredHosts): void;
  /** resolves when reality matches the newest desired state, or what failed has been recorded */
  settled(): Promise<void>;
  /** an instance, a database or a load balancer, by its id or ARN */
  state(id: string): HostState;
  /** what EC2's console shows, with cloud-init's block of SSH host keys; undefined until the host has booted */
  consoleOutput(instanceId: string): Promise<string | undefined>;
  /** from the proxy's own health checks: 'unused' when no listener uses the group */
  targetHealth(targetGroupArn: string): Promise<readonly TargetHealth[]>;
  /** where this machine reaches a port of a published host (127.0.0.1:N); undefined where it is not published */
  reach(id: string, port: number): { readonly host: string; readonly port: number } | undefined;
  /** leaves the containers running; stops the driver's own work */
  close(): Promise<void>;
}

/** The documentation address (RFC 5737) that stands for the person's laptop in the practice cloud: security group rules that admit it admit loopback traffic. */
export const LAPTOP_ADDRESS = '198.51.100.7';
/** Elastic IPs come from this documentation range (RFC 5737). */
export const ELASTIC_IP_RANGE = '203.0.113.0/24';
