import { connect } from 'node:net';
import { join } from 'node:path';
import { GetConsoleOutputCommand } from '@aws-sdk/client-ec2';
import { whyUnreachable } from '../ansible/connections.ts';
import { type KeyChange, keyChange, parseConsoleHostKeys } from '../ansible/hostKeys.ts';
import { writeSshFiles } from '../ansible/sshConfig.ts';
import type { Host } from '../ansible/types.ts';
import type { Aws } from '../aws/clients.ts';
import { API_CHECKS, named } from '../checks/api.ts';
import { type Facts, gatherFacts } from '../checks/facts.ts';
import { CHAPTER_HOSTS, PROBES, type Probe } from '../checks/hosts.ts';
import type { Question } from '../checks/run.ts';
import { failed, passed, skipped, type Verdict } from '../checks/types.ts';
import { CHAPTERS } from '../engine/types.ts';
import { isWorld } from '../steps/config.ts';
import { ask, isApplications, readAuthority } from './answer.ts';
import type { Endpoint, Endpoints } from './endpointsFile.ts';
import { readHosts, sshOptions } from './hostsFile.ts';
import type { Place } from './places.ts';
import { lastLines, type Remote, remoteOver } from './remote.ts';
import { domainsOf, swarmOf } from './swarm.ts';

export interface Checked {
  readonly place: Place;
  readonly aws: Aws;
  readonly account: string;
  readonly practice: boolean;
  readonly endpoints: Endpoints;
  /** false: the practice's load balancer is not asked how its targets are (only a running practice cloud knows) */
  readonly healthKnown: boolean;
  /** undefined: hosts are asked too; else why they are not */
  readonly withoutHosts?: string;
  /** a team's own deployment repository: what it sets up on hosts is not known here */
  readonly ownDeployment: boolean;
  readonly signal: AbortSignal;
}

/** All questions about a Cloudspace. The API is asked once a round: `fresh` begins another. */
export async function questionsOf(checked: Checked): Promise<Question[]> {
  const { place, aws, account } = checked;
  let asked: { at: number; facts: Promise<Facts> } | undefined;
  /** Questions of one moment share an answer; who asks again, wants a new one. */
  const facts = (): Promise<Facts> => {
    if (!asked || Date.now() - asked.at > 900)
      asked = { at: Date.now(), facts: gatherFacts(aws, place.name, account, checked.healthKnown) };
    return asked.facts;
  };
  const api = API_CHECKS.map(
    ({ chapter, key, title, judge }): Question => ({
      chapter,
      layer: 'api',
      key,
      title,
      judge: async () => judge(await facts()),
    }),
  );
  if (checked.withoutHosts !== undefined) {
    const why = checked.withoutHosts;
    const rest = CHAPTERS.filter((chapter) => chapter !== 'login' && chapter !== 'vpc').map(
      (chapter): Question => ({ chapter, layer: 'ssh', key: 'hosts', title: 'The hosts', judge: () => skipped(why) }),
    );
    return [...api, ...rest];
  }
  let way: Promise<Remote> | undefined;
  const remote = (): Promise<Remote> => {
    way ??= facts().then((found) => wayTo(checked, found));
    return way;
  };
  return [
    ...api,
    ...sshQuestions(checked, facts, remote),
    ...serviceQuestions(checked, facts, remote),
    ...httpQuestions(checked, facts, remote),
  ];
}

/** ssh files of our own for the hosts that are there now: as the last run wrote them down, else with host keys from the console output. */
async function wayTo({ place, aws, signal }: Checked, facts: Facts): Promise<Remote> {
  const written = await readHosts(place.dir);
  const hosts = await Promise.all(
    facts.instances.map(async (one): Promise<Host[]> => {
      const known = written.find((host) => host.instanceId === one.id);
      if (known) return [known];
      const console = await aws.ec2.send(new GetConsoleOutputCommand({ InstanceId: one.id })).catch(() => undefined);
      const hostKeys = parseConsoleHostKeys(Buffer.from(console?.Output ?? '', 'base64').toString('utf8'));
      if (hostKeys.length === 0 || !/^[a-z][a-z0-9-]*$/.test(one.name)) return [];
      const group = one.name.replace(/-\d+$/, '');
      const { id: instanceId, name, privateIp, publicIp } = one;
      return [
        {
          name,
          groups: [group],
          instanceId,
          privateIp,
          user: 'admin',
          hostKeys,
          ...(publicIp === undefined ? {} : { publicIp }),
        },
      ];
    }),
  );
  const all = hosts.flat();
  const { sshConfig } = await writeSshFiles(
    join(place.dir, 'check'),
    all,
    sshOptions(place.name, place.state ?? { answers: {} }),
  );
  return remoteOver(sshConfig, all, signal);
}

type Ask<T> = () => Promise<T>;

