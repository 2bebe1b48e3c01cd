import { readFile } from 'node:fs/promises';
import type { State } from '../../engine/journal.ts';
import { type Ui, usageError } from '../../engine/types.ts';
import { parseName, parseReference, referenceText, type SecretRef } from '../../secrets/reference.ts';
import type { Config } from '../../steps/config.ts';
import { KNOWN_SECRETS } from '../../steps/secrets.ts';
import type { Context, Options } from '../context.ts';
import { makeDue } from '../secretsRotate.ts';
import type { Session } from '../session/session.ts';
import type { DeploymentMapping } from '../settings/deploymentMapping.ts';
import { playVariables } from '../walk/playVariables.ts';
import { certificatesOf } from './certificates.ts';
import { checkElasticsearch, type Elasticsearch } from './elasticsearch.ts';
import { askOnelogin, type Onelogin, oneloginOf } from './onelogin.ts';
import { secretsOf } from './secrets.ts';

/** The same as in `cloudspace.yaml`, wherever it came from; with the state it is kept without any value of a secret. */
interface ElasticsearchAnswer {
  readonly url: string;
  readonly username?: SecretRef;
  /** left out: typed in once, and in the vault since */
  readonly password?: SecretRef;
  readonly apiKey?: SecretRef;
  readonly index?: string;
  readonly caFile?: string;
  /** it stood in `cloudspace.yaml`, and goes with it */
  readonly from?: 'file';
}

export interface Systems {
  /** for every play; no secret, those are in the vault */
  readonly extraVars: Readonly<Record<string, unknown>>;
  /** kept with the state, so that nothing is asked twice */
  readonly saved: Readonly<Record<string, unknown>>;
  /** the state as it has to be changed when a secret has a new value since the last run */
  readonly change: (state: State) => void;
  /** puts the credentials into the vault; after `change` is on disk, so that a crash in between costs a play that changes nothing */
  readonly keep: () => Promise<void>;
}

/**
 * The systems beside AWS that playbooks are told of: Elasticsearch and OneLogin, from flags, `cloudspace.yaml`, or questions if `ask` was asked for; else nothing
 * happens. Elasticsearch has to let us in, before anything is made; its credentials go into the vault. Throws usage errors that name the setting.
 */
export async function prepareSystems(
  context: Context,
  session: Session,
  ownDeployment: boolean,
  config: Config,
): Promise<Systems> {
  const saved = session.state?.answers ?? {};
  const es = await elasticsearchAnswer(context, saved.elasticsearch);
  const onelogin = await oneloginAnswer(context, saved.onelogin);
  const certificates = await certificatesOf(context, session, config);
  const vars: Record<string, unknown> = playVariables(config);
  if (certificates) vars.cloudspace_certificates = certificates.vars;
  const credentials: Record<string, string> = { ...certificates?.secrets };
  if (es !== undefined) {
    if (es.apiKey !== undefined && !ownDeployment)
      throw usageError(
        'elasticsearch.api-key: the log shipper of Debian 12 (rsyslog 8.2302) sends user and password only',
        'give elasticsearch.username and elasticsearch.password; an API key is for playbooks of your own (deployment: …)',
      );
    const known = await withSecrets(context, session, es);
    if (!ownDeployment && /\s/.test(known.password ?? ''))
      throw usageError(
        'elasticsearch.password: it holds white space, which rsyslog, the log shipper, does not take',
        'give that user a password without',
      );
    context.ui.notify({ type: 'info', text: `${await checkElasticsearch(known)}.` });
    const key = known.apiKey === undefined ? 'elasticsearch_password' : 'elasticsearch_api_key';
    credentials[key] = known.apiKey ?? known.password ?? '';
    vars.cloudspace_elasticsearch = {
      url: known.url,
      index: known.index,
      ...(known.username === undefined ? {} : { username: known.username }),
      ...(known.caFile === undefined ? {} : { ca: await readFile(known.caFile, 'utf8') }),
    };
  }
  if (onelogin !== undefined)
    vars.cloudspace_onelogin = Object.fromEntries(
      Object.entries(onelogin).map(([name, { appId, entityId }]) => [name, { app_id: appId, entity_id: entityId }]),
    );
  const changed: string[] = [];
  for (const [key, value] of Object.entries(credentials)) {
    const before = await session.vault.peek(key);
    if (before === value) delete credentials[key];
    else if (before !== undefined) changed.push(...(KNOWN_SECRETS[key]?.plays ?? []));
  }
  return {
    extraVars: vars,
    saved: {
      elasticsearch: es === undefined ? null : asText(es),
      onelogin: onelogin ?? null,
      certificates: certificates?.saved ?? null,
    },
    change: (state) => {
      if (changed.length > 0) makeDue(state, changed);
    },
    keep: async () => {
      if (Object.keys(credentials).length > 0) await session.vault.set(credentials);
    },
  };
}

/** The mapping with what these systems add; a team's own extra variables win. */
export function withSystems(mapping: DeploymentMapping, { extraVars }: Systems): DeploymentMapping {
  if (Object.keys(extraVars).length === 0) return mapping;
  return { ...mapping, extraVars: { ...extraVars, ...mapping.extraVars } };
}

