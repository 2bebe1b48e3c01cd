/** A machine as Ansible and ssh see it. */
export interface Host {
  /** inventory name: bastion, controller, runner-1, services */
  readonly name: string;
  /** inventory groups, one a role: bastion, controller, runners, builders, services */
  readonly groups: readonly string[];
  readonly instanceId: string;
  readonly privateIp: string;
  /** Elastic IP, where it has one */
  readonly publicIp?: string;
  /** login user of the image: `admin` on Debian's own */
  readonly user: string;
  /** "type base64" lines, from the instance's console output; empty: not known yet */
  readonly hostKeys: readonly string[];
  /** where this machine reaches its port 22, when that is not publicIp:22 (practice: a published port on loopback) */
  readonly reach?: { readonly host: string; readonly port: number };
  readonly vars?: Readonly<Record<string, unknown>>;
}
