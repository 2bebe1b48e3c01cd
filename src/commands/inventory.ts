import { join } from 'node:path';
import { inventory } from '../ansible/inventory.ts';
import { usageError } from '../engine/types.ts';
import type { Context } from './context.ts';
import { needHosts } from './hosts/hostsFile.ts';
import { locateExisting } from './session/places.ts';

/** `cloudspace inventory --list`: Ansible's dynamic inventory (script interface: JSON with `_meta`). Always JSON. */
export async function run(context: Context): Promise<number> {
  if (!context.options.list && !context.options.json)
    throw usageError('say what to show', 'cloudspace inventory --list');
  const { dir, name } = await locateExisting(context);
  const hosts = await needHosts(dir, name);
  context.print(`${JSON.stringify(inventory(hosts, { sshConfig: join(dir, 'ssh_config') }), null, 2)}\n`);
  return 0;
}
