import { expect, test } from 'vitest';
import {
  backendName,
  loadBalancerMachine,
  readStatistics,
  renderHaproxy,
  targetHealthOf,
} from '../../src/practice/hosts/loadbalancer.ts';
import type { DesiredLoadBalancer, TargetHealth } from '../../src/practice/hosts/types.ts';

const GATEWAY = '10.7.0.1';
const balancer: DesiredLoadBalancer = {
  arn: 'arn:lb',
  vpcId: 'vpc-1',
  name: 'hackathon-07',
  privateIp: '10.7.0.20',
  dnsName: 'lb.elb.amazonaws.com',
  ingress: [],
  listeners: [{ port: 80, targetGroupArn: 'arn:tg/web' }],
  targetGroups: [
    {
      arn: 'arn:tg/web',
      port: 80,
      health: { port: 79, intervalSeconds: 10, healthyThreshold: 3, unhealthyThreshold: 2 },
      targets: [
        { id: 'i-1', address: '10.7.10.1', port: 80 },
        { id: 'i-2', address: '10.7.10.2', port: 80 },
      ],
    },
    {
      arn: 'arn:tg/ssh',
      port: 2222,
      health: { port: 79, intervalSeconds: 10, healthyThreshold: 3, unhealthyThreshold: 3 },
      targets: [{ id: 'i-1', address: '10.7.10.1', port: 2222 }],
    },
  ],
};

test('haproxy.cfg: listeners, health checks on their own port, groups without a listener left out', () => {
  const text = renderHaproxy(balancer);
  expect(text).toContain(`frontend listener-80\n  bind :80\n  default_backend ${backendName('arn:tg/web')}`);
  expect(text).toContain(
    [
      `backend ${backendName('arn:tg/web')}`,
      '  default-server check port 79 inter 10s rise 3 fall 2',
      '  server i-1:80 10.7.10.1:80',
      '  server i-2:80 10.7.10.2:80',
    ].join('\n'),
  );
  expect(text).not.toContain(backendName('arn:tg/ssh'));
  expect(loadBalancerMachine(balancer, GATEWAY).ports).toEqual([80, 443, 2222]);
  const more = { ...balancer, listeners: [...balancer.listeners, { port: 8443, targetGroupArn: 'arn:tg/web' }] };
  expect(loadBalancerMachine(more, GATEWAY).ports).toEqual([80, 443, 2222, 8443]);
});

test('target health comes from the statistics; a reload in between does not make it unknown', () => {
  const [group] = balancer.targetGroups;
  if (!group) throw new Error('no group');
  const name = backendName(group.arn);
  const csv = (one: string, two: string) =>
    `# pxname,svname,status,last_chk,check_status,\n${name},i-1:80,${one},\n${name},i-2:80,${two},\n`;
  const known = new Map<string, TargetHealth>();
  const read = (one: string, two: string) => targetHealthOf(group, readStatistics(csv(one, two)), known);
  expect(read('UP,,INI', 'UP,,* INI').map(({ state }) => state)).toEqual(['initial', 'initial']);
  expect(read('UP 2/3,"Layer4, check ""passed""",L4OK', 'DOWN,,* L4CON')).toEqual([
    { id: 'i-1', state: 'healthy' },
    {
      id: 'i-2',
      state: 'unhealthy',
      reason: 'health check on port 79: the connection was refused (nothing listens on the port)',
    },
  ]);
  expect(read('UP,,INI', 'UP,,INI').map(({ state }) => state)).toEqual(['healthy', 'unhealthy']);
  expect(targetHealthOf(group, [], new Map()).map(({ state }) => state)).toEqual(['initial', 'initial']);
});
