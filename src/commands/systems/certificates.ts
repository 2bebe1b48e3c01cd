import { readFile } from 'node:fs/promises';
import { dnsimpleAddress } from '../../dns/dnsimple.ts';
import { usageError } from '../../engine/types.ts';
import { parseName, parseReference, referenceText } from '../../secrets/reference.ts';
import type { Config } from '../../steps/config.ts';
import type { Context } from '../context.ts';
import { type Session, usesSystems } from '../session/session.ts';
import type { SavedDns } from './dns.ts';
import { secretsOf } from './secrets.ts';

/** Part of the state's answers: references, no secrets. */
export interface SavedCertificates {
  readonly email?: string;
  readonly staging?: boolean;
  /** directory address of another ACME server than Let's Encrypt's (RFC 8555 section 7.1.1) */
  readonly server?: string;
  /** PEM file of the authority behind that server's own certificate */
  readonly caFile?: string;
  /** Route 53: a key for the challenge's record alone; left out: the instance's own role */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

export interface Certificates {
  readonly saved: SavedCertificates;
  /** for the playbooks */
  readonly vars: Readonly<Record<string, unknown>>;
  /** for the vault, by name */
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Certificates of Let's Encrypt, or of an ACME server of one's own, for the applications: where `certificates:` is in cloudspace.yaml, as it is the person who agrees to the authority's terms, and
 * where the names are at a provider that the authority can ask. Undefined: the Cloudspace's own authority signs.
 */
export async function certificatesOf(
  context: Context,
  session: Session,
  config: Config,
): Promise<Certificates | undefined> {
  const saved = wantedCertificates(context, session);
  if (!saved) return undefined;
  const dns = session.dns.saved;
  // A server of one's own may look names up where a public one cannot.
  const hidden = dns?.sandbox && saved.server === undefined;
  const why = !config.dns || !dns ? 'without a DNS provider' : hidden ? 'for names in a sandbox' : undefined;
  if (why !== undefined || !dns) {
    const text = `\`certificates:\` is left out: ${why} no public authority can look the names up. The Cloudspace's own signs; \`cloudspace ca\` shows how to trust it.`;
    context.ui.notify({ type: 'warning', text });
    return undefined;
  }
  return { saved, ...(await forHosts(context, saved, dns)) };
}

function wantedCertificates({ options }: Context, session: Session): SavedCertificates | undefined {
  const given = session.practice && !usesSystems(options) ? undefined : options.settings?.certificates;
  if (!given) return (session.state?.answers.certificates ?? undefined) as SavedCertificates | undefined;
  return {
    ...(given.email === undefined ? {} : { email: given.email }),
    ...(given.staging === undefined ? {} : { staging: given.staging }),
    ...(given.server === undefined ? {} : { server: given.server }),
    ...(given.caFile === undefined ? {} : { caFile: given.caFile }),
    ...(given.accessKeyId === undefined ? {} : { accessKeyId: referenceText(given.accessKeyId) }),
    ...(given.secretAccessKey === undefined ? {} : { secretAccessKey: referenceText(given.secretAccessKey) }),
  };
}

async function forHosts(context: Context, wanted: SavedCertificates, dns: SavedDns) {
  const { email, staging = false, server, caFile, accessKeyId, secretAccessKey } = wanted;
  const source = secretsOf(context);
  const vars = {
    ...(email === undefined ? {} : { email }),
    staging,
    ...(server === undefined ? {} : { server }),
    ...(caFile === undefined ? {} : { server_ca: await readAuthorityFile(caFile) }),
    ...(dns.sandbox ? { dnsimple_api: dnsimpleAddress(dns.sandbox) } : {}),
  };
  if (dns.provider === 'dnsimple') {
    const token = await source.read(parseReference(dns.token), 'dns.token');
    return { vars, secrets: { dnsimple_token: token } };
  }
  if (accessKeyId === undefined || secretAccessKey === undefined) return { vars, secrets: {} };
  const id = await source.read(parseName(accessKeyId), 'certificates.access-key-id');
  const key = await source.read(parseReference(secretAccessKey), 'certificates.secret-access-key');
  return { vars: { ...vars, access_key_id: id }, secrets: { certificates_aws_secret_access_key: key } };
}

async function readAuthorityFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw usageError(
      `certificates.ca-file cannot be read: ${(error as Error).message}`,
      "name the PEM file of the authority behind the server's own certificate",
    );
  });
}
