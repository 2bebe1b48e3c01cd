import { connect } from 'node:net';
import { named } from '../../checks/api.ts';
import { judgeCertificate } from '../../checks/certificates.ts';
import type { Facts } from '../../checks/facts.ts';
import type { Question } from '../../checks/run.ts';
import { failed, passed, skipped, type Verdict } from '../../checks/types.ts';
import { PROBE } from '../../dns/authoritative.ts';
import { applicationsDomain } from '../../dns/settings.ts';
import { isWorld } from '../../steps/config.ts';
import { domainsOf, swarmOf } from '../applications/swarm.ts';
import type { Endpoint } from '../hosts/endpointsFile.ts';
import type { Remote } from '../hosts/remote.ts';
import { ask, certificateAt, isApplications, readAuthority } from './answer.ts';
import type { Ask, Checked } from './checkQuestions.ts';

/** What a visitor sees: through the load balancer, and of the services API. */
export function httpQuestions(checked: Checked, facts: Ask<Facts>, remote: Ask<Remote>): Question[] {
  const { place, endpoints, practice, ownDeployment } = checked;
  const dns = checked.dns.wanted;
  const applications = async () =>
    (await swarmOf(await remote()).services()).flatMap((service) =>
      domainsOf(service).map((domain) => ({ app: service.Spec.Name, domain })),
    );
  const balancer = async (port: number): Promise<Endpoint | undefined> => {
    const known = endpoints.loadBalancer[port];
    if (known || practice) return known;
    const dnsName = (await facts()).loadBalancers[0]?.dnsName;
    return dnsName === undefined ? undefined : { host: dnsName, port };
  };
  const through = (port: number, look: (endpoint: Endpoint) => Promise<Verdict>) => async (): Promise<Verdict> => {
    const endpoint = await balancer(port);
    if (ownDeployment) return skipped('what your own deployment repository sets up is not known here');
    return endpoint
      ? look(endpoint)
      : failed(
          `port ${port} of the load balancer cannot be reached from here`,
          'run the walkthrough again: it writes down where',
        );
  };
  const targets = 'are the targets healthy? cloudspace ssh runner-1 -- systemctl status nginx';
  // A name of no application: the answer is the ingress software's own.
  const ownAnswer = async (endpoint: Endpoint, tls?: { ca: string; anyName: true }): Promise<Verdict> => {
    const answer = await ask(endpoint, 'nothing.invalid', tls);
    if (answer.status === 404) return passed(`${endpoint.host}:${endpoint.port}`);
    return failed(answer.problem ?? `status ${answer.status} where 404 was expected`, targets);
  };
  return [
    {
      chapter: 'ingress',
      layer: 'http',
      key: 'http',
      title: 'HTTP passes the load balancer',
      judge: through(80, (endpoint) => ownAnswer(endpoint)),
    },
    {
      chapter: 'ingress',
      layer: 'http',
      key: 'https',
      title: 'TLS ends at the runners, with a certificate of the Cloudspace',
      judge: through(443, async (endpoint) => {
        const ca = await readAuthority(place.dir);
        if (ca === undefined) return skipped(`its authority's certificate is not in ${place.dir}/ca.crt yet`);
        return ownAnswer(endpoint, { ca, anyName: true });
      }),
    },
    {
      chapter: 'ingress',
      layer: 'http',
      key: 'ssh',
      title: 'SSH into applications passes the load balancer',
      judge: through(2222, async (endpoint) => {
        const greeting = await greetingOf(endpoint);
        if (/^SSH-2\.0-/.test(greeting)) return passed(greeting.trim());
        return failed(
          greeting === '' ? 'no greeting' : greeting,
          'look: cloudspace ssh runner-1 -- systemctl status cloudspace-app-ssh',
        );
      }),
    },
    {
      chapter: 'ingress',
      layer: 'http',
      key: 'certificate',
      title: 'The certificate at the load balancer is good for weeks to come',
      judge: through(443, async (endpoint) => {
        // Only with a public authority there is one for all applications; else each has its own, and strangers are shown the ingress software's.
        const wildcard = place.state?.answers.certificates ? applicationsDomain({ name: place.name, dns }) : undefined;
        const name = wildcard === undefined ? undefined : `${PROBE}.${wildcard}`;
        const found = await certificateAt(endpoint, name ?? 'nothing.invalid');
        if (typeof found === 'string') return failed(found, targets);
        const renewOurs = 'cloudspace cycle all replaces the hosts one by one, with new certificates';
        return judgeCertificate(found, { ...(name === undefined ? {} : { name }), renewOurs });
      }),
    },
    {
      chapter: 'services',
      layer: 'http',
      key: 'api',
      title: 'The services API answers you',
      judge: async () => {
        if (ownDeployment) return skipped('what your own deployment repository sets up is not known here');
        if (isWorld(String(place.state?.answers.sshFrom ?? '')))
          return skipped('with SSH open to the world its port is closed to it; the command asks it over SSH');
        const publicIp = named(await facts(), 'services')[0]?.publicIp;
        const endpoint =
          endpoints.services['443'] ?? (practice || publicIp === undefined ? undefined : { host: publicIp, port: 443 });
        const ca = await readAuthority(place.dir);
        if (!endpoint || ca === undefined)
          return failed(
            'it cannot be reached from here',
            'run the walkthrough again: it writes down where, and fetches the certificate',
          );
        const answer = await ask(endpoint, 'services', { ca, path: '/v2/catalog' });
        if (answer.status === 401) return passed(`${endpoint.host}:${endpoint.port}`);
        return failed(
          answer.problem ?? `status ${answer.status} where 401 was expected`,
          'does its security group let your address in on 443?',
        );
      },
    },
    {
      chapter: 'services',
      layer: 'http',
      key: 'applications',
      title: 'Every application answers through the load balancer',
      judge: through(80, async (endpoint) => {
        const domains = await applications();
        const answers = await Promise.all(
          domains.map(async (one) => ({ ...one, answer: await ask(endpoint, one.domain) })),
        );
        const bad = answers.find(({ answer }) => !isApplications(answer));
        if (bad)
          return failed(
            `${bad.domain}: ${bad.answer.problem ?? `status ${bad.answer.status}`}`,
            `look: cloudspace apps, cloudspace logs ${bad.app}`,
          );
        return passed(domains.length === 0 ? 'none runs yet' : domains.map(({ domain }) => domain).join(', '));
      }),
    },
    {
      chapter: 'services',
      layer: 'http',
      key: 'certificates',
      title: 'Every application has a certificate for its name, for weeks to come',
      judge: through(443, async (endpoint) => {
        const domains = await applications();
        const renewOurs = 'deploy the application again: that renews its certificate';
        const verdicts = await Promise.all(
          domains.map(async ({ domain }) => {
            const found = await certificateAt(endpoint, domain);
            return typeof found === 'string'
              ? failed(`${domain}: ${found}`, targets)
              : judgeCertificate(found, { name: domain, renewOurs });
          }),
        );
        const bad = verdicts.find(({ status }) => status === 'failed');
        return bad ?? passed(domains.length === 0 ? 'none runs yet' : verdicts.map(({ detail }) => detail).join(', '));
      }),
    },
  ];
}

/** What a server says first; empty when it says nothing within five seconds. */
function greetingOf({ host, port }: Endpoint): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const done = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(5000, () => done(''));
    socket.once('error', (error) => done(error.message));
    socket.once('close', () => done(''));
    socket.once('data', (data) => done(data.toString('utf8').slice(0, 200)));
  });
}
