import { renderFirewall } from './firewall.ts';
import { hash, type Machine } from './machine.ts';
import { FIREWALL_FILE, SETTINGS_DIR } from './paths.ts';
import type { DesiredLoadBalancer, TargetHealth } from './types.ts';

/** Published from the start, so that the usual listeners can come later without a new container. */
const USUAL_PORTS: readonly number[] = [80, 443, 2222];

const CONF_FILE = `${SETTINGS_DIR}/haproxy.cfg`;
const RUN_FILE = `${SETTINGS_DIR}/run`;
const RUNNING_CONF = '/run/haproxy/haproxy.cfg';
const SOCKET = '/run/haproxy/admin.sock';
const STATE_FILE = '/run/haproxy/state';

/** Shell command that prints HAProxy's statistics as CSV. */
export const SHOW_STAT = `echo 'show stat -1 4 -1' | nc -N -U ${SOCKET}`;

/**
 * awk program over the proxy's knowledge (management guide, "show servers state") and the new configuration: prints each server that is new as one that is
 * down. A new target gets nothing before its health check has passed, as on AWS; HAProxy would believe in it until a check has failed.
 */
const NEW_SERVERS = [
  'FNR == NR { if (NR > 2) known[$2 "/" $4] = 1; next }',
  '/^backend / { backend = $2 }',
  '/^  server / && !((backend "/" $2) in known) {',
  'split($3, at, ":"); print 0, backend, 0, $2, at[1], 0, 0, 1, 1, 0, 1, 0, 0, 6, 0, 0, 0, "-", at[2], "-", 0, 0, "-", "-", 0 }',
].join(' ');

/** Container of a network load balancer: HAProxy in TCP mode, reloaded without dropping connections. */
export function loadBalancerMachine(balancer: DesiredLoadBalancer, gateway: string): Machine {
  const ports = [...new Set([...USUAL_PORTS, ...balancer.listeners.map((listener) => listener.port)])];
  return {
    id: balancer.arn,
    kind: 'loadbalancer',
    name: balancer.name,
    vpcId: balancer.vpcId,
    address: balancer.privateIp,
    running: true,
    variant: 'haproxy',
    hostname: balancer.name.replace(/[^A-Za-z0-9-]/g, '-'),
    aliases: [balancer.dnsName],
    ports,
    systemd: false,
    volumes: [],
    stopSignal: 'SIGTERM',
    command: ['/bin/sh', RUN_FILE],
    files: [
      { path: FIREWALL_FILE, text: renderFirewall(balancer.ingress, { gateway, public: true }), mode: 0o600 },
      { path: CONF_FILE, text: renderHaproxy(balancer), mode: 0o600 },
      { path: RUN_FILE, text: RUN, mode: 0o755 },
    ],
    apply: [
      `nft -f ${FIREWALL_FILE}`,
      `until [ -S ${SOCKET} ] && echo 'show info' | nc -N -U ${SOCKET} | grep -q '^Pid:'; do wait_a_little; done`,
      // The new process starts with the old one's knowledge of the targets and takes over its listening sockets.
      `if ! cmp -s ${CONF_FILE} ${RUNNING_CONF}; then`,
      `  haproxy -c -q -f ${CONF_FILE} >&2`,
      `  echo 'show servers state' | nc -N -U ${SOCKET} | grep . > ${STATE_FILE}`,
      `  new=$(awk '${NEW_SERVERS}' ${STATE_FILE} ${CONF_FILE})`,
      `  [ -z "$new" ] || echo "$new" >> ${STATE_FILE}`,
      `  pid() { echo 'show info' | nc -N -U ${SOCKET} 2>/dev/null | sed -n 's/^Pid: //p'; }`,
      '  before=$(pid)',
      `  cp ${CONF_FILE} ${RUNNING_CONF}`,
      '  kill -USR2 1',
      '  until now=$(pid) && [ -n "$now" ] && [ "$now" != "$before" ]; do wait_a_little; done',
      'fi',
    ],
  };
}

const RUN = `#!/bin/sh
set -eu
nft -f ${FIREWALL_FILE}
install -d -m 0755 /run/haproxy
rm -f ${SOCKET} ${STATE_FILE}
cp ${CONF_FILE} ${RUNNING_CONF}
exec haproxy -W -db -f ${RUNNING_CONF}
`;

/** The name of a target group's backend: ARNs have characters that HAProxy's names may not have. */
export function backendName(targetGroupArn: string): string {
  return `tg-${hash(targetGroupArn)}`;
}

