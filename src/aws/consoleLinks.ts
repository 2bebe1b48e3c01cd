/** Pages of the AWS console where a kind is made, by Terraform's type. Paths are the console's own; they change now and then, so the page is named too. */
const PAGES: Readonly<Record<string, { readonly page: string; readonly path: string }>> = {
  aws_vpc: { page: 'VPC → Your VPCs → Create VPC', path: 'vpcconsole/home?region=REGION#CreateVpc:createMode=vpcOnly' },
  aws_vpc_dns_hostnames: { page: 'VPC → Your VPCs → Edit VPC settings', path: 'vpcconsole/home?region=REGION#vpcs:' },
  aws_ec2_tag: { page: 'VPC → Your VPCs → Tags', path: 'vpcconsole/home?region=REGION#vpcs:' },
  aws_subnet: { page: 'VPC → Subnets → Create subnet', path: 'vpcconsole/home?region=REGION#CreateSubnet:' },
  aws_internet_gateway: {
    page: 'VPC → Internet gateways → Create',
    path: 'vpcconsole/home?region=REGION#CreateInternetGateway:',
  },
  aws_internet_gateway_attachment: {
    page: 'VPC → Internet gateways → Actions → Attach to VPC',
    path: 'vpcconsole/home?region=REGION#igws:',
  },
  aws_eip: { page: 'VPC → Elastic IPs → Allocate', path: 'vpcconsole/home?region=REGION#AllocateAddress:' },
  aws_nat_gateway: { page: 'VPC → NAT gateways → Create', path: 'vpcconsole/home?region=REGION#CreateNatGateway:' },
  aws_route_table: { page: 'VPC → Route tables → Create', path: 'vpcconsole/home?region=REGION#CreateRouteTable:' },
  aws_route: { page: 'VPC → Route tables → Routes → Edit routes', path: 'vpcconsole/home?region=REGION#RouteTables:' },
  aws_route_table_association: {
    page: 'VPC → Route tables → Subnet associations',
    path: 'vpcconsole/home?region=REGION#RouteTables:',
  },
  aws_security_group: { page: 'EC2 → Security groups → Create', path: 'ec2/home?region=REGION#CreateSecurityGroup:' },
  aws_vpc_security_group_ingress_rule: {
    page: 'EC2 → Security groups → Edit inbound rules',
    path: 'ec2/home?region=REGION#SecurityGroups:',
  },
  aws_key_pair: { page: 'EC2 → Key pairs → Actions → Import', path: 'ec2/home?region=REGION#ImportKeyPair:' },
  aws_instance: { page: 'EC2 → Instances → Launch', path: 'ec2/home?region=REGION#LaunchInstances:' },
  aws_eip_association: {
    page: 'EC2 → Elastic IPs → Actions → Associate',
    path: 'ec2/home?region=REGION#Addresses:',
  },
  aws_lb_target_group: { page: 'EC2 → Target groups → Create', path: 'ec2/home?region=REGION#CreateTargetGroup:' },
  aws_lb_target_group_attachment: {
    page: 'EC2 → Target groups → Targets → Register',
    path: 'ec2/home?region=REGION#TargetGroups:',
  },
  aws_lb: {
    page: 'EC2 → Load balancers → Create → Network',
    path: 'ec2/home?region=REGION#CreateNLBWizard:',
  },
  aws_lb_listener: { page: 'EC2 → Load balancers → Listeners → Add', path: 'ec2/home?region=REGION#LoadBalancers:' },
  aws_db_subnet_group: { page: 'RDS → Subnet groups → Create', path: 'rds/home?region=REGION#create-db-subnet-group:' },
  aws_db_instance: { page: 'RDS → Databases → Create', path: 'rds/home?region=REGION#launch-dbinstance:' },
};

/** Where in the console a kind is made; undefined for kinds that have no page. */
export function consolePage(type: string, region: string): { page: string; url: string } | undefined {
  const known = PAGES[type];
  if (!known) return undefined;
  return {
    page: known.page,
    url: `https://${region}.console.aws.amazon.com/${known.path.replace('REGION', region)}`,
  };
}