function sshQuestions({ signal }: Checked, facts: Ask<Facts>, remote: Ask<Remote>): Question[] {
  return CHAPTERS.flatMap((chapter): Question[] => {
    const role = CHAPTER_HOSTS[chapter];
    if (role === undefined) return [];
    const judge = async (): Promise<Verdict> => {
      const { hosts, sshConfig } = await remote();
      const names = named(await facts(), role).map(({ name, id }) => ({
        name,
        host: hosts.find((host) => host.instanceId === id),
      }));
      const looks = await Promise.all(
        names.map(async ({ name, host }) => ({
          name,
          why: host
            ? await whyUnreachable(sshConfig, host.name, signal)
            : 'its host key is not known: run the walkthrough, which pins it',
        })),
      );
      const bad = looks.find(({ why }) => why !== undefined);
      if (!bad) return passed(names.map(({ name }) => name).join(', '));
      const change = keyChange(bad.why ?? '');
      if (change) return failed(`${bad.name}: not the pinned host key: ${change.came} came`, keyHint(change, hosts));
      return failed(`${bad.name}: ${lastLines(bad.why ?? '', 2)}`, sshHint(role, bad.why ?? ''));
    };
    return [
      {
        chapter,
        layer: 'ssh',
        key: 'login',
        title:
          role === 'bastion' ? 'The bastion lets you in' : `SSH leads to ${role === 'runner' ? 'the runners' : role}`,
        judge,
      },
    ];
  });
}

function keyHint({ instanceId }: KeyChange, hosts: readonly Host[]): string {
  const name = hosts.find((host) => host.instanceId === instanceId)?.name ?? instanceId;
  return `another machine may answer in its place: find out why; cloudspace hosts trust ${name} compares with its console`;
}

function sshHint(role: string, why: string): string {
  if (/Permission denied/i.test(why))
    return 'your key is not accepted: is it in the agent (ssh-add -l), is it the one of chapter "login"?';
  if (role === 'bastion')
    return 'has your address changed? Its security group lets in one address only; then look whether the instance runs';
  return 'cloudspace check bastion first; then whether its security group lets port 22 in from the bastion';
}

function serviceQuestions(checked: Checked, facts: Ask<Facts>, remote: Ask<Remote>): Question[] {
  return PROBES.map((probe): Question => {
    const { chapter, key, title } = probe;
    const judge = async (): Promise<Verdict> => {
      if (checked.ownDeployment && chapter !== 'bastion')
        return skipped('what your own deployment repository sets up is not known here');
      return probeHosts(probe, await facts(), await remote());
    };
    return { chapter, layer: 'service', key, title, judge };
  });
}

async function probeHosts({ role, command, expect, hint }: Probe, facts: Facts, remote: Remote): Promise<Verdict> {
  const ids = new Set(named(facts, role).map(({ id }) => id));
  const hosts = remote.hosts.filter((host) => ids.has(host.instanceId));
  if (hosts.length === 0)
    return failed(`there is no host ${role} that could be asked`, 'cloudspace check of the chapter that makes it');
  const answers = await Promise.all(
    hosts.map(async ({ name }) => ({ name, result: await remote.run(name, command, { timeout: 30 }) })),
  );
  const bad = answers.find(({ result }) => !expect.test(result.stdout));
  if (!bad) return passed(hosts.map(({ name }) => name).join(', '));
  const said = lastLines(`${bad.result.stdout}\n${bad.result.stderr}`, 2).replaceAll('\n', '; ');
  return failed(`${bad.name}: ${said || `exit code ${bad.result.exitCode}`}`, hint.replace('runner-1', bad.name));
}

function httpQuestions(checked: Checked, facts: Ask<Facts>, remote: Ask<Remote>): Question[] {
  const { place, endpoints, practice, ownDeployment } = checked;
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
  return [
    {
      chapter: 'ingress',
      layer: 'http',
      key: 'http',
      title: 'HTTP passes the load balancer',
      judge: through(80, async (endpoint) => {
        // A name of no application: the answer is the ingress software's own.
        const answer = await ask(endpoint, 'nothing.invalid');
        if (answer.status === 404) return passed(`${endpoint.host}:${endpoint.port}`);
        return failed(answer.problem ?? `status ${answer.status} where 404 was expected`, targets);
      }),
    },
    {
      chapter: 'ingress',
      layer: 'http',
      key: 'https',
      title: 'TLS ends at the runners, with a certificate of the Cloudspace',
      judge: through(443, async (endpoint) => {
        const ca = await readAuthority(place.dir);
        if (ca === undefined) return skipped(`its authority's certificate is not in ${place.dir}/ca.crt yet`);
        const answer = await ask(endpoint, 'nothing.invalid', { ca, anyName: true });
        if (answer.status === 404) return passed(`${endpoint.host}:${endpoint.port}`);
        return failed(answer.problem ?? `status ${answer.status} where 404 was expected`, targets);
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
        const services = await swarmOf(await remote()).services();
        const domains = services.flatMap((service) =>
          domainsOf(service).map((domain) => ({ app: service.Spec.Name, domain })),
        );
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
