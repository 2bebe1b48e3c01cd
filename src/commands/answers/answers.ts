import { architectureOf, imageOf, lastExpiringCa, latestPostgres, newestDebian, twoZones } from '../../aws/lookups.ts';
import { type Ui, usageError } from '../../engine/types.ts';
import { LAPTOP_ADDRESS } from '../../practice/hosts/types.ts';
import { type Config, checkRunners, checkSshFrom, checkVpcCidr, DEFAULTS, teamNumber } from '../../steps/config.ts';
import type { Context, Options } from '../context.ts';
import type { Session } from '../session/session.ts';
import { wantedDns } from '../systems/dns.ts';
import { isLoopback, ownAddress } from './ownAddress.ts';
import { chooseKey, keyFromAgent, keyFromFile, type SshKey } from './sshKey.ts';

export interface Answers {
  readonly config: Config;
  readonly identityFile: string | undefined;
  readonly provision: 'ansible' | 'skip';
  /** what could not be found out without asking (dry run only) */
  readonly notes: readonly string[];
  /** what is saved with the state, so that it is not asked or looked up again */
  readonly saved: Record<string, unknown>;
}

/** `--ami newest`: the newest Debian 12 of today, where a run would go on with the one that was the newest when it began */
const NEWEST = 'newest';

/** Throws usage errors on flags that cannot be right, before a cloud is asked anything. */
export function checkFlags(options: Options): void {
  wantedDns(options);
  if (options.cidr !== undefined) checkVpcCidr(options.cidr);
  if (options.runners !== undefined) checkRunners(options.runners);
  if (options.sshFrom !== undefined) checkSshFrom(options.sshFrom, options.allowWorldSsh === true);
  if (options.team !== undefined) teamNumber('', options.team);
  if (options.name !== undefined) teamNumber(options.name, options.team);
  if (options.provision !== undefined && !['ansible', 'skip'].includes(options.provision))
    throw usageError(`"${options.provision}" is no way to provision`, 'use --provision ansible or --provision skip');
  if (options.ami !== undefined && options.ami !== NEWEST && !/^ami-[0-9a-f]{8,17}$/.test(options.ami))
    throw usageError(
      `"${options.ami}" is not the id of an image`,
      'it looks like ami-0123456789abcdef0; or give "newest", which is the newest Debian 12',
    );
  if (options.instanceType !== undefined && !/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/.test(options.instanceType))
    throw usageError(`"${options.instanceType}" is no instance type`, 'it looks like t3.small');
  if (options.dbClass !== undefined && !/^db\.[a-z0-9-]+\.[a-z0-9-]+$/.test(options.dbClass))
    throw usageError(`"${options.dbClass}" is no database class`, 'it looks like db.t4g.micro');
}

/**
 * Everything the steps are a function of: flags, else saved answers, else questions and look-ups. Look-ups (image, zones, versions) are made
 * once and saved, so that a resume builds the same. With `dryRun` nothing is asked and nothing is made: what is missing becomes a note.
 */
export async function collectAnswers(context: Context, session: Session, how: { dryRun: boolean }): Promise<Answers> {
  const { options } = context;
  const saved = session.state?.answers ?? {};
  const built = Object.keys(session.state?.resources ?? {}).length > 0;
  const notes: string[] = [];
  const team =
    pinned('team', options.team === undefined ? undefined : teamNumber(session.name, options.team), saved, built) ??
    teamNumber(session.name, undefined);
  const cidr = pinned('cidr', options.cidr, saved, built) ?? `10.${team}.0.0/16`;
  const instanceType = options.instanceType ?? text(saved.instanceType) ?? DEFAULTS.instanceType;
  const dbClass = options.dbClass ?? text(saved.dbClass) ?? DEFAULTS.dbClass;
  const runners = checkRunners(options.runners ?? (saved.runners as number | undefined) ?? DEFAULTS.runners);
  const surplus = Object.keys(session.state?.resources ?? {}).filter(
    (key) => Number(/^runner-(\d+)$/.exec(key)?.[1] ?? 0) > runners,
  );
  if (surplus.length > 0)
    throw usageError(
      `${runners} ${runners === 1 ? 'runner is' : 'runners are'} fewer than there are: ${surplus.join(', ')} would be left over`,
      'take the chapter down first (cloudspace destroy --to controller), or give the number that is there',
    );
  const provision = (options.provision ??
    text(saved.provision) ??
    (session.practice && session.settings.hosts === 'none' ? 'skip' : 'ansible')) as 'ansible' | 'skip';
  const [sshFrom, key] = how.dryRun
    ? await withoutQuestions(context, session, saved, notes)
    : [await chooseSshFrom(context, session, saved), await chooseOrSavedKey(options, session, saved, context.ui)];
  const dns = await session.dns.config();
  const records = ['dns-bastion', 'dns-controller', 'dns-services', 'dns-applications'];
  // Before anything is made: a name that somebody else has would stop the walk half way.
  if (dns && !records.every((key) => session.state?.resources[key])) await session.dns.check(dns);
  const rabbitmq = await session.rabbitmq.config();
  if (rabbitmq && !session.state?.resources['rabbitmq-user-services']) await session.rabbitmq.check();
  const looked = await lookUp(session, saved, { ami: options.ami, instanceType, dbClass });
  const config: Config = {
    name: session.name,
    team,
    region: session.region,
    account: session.account,
    cidr: checkVpcCidr(cidr),
    runners,
    sshFrom,
    publicKey: key.publicKey,
    instanceType,
    dbClass,
    ...looked,
    ...(dns ? { dns } : {}),
    ...(rabbitmq ? { rabbitmq } : {}),
  };
  const { name: _name, region: _region, account: _account, ...answers } = config;
  return {
    config,
    identityFile: key.identityFile,
    provision,
    notes,
    saved: {
      ...answers,
      provision,
      identityFile: key.identityFile ?? null,
      roleArn: session.roleArn ?? null,
      profile: session.profile ?? null,
      endpointUrl: session.endpointUrl ?? null,
      deployment: options.deployment ?? saved.deployment ?? null,
      dns: session.dns.saved ?? null,
      rabbitmq: session.rabbitmq.saved ?? null,
    },
  };
}

