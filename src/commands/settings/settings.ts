import { resolve } from 'node:path';
import { z } from 'zod';
import { CloudspaceError } from '../../engine/types.ts';
import { parseName, parseReference, type SecretRef } from '../../secrets/reference.ts';
import { checkName, checkRunners, checkSshFrom, checkVpcCidr, teamNumber } from '../../steps/config.ts';
import { isEntityId } from '../systems/onelogin.ts';
import { deploymentFields } from './settingsDeployment.ts';

/**
 * The schema of `cloudspace.yaml`, described once: the check, the types, the JSON Schema and the names in error messages all come from here. The keys that are
 * flags too are called as the flags; blocks of other systems have kebab-case keys, which the parsed settings have in camelCase.
 * This file loads zod: import it lazily, and its types with `import type`.
 */

/** A value that one of the wizard's own checks judges, with its words. */
const checked = <T extends z.ZodType>(type: T, check: (value: z.output<T>) => unknown) =>
  type.superRefine((value, context) => {
    try {
      check(value);
    } catch (error) {
      if (!(error instanceof CloudspaceError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, params: { hint: error.hint, code: error.code } });
    }
  });

const matching = (pattern: RegExp, what: string, hint: string) =>
  checked(z.string(), (value) => {
    if (!pattern.test(value)) throw new CloudspaceError(`"${value}" is no ${what}`, { code: 'BadInput', hint });
  });

const text = z.string().min(1, 'is empty');
const number = z.union([z.number(), z.string()], { error: 'is no number' });
const flag = z.boolean({ error: 'is neither true nor false' });
const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, {
    error: ({ input }) => `${JSON.stringify(input)} is not known: it knows ${values.join(', ')}`,
  });
const httpUrl = checked(z.string(), (value) => {
  if (!URL.canParse(value) || !/^https?:/.test(value))
    throw new CloudspaceError(`"${value}" is no http or https address`, {
      code: 'BadInput',
      hint: 'it looks like https://search.example.com:9200',
    });
  const { username, password } = new URL(value);
  if (username !== '' || password !== '')
    throw new CloudspaceError('the address holds a user or a password', {
      code: 'SecretInClear',
      hint: 'leave them out of the address: they have settings of their own',
    });
});
/** Log shippers know a scheme, a host and a port. */
const rootUrl = checked(httpUrl, (value) => {
  if (URL.canParse(value) && new URL(value).pathname !== '/')
    throw new CloudspaceError(`"${value}" has a path`, { code: 'BadInput', hint: 'give scheme, host and port only' });
});
const domain = matching(
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/i,
  'domain',
  'it looks like hosts.example.com, without a dot at its end',
);

/** Fields of one file: paths in references are from its folder `base`. */
function fields(base: string) {
  const referring = (parse: (value: unknown, base: string) => SecretRef) =>
    z
      .union([z.string(), z.strictObject({ command: z.union([z.string(), z.array(z.string())]) })], {
        error: 'is no reference to a secret',
      })
      .transform((value, context): SecretRef => {
        try {
          return parse(value, base);
        } catch (error) {
          if (!(error instanceof CloudspaceError)) throw error;
          context.addIssue({ code: 'custom', message: error.message, params: { hint: error.hint, code: error.code } });
          return z.NEVER;
        }
      });
  const secret = referring(parseReference);
  const name = referring(parseName);
  const application = z.strictObject({
    'app-id': matching(
      /^\d{1,12}$/,
      'app id of OneLogin',
      'the number in the address of the application: /apps/123456/edit',
    ).or(z.int().positive().transform(String)),
    'entity-id': checked(z.string(), (value) => {
      if (!isEntityId(value))
        throw new CloudspaceError(`"${value}" is no entity id`, {
          code: 'BadInput',
          hint: 'a URI, such as the Issuer URL of its SSO tab: https://app.onelogin.com/saml/metadata/…',
        });
    }),
  });
  return { secret, name, application };
}

