import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { ended, freePorts, RABBIT, selfSigned, startRabbit, until } from './backends.ts';
import { dnsimpleStandIn, type StandInToken } from './dnsimpleStandIn.ts';
import { dnsStandIn } from './dnsStandIn.ts';
import { standInElasticsearch } from './standInElasticsearch.ts';
import { standInOp } from './standInOp.ts';

/** TEST-NET-1 of RFC 5737: nobody has it. */
const NETWORK = { name: 'cloudspace-test-systems', subnet: '192.0.2.0/29', address: '192.0.2.1' };

/** Why these systems cannot be started here; undefined when they can. */
export function whyNoSystems(): string | undefined {
  if (spawnSync('sh', ['-c', 'command -v pebble']).status !== 0) return "Debian's package pebble is not installed";
  if (spawnSync('test', ['-x', RABBIT]).status !== 0) return "Debian's package rabbitmq-server is not installed";
  return undefined;
}

/**
 * The guide's systems beside AWS, at an address of a container network of their own, where the hosts of a practice Cloudspace reach them, and on no other. Real: RabbitMQ, and
 * Pebble (Let's Encrypt's own small ACME server). Stand-ins: DNSimple's API, the name server that answers from it (on loopback), Elasticsearch, 1Password's `op`.
 */
export async function otherSystems(dir: string) {
  /** What 1Password holds. Each can be told from all others wherever it turns up. */
  const items = {
    'op://team/vault/password': 'Vault-Password-From-1Password',
    'op://team/dnsimple/token': 'dnsimple-account-token-1',
    'op://team/rabbitmq/password': 'RabbitMQ-Administrator-Password',
    'op://team/elastic/password': 'Elasticsearch-Password-1',
  };
  const { address } = NETWORK;
  const children: ChildProcess[] = [];
  await execa('docker', ['network', 'rm', NETWORK.name], { reject: false });
  await execa('docker', ['network', 'create', '--subnet', NETWORK.subnet, '--gateway', address, NETWORK.name]);
  const op = standInOp(items);
  const tokens: Record<string, StandInToken> = { [items['op://team/dnsimple/token']]: { rights: 'all' } };
  const dnsimple = await dnsimpleStandIn(['example.com'], tokens, address);
  const names = await dnsStandIn(() => dnsimple.records());
  for (const name of ['elastic', 'pebble']) selfSigned(dir, name, address);
  const read = (name: string): string => readFileSync(join(dir, name), 'utf8');
  const es = await standInElasticsearch({
    password: items['op://team/elastic/password'],
    tls: { key: read('elastic.key'), cert: read('elastic.crt') },
    address,
  });

  const ports = await freePorts(6);
  const [acme, acmeManagement, amqp, management, dist, epmd] = ports as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const pebble = {
    listenAddress: `${address}:${acme}`,
    managementListenAddress: `${address}:${acmeManagement}`,
    certificate: join(dir, 'pebble.crt'),
    privateKey: join(dir, 'pebble.key'),
    httpPort: 1,
    tlsPort: 1,
  };
  writeFileSync(join(dir, 'pebble.json'), JSON.stringify({ pebble }));
  children.push(
    spawn('pebble', ['-config', join(dir, 'pebble.json'), '-dnsserver', names.address], {
      stdio: 'ignore',
      // Left to itself it accepts half of the names without asking again.
      env: { PATH: process.env.PATH, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0', PEBBLE_AUTHZREUSE: '0' },
    }),
  );
  const rabbitUrl = `http://${address}:${management}`;
  const administrator = ['admin', items['op://team/rabbitmq/password']] as const;
  mkdirSync(join(dir, 'rabbit'));
  children.push(startRabbit(join(dir, 'rabbit'), { amqp, management, dist, epmd }, administrator, address));

  /** What RabbitMQ answers its administrator. */
  async function rabbit<T>(path: string): Promise<T> {
    const authorization = `Basic ${Buffer.from(administrator.join(':')).toString('base64')}`;
    const answer = await fetch(`${rabbitUrl}/api/${path}`, { headers: { authorization } });
    if (!answer.ok) throw new Error(`RabbitMQ answers ${answer.status} to ${path}`);
    return (await answer.json()) as T;
  }

  const root = `https://${address}:${acmeManagement}/roots/0`;
  const curl = ['-sSf', '--cacert', join(dir, 'pebble.crt'), root];
  const pebbleRoot = await until(async () => (await execa('curl', curl)).stdout);
  await until(() => rabbit('overview'), 110);

  return {
    items,
    op,
    dnsimple,
    es,
    rabbit,
    rabbitUrl,
    /** PEM of the authority that signs what Pebble issues */
    pebbleRoot,
    /** cloudspace.yaml with all of them, or without one of them */
    yaml: ({ logs }: { logs: boolean }): string => `practice-systems: true
vault: { password: op://team/vault/password }
dns:
  provider: dnsimple
  host-domain: hosts.example.com
  app-domain: apps.example.com
  token: op://team/dnsimple/token
  sandbox: ${dnsimple.url}
  name-servers: ["${names.address}"]
certificates: { email: ops@example.com, server: "https://${address}:${acme}/dir", ca-file: ${join(dir, 'pebble.crt')} }
rabbitmq: { management-url: "${rabbitUrl}", administrator: admin, password: op://team/rabbitmq/password }
# The stand-in answers with a record as soon as it has it.
extra_vars: { wildcard_certificate_propagation_seconds: 0 }
${logs ? `elasticsearch: { url: "${es.url}", username: shipper, password: op://team/elastic/password, ca-file: ${join(dir, 'elastic.crt')} }` : ''}
`,
    /** DNSimple and Elasticsearch take new secrets, which 1Password has too, and the former ones no more */
    renewSecrets(): void {
      delete tokens[items['op://team/dnsimple/token']];
      items['op://team/dnsimple/token'] = 'dnsimple-account-token-2';
      items['op://team/elastic/password'] = 'Elasticsearch-Password-2';
      for (const [name, value] of Object.entries(items)) op.set(name, value);
      tokens[items['op://team/dnsimple/token']] = { rights: 'all' };
      es.setPassword(items['op://team/elastic/password']);
    },
    async close(): Promise<void> {
      await Promise.all(children.map((child) => ended(child, 'SIGTERM')));
      spawnSync('epmd', ['-port', String(epmd), '-kill'], { stdio: 'ignore' });
      await Promise.all([dnsimple.close(), names.close(), es.close()]);
      await execa('docker', ['network', 'rm', NETWORK.name], { reject: false });
      op.remove();
    },
  };
}
