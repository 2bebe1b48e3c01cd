import type { ChapterId } from '../engine/types.ts';

/** A question to a host: a shell command, and what its output has to be. */
export interface Probe {
  readonly chapter: ChapterId;
  readonly key: string;
  readonly title: string;
  /** the host's name, or `runner` for each runner */
  readonly role: string;
  readonly command: string;
  readonly expect: RegExp;
  readonly hint: string;
}

/** Which hosts a chapter adds: those that are asked over SSH at its end. */
export const CHAPTER_HOSTS: Readonly<Partial<Record<ChapterId, string>>> = {
  bastion: 'bastion',
  controller: 'controller',
  runners: 'runner',
  services: 'services',
};

const active = (unit: string): string => `systemctl is-active ${unit}`;
const ACTIVE = /^active$/m;
const AS_HOST =
  '--cacert /etc/cloudspace/ca.crt --cert /etc/cloudspace/tls/host.crt --key /etc/cloudspace/tls/host.key';
const STATUS = "curl --silent --output /dev/null --max-time 5 --write-out '%{http_code}'";

/** What runs on the hosts when the reference deployment repository set them up. */
export const PROBES: readonly Probe[] = [
  {
    chapter: 'bastion',
    key: 'passwords',
    title: 'sshd takes keys only',
    role: 'bastion',
    command: "sudo sshd -T | grep -i '^passwordauthentication'",
    expect: /^passwordauthentication no$/im,
    hint: 'provision it again: run the walkthrough again',
  },
  {
    chapter: 'controller',
    key: 'swarm',
    title: 'Docker runs and manages the Swarm',
    role: 'controller',
    command: "sudo docker info --format '{{.Swarm.ControlAvailable}}'",
    expect: /^true$/m,
    hint: 'look: cloudspace ssh controller -- systemctl status docker',
  },
  {
    chapter: 'controller',
    key: 'registry',
    title: 'The image registry answers',
    role: 'controller',
    command: `sudo ${STATUS} ${AS_HOST} https://controller:5000/v2/`,
    expect: /^200$/m,
    hint: 'look: cloudspace ssh controller -- systemctl status docker-registry',
  },
  {
    chapter: 'controller',
    key: 'routes',
    title: 'The route store answers',
    role: 'controller',
    command: 'sudo cloudspace-redis ping',
    expect: /^PONG$/m,
    hint: 'look: cloudspace ssh controller -- systemctl status redis-server',
  },
  {
    chapter: 'controller',
    key: 'publisher',
    title: 'The route publisher runs',
    role: 'controller',
    command: active('cloudspace-routes'),
    expect: ACTIVE,
    hint: 'look: cloudspace ssh controller -- journalctl -u cloudspace-routes -n 20',
  },
  {
    chapter: 'runners',
    key: 'docker',
    title: 'Docker runs, as a member of the Swarm',
    role: 'runner',
    command: "sudo docker info --format '{{.Swarm.LocalNodeState}}'",
    expect: /^active$/m,
    hint: 'provision it again: it then joins by itself',
  },
  {
    chapter: 'runners',
    key: 'members',
    title: 'The controller counts on all runners',
    role: 'controller',
    command: "sudo docker node ls --filter role=worker --format '{{.Hostname}} {{.Status}}'; echo end",
    // No runner is Down, and one at least is Ready.
    expect: /^(?![\s\S]*\bDown\b)[\s\S]*\bReady\b/,
    hint: 'look: cloudspace ssh controller -- sudo docker node ls',
  },
  {
    chapter: 'ingress',
    key: 'nginx',
    title: 'The ingress software runs',
    role: 'runner',
    command: active('nginx'),
    expect: ACTIVE,
    hint: 'look: cloudspace ssh runner-1 -- systemctl status nginx',
  },
  {
    chapter: 'ingress',
    key: 'health',
    title: 'It can route (port 79)',
    role: 'runner',
    command: `${STATUS} http://127.0.0.1:79/`,
    expect: /^200$/m,
    hint: 'it knows no routes: does it reach Redis on the controller? cloudspace ssh runner-1 -- sudo tail /var/log/nginx/error.log',
  },
  {
    chapter: 'services',
    key: 'api',
    title: 'The services API answers on its host',
    role: 'services',
    command: `${STATUS} --cacert /etc/cloudspace/ca.crt https://services/v2/catalog`,
    // Without a token it refuses: that is an answer.
    expect: /^401$/m,
    hint: 'look: cloudspace ssh services -- systemctl status cloudspace-services-api',
  },
];
