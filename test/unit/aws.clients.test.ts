import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import {
  AssociateVpcCidrBlockCommand,
  CreateNatGatewayCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2';
import { DeleteDBInstanceCommand } from '@aws-sdk/client-rds';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AwsRequest, type ConnectOptions, connect, isReadOnly } from '../../src/aws/clients.ts';
import { words } from '../../src/aws/resources/common.ts';
import { limiter } from '../../src/system/limit.ts';

const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };
const error = (code: string) =>
  `<Response><Errors><Error><Code>${code}</Code><Message>m</Message></Error></Errors><RequestID>r</RequestID></Response>`;

describe('connect', () => {
  let server: Server;
  let endpointUrl: string;
  /** `Action`s that arrived */
  let actions: string[];
  let answer: (response: ServerResponse, count: number, request: IncomingMessage) => void;
  const requests: AwsRequest[] = [];
  const opened: { close(): void }[] = [];
  const open = (options: Partial<ConnectOptions> = {}) => {
    const aws = connect({
      region: 'eu-central-1',
      credentials,
      endpointUrl,
      waitScale: 0,
      onRequest: (request) => requests.push(request),
      ...options,
    });
    opened.push(aws);
    return aws;
  };
  const ok = (response: ServerResponse, xml = '<Response/>') =>
    response.writeHead(200, { 'content-type': 'text/xml' }).end(xml);
  const fail = (response: ServerResponse, status: number, code: string) =>
    response.writeHead(status, { 'content-type': 'text/xml' }).end(error(code));

  beforeEach(async () => {
    actions = [];
    requests.length = 0;
    answer = (response) => ok(response);
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        actions.push(new URLSearchParams(body).get('Action') ?? '');
        answer(response, actions.length, request);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endpointUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    for (const aws of opened.splice(0)) aws.close();
    server.closeAllConnections();
    server.close();
  });

  it('refuses, when it only looks, everything that could change something, before it is sent', async () => {
    const aws = open({ readOnly: true });
    await expect(aws.ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))).rejects.toMatchObject({
      code: 'ReadOnly',
    });
    expect(actions).toEqual([]);
    await aws.ec2.send(new DescribeVpcsCommand({}));
    await aws.sts.send(new AssumeRoleCommand({ RoleArn: 'arn:aws:iam::1:role/x', RoleSessionName: 'xx' }));
    expect(actions).toEqual(['DescribeVpcs', 'AssumeRole']);
    expect(['DescribeVpcs', 'GetConsoleOutput', 'ListTagsForResource', 'AssumeRole'].every(isReadOnly)).toBe(true);
    expect(['RunInstances', 'ModifyVpcAttribute', 'DeregisterTargets'].some(isReadOnly)).toBe(false);
  });

  it('says within seconds that an endpoint cannot be reached, and which', async () => {
    const aws = open({ endpointUrl: 'http://127.0.0.1:9', waitScale: 1 });
    const started = Date.now();
    await expect(aws.ec2.send(new DescribeVpcsCommand({}))).rejects.toMatchObject({
      code: 'Unreachable',
      exitCode: 2,
      message: expect.stringContaining('http://127.0.0.1:9') as string,
    });
    expect(Date.now() - started).toBeLessThan(30_000);
  });

  it('says how far off the clock is, after it has signed again with the time of the answer', async () => {
    const aws = open();
    const ahead = new Date(Date.now() + 20 * 60_000).toUTCString();
    answer = (response) =>
      response
        .writeHead(403, { 'content-type': 'text/xml', date: ahead })
        .end(error(actions.length > 4 ? 'RequestExpired' : 'RequestTimeTooSkewed'));
    const said = { code: 'ClockSkew', message: expect.stringMatching(/it is 20 minutes behind AWS/) as string };
    await expect(aws.ec2.send(new DescribeVpcsCommand({}))).rejects.toMatchObject(said);
    expect(actions.length).toBeGreaterThan(1);
    while (actions.length < 5) await aws.ec2.send(new DescribeVpcsCommand({})).catch(() => {});
    await expect(aws.ec2.send(new DescribeVpcsCommand({}))).rejects.toMatchObject(said);
    expect(Math.abs((aws.skew() ?? 0) - 20 * 60_000)).toBeLessThan(60_000);
  });

  it('as a dry run sends everything that could change something with DryRun, or not at all', async () => {
    const bodies: string[] = [];
    const aws = open({ dryRun: true });
    server.on('request', (request: IncomingMessage) => {
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
    });
    answer = (response) => fail(response, 412, 'DryRunOperation');
    await expect(aws.ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))).rejects.toMatchObject({
      code: 'DryRunOperation',
    });
    expect(new URLSearchParams(bodies[0]).get('DryRun')).toBe('true');
    // EC2 has commands that know no dry run, and would act.
    await expect(
      aws.ec2.send(new AssociateVpcCidrBlockCommand({ VpcId: 'vpc-1', CidrBlock: '10.1.0.0/16' })),
    ).rejects.toMatchObject({ code: 'ReadOnly' });
    await expect(aws.rds.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier: 'x' }))).rejects.toMatchObject({
      code: 'ReadOnly',
    });
    expect(actions).toEqual(['CreateVpc']);
  });

  it('retries a lost connection once something has answered', async () => {
    const aws = open();
    answer = (response, count) => (count === 2 ? response.destroy() : ok(response));
    await aws.ec2.send(new DescribeVpcsCommand({}));
    await aws.ec2.send(new DescribeVpcsCommand({}));
    expect(actions).toHaveLength(3);
    expect(requests.map(({ retries }) => retries)).toEqual([0, 1]);
  });

  it('tries a closed connection twice more when nothing has answered yet', async () => {
    answer = (response, count) => (count < 3 ? response.destroy() : ok(response));
    await open().ec2.send(new DescribeVpcsCommand({}));
    expect(actions).toHaveLength(3);
    answer = (response) => response.destroy();
    await expect(open().ec2.send(new DescribeVpcsCommand({}))).rejects.toMatchObject({ code: 'Unreachable' });
    expect(actions).toHaveLength(6);
  });

  it('never repeats a create whose answer was lost', async () => {
    const aws = open();
    await aws.ec2.send(new DescribeVpcsCommand({}));
    answer = (response) => response.destroy();
    await expect(aws.ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))).rejects.toMatchObject({
      code: 'OutcomeUnknown',
    });
    answer = (response) => fail(response, 500, 'InternalError');
    await expect(aws.ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }))).rejects.toMatchObject({
      code: 'OutcomeUnknown',
    });
    expect(actions).toEqual(['DescribeVpcs', 'CreateVpc', 'CreateVpc']);
  });

  it('repeats a create that has a client token, with the same one', async () => {
    const aws = open();
    await aws.ec2.send(new DescribeVpcsCommand({}));
    answer = (response, count) => (count === 2 ? response.destroy() : ok(response));
    await aws.ec2.send(new CreateNatGatewayCommand({ SubnetId: 'subnet-1', ClientToken: 'token' }));
    expect(actions).toEqual(['DescribeVpcs', 'CreateNatGateway', 'CreateNatGateway']);
  });

  it('repeats a create that was throttled', async () => {
    const aws = open();
    answer = (response, count) => (count < 3 ? fail(response, 503, 'RequestLimitExceeded') : ok(response));
    await aws.ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }));
    expect(actions).toHaveLength(3);
    expect(requests).toMatchObject([{ service: 'ec2', command: 'CreateVpc', mutating: true, status: 200, retries: 2 }]);
  });

  it('repeats a create that refers to what is not known everywhere yet', async () => {
    const aws = open();
    answer = (response, count) => (count < 4 ? fail(response, 400, 'InvalidVpcID.NotFound') : ok(response));
    await aws.ec2.send(new CreateSubnetCommand({ VpcId: 'vpc-1', CidrBlock: '10.0.0.0/20' }));
    expect(actions).toHaveLength(4);
  });

  it('gives up after 8 attempts', async () => {
    const aws = open();
    answer = (response) => fail(response, 503, 'RequestLimitExceeded');
    await expect(aws.ec2.send(new DescribeVpcsCommand({}))).rejects.toMatchObject({ code: 'Throttling' });
    expect(actions).toHaveLength(8);
  });

  it('does not wait for capacity that is not there', async () => {
    const aws = open();
    answer = (response) => fail(response, 500, 'InsufficientInstanceCapacity');
    await expect(aws.ec2.send(new CreateNatGatewayCommand({ SubnetId: 's', ClientToken: 't' }))).rejects.toMatchObject({
      code: 'InsufficientCapacity',
    });
    expect(actions).toHaveLength(1);
  });

  it('keeps at most `concurrency` requests in flight over all services', async () => {
    const aws = open({ concurrency: 3 });
    let now = 0;
    let most = 0;
    answer = (response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        ok(response);
      }, 10);
    };
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        index % 2 === 0
          ? aws.ec2.send(new DescribeVpcsCommand({}))
          : aws.sts.send(new AssumeRoleCommand({ RoleArn: 'arn:aws:iam::1:role/x', RoleSessionName: 'xx' })),
      ),
    );
    expect(most).toBe(3);
  });

  it('throws errors that hold nothing of the request', async () => {
    const aws = open();
    answer = (response) => fail(response.setHeader('x-amzn-requestid', 'req-9'), 400, 'InvalidParameterValue');
    const thrown = await aws.ec2
      .send(new CreateVpcCommand({ CidrBlock: '10.99.0.0/16' }))
      .catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'InvalidParameterValue', requestId: 'req-9' });
    const deep = inspect(thrown, { depth: 20, showHidden: true });
    expect(deep).not.toContain('10.99.0.0');
    expect(deep).not.toContain('Signature=');
  });

  it('stops at once when it is aborted', async () => {
    const aws = open();
    answer = () => {};
    const abort = new AbortController();
    const sent = aws.ec2.send(new DescribeVpcsCommand({}), { abortSignal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('has no secret unless it was given them', async () => {
    await expect(open().secret('master')).rejects.toMatchObject({ code: 'NoSecret' });
    expect(await open({ secret: async (name) => `${name}!` }).secret('master')).toBe('master!');
  });
});

it('limits, in order, and goes on after a failure', async () => {
  const limit = limiter(1);
  const order: number[] = [];
  const results = await Promise.allSettled(
    [1, 2, 3].map((number) =>
      limit(async () => {
        order.push(number);
        if (number === 1) throw new Error('one');
      }),
    ),
  );
  expect(order).toEqual([1, 2, 3]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
});

it('splits a command at its spaces and keeps values whole', () => {
  expect(words`aws ec2  run ${'a b'} --n=${2},x=${'y z'} ${['c', 'd e']} ${[]} end`).toEqual([
    'aws',
    'ec2',
    'run',
    'a b',
    '--n=2,x=y z',
    'c',
    'd e',
    'end',
  ]);
});
