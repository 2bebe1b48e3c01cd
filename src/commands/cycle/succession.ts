import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeSshFiles } from '../../ansible/sshConfig.ts';
import type { Host } from '../../ansible/types.ts';
import type { InstanceOutput } from '../../aws/resources/instance.ts';
import type { Journal } from '../../engine/journal.ts';
import { type Action, CloudspaceError, type Output, type Play } from '../../engine/types.ts';
import { childEnvironment } from '../../system/environment.ts';
import { swarmOf } from '../applications/swarm.ts';
import { readHosts, sshOptions } from '../hosts/hostsFile.ts';
import { quote, type Remote, remoteOver } from '../hosts/remote.ts';
import type { Session } from '../session/session.ts';
import type { ProvisionMore } from '../walk/provision.ts';
import type { WalkRun } from '../walk/walkRun.ts';
import { domainsInUse, moveApplications, nodeAt, removeNode } from './moveApplications.ts';
import { retire, retiringName, terminate } from './retire.ts';
import { deregister, untilHealthy } from './targets.ts';

export interface Tools {
  readonly session: Session;
  readonly journal: Journal;
  readonly signal: AbortSignal;
  /** a fresh look at everything, and the run that makes what is missing */
  readonly open: () => Promise<WalkRun>;
  readonly tell: (text: string) => void;
}

/**
 * Replaces one host by a new instance, the new one in service before the old one goes. Every part looks first: called again after an interruption it
 * goes on with what is there. Gives what is there now.
 */
export async function replaceHost(tools: Tools, key: string): Promise<ReadonlyMap<string, Output>> {
  const { session, journal, signal, tell } = tools;
  tell('making its successor');
  const old = await retire(session, journal, key);
  const walk = await tools.open();
  // What hung on the old instance is to follow the new one.
  walk.run.accept(walk.list.resources.map((resource) => resource.key));
  await walk.run.do(walk.list.chapters.flatMap(({ steps }) => steps.flatMap(({ actions }) => actions.filter(isThing))));
  await walk.run.settled();
  const succession: Succession = { ...tools, key, old, walk };
  if (key === 'controller') await replaceController(succession);
  else if (key === 'services') await replaceServices(succession);
  else if (key === 'bastion') await replaceBastion(succession);
  else await replaceRunner(succession);
  tell('ending the old one');
  await terminate(session, journal, old, signal);
  return walk.run.outputs;
}

interface Succession extends Tools {
  readonly key: string;
  readonly old: InstanceOutput;
  readonly walk: WalkRun;
}

/** The bastion: its address has moved to the new one already; the others are told its private one. */
async function replaceBastion(of: Succession): Promise<void> {
  await play(of, 'play-bastion', { always: true });
  await play(of, 'play-connect', { always: true });
}

/** A runner: new one healthy behind the load balancer, applications moved one container after another, then the old one leaves. */
async function replaceRunner(of: Succession): Promise<void> {
  const { session, walk, old, key, signal, tell } = of;
  await play(of, 'play-runners');
  await play(of, 'play-connect');
  tell('waiting until the load balancer sends it traffic');
  await untilHealthy(session, walk.run.outputs, walk.run.outputs.get(key)?.id ?? '', signal);
  const remote = await openBoth(of);
  const swarm = swarmOf(remote);
  const node = await nodeAt(swarm, old.privateIp);
  if (node) {
    tell('moving applications to it');
    await moveApplications({ swarm, nodeId: node.ID, signal, tell });
  }
  tell('taking the old one out of the load balancer');
  await deregister(session, walk.run.outputs, old.id, signal);
  // Answers what was asked, closes what is idle (nginx's QUIT), and takes nothing new.
  await remote.run(retiringName(key), 'sudo systemctl stop nginx', { timeout: 60 });
  if (node) await removeNode(swarm, node.ID);
}

/**
 * The controller: its successor inherits the authority, joins the Swarm as second manager, and gets images and certificates; then all hosts
 * learn its address, and the old one leaves the Swarm. Routes are made from the Swarm. Runners go on with the routes they know meanwhile.
 */
async function replaceController(of: Succession): Promise<void> {
  const { old, key, tell } = of;
  let remote = await openBoth(of);
  const before = retiringName(key);
  const there = await remote.run(before, 'sudo docker info --format {{.Swarm.ControlAvailable}}');
  if (there.stdout.trim() === 'true') {
    const from = (command: string): Promise<string> => remote.must(before, command, 'reading what its successor needs');
    await play(of, 'play-controller', {
      always: true,
      extraVars: {
        certificate_authority_inherited: {
          key: await from('sudo cat /etc/cloudspace/authority/ca.key'),
          certificate: await from('sudo cat /etc/cloudspace/authority/ca.crt'),
        },
        app_controller_join: {
          address: `${old.privateIp}:2377`,
          token: (await from('sudo docker swarm join-token --quiet manager')).trim(),
        },
      },
    });
    remote = await openBoth(of);
    tell('copying images and certificates');
    await copyBetween(remote, before, key, '/var/lib/docker-registry');
    await copyBetween(remote, before, key, '/etc/cloudspace/tls/domains');
    const files = await remote.must(key, 'sudo ls /etc/cloudspace/tls/domains', 'looking for certificates');
    const domains = files.split('\n').flatMap((file) => /^(.+)\.crt$/.exec(file)?.[1] ?? []);
    if (domains.length > 0)
      await remote.must(
        key,
        `sudo /usr/local/sbin/cloudspace-certificate ${domains.map(quote).join(' ')}`,
        'publishing certificates',
      );
    await routesThere(of, remote);
  }
  await play(of, 'play-runners', { always: true });
  await play(of, 'play-connect', { always: true });
  tell('taking the old manager out of the Swarm');
  const swarm = swarmOf(remote);
  const node = await nodeAt(swarm, old.privateIp);
  if (node) {
    await remote.must(key, `sudo docker node demote ${node.ID}`, 'taking the old manager out of the Swarm');
    await remote.run(before, 'sudo docker swarm leave --force');
    await removeNode(swarm, node.ID);
  }
}

