import type { Interface } from '../ec2/records.ts';

/** What the practice cloud remembers of load balancing. Everything is keyed by ARN. */

export interface LoadBalancer {
  readonly arn: string;
  readonly name: string;
  readonly scheme: 'internet-facing' | 'internal';
  readonly vpcId: string;
  readonly dnsName: string;
  zones: {
    readonly zone: string;
    readonly subnetId: string;
    readonly interface: Interface;
    /** of the load balancer itself, where it has no Elastic IP */
    readonly publicIp?: string;
    readonly allocationId?: string;
  }[];
  groups: string[];
  readonly attributes: Record<string, string>;
  readonly createdAt: number;
  /** gone for the API; its network interfaces follow some time later */
  deletedAt?: number;
}

export interface Target {
  /** an instance's id */
  readonly id: string;
  readonly port: number;
  readonly registeredAt: number;
  drainingSince?: number;
}

export interface TargetGroup {
  readonly arn: string;
  readonly name: string;
  readonly protocol: 'TCP';
  readonly port: number;
  readonly vpcId: string;
  health: {
    /** a number, or `traffic-port`: the target's own */
    port: string;
    intervalSeconds: number;
    timeoutSeconds: number;
    healthyThreshold: number;
    unhealthyThreshold: number;
  };
  readonly attributes: Record<string, string>;
  targets: Target[];
}

export interface Listener {
  readonly arn: string;
  readonly loadBalancerArn: string;
  readonly protocol: 'TCP';
  port: number;
  targetGroupArn: string;
  readonly attributes: Record<string, string>;
}

export interface ElbRecords {
  readonly loadBalancers: Record<string, LoadBalancer>;
  readonly targetGroups: Record<string, TargetGroup>;
  readonly listeners: Record<string, Listener>;
}