async function elasticsearchAnswer({ options, ui }: Context, saved: unknown): Promise<ElasticsearchAnswer | undefined> {
  const { elasticsearch: flag } = options;
  if (flag === 'later') return undefined;
  const configured: ElasticsearchAnswer | undefined = options.settings?.elasticsearch as
    | ElasticsearchAnswer
    | undefined;
  // What was said by a flag or typed in holds until it is said otherwise.
  const known = fromText(saved);
  const takenOut = known?.from === 'file' && options.configFile !== undefined;
  const before = configured ? { ...configured, from: 'file' as const } : takenOut ? undefined : known;
  if (flag === 'ask') return before ?? (await askElasticsearch(ui));
  const given: Partial<ElasticsearchAnswer> = {
    ...(flag === undefined ? {} : { url: checkUrl(flag) }),
    ...(options.elasticsearchUser === undefined ? {} : { username: parseName(options.elasticsearchUser) }),
    ...(options.elasticsearchPassword === undefined ? {} : { password: parseReference(options.elasticsearchPassword) }),
  };
  const all = { ...before, ...given };
  if (all.url === undefined) {
    if (Object.keys(given).length === 0) return undefined;
    throw usageError('the address of Elasticsearch is missing', 'give --elasticsearch https://search.example.com:9200');
  }
  if (all.username === undefined && all.apiKey === undefined)
    throw usageError(`the user for ${all.url} is missing`, 'give --elasticsearch-user and --elasticsearch-password');
  return all as ElasticsearchAnswer;
}

async function askElasticsearch(ui: Ui): Promise<ElasticsearchAnswer | undefined> {
  const url = await ui.ask({
    kind: 'input',
    id: 'elasticsearch',
    flag: '--elasticsearch',
    message: 'At which address is Elasticsearch?',
    help: 'The hosts send their logs there. "later" leaves it out; a later start with --elasticsearch adds it.',
    default: 'later',
    validate: (text) => {
      try {
        if (text !== 'later') checkUrl(text);
        return true;
      } catch (error) {
        return (error as Error).message;
      }
    },
  });
  if (url === 'later') return undefined;
  const username = await ui.ask({
    kind: 'input',
    id: 'elasticsearch.user',
    flag: '--elasticsearch-user',
    message: 'As which user?',
    validate: (text) => text.trim() !== '' || 'give a name',
  });
  return { url, username: { kind: 'plain', text: username.trim() }, password: { kind: 'prompt' } };
}

function checkUrl(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && new URL(url).pathname === '/') return url;
  throw usageError(`"${url}" is no address of Elasticsearch`, 'it looks like https://search.example.com:9200');
}

/** With the values: from their sources; what was typed in once comes from the vault. */
async function withSecrets(
  context: Context,
  { vault, name }: Session,
  es: ElasticsearchAnswer,
): Promise<Elasticsearch> {
  const secrets = secretsOf(context);
  const value = async (ref: SecretRef | undefined, setting: string, key: string): Promise<string> => {
    const typed = ref === undefined || ref.kind === 'prompt';
    const kept = typed ? await vault.peek(key) : undefined;
    return kept ?? secrets.read(ref ?? { kind: 'prompt' }, setting);
  };
  const { url, caFile, index = `cloudspace-${name}` } = es;
  const common = { url: url.replace(/\/$/, ''), index, ...(caFile === undefined ? {} : { caFile }) };
  if (es.apiKey !== undefined)
    return { ...common, apiKey: await value(es.apiKey, 'elasticsearch.api-key', 'elasticsearch_api_key') };
  return {
    ...common,
    username: await secrets.read(es.username ?? { kind: 'prompt' }, 'elasticsearch.username'),
    password: await value(es.password, 'elasticsearch.password', 'elasticsearch_password'),
  };
}

function asText(es: ElasticsearchAnswer): Record<string, string> {
  return Object.fromEntries(
    Object.entries(es).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : referenceText(value as SecretRef),
    ]),
  );
}

function fromText(saved: unknown): ElasticsearchAnswer | undefined {
  if (typeof saved !== 'object' || saved === null) return undefined;
  const { url, username, password, apiKey, ...rest } = saved as Record<string, string>;
  if (url === undefined) return undefined;
  return {
    url,
    ...rest,
    ...(username === undefined ? {} : { username: parseName(username) }),
    ...(password === undefined ? {} : { password: parseReference(password) }),
    ...(apiKey === undefined ? {} : { apiKey: parseReference(apiKey) }),
  };
}

async function oneloginAnswer({ options, ui }: Context, saved: unknown): Promise<Onelogin | undefined> {
  if (options.onelogin === 'later') return undefined;
  const before = (options.settings?.onelogin ?? saved ?? undefined) as Onelogin | undefined;
  const given = oneloginOf(options);
  if (options.onelogin === 'ask') return askOnelogin(ui, { ...before, ...given });
  const all = { ...before, ...given };
  return Object.keys(all).length === 0 ? undefined : all;
}

/** Throws usage errors on flags that cannot be right. */
export function checkSystemFlags(options: Options): void {
  if (options.elasticsearch !== undefined && !['ask', 'later'].includes(options.elasticsearch))
    checkUrl(options.elasticsearch);
  if (options.elasticsearchPassword !== undefined) parseReference(options.elasticsearchPassword);
  if (options.onelogin !== undefined && !['ask', 'later'].includes(options.onelogin))
    throw usageError(`--onelogin ${options.onelogin} is neither "ask" nor "later"`);
  oneloginOf(options);
}
