import {
  AllocateAddressCommand,
  AssociateRouteTableCommand,
  AttachInternetGatewayCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand,
  CreateNatGatewayCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateTagsCommand,
  CreateVpcCommand,
  DeleteInternetGatewayCommand,
  DeleteNatGatewayCommand,
  DeleteRouteTableCommand,
  DeleteSecurityGroupCommand,
  DeleteSubnetCommand,
  DeleteTagsCommand,
  DeleteVpcCommand,
  DescribeAddressesCommand,
  DescribeAvailabilityZonesCommand,
  DescribeNatGatewaysCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcsCommand,
  DetachInternetGatewayCommand,
  DisassociateRouteTableCommand,
  type EC2Client,
  ModifyVpcAttributeCommand,
  paginateDescribeSubnets,
  ReleaseAddressCommand,
  ReplaceRouteCommand,
  RevokeSecurityGroupIngressCommand,
  type Tag,
  waitUntilNatGatewayAvailable,
} from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bench, bench, codeOf } from './practice.ts';

let cloud: Bench;
let ec2: EC2Client;
beforeEach(async () => {
  cloud = await bench();
  ec2 = cloud.ec2;
});
afterEach(() => cloud.end());

async function makeVpc(CidrBlock = '10.7.0.0/16', Tags: Tag[] = []): Promise<string> {
  const TagSpecifications = Tags.length ? [{ ResourceType: 'vpc' as const, Tags }] : undefined;
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock, TagSpecifications }));
  return Vpc?.VpcId ?? '';
}

async function makeSubnet(VpcId: string, CidrBlock: string): Promise<string> {
  const { Subnet } = await ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock }));
  return Subnet?.SubnetId ?? '';
}

async function makeGateway(VpcId: string): Promise<string> {
  const { InternetGateway } = await ec2.send(new CreateInternetGatewayCommand({}));
  const InternetGatewayId = InternetGateway?.InternetGatewayId ?? '';
  await ec2.send(new AttachInternetGatewayCommand({ VpcId, InternetGatewayId }));
  return InternetGatewayId;
}

