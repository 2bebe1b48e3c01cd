import type { X509Certificate } from 'node:crypto';
import { PROBE } from '../dns/authoritative.ts';
import { failed, passed, type Verdict } from './types.ts';

/** Days before its end from which on a certificate counts as broken: everything that renews does so with 30 days left. */
const DAYS_LEFT = 14;
const DAY_MS = 86_400_000;

/** In the issuer of what the Cloudspace's own authority signed. */
const OURS = /^O=Cloudspace$/m;

/**
 * Is a certificate good for a name, today and in two weeks? Who signed it is not judged here.
 * @param name left out: any name will do
 * @param renewOurs what renews one of the Cloudspace's own authority
 */
export function judgeCertificate(
  certificate: Pick<X509Certificate, 'issuer' | 'validFrom' | 'validTo' | 'subjectAltName' | 'checkHost'>,
  { name, renewOurs, now = Date.now() }: { name?: string; renewOurs: string; now?: number },
): Verdict {
  const { issuer, validFrom, validTo, subjectAltName } = certificate;
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  const day = (time: number): string => new Date(time).toISOString().slice(0, 10);
  const of = name === undefined ? 'the certificate' : `the certificate of ${name}`;
  const renew = OURS.test(issuer)
    ? renewOurs
    : 'it should have been renewed: cloudspace ssh controller -- sudo journalctl -u certbot -n 20; one that you put there yourself, you renew';
  if (name !== undefined && certificate.checkHost(name) === undefined)
    return failed(
      `${name} is shown a certificate for ${(subjectAltName ?? 'no name').replaceAll('DNS:', '')}`,
      name.startsWith(`${PROBE}.`)
        ? 'the wildcard certificate is not there: cloudspace ssh controller -- sudo certbot certificates; then run the walkthrough again'
        : 'deploy the application again: that makes its certificate',
    );
  if (to <= now) return failed(`${of} ended on ${day(to)}`, renew);
  if (from > now) return failed(`${of} begins on ${day(from)}`, "is this machine's clock right, and the hosts'?");
  const days = Math.floor((to - now) / DAY_MS);
  if (days < DAYS_LEFT) return failed(`${of} ends in ${days} ${days === 1 ? 'day' : 'days'}, on ${day(to)}`, renew);
  return passed(`${name === undefined ? '' : `${name}: `}until ${day(to)}`);
}
