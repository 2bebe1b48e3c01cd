import type { Ui } from '../engine/types.ts';
import type { SecretSource } from '../secrets/source.ts';
import type { DeploymentMapping } from './deploymentMapping.ts';
import { faultCommand } from './practiceFaultCommands.ts';
import { servicesCommand } from './servicesCommands.ts';
import type { Settings } from './settings.ts';

/** What a command gets. Its options are those below, in camelCase; flags win over the environment, that over the config file. */
export interface Context {
  readonly options: Options;
  readonly args: readonly string[];
  readonly ui: Ui;
  readonly signal: AbortSignal;
  /** reads references to secrets; one for the whole run (secretsOf of secrets.ts) */
  readonly secrets?: SecretSource;
  /** for what a machine reads: one JSON document, an ssh_config */
  readonly print: (text: string) => void;
}

export interface Options {
  name?: string;
  team?: string;
  /** of cloudspace.yaml alone: a name with {team} in it, while the team's number is open */
  nameTemplate?: string;
  region?: string;
  profile?: string;
  account?: string;
  roleArn?: string;
  accessKeyId?: string;
  secretAccessKey?: string;
  sessionToken?: string;
  endpointUrl?: string;
  credentialsWait?: string;
  skipPreflight?: boolean;
  checkPermissions?: boolean;
  cidr?: string;
  runners?: string;
  sshFrom?: string;
  allowWorldSsh?: boolean;
  sshPublicKey?: string;
  ami?: string;
  instanceType?: string;
  dbClass?: string;
  dnsProvider?: string;
  hostDomain?: string;
  appDomain?: string;
  deployment?: string;
  provision?: string;
  maxUsdPerHour?: string;
  elasticsearch?: string;
  elasticsearchUser?: string;
  elasticsearchPassword?: string;
  onelogin?: string;
  oneloginController?: string;
  oneloginServices?: string;
  until?: string;
  to?: string;
  finalSnapshot?: string;
  wait?: string;
  force?: boolean;
  takeOver?: boolean;
  stateDir?: string;
  config?: string;
  practice?: boolean;
  hosts?: string;
  speed?: string;
  latency?: string;
  quota?: readonly string[];
  fault?: readonly string[];
  sessionLife?: string;
  port?: string;
  domain?: string;
  fingerprint?: string;
  app?: string;
  replicas?: string;
  service?: string;
  services?: boolean;
  plan?: string;
  parameters?: string;
  into?: string;
  http?: string;
  follow?: boolean;
  tail?: string;
  from?: string;
  later?: boolean;
  /** of cloudspace.yaml alone: how a team's own deployment repository is used (deploymentMapping.ts) */
  mapping?: DeploymentMapping;
  /** of cloudspace.yaml alone: other systems, and what an organiser settles for all teams */
  settings?: Settings;
  dryRun?: boolean;
  fix?: boolean;
  list?: boolean;
  repair?: boolean;
  byHand?: string;
  refresh?: boolean;
  yes?: boolean;
  json?: boolean;
}

interface OptionSpec {
  readonly flags: string;
  readonly text: string;
  /** may be given several times: the values make a list */
  readonly repeatable?: true;
  /** environment variable that answers it too */
  readonly env?: string;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  /** a longer text for its help, before the examples */
  readonly details?: string;
  readonly arguments?: string;
  readonly default?: true;
  /** with --json it prints one document, not events */
  readonly document?: true;
  /** false: it does not read cloudspace.yaml before it runs, and works while that is wrong */
  readonly config?: false;
  readonly children?: readonly CommandSpec[];
  /** gives the exit code. Loaded only when the command runs: `--help` pays for none of it. */
  readonly load: () => Promise<{ run: (context: Context) => Promise<number> }>;
}

const common: readonly OptionSpec[] = [
  { flags: '--name <name>', text: 'the Cloudspace, for example hackathon-07', env: 'CLOUDSPACE_NAME' },
  { flags: '--state-dir <dir>', text: 'where progress is kept (default ./.cloudspace)', env: 'CLOUDSPACE_STATE_DIR' },
  { flags: '--config <file>', text: 'YAML file with answers (default ./cloudspace.yaml)', env: 'CLOUDSPACE_CONFIG' },
  { flags: '--json', text: 'events as NDJSON, or one JSON document, on stdout; text for people on stderr' },
];

