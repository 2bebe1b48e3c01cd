import { describe, expect, it } from 'vitest';
import { inOrder } from '../../src/engine/graph.ts';
import { equalCommand, usdPerHour } from '../../src/engine/render.ts';
import { tagsFor } from '../../src/engine/tags.ts';
import { CHAPTERS } from '../../src/engine/types.ts';
import { guideSection } from '../../src/guide.ts';
import { checkName, checkPublicKey, checkSshFrom, checkVpcCidr, subnets, teamNumber } from '../../src/steps/config.ts';
import { hostsOf } from '../../src/steps/hosts.ts';
import { walk } from '../../src/steps/index.ts';
import { config } from '../support/config.ts';

describe('the walk', () => {
  const list = walk(config);

  it('has the chapters in the fixed order', () => {
    expect(list.chapters.map(({ chapter }) => chapter.id)).toEqual([...CHAPTERS]);
  });

  it('is a graph without gaps or circles, and in the order of its steps every reference is to something before', () => {
    const keys = list.resources.map((one) => one.key);
    expect(
      inOrder(list.resources)
        .map((one) => one.key)
        .sort(),
    ).toEqual([...keys].sort());
    expect(inOrder(list.resources).map((one) => one.key)).toEqual(keys);
  });

  it('holds what the design says, and no more', () => {
    const count: Record<string, number> = {};
    for (const { kind } of list.resources) count[kind.type] = (count[kind.type] ?? 0) + 1;
    expect(count).toMatchObject({
      aws_vpc: 1,
      aws_subnet: 4,
      aws_internet_gateway: 1,
      aws_nat_gateway: 1,
      aws_eip: 4,
      aws_route_table: 2,
      aws_route: 2,
      aws_route_table_association: 4,
      aws_security_group: 6,
      aws_key_pair: 1,
      aws_instance: 5,
      aws_eip_association: 3,
      aws_db_subnet_group: 1,
      aws_db_instance: 1,
      aws_lb: 1,
      aws_lb_target_group: 3,
      aws_lb_listener: 3,
      aws_lb_target_group_attachment: 3,
    });
  });

  it('has prose for every chapter and every step', async () => {
    for (const { chapter } of list.chapters) {
      expect((await guideSection(chapter.guide, chapter.title)).length).toBeGreaterThan(80);
      for (const step of chapter.steps)
        expect((await guideSection(chapter.guide, step.guide)).length, step.guide).toBeGreaterThan(80);
    }
  });

  it('gives every resource an equal aws command without a secret in it', () => {
    for (const resource of list.resources) {
      const command = equalCommand(
        resource,
        new Map(),
        tagsFor(config.name, resource.key, list.chapterOf(resource.key)),
      );
      expect(command).toMatch(/^aws (ec2|elbv2|rds) /);
      expect(command).not.toMatch(/undefined|\[object/);
    }
  });

  it('opens nothing to the world but the load balancer', () => {
    const open = list.resources
      .filter((one) => one.kind.type === 'aws_vpc_security_group_ingress_rule')
      .filter((one) => JSON.stringify(one.props).includes('0.0.0.0/0'));
    expect(open.map((one) => one.key)).toEqual(['sg-load-balancer-ingress']);
  });

  it('costs what the guide says, give or take', () => {
    expect(usdPerHour(list.resources, 'eu-central-1')).toBeGreaterThan(0.15);
    expect(usdPerHour(list.resources, 'eu-central-1')).toBeLessThan(0.5);
  });

  it('is the same list however often it is enumerated', () => {
    expect(JSON.stringify(walk(config).resources)).toBe(JSON.stringify(list.resources));
  });

  it('puts runners in both zones, builders among them', () => {
    const outputs = new Map(
      list.resources.map((one) => [one.key, { id: `i-${one.key}`, privateIp: '10.7.0.9', publicIp: '203.0.113.9' }]),
    );
    expect(
      hostsOf(config, outputs).map(({ name, groups, publicIp }) => [name, groups.join(), publicIp !== undefined]),
    ).toEqual([
      ['bastion', 'bastion', true],
      ['controller', 'controller', true],
      ['runner-1', 'runners,builders', false],
      ['runner-2', 'runners,builders', false],
      ['services', 'services', true],
    ]);
  });
});

describe('bad input', () => {
  it.each(['a', 'Team', '7up', 'ends-', 'way-too-long-for-a-name', 'under_score', ''])('name %j', (name) => {
    expect(() => checkName(name)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
  it.each(['hackathon-07', 'ab', 'a-name-of-18-chars'])('good name %j', (name) => {
    expect(checkName(name)).toBe(name);
  });

  it('team number: of the name, of the flag, between 0 and 99', () => {
    expect(teamNumber('hackathon-07', undefined)).toBe(7);
    expect(teamNumber('blue', undefined)).toBe(0);
    expect(teamNumber('hackathon-07', '42')).toBe(42);
    for (const [name, team] of [
      ['team-100', undefined],
      ['blue', '100'],
      ['blue', '-1'],
      ['blue', 'x'],
      ['blue', '1.5'],
    ] as const)
      expect(() => teamNumber(name, team)).toThrow(/not between 0 and 99/);
  });

  it.each([
    '10.7.0.0',
    '10.7.0.0/33',
    '10.7.0.1/16',
    '10.256.0.0/16',
    '10.0.0.0/8',
    '10.7.0.0/28',
    'net',
    '10.7.0.0/16/1',
    '010.7.0.0/16',
  ])('CIDR %j', (cidr) => {
    expect(() => checkVpcCidr(cidr)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });

  it('offers the network that was meant', () => {
    expect(() => checkVpcCidr('10.7.3.1/16')).toThrow(expect.objectContaining({ hint: 'did you mean 10.7.0.0/16?' }));
  });

  it('SSH from the whole world only on a second word', () => {
    expect(() => checkSshFrom('0.0.0.0/0', false)).toThrow(expect.objectContaining({ code: 'WorldSsh', exitCode: 2 }));
    expect(checkSshFrom('0.0.0.0/0', true)).toBe('0.0.0.0/0');
    expect(checkSshFrom('198.51.100.7', false)).toBe('198.51.100.7/32');
    expect(() => checkSshFrom('me', false)).toThrow(/not an address/);
  });

  it('a private key, an empty file, a wrong type or a cut key is no public key, and is not shown', () => {
    for (const text of [
      '-----BEGIN OPENSSH PRIVATE KEY-----\nsecret',
      '',
      'ssh-dss AAAA',
      'ssh-ed25519 AAAAC3NzaC1',
      'ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQABAAABAQ',
    ])
      expect(() => checkPublicKey(text, 'key')).toThrow(
        expect.objectContaining({ code: 'NotAPublicKey', exitCode: 2, message: expect.not.stringContaining('secret') }),
      );
    expect(checkPublicKey(`# comment\n${config.publicKey}\n`, 'key')).toBe(config.publicKey);
  });

  it('cuts the VPC in the guide’s subnets', () => {
    expect(subnets('10.7.0.0/16')).toEqual({
      publicA: '10.7.0.0/20',
      publicB: '10.7.16.0/20',
      privateA: '10.7.128.0/20',
      privateB: '10.7.144.0/20',
    });
  });
});
