import { afterAll, expect, test } from 'vitest';
import { nodes, on, until } from '../support/cloudspace.ts';

// Controller and runners of a practice Cloudspace: Swarm, registry, Redis and the publisher of routes.

const BASE_IMAGE = 'controller:5000/cloudspace/base:12';
const DOMAIN = 'web.localhost';

interface Route {
  readonly app: string;
  readonly backends: readonly string[];
}

const routeOf = async (domain: string): Promise<Route | undefined> => {
  const text = await on('controller', `cloudspace-redis get route:${domain}`);
  return text === '' ? undefined : (JSON.parse(text) as Route);
};

const backends = (count: number) =>
  until(
    () => routeOf(DOMAIN),
    (route) => route?.backends.length === count,
  );

/** Runs a command on the controller and gives the milliseconds from its end until the route store is as wanted, measured there. */
async function millisecondsUntil(command: string, wanted: string): Promise<number> {
  const script = `${command} >/dev/null
    begin=$(date +%s%N)
    for try in $(seq 300); do ${wanted} && break; sleep 0.03; done
    echo $(( ($(date +%s%N) - begin) / 1000000 ))`;
  return Number(await on('controller', script));
}

afterAll(async () => {
  await on('controller', 'docker service rm web || true');
});

test('the runners are workers and builders, and the controller runs no application', { timeout: 60_000 }, async () => {
  expect(await nodes()).toEqual([
    'controller ready drain <no value>',
    'runner-1 ready active true',
    'runner-2 ready active true',
  ]);
});

test('registry and Redis let in only who has a certificate, or the password', { timeout: 90_000 }, async () => {
  const ask = (more: string) =>
    `curl -s -o /dev/null -w '%{http_code}' --cacert /etc/cloudspace/ca.crt ${more} https://controller:5000/v2/ || true`;
  expect(await on('runner-1', ask(''))).toBe('000');
  expect(await on('runner-1', ask('--cert /etc/cloudspace/tls/host.crt --key /etc/cloudspace/tls/host.key'))).toBe(
    '200',
  );
  expect(await on('runner-1', 'curl -s http://controller:5000/v2/ -o /dev/null -w "%{http_code}" || true')).toBe('400');
  const secure = '--tls --cacert /etc/cloudspace/ca.crt';
  expect(await on('controller', `redis-cli -h controller ${secure} get routes:publisher 2>&1 || true`)).toContain(
    'NOAUTH',
  );
  expect(await on('controller', 'redis-cli -h controller ping 2>&1 || true')).toMatch(/closed|reset/);
  // A secret is no word of a command line, on any host.
  const password = await on('controller', 'cat /etc/cloudspace/redis-password');
  expect(password.length).toBeGreaterThan(30);
  for (const host of ['controller', 'runner-1'])
    expect(await on(host, 'ps -eo args; docker info')).not.toContain(password);
});

test('containers know the hosts by name', { timeout: 60_000 }, async () => {
  const seen = await on('runner-1', `docker run --rm ${BASE_IMAGE} getent hosts controller runner-2`);
  expect(seen).toMatch(/^10\.\d+\.\d+\.\d+ +controller\n10\.\d+\.\d+\.\d+ +runner-2$/);
});

test('what runs becomes a route, and a change of it is there within a second', { timeout: 180_000 }, async () => {
  const labels = { app: 'web', domain: DOMAIN, port: '8080', http: 'serve', version: '1' };
  const words = Object.entries(labels).map(([name, value]) => `--label cloudspace.${name}=${value}`);
  await on(
    'controller',
    `docker service create --detach --quiet --name web --replicas 2 --stop-grace-period 1s ${words.join(' ')} \
      --publish mode=host,target=8080 --health-cmd true --health-interval 1s --update-order start-first ${BASE_IMAGE} python3 -m http.server 8080`,
  );
  const route = await backends(2);
  expect(route).toMatchObject({ app: 'web' });
  const answers = route?.backends.map((address) => `curl -s -o /dev/null -w '%{http_code} ' http://${address}/`);
  expect(await on('runner-1', answers?.join('\n') ?? '')).toBe('200 200');

  const added = await millisecondsUntil(
    'docker service update --detach --label-add cloudspace.domain=other.localhost web',
    '[ -n "$(cloudspace-redis get route:other.localhost)" ]',
  );
  expect(added).toBeLessThan(1000);
  const back = await millisecondsUntil(
    `docker service update --detach --label-add cloudspace.domain=${DOMAIN} web`,
    '[ -z "$(cloudspace-redis get route:other.localhost)" ]',
  );
  expect(back).toBeLessThan(1000);
});

test("ten megabytes of junk on the controller's ports disturb nobody", { timeout: 180_000 }, async () => {
  const before = await backends(2);
  const junk = 'head -c 10000000 /dev/urandom | timeout 10 bash -c "cat >/dev/tcp/controller/PORT" 2>/dev/null || true';
  const targets = [22, 2377, 5000, 6379, 7946];
  await on('runner-1', targets.map((port) => junk.replace('PORT', String(port))).join('\n'));
  expect(await backends(2)).toEqual(before);
  expect(await nodes()).toEqual([
    'controller ready drain <no value>',
    'runner-1 ready active true',
    'runner-2 ready active true',
  ]);
  const catalog = 'curl -s --fail --cacert /etc/cloudspace/ca.crt --cert /etc/cloudspace/tls/host.crt';
  const asked = `${catalog} --key /etc/cloudspace/tls/host.key https://controller:5000/v2/_catalog`;
  expect(JSON.parse(await on('runner-1', asked)).repositories).toContain('cloudspace/base');
  const restarts = 'systemctl show -p NRestarts --value docker docker-registry redis-server ssh';
  expect(await on('controller', `${restarts} | sort -u | xargs`)).toBe('0');
});

test('routes outlive Redis, its content, the publisher and Docker on the controller', {
  timeout: 180_000,
}, async () => {
  const before = await backends(2);
  for (const blow of [
    'systemctl restart redis-server',
    'cloudspace-redis flushall',
    'kill -9 $(systemctl show -p MainPID --value cloudspace-routes)',
  ]) {
    await on('controller', blow);
    expect(await backends(2), blow).toEqual(before);
  }
  // Seen every 50 ms while the manager is away and comes back: never without its containers.
  const seen = await on(
    'controller',
    `systemctl restart docker & for try in $(seq 200); do cloudspace-redis get route:${DOMAIN}; sleep 0.05; done; wait`,
  );
  expect(new Set(seen.split('\n'))).toEqual(new Set([JSON.stringify(before, Object.keys(before ?? {}).sort())]));
  // Docker has forgotten their ports by now (cloudspace_routes.py, with_ports); what remembers them outlives its own end.
  await on('controller', 'kill -9 $(systemctl show -p MainPID --value cloudspace-routes); cloudspace-redis flushall');
  expect(await backends(2)).toEqual(before);
});

test('what is removed is routed no more', { timeout: 60_000 }, async () => {
  const gone = await millisecondsUntil(
    'docker service rm web',
    `[ -z "$(cloudspace-redis get route:${DOMAIN})$(cloudspace-redis get app:web)" ]`,
  );
  expect(gone).toBeLessThan(1000);
});
