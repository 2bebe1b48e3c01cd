import { renderFirewall } from './firewall.ts';
import type { Machine } from './machine.ts';
import { FIREWALL_FILE, SETTINGS_DIR } from './paths.ts';
import type { DesiredDatabase } from './types.ts';

const ROLES_FILE = `${SETTINGS_DIR}/roles.sql`;
const CONF_FILE = `${SETTINGS_DIR}/postgresql.conf`;
const HBA_FILE = `${SETTINGS_DIR}/pg_hba.conf`;
const RUN_FILE = `${SETTINGS_DIR}/run`;
const DATA = '/var/lib/postgresql/15/main';
const BIN = '/usr/lib/postgresql/15/bin';
const AS_POSTGRES = 'setpriv --reuid postgres --regid postgres --init-groups --';

/** As on RDS: the owner of the cluster is `rdsadmin`, who cannot log in from outside; connections must be encrypted. */
const HBA = `local all rdsadmin trust
hostssl all all 0.0.0.0/0 scram-sha-256
`;

/** Container of a database instance: PostgreSQL 15 as PID 1, its data in a volume that lives as long as the container. */
export function databaseMachine(database: DesiredDatabase, gateway: string): Machine {
  const psql = `${AS_POSTGRES} psql -X -q -v ON_ERROR_STOP=1 -h /var/run/postgresql -p ${database.port} -U rdsadmin -d postgres`;
  return {
    id: database.id,
    kind: 'database',
    name: database.id,
    vpcId: database.vpcId,
    address: database.privateIp,
    running: database.state === 'running',
    variant: 'postgres',
    hostname: database.endpoint.split('.')[0] ?? database.id,
    aliases: [database.endpoint],
    ports: [],
    systemd: false,
    volumes: ['/var/lib/postgresql'],
    stopSignal: 'SIGINT',
    command: ['/bin/sh', RUN_FILE],
    files: [
      { path: FIREWALL_FILE, text: renderFirewall(database.ingress, { gateway, public: false }), mode: 0o600 },
      { path: CONF_FILE, text: renderConf(database.port), mode: 0o644 },
      { path: HBA_FILE, text: HBA, mode: 0o644 },
      { path: RUN_FILE, text: renderRun(database.endpoint), mode: 0o755 },
      { path: ROLES_FILE, text: renderRoles(database), mode: 0o600 },
    ],
    apply: [
      `nft -f ${FIREWALL_FILE}`,
      // PostgreSQL listens on the port it was started with: PID 1 ends here, and the driver starts it anew.
      `if [ -e /run/cloudspace-port ] && [ "$(cat /run/cloudspace-port)" != ${database.port} ]; then kill -INT 1; sleep 20; exit 1; fi`,
      `until ${BIN}/pg_isready -q -h /var/run/postgresql -p ${database.port}; do wait_a_little; done`,
      `${psql} < ${ROLES_FILE}`,
    ],
  };
}

function renderConf(port: number): string {
  return [
    `data_directory = '${DATA}'`,
    `hba_file = '${HBA_FILE}'`,
    `ident_file = '${DATA}/pg_ident.conf'`,
    "listen_addresses = '*'",
    `port = ${port}`,
    "unix_socket_directories = '/var/run/postgresql'",
    'ssl = on',
    `ssl_cert_file = '${DATA}/server.crt'`,
    `ssl_key_file = '${DATA}/server.key'`,
    'password_encryption = scram-sha-256',
    'shared_buffers = 32MB',
    'max_connections = 100',
    "timezone = 'UTC'",
    '',
  ].join('\n');
}

/** The cluster is made beside its final place and moved there: a kill half way leaves nothing that looks finished. */
function renderRun(endpoint: string): string {
  return `#!/bin/sh
set -eu
nft -f ${FIREWALL_FILE}
install -d -o postgres -g postgres -m 0755 /var/run/postgresql
chmod 0711 ${SETTINGS_DIR}
if [ ! -d ${DATA} ]; then
  rm -rf ${DATA}.new
  install -d -o postgres -g postgres -m 0755 /var/lib/postgresql/15
  ${AS_POSTGRES} ${BIN}/initdb -D ${DATA}.new -U rdsadmin --auth=reject --encoding=UTF8 --locale=C.UTF-8 --no-sync
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \\
    -subj '/O=cloudspace practice (self-signed)/CN=practice database' -addext 'subjectAltName=DNS:${endpoint}' \\
    -keyout ${DATA}.new/server.key -out ${DATA}.new/server.crt 2>/dev/null
  chown postgres:postgres ${DATA}.new/server.key ${DATA}.new/server.crt
  chmod 0600 ${DATA}.new/server.key
  sync
  mv ${DATA}.new ${DATA}
fi
rm -f ${DATA}/postmaster.pid
sed -n 's/^port = //p' ${CONF_FILE} > /run/cloudspace-port
exec ${AS_POSTGRES} ${BIN}/postgres -D ${DATA} -c config_file=${CONF_FILE}
`;
}

/**
 * The master user, with what RDS gives it, and the first database. The password comes as a SCRAM-SHA-256 verifier, which PostgreSQL
 * stores as it is. Throws RangeError when it is none, lest a password be taken for one.
 */
export function renderRoles(database: Pick<DesiredDatabase, 'user' | 'verifier' | 'database'>): string {
  if (!/^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$/.test(database.verifier)) {
    throw new RangeError('the master password was not given as a SCRAM-SHA-256 verifier');
  }
  const user = literal(database.user);
  const lines = [
    // A statement that fails must not leave the verifier in the log.
    'SET log_min_error_statement = panic;',
    `SELECT format('CREATE ROLE %I', ${user}) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${user}) \\gexec`,
    `ALTER ROLE ${identifier(database.user)} LOGIN CREATEDB CREATEROLE PASSWORD ${literal(database.verifier)};`,
    `GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO ${identifier(database.user)};`,
  ];
  if (database.database !== undefined) {
    const name = literal(database.database);
    lines.push(
      `SELECT format('CREATE DATABASE %I OWNER %I', ${name}, ${user}) WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = ${name}) \\gexec`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function identifier(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
