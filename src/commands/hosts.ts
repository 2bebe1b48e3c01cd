import { fingerprint } from '../ansible/hostKeys.ts';
import type { Context } from './context.ts';
import { needHosts } from './hosts/hostsFile.ts';
import { locateExisting } from './session/places.ts';

/** `cloudspace hosts`: the hosts that can be reached, with their pinned host keys. */
export async function run(context: Context): Promise<number> {
  const { dir, name } = await locateExisting(context);
  const hosts = (await needHosts(dir, name)).map((host) => ({
    name: host.name,
    instanceId: host.instanceId,
    privateIp: host.privateIp,
    publicIp: host.publicIp ?? null,
    groups: host.groups,
    hostKeys: host.hostKeys.map(fingerprint),
  }));
  if (context.options.json) {
    context.print(`${JSON.stringify(hosts, null, 2)}\n`);
    return 0;
  }
  const width = Math.max(...hosts.map((host) => host.name.length));
  for (const host of hosts) {
    const address = host.publicIp === null ? host.privateIp : `${host.privateIp}, ${host.publicIp}`;
    const lines = [
      `${host.name.padEnd(width)}  ${host.instanceId}  ${address}`,
      ...host.hostKeys.map((key) => `  ${key}`),
    ];
    context.print(`${lines.join('\n')}\n`);
  }
  return 0;
}
