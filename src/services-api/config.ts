import { readFileSync, statSync } from 'node:fs';

/** /etc/cloudspace/services-api.json: written by the role services_api, mode 0600, as it holds secrets. */
export interface ServicesConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM files; read again on SIGHUP */
  readonly tls: { readonly certificate: string; readonly key: string };
  /** what clients send as `Authorization: Bearer …`; at least 32 characters */
  readonly token: string;
  /** the first encrypts, all decrypt */
  readonly fernetKeys: readonly string[];
  /** the server that databases are made on, and this API's own database there */
  readonly database: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly name: string;
    /** where applications reach it; left out: where this API does */
    readonly applications?: { readonly host: string; readonly port: number };
  };
  readonly rabbitmq: {
    /** its management API, on loopback */
    readonly management: string;
    readonly user: string;
    readonly password: string;
    /** where applications reach it, AMQP over TLS */
    readonly host: string;
    readonly port: number;
  };
  /** folder of the backups' files */
  readonly backups: string;
  /** file that gets one line of JSON a request */
  readonly auditLog: string;
  /** undefined: there is no object store here (practice) */
  readonly objectStore?: { readonly region: string; readonly prefix: string };
}

type Shape = { readonly [key: string]: 'string' | 'number' | 'strings' | Shape };

const SHAPE: Shape = {
  listen: { host: 'string', port: 'number' },
  tls: { certificate: 'string', key: 'string' },
  token: 'string',
  fernetKeys: 'strings',
  database: { host: 'string', port: 'number', user: 'string', password: 'string', name: 'string' },
  rabbitmq: { management: 'string', user: 'string', password: 'string', host: 'string', port: 'number' },
  backups: 'string',
  auditLog: 'string',
};

/** Throws Error that names the setting, never its value. */
export function readConfig(file: string): ServicesConfig {
  if ((statSync(file).mode & 0o077) !== 0) throw new Error(`${file} holds secrets: its mode must be 0600`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`${file} is no JSON`);
  }
  check(value, SHAPE, '');
  const config = value as ServicesConfig;
  if (config.token.length < 32) throw new Error('the setting token is too short: at least 32 characters');
  if (config.database.applications)
    check(config.database.applications, { host: 'string', port: 'number' }, 'database.applications.');
  if (config.objectStore) check(config.objectStore, { region: 'string', prefix: 'string' }, 'objectStore.');
  return config;
}

function check(value: unknown, shape: Shape, path: string): void {
  for (const [key, want] of Object.entries(shape)) {
    const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
    if (typeof want === 'object') check(found, want, `${path}${key}.`);
    else if (!fits(found, want)) throw new Error(`the setting ${path}${key} is missing, or no ${want}`);
  }
}

function fits(value: unknown, want: 'string' | 'number' | 'strings'): boolean {
  if (want === 'strings')
    return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
  return typeof value === want && value !== '';
}