/** Systems beside AWS, and what an organiser settles for all teams. */
function systems(base: string) {
  const { secret, name, application } = fields(base);
  return {
    'max-usd-per-hour': z.number({ error: 'is no number' }).positive('is not above 0'),
    'practice-systems': flag,
    aws: z.strictObject({
      'access-key-id': name,
      'secret-access-key': secret,
      'session-token': secret.optional(),
    }),
    vault: z.strictObject({
      id: matching(/^[A-Za-z0-9_.-]+$/, 'vault id', 'letters, digits and . _ -').optional(),
      password: secret.optional(),
    }),
    dns: z
      .strictObject({
        provider: oneOf(['dnsimple', 'route53', 'none']),
        'host-domain': domain.optional(),
        'app-domain': domain.optional(),
        token: secret.optional(),
        sandbox: z.union([z.boolean(), httpUrl], { error: 'is neither true, false nor an address' }).optional(),
        'host-zone-id': text.optional(),
        'app-zone-id': text.optional(),
        'name-servers': z.array(text, { error: 'is no list of addresses' }).nonempty('is empty').optional(),
      })
      .superRefine((dns, context) => {
        const missing = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
        if (dns.provider === 'none') return;
        if (dns['host-domain'] === undefined) missing('host-domain', 'is missing: the domain of the hosts');
        if (dns['app-domain'] === undefined) missing('app-domain', 'is missing: the domain of the applications');
        if (dns.provider === 'dnsimple' && dns.token === undefined)
          missing('token', 'is missing: a reference to the API token of DNSimple');
      }),
    certificates: z
      .strictObject({
        staging: flag.optional(),
        server: httpUrl.optional(),
        'ca-file': text.transform((path) => resolve(base, path)).optional(),
        'access-key-id': name.optional(),
        'secret-access-key': secret.optional(),
        email: matching(/^[^\s@]+@[^\s@]+\.[^\s@]+$/, 'e-mail address', 'it looks like ops@example.com').optional(),
      })
      .superRefine((certificates, context) => {
        const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
        if (certificates['ca-file'] !== undefined && certificates.server === undefined)
          issue('ca-file', "stands without a server: Let's Encrypt is known to every host");
        if (certificates.staging === true && certificates.server !== undefined)
          issue('staging', "is Let's Encrypt's, and another server is given");
      }),
    rabbitmq: z.strictObject({ 'management-url': httpUrl, administrator: name, password: secret }),
    elasticsearch: z
      .strictObject({
        url: rootUrl,
        username: name.optional(),
        password: secret.optional(),
        'api-key': secret.optional(),
        index: matching(/^[a-z0-9][a-z0-9_.-]*$/, 'index', 'small letters, digits and . _ -').optional(),
        'ca-file': text.transform((path) => resolve(base, path)).optional(),
      })
      .superRefine((es, context) => {
        const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
        if (es['api-key'] !== undefined && (es.username !== undefined || es.password !== undefined))
          issue('api-key', 'stands beside a username or password: give one of the two');
        else if (es['api-key'] === undefined && es.username === undefined)
          issue('username', 'is missing: give username and password, or api-key');
        else if (es['api-key'] === undefined && es.password === undefined) issue('password', 'is missing');
      }),
    onelogin: z.strictObject({ controller: application.optional(), services: application.optional() }),
  };
}