const cloud: readonly OptionSpec[] = [
  { flags: '--region <region>', text: 'AWS region (default AWS_REGION, then the profile)', env: 'CLOUDSPACE_REGION' },
  { flags: '--profile <profile>', text: 'profile of the AWS configuration (default AWS_PROFILE)' },
  { flags: '--account <id>', text: 'assume OrganizationAccountAccessRole in this account' },
  { flags: '--role-arn <arn>', text: 'assume this role' },
  {
    flags: '--credentials-wait <seconds>',
    text: 'unattended: how long to wait for new credentials when those in use expire (default 600)',
  },
  { flags: '--endpoint-url <url>', text: 'an emulator of AWS to use instead (default AWS_ENDPOINT_URL)' },
];

const shape: readonly OptionSpec[] = [
  { flags: '--team <number>', text: "0 to 99 (default: the name's trailing number); picks 10.N.0.0/16" },
  { flags: '--cidr <cidr>', text: "the VPC's addresses" },
  { flags: '--runners <count>', text: 'how many runners (default 2)' },
  { flags: '--ssh-from <cidr>', text: 'who may reach the bastion (default: your own address)' },
  { flags: '--allow-world-ssh', text: 'accept --ssh-from 0.0.0.0/0' },
  { flags: '--ssh-public-key <file>', text: "your public key (default: the agent's first)" },
  { flags: '--ami <id>', text: 'image of all hosts (default: newest Debian 12)' },
  { flags: '--instance-type <type>', text: 'of all hosts (default t3.small)' },
  { flags: '--db-class <class>', text: 'of the database (default db.t4g.micro)' },
  { flags: '--dns-provider <name>', text: 'dnsimple, route53 or none (default none: names from addresses)' },
  { flags: '--host-domain <domain>', text: 'hosts get names in it: bastion.<name>.<domain>' },
  { flags: '--app-domain <domain>', text: 'applications get names in it: *.<name>.<domain>' },
  { flags: '--deployment <dir>', text: 'deployment repository (default: the one that comes with cloudspace)' },
  { flags: '--provision <how>', text: 'ansible or skip (default ansible)' },
];

/** Systems beside AWS; none of them is needed, and none is asked for unless told to. */
const beside: readonly OptionSpec[] = [
  { flags: '--max-usd-per-hour <usd>', text: 'refuse a plan that costs more while it stands' },
  { flags: '--elasticsearch <url>', text: 'where the hosts send their logs; or ask, or later' },
  { flags: '--elasticsearch-user <name>', text: 'the user there, or where its name is kept' },
  { flags: '--elasticsearch-password <ref>', text: 'where the password is kept: op://…, env:NAME, file:PATH, prompt' },
  { flags: '--onelogin <how>', text: 'ask for the SAML applications, or later' },
  { flags: '--onelogin-controller <id,entity>', text: "app id and entity id of the controller's web admin" },
  { flags: '--onelogin-services <id,entity>', text: "the same of the services API's" },
];

const practiceOnly: readonly OptionSpec[] = [
  { flags: '--hosts <kind>', text: 'containers or none (default containers)' },
  { flags: '--speed <factor>', text: "1 = AWS's real durations (default 60)" },
];

const sessionLife: OptionSpec = {
  flags: '--session-life <seconds>',
  text: "the practice cloud's temporary credentials end after this time: for practising that",
};
const quota: OptionSpec = {
  flags: '--quota <name=value>',
  text: 'a quota of the practice account: vcpu=4000; repeatable (vpc, eip, nat, vcpu, group, rule, nlb, db, db-subnet-group)',
  repeatable: true,
};

const fault: OptionSpec = {
  flags: '--fault <rule>',
  text: 'something that goes wrong in the practice cloud: RunInstances:throttle=3; repeatable (cloudspace practice fault --help)',
  repeatable: true,
};

const walking: readonly OptionSpec[] = [
  { flags: '--until <chapter>', text: 'stop after this chapter' },
  { flags: '--yes', text: 'unattended: take every default, ask nothing' },
  { flags: '--repair', text: 'put back what somebody changed or removed by hand' },
  { flags: '--by-hand <steps>', text: 'chapter/step, several with commas: you make it, it is found and taken over' },
  { flags: '--dry-run', text: 'show what would be done, change nothing' },
  { flags: '--skip-preflight', text: 'do not look ahead for full quotas and names that are taken' },
];