/** A setting that cannot change once something is built on it. */
function pinned<T extends string | number>(
  name: string,
  flag: T | undefined,
  saved: Record<string, unknown>,
  built: boolean,
): T | undefined {
  const before = saved[name] as T | undefined;
  if (flag !== undefined && before !== undefined && built && flag !== before)
    throw usageError(
      `the ${name} is ${before} and cannot become ${flag} any more`,
      'the network is built on it: destroy first, or use another --name',
    );
  return flag ?? before;
}

async function chooseSshFrom(
  { options, ui }: Context,
  session: Session,
  saved: Record<string, unknown>,
): Promise<string> {
  const allowWorld = options.allowWorldSsh === true;
  if (options.sshFrom !== undefined) return checkSshFrom(options.sshFrom, allowWorld);
  if (text(saved.sshFrom) !== undefined) return text(saved.sshFrom) as string;
  if (session.practice) return `${LAPTOP_ADDRESS}/32`;
  const found = await detectAddress(session);
  const answer = await ui.ask({
    kind: 'input',
    id: 'ssh-from',
    flag: '--ssh-from',
    message: 'From which address may the bastion be reached by SSH?',
    help: 'Your own public address is the safe answer. 0.0.0.0/0 would be the whole internet.',
    ...(found === undefined ? {} : { default: `${found}/32` }),
    validate: (candidate) => {
      try {
        checkSshFrom(candidate, true);
        return true;
      } catch (error) {
        return (error as Error).message;
      }
    },
  });
  const cidr = checkSshFrom(answer, true);
  if (cidr.endsWith('/0') && !allowWorld) {
    const sure = await ui.ask({
      kind: 'confirm',
      id: 'allow-world-ssh',
      flag: '--allow-world-ssh',
      message: 'That lets the whole internet try to log in. Really?',
      default: false,
    });
    if (!sure) return chooseSshFrom({ options, ui } as Context, session, saved);
  }
  return cidr;
}

/** An emulator on this machine sees us at the loopback address; AWS sees our public one. */
async function detectAddress(session: Session): Promise<string | undefined> {
  return session.endpointUrl !== undefined && isLoopback(session.endpointUrl) ? '127.0.0.1' : ownAddress();
}

async function chooseOrSavedKey(
  options: Options,
  session: Session,
  saved: Record<string, unknown>,
  ui: Ui,
): Promise<SshKey> {
  const before = savedKey(saved);
  if (options.sshPublicKey === undefined && before) return before;
  return chooseKey({ file: options.sshPublicKey, dir: session.dir, name: session.name, ui });
}

function savedKey(saved: Record<string, unknown>): SshKey | undefined {
  const publicKey = text(saved.publicKey);
  const identityFile = text(saved.identityFile);
  return publicKey === undefined ? undefined : { publicKey, ...(identityFile === undefined ? {} : { identityFile }) };
}

async function withoutQuestions(
  { options }: Context,
  session: Session,
  saved: Record<string, unknown>,
  notes: string[],
): Promise<[string, SshKey]> {
  let sshFrom =
    options.sshFrom === undefined ? text(saved.sshFrom) : checkSshFrom(options.sshFrom, options.allowWorldSsh === true);
  sshFrom ??= session.practice ? `${LAPTOP_ADDRESS}/32` : undefined;
  if (sshFrom === undefined) {
    const found = await detectAddress(session);
    sshFrom = `${found ?? '192.0.2.1'}/32`;
    if (found === undefined)
      notes.push('your public address could not be found out: the plan shows 192.0.2.1/32; give --ssh-from');
  }
  const key =
    options.sshPublicKey === undefined
      ? (savedKey(saved) ?? (await keyFromAgent()))
      : await keyFromFile(options.sshPublicKey);
  if (!key) notes.push('there is no SSH key yet: the walkthrough offers to make one');
  return [sshFrom, key ?? { publicKey: '' }];
}

async function lookUp(
  { aws }: Session,
  saved: Record<string, unknown>,
  wanted: { ami: string | undefined; instanceType: string; dbClass: string },
): Promise<Pick<Config, 'ami' | 'rootDevice' | 'zones' | 'postgresVersion' | 'caCertificate'>> {
  const sameType = saved.instanceType === undefined || saved.instanceType === wanted.instanceType;
  const [image, zones, postgresVersion, caCertificate] = await Promise.all([
    text(saved.ami) !== undefined && sameType && [undefined, saved.ami].includes(wanted.ami)
      ? { id: saved.ami as string, rootDevice: saved.rootDevice as string }
      : wanted.ami !== undefined && wanted.ami !== NEWEST
        ? imageOf(aws, wanted.ami, wanted.instanceType)
        : newestDebian(aws, architectureOf(wanted.instanceType)),
    (saved.zones as [string, string] | undefined) ?? twoZones(aws, [wanted.instanceType]),
    text(saved.postgresVersion) ?? latestPostgres(aws, wanted.dbClass),
    text(saved.caCertificate) ?? lastExpiringCa(aws),
  ]);
  return { ami: image.id, rootDevice: image.rootDevice, zones: [zones[0], zones[1]], postgresVersion, caCertificate };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