/** Answers by the flags' names. */
const answers = {
  name: checked(z.string(), (value) => checkName(value.replace('{team}', '00'))),
  team: checked(number, (value) => teamNumber('', value)),
  region: matching(/^[a-z]{2,}(?:-[a-z]+)+-\d+$/, 'AWS region', 'it looks like eu-central-1'),
  profile: text,
  account: matching(/^\d{12}$/, 'AWS account id', 'it has 12 digits; write it in quotes').or(
    z.int().transform((value, context) => {
      if (/^\d{12}$/.test(String(value))) return String(value);
      context.addIssue({ code: 'custom', message: `${value} is no AWS account id: it has 12 digits` });
      return z.NEVER;
    }),
  ),
  'role-arn': matching(
    /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
    'ARN of a role',
    'it looks like arn:aws:iam::123456789012:role/OrganizationAccountAccessRole',
  ),
  'endpoint-url': httpUrl,
  'credentials-wait': number,
  cidr: checked(z.string(), checkVpcCidr),
  runners: checked(number, checkRunners),
  'ssh-from': checked(z.string(), (value) => checkSshFrom(value, true)),
  'ssh-public-key': text,
  ami: matching(/^ami-[0-9a-f]{8,17}$/, 'id of an image', 'it looks like ami-0123456789abcdef0'),
  'instance-type': matching(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, 'instance type', 'it looks like t3.small'),
  'db-class': matching(/^db\.[a-z0-9-]+\.[a-z0-9-]+$/, 'database class', 'it looks like db.t4g.micro'),
  deployment: text,
  provision: oneOf(['ansible', 'skip']),
  hosts: oneOf(['containers', 'none']),
  speed: number,
  'state-dir': text,
};

/** The whole file. `base`: the folder that its relative paths are from. */
export function settingsSchema(base: string) {
  return z.strictObject({ ...answers, ...systems(base), ...deploymentFields(base) }).partial();
}

/** What an editor shows beside the keys. */
export const ABOUT: Readonly<Record<string, string>> = {
  name: 'the Cloudspace, for example hackathon-07; hackathon-{team} in a file for all teams',
  team: "the team's number, 0 to 99",
  region: 'AWS region',
  deployment: 'deployment repository, from where this file is',
  'max-usd-per-hour': 'a plan that costs more while it stands is refused',
  'practice-systems': "practice uses the dns, certificates and rabbitmq of this file too; without it, nobody's server",
  aws: 'where the AWS access key is kept',
  vault: 'where the password of the vault is kept, and its vault id',
  dns: 'who keeps the names of hosts and applications',
  certificates: 'how certificates are had',
  rabbitmq: 'an existing RabbitMQ server, by its management API',
  elasticsearch: 'where the hosts send their logs',
  onelogin: 'SAML applications, for playbooks of your own',
  playbooks: "which of your repository's playbooks stands for which role",
  groups: "which of your repository's inventory groups stand for ours",
  extra_vars: 'passed to every play, as data',
  vault_ids: 'passwords of what is encrypted in your repository',
};

export const ANSWER_KEYS = Object.keys(answers);
export const SYSTEM_KEYS = Object.keys(systems('.'));

type CamelKey<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<CamelKey<Tail>>}` : S;
type Camel<T> = T extends SecretRef | readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T as CamelKey<K & string>]: Camel<T[K]> }
    : T;

type File = z.output<ReturnType<typeof settingsSchema>>;
type SystemKey = keyof ReturnType<typeof systems>;

/**
 * What `cloudspace.yaml` says of other systems and for all teams, checked: `{ maxUsdPerHour, practiceSystems, aws, vault, dns, certificates, rabbitmq, elasticsearch, onelogin }`,
 * each left out when the file does not have it. Secrets are references (`SecretRef`), read with `secretSource` of src/secrets/source.ts.
 */
export type Settings = Camel<Pick<File, SystemKey>>;
export type DnsSettings = NonNullable<Settings['dns']>;
export type CertificateSettings = NonNullable<Settings['certificates']>;
export type RabbitmqSettings = NonNullable<Settings['rabbitmq']>;
export type ElasticsearchSettings = NonNullable<Settings['elasticsearch']>;
export type OneloginSettings = NonNullable<Settings['onelogin']>;

/** Parsed blocks with their keys in camelCase; references and lists stay as they are. */
export function camelCase<T>(value: T): Camel<T> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'kind' in value) return value as Camel<T>;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
      camelCase(inner),
    ]),
  ) as Camel<T>;
}
