import { usageError } from '../../engine/types.ts';
import { type Rabbitmq, rabbitmq } from '../../rabbitmq/client.ts';
import { lookAtRabbitmq, type RabbitmqConfig, refuseTakenNames } from '../../rabbitmq/settings.ts';
import { parseName, parseReference, referenceText } from '../../secrets/reference.ts';
import { once } from '../once.ts';
import type { Beside } from './beside.ts';

/** The existing RabbitMQ server of one session. Nothing is sent, and no secret read, before it is needed. */
export interface RabbitmqConnection {
  /** what the steps are told; undefined: none is configured. Throws when the server cannot be used. */
  config(): Promise<RabbitmqConfig | undefined>;
  /** for the kinds */
  clients(): Promise<{ readonly server: Rabbitmq; readonly account: string } | undefined>;
  /** Throws when a name that is needed is somebody else's. */
  check(): Promise<void>;
  readonly saved: SavedRabbitmq | undefined;
  /** a teardown's: where nothing but the VPC's tags says it, the address that they give */
  readonly noted: string | undefined;
  /** what `destroy --leave rabbitmq` leaves: the server's address */
  readonly left: string | undefined;
}

/** Part of the state's answers: references, no secrets. Destroy finds the server by them. */
export interface SavedRabbitmq extends RabbitmqConfig {
  readonly administrator: string;
  readonly password: string;
}

/** This Cloudspace's part of an existing RabbitMQ server, and the connection to it. Asks nobody before it is used. */
export function openRabbitmq(how: Beside<string>): RabbitmqConnection {
  const { name, account, state, readSecret } = how;
  const saved = (state?.answers.rabbitmq ?? undefined) as SavedRabbitmq | undefined;
  const given = how.options.settings?.rabbitmq;
  const made = Object.keys(state?.resources ?? {}).filter((key) => key.startsWith('rabbitmq-'));
  if (!how.leave && saved && given && given.managementUrl !== saved.managementUrl && made.length > 0)
    throw usageError(
      `the virtual hosts are on ${saved.managementUrl}, not on ${given.managementUrl}`,
      'leave rabbitmq.management-url as it was; to change it take the Cloudspace down to the bastion first: cloudspace destroy --to bastion',
      'OtherRabbitmq',
    );
  const said = given
    ? {
        managementUrl: given.managementUrl,
        administrator: referenceText(given.administrator),
        password: referenceText(given.password),
      }
    : saved;
  const noted = said === undefined ? how.noted : undefined;
  // Its name and password are asked for: a person sees first which server gets them. Unattended that is an error.
  const all =
    said ?? (noted === undefined ? undefined : { managementUrl: noted, administrator: 'prompt', password: 'prompt' });
  const use = how.leave ? undefined : all;
  let found: SavedRabbitmq | undefined;

  const server = once(async (): Promise<Rabbitmq | undefined> => {
    if (!use) return undefined;
    return rabbitmq({
      managementUrl: use.managementUrl,
      administrator: await readSecret(parseName(use.administrator), 'rabbitmq.administrator'),
      password: await readSecret(parseReference(use.password), 'rabbitmq.password'),
      readOnly: how.readOnly,
      signal: how.signal,
    });
  });

  const config = once(async (): Promise<RabbitmqConfig | undefined> => {
    const connected = await server();
    if (!use || !connected) return undefined;
    const looked = await lookAtRabbitmq(connected, use.managementUrl);
    found = { ...looked, administrator: use.administrator, password: use.password };
    return looked;
  });

  return {
    config,
    async clients() {
      const connected = await server();
      return connected && { server: connected, account };
    },
    async check() {
      const connected = await server();
      if (connected) await refuseTakenNames(connected, { name, account });
    },
    get saved() {
      return found;
    },
    noted,
    left: how.leave ? all?.managementUrl : undefined,
  };
}
