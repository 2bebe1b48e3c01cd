import { eip } from '../aws/resources/eip.ts';
import { internetGateway } from '../aws/resources/internetGateway.ts';
import { internetGatewayAttachment } from '../aws/resources/internetGatewayAttachment.ts';
import { natGateway } from '../aws/resources/natGateway.ts';
import { route } from '../aws/resources/route.ts';
import { routeTable } from '../aws/resources/routeTable.ts';
import { routeTableAssociation } from '../aws/resources/routeTableAssociation.ts';
import { subnet } from '../aws/resources/subnet.ts';
import { vpc as awsVpc } from '../aws/resources/vpc.ts';
import { vpcDnsHostnames } from '../aws/resources/vpcAttributes.ts';
import { type Chapter, out, resource } from '../engine/types.ts';
import { type Config, subnets } from './config.ts';

/** The resources that other chapters refer to, as functions of the configuration: the same description wherever it is named. */
export const network = {
  vpc: (config: Config) => resource(awsVpc, 'vpc', { cidr: config.cidr }),
  publicA: (config: Config) => subnetOf(config, 'subnet-public-a', subnets(config.cidr).publicA, config.zones[0]),
  publicB: (config: Config) => subnetOf(config, 'subnet-public-b', subnets(config.cidr).publicB, config.zones[1]),
  privateA: (config: Config) => subnetOf(config, 'subnet-private-a', subnets(config.cidr).privateA, config.zones[0]),
  privateB: (config: Config) => subnetOf(config, 'subnet-private-b', subnets(config.cidr).privateB, config.zones[1]),
  gateway: () => resource(internetGateway, 'internet-gateway', {}),
  attachment: (config: Config) =>
    resource(internetGatewayAttachment, 'internet-gateway-attachment', {
      internetGatewayId: out(network.gateway(), 'id'),
      vpcId: out(network.vpc(config), 'id'),
    }),
  natAddress: () => resource(eip, 'eip-nat', {}),
  nat: (config: Config) =>
    resource(
      natGateway,
      'nat-gateway',
      { subnetId: out(network.publicA(config), 'id'), allocationId: out(network.natAddress(), 'id') },
      [out(network.attachment(config), 'id')],
    ),
  publicTable: (config: Config) =>
    resource(routeTable, 'route-table-public', { vpcId: out(network.vpc(config), 'id') }),
  privateTable: (config: Config) =>
    resource(routeTable, 'route-table-private', { vpcId: out(network.vpc(config), 'id') }),
  /** hosts of the private subnets have the internet, through the NAT gateway, once this is there */
  privateRoute: (config: Config) =>
    resource(route, 'route-private-nat', {
      routeTableId: out(network.privateTable(config), 'id'),
      destination: '0.0.0.0/0',
      natGatewayId: out(network.nat(config), 'id'),
    }),
  publicRoute: (config: Config) =>
    resource(
      route,
      'route-public-internet',
      {
        routeTableId: out(network.publicTable(config), 'id'),
        destination: '0.0.0.0/0',
        internetGatewayId: out(network.gateway(), 'id'),
      },
      [out(network.attachment(config), 'id')],
    ),
};

const subnetOf = (config: Config, key: string, cidr: string, zone: string) =>
  resource(subnet, key, { vpcId: out(network.vpc(config), 'id'), cidr, zone });

type Table = ReturnType<typeof network.publicTable>;
type Subnet = ReturnType<typeof subnetOf>;

const associate = (table: Table, of: Subnet) => ({
  resource: resource(routeTableAssociation, of.key.replace('subnet', 'route-table-association'), {
    routeTableId: out(table, 'id'),
    subnetId: out(of, 'id'),
  }),
});

/** Chapter 1: the network in which everything else runs. */
export const vpc: Chapter<Config> = {
  id: 'vpc',
  title: 'Virtual private cloud',
  guide: '1-vpc.md',
  steps: [
    {
      id: 'network',
      title: 'The network',
      guide: 'The network',
      actions: (config) => [
        { resource: network.vpc(config) },
        { resource: resource(vpcDnsHostnames, 'vpc-dns-hostnames', { vpcId: out(network.vpc(config), 'id') }) },
      ],
    },
    {
      id: 'subnets',
      title: 'Subnets in two zones',
      guide: 'Subnets in two zones',
      actions: (config) =>
        [network.publicA, network.publicB, network.privateA, network.privateB].map((describe) => ({
          resource: describe(config),
        })),
    },
    {
      id: 'internet-gateway',
      title: 'The internet gateway',
      guide: 'The internet gateway',
      actions: (config) => [{ resource: network.gateway() }, { resource: network.attachment(config) }],
    },
    {
      id: 'nat-gateway',
      title: 'The NAT gateway',
      guide: 'The NAT gateway',
      actions: (config) => [{ resource: network.natAddress() }, { resource: network.nat(config) }],
    },
    {
      id: 'route-tables',
      title: 'Route tables',
      guide: 'Route tables',
      actions: (config) => [
        { resource: network.publicTable(config) },
        { resource: network.publicRoute(config) },
        associate(network.publicTable(config), network.publicA(config)),
        associate(network.publicTable(config), network.publicB(config)),
        { resource: network.privateTable(config) },
        { resource: network.privateRoute(config) },
        associate(network.privateTable(config), network.privateA(config)),
        associate(network.privateTable(config), network.privateB(config)),
      ],
    },
  ],
};