/**
 * Renders listeners and their target groups. Groups without a listener are left out: as on AWS, nobody checks their targets.
 * Idle connections end after 350 s, as on a network load balancer.
 */
export function renderHaproxy(balancer: Pick<DesiredLoadBalancer, 'listeners' | 'targetGroups'>): string {
  const used = new Set(balancer.listeners.map((listener) => listener.targetGroupArn));
  const known = new Set(balancer.targetGroups.map((group) => group.arn));
  const frontends = balancer.listeners.flatMap(({ port, targetGroupArn }) => [
    `frontend listener-${port}`,
    `  bind :${port}`,
    ...(known.has(targetGroupArn) ? [`  default_backend ${backendName(targetGroupArn)}`] : []),
    '',
  ]);
  const backends = balancer.targetGroups
    .filter((group) => used.has(group.arn))
    .flatMap(({ arn, health, targets }) => [
      `backend ${backendName(arn)}`,
      `  default-server check port ${health.port} inter ${health.intervalSeconds}s rise ${health.healthyThreshold} fall ${health.unhealthyThreshold}`,
      ...targets.map((target) => `  server ${target.id}:${target.port} ${target.address}:${target.port}`),
      '',
    ]);
  return [
    'global',
    '  log stdout format raw daemon notice',
    `  stats socket ${SOCKET} mode 600 level admin expose-fd listeners`,
    `  server-state-file ${STATE_FILE}`,
    '  maxconn 2000',
    '  user haproxy',
    '  group haproxy',
    '',
    'defaults',
    '  mode tcp',
    '  log global',
    '  balance roundrobin',
    '  load-server-state-from-file global',
    '  timeout connect 5s',
    '  timeout client 350s',
    '  timeout server 350s',
    '  timeout check 5s',
    '',
    // HAProxy refuses to run without any listener; a load balancer may have none yet.
    'frontend idle',
    '  bind unix@/run/haproxy/idle.sock mode 600',
    '',
    ...frontends,
    ...backends,
  ].join('\n');
}

/** A server of a backend, from the statistics. */
interface ServerStatus {
  readonly backend: string;
  readonly server: string;
  readonly status: string;
  readonly check: string;
  readonly detail: string;
}

/** Reads the CSV of `show stat`; columns are found by the header's names. */
export function readStatistics(csv: string): ServerStatus[] {
  const [head = '', ...rows] = csv.trim().split('\n');
  const names = head.replace(/^# /, '').split(',');
  return rows.map((row) => {
    const cells = splitCsv(row);
    const cell = (name: string) => cells[names.indexOf(name)] ?? '';
    return {
      backend: cell('pxname'),
      server: cell('svname'),
      status: cell('status'),
      // A star stands before the last result while a new check is under way.
      check: cell('check_status').replace(/^\* /, ''),
      detail: cell('last_chk').replace(/^\* /, ''),
    };
  });
}

function splitCsv(row: string): string[] {
  return [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((match) =>
    match[1] === undefined ? (match[2] ?? '') : match[1].replaceAll('""', '"'),
  );
}

const CHECK_RESULTS: Readonly<Record<string, string>> = {
  L4TOUT: 'the connection timed out (security group, or nothing answers at the address)',
  L4CON: 'the connection was refused (nothing listens on the port)',
  SOCKERR: 'the check could not be made',
};

/**
 * Health of a group's targets. `before` is what was known of a target by `id:port` and is brought up to date: after a reload the proxy
 * needs one interval until it has checked anew, and what was true a moment ago is nearer to the truth than 'initial'.
 */
export function targetHealthOf(
  group: DesiredLoadBalancer['targetGroups'][number],
  statistics: readonly ServerStatus[],
  before: Map<string, TargetHealth>,
): TargetHealth[] {
  const backend = backendName(group.arn);
  return group.targets.map((target) => {
    const key = `${target.id}:${target.port}`;
    const server = statistics.find((row) => row.backend === backend && row.server === key);
    if (!server || server.check === 'INI' || server.check === '') {
      return before.get(key) ?? { id: target.id, state: 'initial', reason: 'the first health check has not ended yet' };
    }
    const health: TargetHealth = server.status.startsWith('UP')
      ? { id: target.id, state: 'healthy' }
      : { id: target.id, state: 'unhealthy', reason: reasonOf(server, group.health.port) };
    before.set(key, health);
    return health;
  });
}

function reasonOf(server: ServerStatus, port: number): string {
  const result = CHECK_RESULTS[server.check] ?? (server.detail || server.check);
  return `health check on port ${port}: ${result}`;
}
