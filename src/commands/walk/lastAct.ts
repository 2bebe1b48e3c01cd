import { join } from 'node:path';
import { packageRoot } from '../../ansible/paths.ts';
import type { State } from '../../engine/journal.ts';
import type { Ui } from '../../engine/types.ts';
import { type Deployed, deploy, describe, type ProvideDatabase } from '../deploy.ts';
import type { Place } from '../session/places.ts';
import { domainOfApplications } from '../systems/domains.ts';

/** The sample application that comes with the product. */
const SAMPLE = 'hello';

export interface LastActOptions {
  readonly place: Place & { readonly state: State };
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
      domains: [`${SAMPLE}.${await domainOfApplications(place)}`],
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
