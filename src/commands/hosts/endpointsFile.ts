import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Output } from '../../engine/types.ts';
import { writeAtomically } from '../../system/files.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Where this machine reaches the Cloudspace from outside, by the port that is meant: `<dir>/endpoints.json`. On AWS the addresses themselves, in practice ports on loopback. */
export interface Endpoints {
  readonly loadBalancer: Readonly<Record<string, Endpoint>>;
  readonly services: Readonly<Record<string, Endpoint>>;
}

const LOAD_BALANCER_PORTS = [80, 443, 2222];
const SERVICES_PORTS = [443];

/** From what is there: a load balancer's name and the services host's Elastic IP. `reach` says where practice publishes a port. */
export function endpointsOf(
  outputs: ReadonlyMap<string, Output>,
  practice: boolean,
  reach: (address: string, port: number) => Endpoint | undefined,
): Endpoints {
  const { dnsName } = (outputs.get('load-balancer') ?? {}) as { dnsName?: string };
  const { publicIp } = (outputs.get('eip-services') ?? {}) as { publicIp?: string };
  const at = (address: string | undefined, ports: readonly number[]): Record<string, Endpoint> =>
    Object.fromEntries(
      ports.flatMap((port): [string, Endpoint][] => {
        if (address === undefined) return [];
        const endpoint = practice ? reach(address, port) : { host: address, port };
        return endpoint ? [[String(port), endpoint]] : [];
      }),
    );
  return { loadBalancer: at(dnsName, LOAD_BALANCER_PORTS), services: at(publicIp, SERVICES_PORTS) };
}

export async function writeEndpoints(dir: string, endpoints: Endpoints): Promise<void> {
  await writeAtomically(join(dir, 'endpoints.json'), `${JSON.stringify(endpoints, null, 1)}\n`);
}

/** As the last run wrote them; empty when there is no such file yet. */
export async function readEndpoints(dir: string): Promise<Endpoints> {
  try {
    return JSON.parse(await readFile(join(dir, 'endpoints.json'), 'utf8')) as Endpoints;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { loadBalancer: {}, services: {} };
    throw error;
  }
}

/** The address for a browser: the port only where it is not the usual one. */
export function urlOf(scheme: 'http' | 'https', domain: string, endpoint: Endpoint): string {
  const usual = scheme === 'http' ? 80 : 443;
  return `${scheme}://${domain}${endpoint.port === usual ? '' : `:${endpoint.port}`}/`;
}
