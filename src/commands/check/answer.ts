import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { connect as connectTls, rootCertificates } from 'node:tls';
import type { Endpoint } from '../hosts/endpointsFile.ts';

export interface Answer {
  /** 0: there was no HTTP answer; `problem` says why */
  readonly status: number;
  readonly body: string;
  readonly location?: string;
  readonly problem?: string;
}

/** Enough of a page to know it by. */
const MOST_BODY = 65_536;

/**
 * One request to a domain through an endpoint, without asking DNS: what a browser does that finds the domain there. With `ca` it speaks TLS and trusts this
 * authority (PEM) beside the public ones; with `anyName` a certificate for another name will do, with `anyAuthority` one of any authority. Never throws.
 */
export function ask(
  endpoint: Endpoint,
  domain: string,
  options: { path?: string; ca?: string; anyName?: boolean; anyAuthority?: boolean; timeout?: number } = {},
): Promise<Answer> {
  const { path = '/', ca, timeout = 5 } = options;
  return new Promise((resolve) => {
    const done = (answer: Answer): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    const settings = {
      host: endpoint.host,
      port: endpoint.port,
      path,
      agent: false as const,
      headers: { host: domain, 'user-agent': 'cloudspace' },
    };
    const sent =
      ca === undefined
        ? httpRequest(settings)
        : httpsRequest({
            ...settings,
            ca: [ca, ...rootCertificates],
            servername: domain,
            ...(options.anyAuthority ? { rejectUnauthorized: false } : {}),
            ...(options.anyName ? { checkServerIdentity: () => undefined } : {}),
          });
    const timer = setTimeout(() => {
      done({ status: 0, body: '', problem: `no answer within ${timeout} seconds` });
      sent.destroy();
    }, timeout * 1000);
    sent.on('error', (error: NodeJS.ErrnoException) => done({ status: 0, body: '', problem: reason(error) }));
    sent.on('response', (response) => {
      let body = '';
      const finish = (): void => {
        const { location } = response.headers;
        done({ status: response.statusCode ?? 0, body, ...(location === undefined ? {} : { location }) });
      };
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (body.length < MOST_BODY) body += chunk;
      });
      response.on('end', finish);
      response.on('error', finish);
      response.on('aborted', finish);
    });
    sent.end();
  });
}

function reason(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'the connection was refused';
  if (error.code === 'ECONNRESET' || error.message === 'socket hang up')
    return 'the connection was closed without an answer';
  return error.message;
}

/** Is this the application's own answer? The ingress answers itself when it knows no route, no container, or gets none of their answers. */
export function isApplications({ status, body }: Answer): boolean {
  if (status === 0 || [502, 503, 504].includes(status)) return false;
  return !(status === 404 && body.includes('No application of this Cloudspace has this address'));
}

/** The certificate that an endpoint shows who asks for a domain, whoever signed it; or why there is none. Never throws. */
export function certificateAt(
  { host, port }: Endpoint,
  domain: string,
  timeout = 5,
): Promise<X509Certificate | string> {
  return new Promise((resolve) => {
    const socket = connectTls({ host, port, servername: domain, rejectUnauthorized: false });
    const done = (answer: X509Certificate | string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done(`no answer within ${timeout} seconds`), timeout * 1000);
    socket.once('secureConnect', () => done(socket.getPeerX509Certificate() ?? 'it shows no certificate'));
    socket.once('error', (error: NodeJS.ErrnoException) => done(reason(error)));
  });
}

/** The Cloudspace's own certificate authority, as the last run fetched it; undefined before that. */
export async function readAuthority(dir: string): Promise<string | undefined> {
  return readFile(join(dir, 'ca.crt'), 'utf8').catch(() => undefined);
}
