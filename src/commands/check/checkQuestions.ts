import { join } from 'node:path';
import { GetConsoleOutputCommand } from '@aws-sdk/client-ec2';
import { whyUnreachable } from '../../ansible/connections.ts';
import { type KeyChange, keyChange, parseConsoleHostKeys } from '../../ansible/hostKeys.ts';
import { writeSshFiles } from '../../ansible/sshConfig.ts';
import type { Host } from '../../ansible/types.ts';
import type { Aws } from '../../aws/clients.ts';
import { API_CHECKS, named } from '../../checks/api.ts';
import { type Facts, gatherFacts } from '../../checks/facts.ts';
import { CHAPTER_HOSTS, PROBES, type Probe } from '../../checks/hosts.ts';
import type { Question } from '../../checks/run.ts';
import { failed, passed, skipped, type Verdict } from '../../checks/types.ts';
import { CHAPTERS } from '../../engine/types.ts';
import type { Endpoints } from '../hosts/endpointsFile.ts';
import { readHosts, sshOptions } from '../hosts/hostsFile.ts';
import { lastLines, type Remote, remoteOver } from '../hosts/remote.ts';
import type { Place } from '../session/places.ts';
import type { DnsConnection } from '../systems/dns.ts';
import { nameQuestions } from './checkNames.ts';
import { httpQuestions } from './checkOutside.ts';

export interface Checked {
  readonly place: Place;
  readonly aws: Aws;
  readonly account: string;
  readonly practice: boolean;
  readonly endpoints: Endpoints;
  readonly dns: Pick<DnsConnection, 'wanted' | 'clients'>;
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
  const names = nameQuestions(checked, facts);
  if (checked.withoutHosts !== undefined) {
    const why = checked.withoutHosts;
    const rest = CHAPTERS.filter((chapter) => chapter !== 'login' && chapter !== 'vpc').map(
      (chapter): Question => ({ chapter, layer: 'ssh', key: 'hosts', title: 'The hosts', judge: () => skipped(why) }),
    );
    return [...api, ...names, ...rest];
  }
  let way: Promise<Remote> | undefined;
  const remote = (): Promise<Remote> => {
    way ??= facts().then((found) => wayTo(checked, found));
    return way;
  };
  return [
    ...api,
    ...names,
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

export type Ask<T> = () => Promise<T>;

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
