import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from './context.ts';
import { needHosts } from './hosts/hostsFile.ts';
import { locateExisting } from './session/places.ts';

/** `cloudspace ssh-config`: the file that our own ssh and Ansible use. With `--json` the path, the hosts and the text as one document. */
export async function run(context: Context): Promise<number> {
  const { dir, name } = await locateExisting(context);
  const hosts = await needHosts(dir, name);
  const path = join(dir, 'ssh_config');
  const text = await readFile(path, 'utf8');
  context.print(
    context.options.json
      ? `${JSON.stringify({ name, path, hosts: hosts.map((host) => host.name), text }, null, 2)}\n`
      : text,
  );
  return 0;
}