const takeOver: OptionSpec = {
  flags: '--take-over',
  text: 'go on although another run works on this Cloudspace; that one stops',
};
const checkPermissions: OptionSpec = {
  flags: '--check-permissions',
  text: 'ask EC2 by its dry runs whether you may make what is missing; changes nothing',
};
const isPractice: OptionSpec = { flags: '--practice', text: 'on the practice cloud of this machine' };
const latency: OptionSpec = { flags: '--latency <ms>', text: 'added to every answer of the practice cloud' };

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'start',
    summary: 'the walkthrough; goes on where it was left (this is what `cloudspace` alone does)',
    default: true,
    options: [
      ...walking,
      takeOver,
      isPractice,
      ...shape,
      ...beside,
      ...cloud,
      ...practiceOnly,
      latency,
      quota,
      fault,
      ...common,
    ],
    examples: [
      'cloudspace start --name hackathon-07 --region eu-central-1',
      'cloudspace start --yes --until bastion',
      'cloudspace start --by-hand vpc/network,vpc/subnets',
      'cloudspace start --dry-run',
    ],
    load: () => import('./start.ts'),
  },
  {
    name: 'practice',
    summary: 'the same walkthrough on a practice cloud on this machine: no account, no cost',
    options: [
      ...walking,
      takeOver,
      ...shape,
      ...beside,
      ...practiceOnly,
      latency,
      quota,
      fault,
      sessionLife,
      ...common,
    ],
    examples: ['cloudspace practice', 'cloudspace practice --yes', 'cloudspace practice --hosts none --speed 1000'],
    load: () => import('./practice.ts'),
    children: [
      {
        name: 'serve',
        summary: 'the practice AWS API alone, for `aws --endpoint-url`, Terraform or anything else',
        options: [
          { flags: '--port <port>', text: 'port on 127.0.0.1 (default: any free one)' },
          { flags: '--region <region>', text: 'region that it plays (default eu-central-1)' },
          { flags: '--hosts <kind>', text: 'containers or none (default none)' },
          ...practiceOnly.slice(1),
          latency,
          quota,
          fault,
          sessionLife,
          ...common,
        ],
        examples: [
          'cloudspace practice serve --port 4599',
          'cloudspace practice serve --port 4599 --speed 1 --hosts containers',
        ],
        load: () => import('./practiceServe.ts'),
      },
      faultCommand(common),
    ],
  },
  {
    name: 'plan',
    document: true,
    summary: 'the whole dry run: what would be created, kept, changed; cost and time',
    options: [
      isPractice,
      checkPermissions,
      ...shape,
      ...beside.slice(0, 1),
      ...cloud,
      ...practiceOnly,
      quota,
      ...common,
    ],
    examples: ['cloudspace plan --name hackathon-07', 'cloudspace plan --practice --json'],
    load: () => import('./plan.ts'),
  },
  {
    name: 'status',
    document: true,
    summary: 'where you are, what is there, what it costs; asks no cloud without --refresh',
    options: [
      { flags: '--refresh', text: 'look in the account: what was changed or removed by hand' },
      ...cloud,
      ...practiceOnly,
      ...common,
    ],
    examples: ['cloudspace status', 'cloudspace status --refresh', 'cloudspace status --json'],
    load: () => import('./status.ts'),
  },
  {
    name: 'doctor',
    summary: 'looks for what is missing on this machine, and with credentials in the account: quotas, names, clock',
    options: [
      { flags: '--fix', text: 'install what is missing, after a yes' },
      { flags: '--yes', text: 'ask nothing' },
      { flags: '--skip-preflight', text: 'look at this machine only' },
      checkPermissions,
      ...practiceOnly.slice(0, 1),
      ...shape,
      ...cloud,
      ...common,
    ],
    examples: ['cloudspace doctor', 'cloudspace doctor --fix', 'cloudspace doctor --profile team --check-permissions'],
    load: () => import('./doctor.ts'),
  },
  {
    name: 'ssh',
    arguments: '<host> [command...]',
    summary: 'open a shell on a host, or run a command there, through the bastion',
    options: common.slice(0, 3),
    examples: ['cloudspace ssh bastion', 'cloudspace ssh runner-1 -- hostname'],
    load: () => import('./ssh.ts'),
  },
  {
    name: 'hosts',
    summary: 'the hosts, their addresses and their pinned host keys',
    options: common,
    examples: ['cloudspace hosts', 'cloudspace hosts trust runner-1'],
    load: () => import('./hosts.ts'),
    children: [
      {
        name: 'trust',
        arguments: '<host>',
        summary: "pin a host's new key, when its console output or you vouch for it",
        options: [
          { flags: '--fingerprint <sha256>', text: 'the key you expect, read on the host by another way' },
          { flags: '--yes', text: 'ask nothing' },
          ...cloud,
          ...practiceOnly,
          ...common,
        ],
        examples: ['cloudspace hosts trust runner-1'],
        load: () => import('./hostsTrust.ts'),
      },
    ],
  },
  {
    name: 'ssh-config',
    summary: 'print the ssh_config with which ssh, scp and rsync reach the hosts',
    options: common,
    examples: ['cloudspace ssh-config > cloudspace.ssh && ssh -F cloudspace.ssh controller'],
    load: () => import('./sshConfig.ts'),
  },
  {
    name: 'inventory',
    summary: "Ansible's dynamic inventory",
    options: [{ flags: '--list', text: 'all groups and hosts, as Ansible asks for them' }, ...common],
    examples: ['cloudspace inventory --list'],
    load: () => import('./inventory.ts'),
  },
  {
    name: 'deploy',
    arguments: '<dir>',
    summary: 'build an application on a builder, run it on the runners, route its domain to it',
    options: [
      {
        flags: '--domain <names>',
        text: "the application's domain, or several with commas (default <app>.<your domain>)",
      },
      { flags: '--app <name>', text: "the application's name (default: the folder's)" },
      { flags: '--replicas <count>', text: 'how many containers (default 2, or as many as it has)' },
      { flags: '--service <kind>', text: 'postgres: a database of its own, as DATABASE_URL' },
      { flags: '--http <how>', text: 'on port 80: serve, or redirect to https (default: serve in practice)' },
      { flags: '--port <port>', text: 'the port it listens on (default: what its image exposes)' },
      ...common,
    ],
    examples: [
      'cloudspace deploy examples/hello --domain hello.localhost --service postgres',
      'cloudspace deploy . --app shop --domain shop.example.com --replicas 3',
    ],
    load: () => import('./deploy.ts'),
  },
  {
    name: 'ca',
    summary: "print the certificate of the Cloudspace's own authority, and how to trust it",
    options: common,
    examples: ['cloudspace ca', 'cloudspace ca > ca.crt', 'cloudspace ca --json'],
    load: () => import('./ca.ts'),
  },
  {
    name: 'apps',
    document: true,
    summary: 'the applications that run, with their domains, versions and containers',
    options: common,
    examples: ['cloudspace apps', 'cloudspace apps --json'],
    load: () => import('./apps.ts'),
    children: [
      {
        name: 'remove',
        arguments: '<app>',
        summary: 'remove an application: its containers, its routes, its certificate; its database stays',
        options: [
          { flags: '--services', text: 'its database too, after a backup' },
          { flags: '--yes', text: 'ask nothing' },
          ...common,
        ],
        examples: ['cloudspace apps remove hello', 'cloudspace apps remove hello --services'],
        load: () => import('./appsRemove.ts'),
      },
    ],
  },
  {
    name: 'logs',
    arguments: '<app>',
    summary: 'what an application prints, of all its containers',
    options: [
      { flags: '--follow', text: 'go on until Ctrl-C' },
      { flags: '--tail <lines>', text: 'how many lines of each container (default 100)' },
      ...common,
    ],
    examples: ['cloudspace logs hello', 'cloudspace logs hello --follow --json'],
    load: () => import('./logs.ts'),
  },
  {
    name: 'check',
    arguments: '[chapter]',
    summary: 'verify what is there from the outside, layer by layer; names the first broken one',
    options: [isPractice, ...cloud, ...common],
    examples: ['cloudspace check', 'cloudspace check ingress --json'],
    load: () => import('./check.ts'),
  },
  {
    name: 'deployment',
    summary: 'the deployment repository that is in use, and what is taken from it',
    options: [...shape.slice(-2, -1), ...common],
    examples: ['cloudspace deployment'],
    load: () => import('./deployment.ts'),
    children: [
      {
        name: 'eject',
        arguments: '<dir>',
        summary: 'copy the reference deployment repository, to begin your own',
        options: common.slice(-1),
        examples: ['cloudspace deployment eject ../our-deployment'],
        load: () => import('./deploymentEject.ts'),
      },
    ],
  },
  {
    name: 'config',
    summary: 'cloudspace.yaml: check it, or print its schema for editors',
    config: false,
    options: common.slice(-2),
    examples: ['cloudspace config check', 'cloudspace config schema > cloudspace.schema.json'],
    load: async () => ({ run: (await import('./config.ts')).check }),
    children: [
      {
        name: 'check',
        arguments: '[file]',
        summary: 'names everything that is wrong with the file, with line and column; reads no secret',
        config: false,
        options: common.slice(-2),
        examples: ['cloudspace config check', 'cloudspace config check team.yaml --json'],
        load: async () => ({ run: (await import('./config.ts')).check }),
      },
      {
        name: 'schema',
        summary: 'the JSON Schema of cloudspace.yaml, for editors',
        config: false,
        options: common.slice(-1),
        examples: ['cloudspace config schema > cloudspace.schema.json'],
        load: async () => ({ run: (await import('./config.ts')).schema }),
      },
    ],
  },
  {
    name: 'secrets',
    summary: 'what the vault holds and what the configuration refers to, by name; values change here',
    options: common,
    examples: ['cloudspace secrets', 'cloudspace secrets rotate redis_password'],
    load: async () => ({ run: (await import('./secretsCommands.ts')).list }),
    children: [
      {
        name: 'list',
        summary: 'names of all secrets and where they are kept; never a value',
        options: common,
        examples: ['cloudspace secrets list --json'],
        load: async () => ({ run: (await import('./secretsCommands.ts')).list }),
      },
      {
        name: 'show',
        arguments: '<key>',
        summary: 'one value, after a yes, at a terminal only',
        options: common,
        examples: ['cloudspace secrets show services_api_token'],
        load: async () => ({ run: (await import('./secretsCommands.ts')).show }),
      },
      {
        name: 'rotate',
        arguments: '<key>',
        summary: 'give a secret a new value, and run the plays again that put it to use',
        options: [
          { flags: '--from <ref>', text: 'the new value: op://…, env:NAME, file:PATH, prompt (default: made here)' },
          { flags: '--later', text: 'change the vault only; the next start runs the plays' },
          { flags: '--yes', text: 'ask nothing' },
          ...cloud,
          ...practiceOnly,
          ...common,
        ],
        examples: ['cloudspace secrets rotate redis_password', 'cloudspace secrets rotate our_key --from prompt'],
        load: () => import('./secretsRotate.ts'),
      },
    ],
  },
  {
    name: 'credential-process',
    summary: 'prints the AWS access key from where it is kept, for `credential_process` of an AWS profile',
    options: [
      { flags: '--access-key-id <ref>', text: 'where the id is kept, or the id (default: aws in cloudspace.yaml)' },
      { flags: '--secret-access-key <ref>', text: 'where the secret is kept: op://…, env:NAME, file:PATH' },
      { flags: '--session-token <ref>', text: 'where the session token is kept, for a temporary key' },
      ...common.slice(2, 3),
    ],
    examples: [
      'cloudspace credential-process --access-key-id op://team/aws/id --secret-access-key op://team/aws/secret',
    ],
    load: () => import('./awsKey.ts'),
  },
  servicesCommand(common),
  {
    name: 'cycle',
    arguments: '[host]',
    summary: 'replace hosts by new ones, one by one, while applications go on answering',
    options: [{ flags: '--yes', text: 'ask nothing' }, ...cloud, ...practiceOnly, ...common],
    examples: ['cloudspace cycle runner-1', 'cloudspace cycle all --yes'],
    load: () => import('./cycle.ts'),
  },
  {
    name: 'notes',
    document: true,
    arguments: '[chapter]',
    summary: "the guide's homework: questions, your answers, and the facts of the run, as Markdown",
    options: common,
    examples: ['cloudspace notes', 'cloudspace notes edit runners', 'cloudspace notes > report.md'],
    load: () => import('./notes.ts'),
    children: [
      {
        name: 'edit',
        arguments: '[chapter]',
        summary: 'answer in your editor ($VISUAL, $EDITOR)',
        options: common,
        examples: ['cloudspace notes edit', 'cloudspace notes edit vpc'],
        load: async () => ({ run: (await import('./notes.ts')).edit }),
      },
      {
        name: 'add',
        arguments: '<chapter> <text...>',
        summary: 'add a paragraph to a chapter',
        options: common,
        examples: ['cloudspace notes add vpc "one NAT gateway a zone"'],
        load: async () => ({ run: (await import('./notes.ts')).add }),
      },
    ],
  },
  {
    name: 'destroy',
    summary: 'take everything down again, in reverse; by tag, with or without the state file',
    options: [
      { flags: '--to <chapter>', text: 'only what came after this chapter' },
      { flags: '--final-snapshot <name>', text: "keep the database's data in this snapshot, or none (--yes: none)" },
      { flags: '--wait <seconds>', text: 'how long to wait for things of others that are in the way (default 60)' },
      takeOver,
      { flags: '--force', text: 'lift protection against deletion that was switched on by hand' },
      { flags: '--yes', text: 'ask nothing' },
      { flags: '--dry-run', text: 'show what would be deleted' },
      isPractice,
      ...cloud,
      ...practiceOnly,
      fault,
      ...common,
    ],
    examples: [
      'cloudspace destroy',
      'cloudspace destroy --to vpc',
      'cloudspace destroy --name hackathon-07 --region eu-central-1 --yes',
    ],
    load: () => import('./destroy.ts'),
  },
];
