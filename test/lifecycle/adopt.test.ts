import { CreateVpcCommand, DescribeVpcsCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Aws, connect } from '../../src/aws/clients.ts';
import { vpc } from '../../src/aws/resources/vpc.ts';
import { newScope } from '../../src/engine/discover.ts';
import { adoptionTags } from '../../src/engine/tags.ts';
import { folder, type Server, serve } from '../support/cli.ts';

let server: Server;
let aws: Aws;
const { signal } = new AbortController();

beforeAll(async () => {
  server = await serve(folder());
  aws = connect({
    region: 'eu-central-1',
    endpointUrl: server.endpoint,
    credentials: {
      accessKeyId: server.env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY ?? '',
    },
  });
});
afterAll(async () => {
  aws.close();
  await server.close();
});

describe('a VPC that a person made', () => {
  it('is found as adopted once it is tagged, and is nobody’s again when the tags are taken off; its name stays', async () => {
    const { Vpc } = await aws.ec2.send(
      new CreateVpcCommand({
        CidrBlock: '10.7.0.0/16',
        TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'Name', Value: 'mine' }] }],
      }),
    );
    const out = { id: Vpc?.VpcId ?? '', cidr: '10.7.0.0/16', state: 'available' };
    expect(await vpc.list(aws, newScope('hackathon-07'))).toEqual([]);
    await vpc.tag?.(aws, out, adoptionTags('hackathon-07', 'vpc', 'vpc', true), signal);
    expect(await vpc.list(aws, newScope('hackathon-07'))).toEqual([
      { out: expect.objectContaining({ id: out.id }), key: 'vpc', chapter: 'vpc', adopted: true },
    ]);
    await vpc.untag?.(aws, out, signal);
    expect(await vpc.list(aws, newScope('hackathon-07'))).toEqual([]);
    const { Vpcs } = await aws.ec2.send(new DescribeVpcsCommand({ VpcIds: [out.id] }));
    expect(Vpcs?.[0]?.Tags).toEqual([{ Key: 'Name', Value: 'mine' }]);
    await vpc.untag?.(aws, { ...out, id: out.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }, signal);
  });
});
