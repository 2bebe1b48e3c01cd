import { resolve } from 'node:path';
import type { Vault } from '../../ansible/vault.ts';
import type { Aws, AwsRequest } from '../../aws/clients.ts';
import type { Credentials, Identity } from '../../aws/credentials.ts';
import type { DnsCloud } from '../../dns/record.ts';
import { acquireLock, type Lock } from '../../engine/lock.ts';
import { type Ui, usageError } from '../../engine/types.ts';
import type { RabbitmqCloud } from '../../rabbitmq/kinds.ts';
import type { SecretRef } from '../../secrets/reference.ts';
import { DEFAULTS, teamNumber } from '../../steps/config.ts';
import type { Context } from '../context.ts';
import {
  openPracticeCloud,
  type PracticeCloud,
  type PracticeSettings,
  practiceSettings,
} from '../practice/practiceCloud.ts';
import { type DnsConnection, openDns } from '../systems/dns.ts';
import { openRabbitmq, type RabbitmqConnection } from '../systems/rabbitmq.ts';
import { secretsOf } from '../systems/secrets.ts';
import { commandAgain } from './again.ts';
import { configuredKey } from './awsKey.ts';
import { type Connection, type ConnectOptions, connectAs } from './connection.ts';
import { leaves, readNotes } from './noted.ts';
import { openOwnVault } from './ownVault.ts';
import { locate, type Place } from './places.ts';

/** One command's connection to one Cloudspace: who it works as, where, and what it keeps. */
export interface Session extends Place {
  readonly practice: PracticeCloud | undefined;
  readonly settings: PracticeSettings;
  /** all clients that the kinds need, those of DNS and RabbitMQ too */
  readonly aws: Aws & DnsCloud & RabbitmqCloud;
  readonly dns: DnsConnection;
  readonly rabbitmq: RabbitmqConnection;
  readonly credentials: Credentials;
  readonly rehearse: Connection['rehearse'];
  readonly region: string;
  readonly account: string;
  /** ARN of who we are */
  readonly identity: string;
  readonly roleArn: string | undefined;
  readonly profile: string | undefined;
  /** an emulator's; undefined for AWS and practice */
  readonly endpointUrl: string | undefined;
  /** scales every wait between polls */
  readonly pace: number;
  readonly vault: Vault;
  readonly requests: readonly AwsRequest[];
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly practice: boolean;
  /** for the lock's message */
  readonly command: string;
  /** only looks: takes no lock, its clients refuse every mutation, practice hosts are left alone */
  readonly look?: boolean;
  /** the caller holds the lock already */
  readonly locked?: boolean;
  readonly settings?: PracticeSettings;
  /** a teardown: what neither the state nor cloudspace.yaml says of systems beside AWS is looked for in the VPC's tags */
  readonly notes?: boolean;
  /** interactive login: sees who we are, and may answer with a role to assume */
  readonly chooseRole?: (identity: Identity, suggested: string | undefined) => Promise<string | undefined>;
}

/**
 * Opens the session: the place, the lock, the practice cloud or AWS, the identity, and the pin: a state of another account or region stops
 * here, before anything happens.
 */
