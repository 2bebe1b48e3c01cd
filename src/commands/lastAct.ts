import { lookup } from 'node:dns/promises';
import { join } from 'node:path';
import { packageRoot } from '../ansible/paths.ts';
import { type Ui, usageError } from '../engine/types.ts';
import { type Deployed, deploy, describe, type ProvideDatabase } from './deploy.ts';
import { readEndpoints } from './endpointsFile.ts';
import type { Place } from './places.ts';

/** The sample application that comes with the product. */
export const SAMPLE = 'hello';

export interface LastActOptions {
  readonly place: Place;
  readonly practice: boolean;
  readonly database: ProvideDatabase;
  readonly ui: Ui;
  readonly signal: AbortSignal;
}

/** The guide's end: the sample application with a database of its own, at a name that needs no DNS of yours. Throws as `deploy` does. */
export async function lastAct(options: LastActOptions): Promise<Deployed> {
  const { place, practice, ui, signal } = options;
  const folder = join(packageRoot(), 'examples', SAMPLE);
  const deployed = await deploy({
    place,
    practice,
    wanted: {
      folder,
      app: SAMPLE,
      domains: [await sampleDomain(place, practice)],
      replicas: undefined,
      service: 'postgres',
      // Its certificate is the Cloudspace's own, which no browser knows yet.
      http: 'serve',
      port: undefined,
    },
    database: options.database,
    notify: (event) => ui.notify(event),
    signal,
  });
  ui.notify({ type: 'info', text: describe(deployed, place) });
  return deployed;
}

/** `hello.localhost` leads every browser to this machine; on AWS, sslip.io answers with the address that is in the name. */
async function sampleDomain(place: Place, practice: boolean): Promise<string> {
  if (practice) return `${SAMPLE}.localhost`;
  const endpoint = (await readEndpoints(place.dir)).loadBalancer['80'];
  if (!endpoint) throw usageError('there is no load balancer yet', 'go on with the walkthrough: chapter "ingress"');
  const { address } = await lookup(endpoint.host, { family: 4 });
  return `${SAMPLE}.${address.replaceAll('.', '-')}.sslip.io`;
}