/** The services host: its queues and backups move while both stand still for a moment; its records are in the database. */
async function replaceServices(of: Succession): Promise<void> {
  const { key, tell } = of;
  await play(of, 'play-services', { always: true });
  const remote = await openBoth(of);
  const before = retiringName(key);
  const units = 'services-api rabbitmq-server';
  tell('moving queues and backups');
  // A second time the old host has stopped already, and what it has is still whole.
  await remote.must(before, `sudo systemctl stop ${units}`, 'stopping the old services');
  await remote.must(key, `sudo systemctl stop ${units}`, 'stopping the new services');
  await copyBetween(remote, before, key, '/var/lib/rabbitmq');
  await copyBetween(remote, before, key, '/var/lib/services-api');
  await remote.must(key, 'sudo systemctl start rabbitmq-server services-api', 'starting the new services', {
    timeout: 300,
  });
  await play(of, 'play-services', { always: true });
  await play(of, 'play-connect', { always: true });
}

async function play({ walk }: Succession, key: string, more?: ProvisionMore): Promise<void> {
  const found = walk.list.plays.find((one): one is Play => one.key === key);
  if (found) await walk.provision(found, more);
}

function isThing(action: Action): boolean {
  return 'resource' in action;
}

/** The way to all hosts and to the one that is to go, in an ssh_config of its own. */
async function openBoth({ session, journal, key, old, signal }: Succession): Promise<Remote> {
  const hosts = await readHosts(session.dir);
  const user = hosts[0]?.user ?? 'admin';
  const retiring: Host = {
    name: retiringName(key),
    groups: [],
    instanceId: old.id,
    privateIp: old.privateIp,
    user,
    hostKeys: journal.state.hostKeys[old.id] ?? [],
  };
  const all = [...hosts, retiring];
  const { sshConfig } = await writeSshFiles(join(session.dir, 'cycle'), all, sshOptions(session.name, journal.state));
  return remoteOver(sshConfig, all, signal);
}

/** Copies a folder with its owners' names from one host to another, through this machine and encrypted all the way. Nothing is kept here. */
async function copyBetween({ sshConfig }: Remote, from: string, to: string, folder: string): Promise<void> {
  const env = childEnvironment({ SSH_ASKPASS_REQUIRE: 'never' });
  const ssh = (host: string, command: string) => ['-F', sshConfig, '-o', 'BatchMode=yes', '-T', host, '--', command];
  const read = spawn('ssh', ssh(from, `sudo tar -C ${folder} -czf - .`), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const write = spawn('ssh', ssh(to, `sudo mkdir -p ${folder} && sudo tar -C ${folder} -xzf -`), {
    env,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const said: string[] = [];
  for (const { stderr } of [read, write]) stderr.on('data', (chunk) => said.push(String(chunk)));
  const ended = [read, write].map(
    (child) =>
      new Promise<number>((resolve) => {
        child.once('error', () => resolve(127));
        child.once('close', (code) => resolve(code ?? 1));
      }),
  );
  await pipeline(read.stdout, write.stdin).catch(() => {});
  const codes = await Promise.all(ended);
  if (codes.some((code) => code !== 0))
    throw new CloudspaceError(`cannot copy ${folder} from ${from} to ${to}: ${said.join('').trim()}`, {
      code: 'CopyFailed',
      hint: 'run the same command again: it goes on here',
    });
}

/** Waits until the new controller's publisher has written a route for every domain: only then may runners ask it. */
async function routesThere({ signal }: Succession, remote: Remote): Promise<void> {
  const wanted = await domainsInUse(swarmOf(remote));
  for (let look = 0; ; look++) {
    const have = (await remote.run('controller', 'sudo cloudspace-redis smembers routes')).stdout.split('\n');
    const missing = wanted.filter((domain) => !have.includes(domain));
    if (missing.length === 0) return;
    if (look > 60)
      throw new CloudspaceError(`the new controller has no route for ${missing.join(', ')}`, {
        code: 'NoRoutes',
        hint: 'look there: cloudspace ssh controller -- journalctl -u cloudspace-routes; then run the same command again',
      });
    await sleep(1000, undefined, { signal });
  }
}
