import {
  DescribeAddressesCommand,
  paginateDescribeInstances,
  paginateDescribeInternetGateways,
  paginateDescribeNatGateways,
  paginateDescribeNetworkInterfaces,
  paginateDescribeSecurityGroups,
  paginateDescribeSubnets,
  paginateDescribeVpcs,
} from '@aws-sdk/client-ec2';
import { paginateDescribeLoadBalancers } from '@aws-sdk/client-elastic-load-balancing-v2';
import { paginateDescribeDBInstances } from '@aws-sdk/client-rds';
import type { Aws } from './clients.ts';
import { all } from './resources/common.ts';

/** Reads of the whole account in the region, each sent once however many need it. */
export type Account = ReturnType<typeof readAccount>;

/** Nothing is sent before it is asked for. */
export function readAccount({ ec2, elb, rds }: Aws) {
  const running = { Name: 'instance-state-name', Values: ['pending', 'running'] };
  return {
    vpcs: once(() => all(paginateDescribeVpcs({ client: ec2, pageSize: 1000 }, {}), (page) => page.Vpcs)),
    subnets: once(() => all(paginateDescribeSubnets({ client: ec2, pageSize: 1000 }, {}), (page) => page.Subnets)),
    interfaces: once(() =>
      all(paginateDescribeNetworkInterfaces({ client: ec2, pageSize: 1000 }, {}), (page) => page.NetworkInterfaces),
    ),
    internetGateways: once(() =>
      all(paginateDescribeInternetGateways({ client: ec2, pageSize: 1000 }, {}), (page) => page.InternetGateways),
    ),
    addresses: once(async () => (await ec2.send(new DescribeAddressesCommand({}))).Addresses ?? []),
    natGateways: once(() =>
      all(paginateDescribeNatGateways({ client: ec2, pageSize: 1000 }, {}), (page) => page.NatGateways),
    ),
    instances: once(() =>
      all(paginateDescribeInstances({ client: ec2, pageSize: 1000 }, { Filters: [running] }), (page) =>
        page.Reservations?.flatMap(({ Instances = [] }) => Instances),
      ),
    ),
    securityGroups: once(() =>
      all(paginateDescribeSecurityGroups({ client: ec2, pageSize: 1000 }, {}), (page) => page.SecurityGroups),
    ),
    loadBalancers: once(() =>
      all(paginateDescribeLoadBalancers({ client: elb, pageSize: 400 }, {}), (page) => page.LoadBalancers),
    ),
    databases: once(() =>
      all(paginateDescribeDBInstances({ client: rds, pageSize: 100 }, {}), (page) => page.DBInstances),
    ),
  };
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => {
    promise ??= read();
    return promise;
  };
}
