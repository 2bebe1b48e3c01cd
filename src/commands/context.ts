import type { Ui } from '../engine/types.ts';
import type { SecretSource } from '../secrets/source.ts';
import type { DeploymentMapping } from './settings/deploymentMapping.ts';
import type { Settings } from './settings/settings.ts';

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
  leave?: string;
  takeOver?: boolean;
  stateDir?: string;
  config?: string;
  /** the configuration file that was read; undefined: there was none */
  configFile?: string;
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