export async function openSession(context: Context, how: SessionOptions): Promise<Session> {
  const { options, ui, signal } = context;
  const settings = how.settings ?? practiceSettings(options);
  if (options.roleArn !== undefined) checkRoleArn(options.roleArn);
  const wait = credentialsWait(options);
  const place = await locate(context, how.practice);
  const lock: Lock = how.look || how.locked ? { release() {} } : acquireLock(place.dir, how.command);
  const closers: (() => Promise<void> | void)[] = [() => lock.release()];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const login = await import('../../aws/credentials.ts');
    const saved = place.state?.answers ?? {};
    const profile = options.profile ?? text(saved.profile);
    const region = how.practice
      ? (options.region ?? place.state?.region ?? DEFAULTS.region)
      : ((await login.resolveRegion({ region: options.region, profile }))?.value ??
        place.state?.region ??
        (await askRegion(ui)));
    const practice = how.practice
      ? await openPracticeCloud(place.dir, place.name, settings, ui, { look: how.look === true, region })
      : undefined;
    if (practice) closers.push(() => practice.close());
    const endpointUrl =
      practice?.endpoint ??
      (await login.resolveEndpoint({ endpointUrl: options.endpointUrl, profile }))?.value ??
      text(saved.endpointUrl);
    const vault = await openOwnVault(context, place.dir);
    closers.push(() => vault.close());
    const configured = practice ? undefined : configuredKey(context);
    const requests: AwsRequest[] = [];

    const terms: ConnectOptions = {
      context,
      name: place.name,
      resume: `\`${commandAgain(options, how.command, place.name)}\``,
      wait,
      profile,
      region,
      endpointUrl,
      base: practice?.credentials ?? configured,
      readOnly: how.look === true,
      vault,
      requests,
      waitScale: practice ? Math.min(1, 1 / settings.speed) : undefined,
      onClose: (closer) => closers.push(closer),
    };
    let as = await connectAs(knownRole(context, place, how, login.roleArn), terms);
    const decided = options.roleArn !== undefined || options.account !== undefined || place.state !== undefined;
    if (how.chooseRole && !decided) {
      const suggested = how.practice ? practiceRole(teamNumber(place.name, options.team), login.roleArn) : undefined;
      const chosen = await how.chooseRole(as.identity, suggested);
      if (chosen !== as.roleArn) as = await connectAs(chosen, terms);
    }
    pin(place, as.identity.account, region);
    as.credentials.pin(as.identity.account);
    // Systems beside AWS: practice has names of its own (*.localhost), and uses nobody's server unless that is said.
    const beside = {
      name: place.name,
      account: as.identity.account,
      aws: as.aws,
      options: how.practice && !usesSystems(options) ? {} : options,
      state: place.state,
      readSecret: (ref: SecretRef, secret: string) => secretsOf(context).read(ref, secret),
      readOnly: how.look === true,
      signal,
    };
    const noted = how.notes ? await readNotes(as.aws, place) : {};
    const dns = openDns({ ...beside, noted: noted.dns, leave: leaves(options, 'dns') });
    const rabbitmq = openRabbitmq({ ...beside, noted: noted.rabbitmq, leave: leaves(options, 'rabbitmq') });
    return {
      ...place,
      practice,
      settings,
      aws: Object.assign(as.aws, { dns: dns.clients, rabbitmq: rabbitmq.clients }),
      dns,
      rabbitmq,
      credentials: as.credentials,
      rehearse: as.rehearse,
      region,
      account: as.identity.account,
      identity: as.identity.arn,
      roleArn: as.roleArn,
      profile,
      endpointUrl: practice ? undefined : endpointUrl,
      pace: practice ? paceOf(settings) : 1,
      vault,
      requests,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** With hosts in containers a poll sooner than this finds nothing new. */
const FASTEST_PACE_WITH_HOSTS = 0.2;

function paceOf({ hosts, speed }: PracticeSettings): number {
  return hosts === 'containers' ? Math.max(FASTEST_PACE_WITH_HOSTS, 1 / speed) : 1 / speed;
}

/**
 * The role to begin with: a flag's, the saved one, or, unattended in practice, that of the team's sub-account. Who is asked begins as the
 * person of the chain, as in the guide.
 */
function knownRole(
  { options }: Context,
  { state, name }: Place,
  how: SessionOptions,
  inAccount: (account: string) => string,
): string | undefined {
  if (options.roleArn !== undefined) return options.roleArn;
  if (options.account !== undefined) return inAccount(options.account);
  if (state) return text(state.answers.roleArn);
  return how.practice && !how.chooseRole ? practiceRole(teamNumber(name, options.team), inAccount) : undefined;
}

/** The practice organisation has sub-accounts for the teams 0 to 9 (src/practice/README.md); others work in its management account. */
function practiceRole(team: number, inAccount: (account: string) => string): string | undefined {
  return team <= 9 ? inAccount(`10000000010${team}`) : undefined;
}

/** Seconds that an unattended run waits for new credentials (--credentials-wait, default ten minutes). Throws a usage error. */
function credentialsWait({ credentialsWait: given = '600' }: Context['options']): number {
  const seconds = Number(given);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400) return seconds;
  throw usageError(`"${given}" is not a number of seconds from 0 to 86400`, 'for example --credentials-wait 600');
}

function checkRoleArn(arn: string): void {
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(arn))
    throw usageError(
      `"${arn}" is not the ARN of a role`,
      'it looks like arn:aws:iam::123456789012:role/OrganizationAccountAccessRole',
    );
}

/** Does practice use the systems beside AWS that the configuration names? They are servers of somebody's, so it has to be said. */
export const usesSystems = (options: Context['options']): boolean => options.settings?.practiceSystems === true;

/** Throws when the state belongs to another account or region. */
function pin({ state, name, dir }: Place, account: string, region: string): void {
  if (!state) return;
  if (state.account !== account)
    throw usageError(
      `"${name}" belongs to account ${state.account}, and these credentials are of account ${account}`,
      `use credentials of ${state.account} (--profile, --account), or another --name; the state is ${dir}/state.json`,
      'OtherAccount',
    );
  if (state.region !== region)
    throw usageError(
      `"${name}" belongs to region ${state.region}, not ${region}`,
      `give --region ${state.region}, or another --name`,
      'OtherRegion',
    );
}

async function askRegion(ui: Ui): Promise<string> {
  return ui.ask({
    kind: 'input',
    id: 'region',
    flag: '--region',
    message: 'Which AWS region?',
    default: DEFAULTS.region,
    validate: (answer) => /^[a-z]{2}(-[a-z]+)+-\d$/.test(answer) || 'a region looks like eu-central-1',
  });
}

/** The deployment repository: the flag's, the saved one, or the one that comes with cloudspace. */
export async function deploymentDir(options: Context['options'], saved: unknown): Promise<string> {
  const chosen = options.deployment ?? text(saved);
  if (chosen !== undefined) return resolve(chosen);
  return (await import('../../ansible/paths.ts')).referenceDeployment();
}

/** The names say what they are: `…_fernet_key` is a key for Fernet, everything else a password of 64 characters. */
export async function generateSecrets(session: Session, names: readonly string[]): Promise<void> {
  const { fernetKey, password } = await import('../../ansible/vault.ts');
  await session.vault.ensure(
    Object.fromEntries(names.map((name) => [name, name.endsWith('_fernet_key') ? fernetKey : password])),
  );
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
