import {
  AllocateAddressCommand,
  AttachInternetGatewayCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeImagesCommand,
  DescribeRouteTablesCommand,
  type EC2Client,
  ReplaceRouteTableAssociationCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';

/** A network with two public subnets in two zones, as later chapters need it. */
export async function makeNetwork(ec2: EC2Client) {
  const VpcId = (await ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }))).Vpc?.VpcId ?? '';
  const subnet = async (CidrBlock: string, AvailabilityZone: string) =>
    (await ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock, AvailabilityZone }))).Subnet?.SubnetId ?? '';
  const subnetA = await subnet('10.7.0.0/24', 'eu-central-1a');
  const subnetB = await subnet('10.7.1.0/24', 'eu-central-1b');
  const { InternetGateway } = await ec2.send(new CreateInternetGatewayCommand({}));
  const GatewayId = InternetGateway?.InternetGatewayId ?? '';
  await ec2.send(new AttachInternetGatewayCommand({ VpcId, InternetGatewayId: GatewayId }));
  const { RouteTable } = await ec2.send(new CreateRouteTableCommand({ VpcId }));
  const RouteTableId = RouteTable?.RouteTableId;
  await ec2.send(new CreateRouteCommand({ RouteTableId, DestinationCidrBlock: '0.0.0.0/0', GatewayId }));
  // The VPC's main table becomes the public one: both subnets use it.
  const { RouteTables } = await ec2.send(
    new DescribeRouteTablesCommand({
      Filters: [
        { Name: 'vpc-id', Values: [VpcId] },
        { Name: 'association.main', Values: ['true'] },
      ],
    }),
  );
  const AssociationId = RouteTables?.[0]?.Associations?.[0]?.RouteTableAssociationId;
  await ec2.send(new ReplaceRouteTableAssociationCommand({ AssociationId, RouteTableId }));
  return { VpcId, subnetA, subnetB, GatewayId };
}

/** A group that lets one TCP port in, from a range or another group. */
export async function makeGroup(
  ec2: EC2Client,
  VpcId: string,
  GroupName: string,
  port: number,
  from: string,
): Promise<string> {
  const { GroupId = '' } = await ec2.send(new CreateSecurityGroupCommand({ VpcId, GroupName, Description: GroupName }));
  const source = from.startsWith('sg-') ? { UserIdGroupPairs: [{ GroupId: from }] } : { IpRanges: [{ CidrIp: from }] };
  await ec2.send(
    new AuthorizeSecurityGroupIngressCommand({
      GroupId,
      IpPermissions: [{ IpProtocol: 'tcp', FromPort: port, ToPort: port, ...source }],
    }),
  );
  return GroupId;
}

export async function makeInstances(ec2: EC2Client, SubnetId: string, count: number, SecurityGroupIds: string[] = []) {
  const { Images } = await ec2.send(
    new DescribeImagesCommand({ Filters: [{ Name: 'name', Values: ['debian-12-amd64-20260811-2243'] }] }),
  );
  const answer = await ec2.send(
    new RunInstancesCommand({
      ImageId: Images?.[0]?.ImageId,
      InstanceType: 't3.micro',
      SubnetId,
      SecurityGroupIds,
      MinCount: count,
      MaxCount: count,
    }),
  );
  return (answer.Instances ?? []).map((instance) => instance.InstanceId ?? '');
}

export async function makeAddress(ec2: EC2Client) {
  const { AllocationId = '', PublicIp = '' } = await ec2.send(new AllocateAddressCommand({}));
  return { AllocationId, PublicIp };
}