describe('a VPC', () => {
  it('comes with a main route table, a default network ACL and a default group, and takes them along', async () => {
    const VpcId = await makeVpc();
    const here = [{ Name: 'vpc-id', Values: [VpcId] }];
    const read = async () => ({
      tables: (
        await ec2.send(
          new DescribeRouteTablesCommand({ Filters: [...here, { Name: 'association.main', Values: ['true'] }] }),
        )
      ).RouteTables,
      acls: (
        await ec2.send(new DescribeNetworkAclsCommand({ Filters: [...here, { Name: 'default', Values: ['true'] }] }))
      ).NetworkAcls,
      groups: (
        await ec2.send(
          new DescribeSecurityGroupsCommand({ Filters: [...here, { Name: 'group-name', Values: ['default'] }] }),
        )
      ).SecurityGroups,
    });
    const { tables, acls, groups } = await read();
    expect(tables?.[0]?.Routes?.[0]).toMatchObject({ DestinationCidrBlock: '10.7.0.0/16', GatewayId: 'local' });
    expect(acls?.[0]?.Entries).toHaveLength(4);
    expect(groups?.[0]?.IpPermissionsEgress?.[0]).toMatchObject({ IpProtocol: '-1' });
    await ec2.send(new DeleteVpcCommand({ VpcId }));
    expect(await read()).toEqual({ tables: [], acls: [], groups: [] });
  });

  it('has attributes that can be changed one at a time', async () => {
    const VpcId = await makeVpc();
    await ec2.send(new ModifyVpcAttributeCommand({ VpcId, EnableDnsHostnames: { Value: true } }));
    const read = await ec2.send(new DescribeVpcAttributeCommand({ VpcId, Attribute: 'enableDnsHostnames' }));
    expect(read.EnableDnsHostnames?.Value).toBe(true);
    expect(await codeOf(ec2.send(new ModifyVpcAttributeCommand({ VpcId })))).toBe('InvalidParameterCombination');
  });

  it('refuses bad ranges, a sixth one, and deletion while something is in it', async () => {
    expect(await codeOf(makeVpc('10.0.0.0/8'))).toBe('InvalidVpc.Range');
    expect(await codeOf(makeVpc('300.0.0.0/16'))).toBe('InvalidParameterValue');
    const VpcId = await makeVpc();
    await makeSubnet(VpcId, '10.7.1.0/24');
    expect(await codeOf(ec2.send(new DeleteVpcCommand({ VpcId })))).toBe('DependencyViolation');
    expect(await codeOf(ec2.send(new DeleteVpcCommand({ VpcId: 'vpc-0nothing' })))).toBe('InvalidVpcID.NotFound');
    for (let n = 2; n <= 5; n += 1) await makeVpc();
    expect(await codeOf(makeVpc())).toBe('VpcLimitExceeded');
  });

  it('does nothing in a dry run', async () => {
    expect(await codeOf(ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16', DryRun: true })))).toBe(
      'DryRunOperation',
    );
    expect((await ec2.send(new DescribeVpcsCommand({}))).Vpcs).toEqual([]);
  });
});

describe('subnets', () => {
  it('lie in the VPC and do not overlap', async () => {
    const VpcId = await makeVpc();
    await makeSubnet(VpcId, '10.7.0.0/20');
    expect(await codeOf(makeSubnet(VpcId, '10.7.8.0/24'))).toBe('InvalidSubnet.Conflict');
    expect(await codeOf(makeSubnet(VpcId, '10.8.0.0/24'))).toBe('InvalidSubnet.Range');
    const zones = (await ec2.send(new DescribeAvailabilityZonesCommand({}))).AvailabilityZones ?? [];
    expect(zones.map((zone) => zone.ZoneName)).toEqual(['eu-central-1a', 'eu-central-1b', 'eu-central-1c']);
  });

  it('come in pages', async () => {
    const VpcId = await makeVpc();
    for (let n = 0; n < 12; n += 1) await makeSubnet(VpcId, `10.7.${n}.0/24`);
    const pages = [];
    for await (const page of paginateDescribeSubnets({ client: ec2, pageSize: 5 }, {})) pages.push(page.Subnets ?? []);
    expect(pages.map((page) => page.length)).toEqual([5, 5, 2]);
    expect(new Set(pages.flat().map((subnet) => subnet.SubnetId)).size).toBe(12);
    expect(await codeOf(ec2.send(new DescribeSubnetsCommand({ NextToken: 'x' })))).toBe('InvalidNextToken');
  });
});

describe('tags and filters', () => {
  it('find resources by tag, key and pattern', async () => {
    const mine = await makeVpc('10.7.0.0/16', [{ Key: 'cloudspace:name', Value: 'hackathon-07' }]);
    const other = await makeVpc('10.8.0.0/16', [{ Key: 'Name', Value: 'hackathon-08' }]);
    const find = async (Name: string, ...Values: string[]) =>
      (await ec2.send(new DescribeVpcsCommand({ Filters: [{ Name, Values }] }))).Vpcs?.map((vpc) => vpc.VpcId);
    expect(await find('tag:cloudspace:name', 'hackathon-07')).toEqual([mine]);
    expect(await find('tag-key', 'Name')).toEqual([other]);
    expect(await find('cidr', '10.*.0.0/16')).toEqual([mine, other]);
    expect(await find('tag:Name', 'hackathon-??', 'x')).toEqual([other]);
    expect(await codeOf(find('no-such-filter', 'x'))).toBe('InvalidParameterValue');
    await ec2.send(new CreateTagsCommand({ Resources: [mine], Tags: [{ Key: 'Name', Value: 'a' }] }));
    await ec2.send(new DeleteTagsCommand({ Resources: [other], Tags: [{ Key: 'Name' }] }));
    const { Tags } = await ec2.send(new DescribeTagsCommand({ Filters: [{ Name: 'key', Values: ['Name'] }] }));
    expect(Tags).toEqual([{ ResourceId: mine, ResourceType: 'vpc', Key: 'Name', Value: 'a' }]);
    expect(
      await codeOf(ec2.send(new CreateTagsCommand({ Resources: ['vpc-0'], Tags: [{ Key: 'a', Value: 'b' }] }))),
    ).toBe('InvalidID');
  });
});

describe('gateways and routes', () => {
  it('live and go in the order AWS asks for', async () => {
    const VpcId = await makeVpc();
    const SubnetId = await makeSubnet(VpcId, '10.7.0.0/20');
    const { AllocationId = '' } = await ec2.send(new AllocateAddressCommand({ Domain: 'vpc' }));
    const early = await ec2.send(new CreateNatGatewayCommand({ SubnetId, AllocationId }));
    const [failed] =
      (await ec2.send(new DescribeNatGatewaysCommand({ NatGatewayIds: [early.NatGateway?.NatGatewayId ?? ''] })))
        .NatGateways ?? [];
    expect(failed).toMatchObject({ State: 'failed', FailureCode: 'Gateway.NotAttached' });

    const InternetGatewayId = await makeGateway(VpcId);
    const request = { SubnetId, AllocationId, ClientToken: 'one' };
    const { NatGateway } = await ec2.send(new CreateNatGatewayCommand(request));
    const NatGatewayId = NatGateway?.NatGatewayId ?? '';
    const again = await ec2.send(new CreateNatGatewayCommand(request));
    expect(again.NatGateway?.NatGatewayId).toBe(NatGatewayId);
    expect(await codeOf(ec2.send(new CreateNatGatewayCommand({ ...request, ConnectivityType: 'private' })))).toBe(
      'IdempotentParameterMismatch',
    );
    await waitUntilNatGatewayAvailable({ client: ec2, minDelay: 1, maxWaitTime: 5 }, { NatGatewayIds: [NatGatewayId] });
    const [eni] = (await ec2.send(new DescribeNetworkInterfacesCommand({}))).NetworkInterfaces ?? [];
    expect(eni).toMatchObject({ PrivateIpAddress: '10.7.0.4', InterfaceType: 'nat_gateway', SubnetId });
    const [address] = (await ec2.send(new DescribeAddressesCommand({}))).Addresses ?? [];
    expect(address).toMatchObject({ PublicIp: '203.0.113.1', NetworkInterfaceId: eni?.NetworkInterfaceId });

    const { RouteTable } = await ec2.send(new CreateRouteTableCommand({ VpcId }));
    const RouteTableId = RouteTable?.RouteTableId ?? '';
    const DestinationCidrBlock = '0.0.0.0/0';
    await ec2.send(new CreateRouteCommand({ RouteTableId, DestinationCidrBlock, GatewayId: InternetGatewayId }));
    expect(await codeOf(ec2.send(new CreateRouteCommand({ RouteTableId, DestinationCidrBlock, NatGatewayId })))).toBe(
      'RouteAlreadyExists',
    );
    await ec2.send(new ReplaceRouteCommand({ RouteTableId, DestinationCidrBlock, NatGatewayId }));
    const { AssociationId } = await ec2.send(new AssociateRouteTableCommand({ RouteTableId, SubnetId }));

    expect(await codeOf(ec2.send(new DeleteSubnetCommand({ SubnetId })))).toBe('DependencyViolation');
    expect(await codeOf(ec2.send(new DeleteRouteTableCommand({ RouteTableId })))).toBe('DependencyViolation');
    expect(await codeOf(ec2.send(new DeleteInternetGatewayCommand({ InternetGatewayId })))).toBe('DependencyViolation');
    expect(await codeOf(ec2.send(new DetachInternetGatewayCommand({ InternetGatewayId, VpcId })))).toBe(
      'DependencyViolation',
    );
    expect(await codeOf(ec2.send(new ReleaseAddressCommand({ AllocationId })))).toBe('AuthFailure');

    await ec2.send(new DeleteNatGatewayCommand({ NatGatewayId }));
    const { RouteTables } = await ec2.send(new DescribeRouteTablesCommand({ RouteTableIds: [RouteTableId] }));
    expect(RouteTables?.[0]?.Routes?.find((route) => route.NatGatewayId)?.State).toBe('blackhole');
    await ec2.send(new ReleaseAddressCommand({ AllocationId }));
    await ec2.send(new DisassociateRouteTableCommand({ AssociationId }));
    await ec2.send(new DeleteRouteTableCommand({ RouteTableId }));
    await ec2.send(new DetachInternetGatewayCommand({ InternetGatewayId, VpcId }));
    await ec2.send(new DeleteInternetGatewayCommand({ InternetGatewayId }));
    await ec2.send(new DeleteSubnetCommand({ SubnetId }));
    await ec2.send(new DeleteVpcCommand({ VpcId }));
    expect((await ec2.send(new DescribeVpcsCommand({}))).Vpcs).toEqual([]);
  });

  it('gives out five Elastic IPs', async () => {
    for (let n = 0; n < 5; n += 1) await ec2.send(new AllocateAddressCommand({}));
    expect(await codeOf(ec2.send(new AllocateAddressCommand({})))).toBe('AddressLimitExceeded');
  });
});

describe('security groups', () => {
  async function makeGroup(VpcId: string, GroupName: string): Promise<string> {
    const { GroupId } = await ec2.send(new CreateSecurityGroupCommand({ VpcId, GroupName, Description: GroupName }));
    return GroupId ?? '';
  }

  it('have rules with ids, descriptions and tags', async () => {
    const VpcId = await makeVpc();
    const GroupId = await makeGroup(VpcId, 'web');
    const IpPermissions = [
      { IpProtocol: 'tcp', FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: '0.0.0.0/0', Description: 'all' }] },
      { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, UserIdGroupPairs: [{ GroupId }] },
    ];
    const { SecurityGroupRules } = await ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId,
        IpPermissions,
        TagSpecifications: [{ ResourceType: 'security-group-rule', Tags: [{ Key: 'k', Value: 'v' }] }],
      }),
    );
    expect(SecurityGroupRules).toHaveLength(2);
    expect(SecurityGroupRules?.[0]).toMatchObject({ CidrIpv4: '0.0.0.0/0', Description: 'all', IsEgress: false });
    expect(await codeOf(ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions })))).toBe(
      'InvalidPermission.Duplicate',
    );
    const { SecurityGroupRules: tagged } = await ec2.send(
      new DescribeSecurityGroupRulesCommand({ Filters: [{ Name: 'tag:k', Values: ['v'] }] }),
    );
    expect(tagged?.map((rule) => rule.ReferencedGroupInfo?.GroupId)).toEqual([undefined, GroupId]);
    await ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
    expect(await codeOf(ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions })))).toBe(
      'InvalidPermission.NotFound',
    );
  });

  it('cannot be deleted while another group refers to them', async () => {
    const VpcId = await makeVpc();
    const [a, b] = [await makeGroup(VpcId, 'a'), await makeGroup(VpcId, 'b')];
    expect(await codeOf(makeGroup(VpcId, 'a'))).toBe('InvalidGroup.Duplicate');
    const refer = (GroupId: string, peer: string) => ({
      GroupId,
      IpPermissions: [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, UserIdGroupPairs: [{ GroupId: peer }] }],
    });
    await ec2.send(new AuthorizeSecurityGroupIngressCommand(refer(a, b)));
    await ec2.send(new AuthorizeSecurityGroupIngressCommand(refer(b, a)));
    expect(await codeOf(ec2.send(new DeleteSecurityGroupCommand({ GroupId: a })))).toBe('DependencyViolation');
    await ec2.send(new RevokeSecurityGroupIngressCommand(refer(b, a)));
    await ec2.send(new DeleteSecurityGroupCommand({ GroupId: a }));
    expect(await codeOf(ec2.send(new DeleteSecurityGroupCommand({ GroupId: a })))).toBe('InvalidGroup.NotFound');
  });
});
