import { expect, test } from 'vitest';
import { ask, instanceOf, must, nodes, on, run, steadily } from '../support/cloudspace.ts';

// The homework's question: can all hosts be cycled without manual intervention? A visitor who asks all the while must not notice.

const HOSTS = ['runner-1', 'runner-2', 'services', 'controller', 'bastion'];
const asked = { host: 'hello.localhost', path: '/rows' };

test('all hosts are replaced, one after another, and no request fails meanwhile', { timeout: 3_600_000 }, async () => {
  const text = `before the cycle ${Date.now()}`;
  await ask({ ...asked, body: JSON.stringify({ text }) });
  const rows = await ask(asked);
  expect(rows.status).toBe(200);
  await must('services', 'create', 'cycle-queue', '--service', 'rabbitmq');
  const before = new Map(HOSTS.map((host) => [host, instanceOf(host)]));
  const keys = await on('controller', 'sha256sum < /etc/cloudspace/authority/ca.crt');

  const visitors = [steadily(asked), steadily({ ...asked, secure: true })];
  const cycled = await run('cycle', 'all', '--yes', '--instance-type', 't3.medium');
  const seen = await Promise.all(visitors.map((visitor) => visitor.stop()));
  expect(cycled.code, `${cycled.stdout}\n${cycled.stderr}`.slice(-4000)).toBe(0);
  for (const { bad, count } of seen) {
    expect(count).toBeGreaterThan(100);
    expect(bad.slice(0, 5)).toEqual([]);
  }

  for (const host of HOSTS) expect(instanceOf(host), host).not.toBe(before.get(host));
  expect(await ask(asked)).toMatchObject({ status: 200, body: rows.body });
  expect(await on('controller', 'sha256sum < /etc/cloudspace/authority/ca.crt')).toBe(keys);
  expect((await nodes()).map((node) => node.split(' ').slice(0, 2).join(' '))).toEqual([
    'controller ready',
    'runner-1 ready',
    'runner-2 ready',
  ]);
  expect((await must('services', 'list', '--json')).stdout).toContain('cycle-queue');
  expect(await on('services', 'rabbitmqctl --quiet list_vhosts')).toMatch(/cycle/);
});

test('afterwards everything is as it should be, and nothing is left to do', { timeout: 1_200_000 }, async () => {
  await must('check');
  const plan = JSON.parse((await must('plan', '--practice', '--json')).stdout);
  expect(plan.resources.filter(({ action }: { action: string }) => action !== 'keep')).toEqual([]);
  expect(plan.extra).toEqual([]);
  expect(plan.config.instanceType).toBe('t3.medium');
  expect(plan.notes.join('\n')).not.toMatch(/is asked for/);
  await must('services', 'delete', 'cycle-queue', '--yes');
});
