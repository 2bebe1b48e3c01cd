import type { OptionSpec } from './spec.ts';

export const configFile: OptionSpec = {
  flags: '--config <file>',
  text: 'YAML file with answers (default ./cloudspace.yaml)',
  env: 'CLOUDSPACE_CONFIG',
};
export const json: OptionSpec = {
  flags: '--json',
  text: 'events as NDJSON, or one JSON document, on stdout; text for people on stderr',
};
export const deployment: OptionSpec = {
  flags: '--deployment <dir>',
  text: 'deployment repository (default: the one that comes with cloudspace)',
};
export const maxUsdPerHour: OptionSpec = {
  flags: '--max-usd-per-hour <usd>',
  text: 'refuse a plan that costs more while it stands',
};
export const hosts: OptionSpec = { flags: '--hosts <kind>', text: 'containers or none (default containers)' };
export const speed: OptionSpec = { flags: '--speed <factor>', text: "1 = AWS's real durations (default 60)" };
export const ami: OptionSpec = {
  flags: '--ami <id>',
  text: 'image of all hosts, or newest (default: the Debian 12 that was the newest at the start)',
};
export const instanceType: OptionSpec = { flags: '--instance-type <type>', text: 'of all hosts (default t3.small)' };
/** Where the only thing that is asked is whether to go on. */
export const yes: OptionSpec = { flags: '--yes', text: 'ask nothing' };

/** What a command needs that prints what other programs read, and no JSON. */
export const textOnly: readonly OptionSpec[] = [
  { flags: '--name <name>', text: 'the Cloudspace, for example hackathon-07', env: 'CLOUDSPACE_NAME' },
  { flags: '--state-dir <dir>', text: 'where progress is kept (default ./.cloudspace)', env: 'CLOUDSPACE_STATE_DIR' },
  configFile,
];

/** What every command has. */
export const common: readonly OptionSpec[] = [...textOnly, json];

/** Which account, and how to get there. */
export const cloud: readonly OptionSpec[] = [
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

/** What is built, and how large. */
export const shape: readonly OptionSpec[] = [
  { flags: '--team <number>', text: "0 to 99 (default: the name's trailing number); picks 10.N.0.0/16" },
  { flags: '--cidr <cidr>', text: "the VPC's addresses" },
  { flags: '--runners <count>', text: 'how many runners (default 2)' },
  { flags: '--ssh-from <cidr>', text: 'who may reach the bastion (default: your own address)' },
  { flags: '--allow-world-ssh', text: 'accept --ssh-from 0.0.0.0/0' },
  { flags: '--ssh-public-key <file>', text: "your public key (default: the agent's first)" },
  ami,
  instanceType,
  { flags: '--db-class <class>', text: 'of the database (default db.t4g.micro)' },
  { flags: '--dns-provider <name>', text: 'dnsimple, route53 or none (default none: names from addresses)' },
  { flags: '--host-domain <domain>', text: 'hosts get names in it: bastion.<name>.<domain>' },
  { flags: '--app-domain <domain>', text: 'applications get names in it: *.<name>.<domain>' },
  deployment,
  { flags: '--provision <how>', text: 'ansible or skip (default ansible)' },
];

/** Systems beside AWS; none of them is needed, and none is asked for unless told to. */
export const beside: readonly OptionSpec[] = [
  maxUsdPerHour,
  { flags: '--elasticsearch <url>', text: 'where the hosts send their logs; or ask, or later' },
  { flags: '--elasticsearch-user <name>', text: 'the user there, or where its name is kept' },
  { flags: '--elasticsearch-password <ref>', text: 'where the password is kept: op://…, env:NAME, file:PATH, prompt' },
  { flags: '--onelogin <how>', text: 'ask for the SAML applications, or later' },
  { flags: '--onelogin-controller <id,entity>', text: "app id and entity id of the controller's web admin" },
  { flags: '--onelogin-services <id,entity>', text: "the same of the services API's" },
];

export const practiceOnly: readonly OptionSpec[] = [hosts, speed];

export const sessionLife: OptionSpec = {
  flags: '--session-life <seconds>',
  text: "the practice cloud's temporary credentials end after this time: for practising that",
};
export const quota: OptionSpec = {
  flags: '--quota <name=value>',
  text: 'a quota of the practice account: vcpu=4000; repeatable (vpc, eip, nat, vcpu, group, rule, nlb, db, db-subnet-group)',
  repeatable: true,
};

export const fault: OptionSpec = {
  flags: '--fault <rule>',
  text: 'something that goes wrong in the practice cloud: RunInstances:throttle=3; repeatable (cloudspace practice fault --help)',
  repeatable: true,
};

/** How the walk is walked. */
export const walking: readonly OptionSpec[] = [
  { flags: '--until <chapter>', text: 'stop after this chapter' },
  { flags: '--yes', text: 'unattended: take every default, ask nothing' },
  { flags: '--repair', text: 'put back what somebody changed or removed by hand' },
  { flags: '--by-hand <steps>', text: 'chapter/step, several with commas: you make it, it is found and taken over' },
  { flags: '--dry-run', text: 'show what would be done, change nothing' },
  { flags: '--skip-preflight', text: 'do not look ahead for full quotas and names that are taken' },
];

export const takeOver: OptionSpec = {
  flags: '--take-over',
  text: 'go on although another run works on this Cloudspace; that one stops',
};
export const checkPermissions: OptionSpec = {
  flags: '--check-permissions',
  text: 'ask EC2 by its dry runs whether you may make what is missing; changes nothing',
};
export const isPractice: OptionSpec = { flags: '--practice', text: 'on the practice cloud of this machine' };
export const latency: OptionSpec = { flags: '--latency <ms>', text: 'added to every answer of the practice cloud' };
