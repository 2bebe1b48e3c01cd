import type { Host } from '../ansible/types.ts';
import type { Output } from '../engine/types.ts';
import type { Config } from './config.ts';

/** Login user of Debian's official images. */
const USER = 'admin';

/** Keys of the runners: runner-1 … runner-N, alternating between the two zones. */
export function runnerKeys(config: Pick<Config, 'runners'>): string[] {
  return Array.from({ length: config.runners }, (_, index) => `runner-${index + 1}`);
}

/** The hosts whose instances are there, with their inventory groups. In a small Cloudspace every runner may build (the guide's chapter 4). */
export function hostsOf(
  config: Pick<Config, 'runners'>,
  outputs: ReadonlyMap<string, Output>,
): Omit<Host, 'hostKeys' | 'reach'>[] {
  const roles: readonly [key: string, groups: readonly string[]][] = [
    ['bastion', ['bastion']],
    ['controller', ['controller']],
    ...runnerKeys(config).map((key): [string, string[]] => [key, ['runners', 'builders']]),
    ['services', ['services']],
  ];
  return roles.flatMap(([key, groups]) => {
    const instance = outputs.get(key) as (Output & { privateIp?: string }) | undefined;
    if (!instance?.privateIp) return [];
    const address = outputs.get(`eip-${key}`) as (Output & { publicIp?: string }) | undefined;
    const publicIp = address?.publicIp === undefined ? {} : { publicIp: address.publicIp };
    return [{ name: key, groups, instanceId: instance.id, privateIp: instance.privateIp, user: USER, ...publicIp }];
  });
}
