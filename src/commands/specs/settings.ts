import { cloud, common, configFile, deployment, json, practiceOnly, yes } from './options.ts';
import type { CommandSpec } from './spec.ts';

/** What the Cloudspace is made from: the deployment repository, cloudspace.yaml, secrets, certificates. */
export const settingsCommands: readonly CommandSpec[] = [
  {
    name: 'deployment',
    summary: 'the deployment repository that is in use, and what is taken from it',
    options: [deployment, ...common],
    examples: ['cloudspace deployment'],
    load: () => import('../deployment.ts'),
    children: [
      {
        name: 'eject',
        arguments: '<dir>',
        summary: 'copy the reference deployment repository, to begin your own',
        options: [json],
        examples: ['cloudspace deployment eject ../our-deployment'],
        load: () => import('../deploymentEject.ts'),
      },
    ],
  },
  {
    name: 'config',
    summary: 'cloudspace.yaml: check it, or print its schema for editors',
    config: false,
    options: [configFile, json],
    examples: ['cloudspace config check', 'cloudspace config schema > cloudspace.schema.json'],
    load: async () => ({ run: (await import('../config.ts')).check }),
    children: [
      {
        name: 'check',
        arguments: '[file]',
        summary: 'names everything that is wrong with the file, with line and column; reads no secret',
        config: false,
        options: [configFile, json],
        examples: ['cloudspace config check', 'cloudspace config check team.yaml --json'],
        load: async () => ({ run: (await import('../config.ts')).check }),
      },
      {
        name: 'schema',
        summary: 'the JSON Schema of cloudspace.yaml, for editors',
        config: false,
        options: [json],
        examples: ['cloudspace config schema > cloudspace.schema.json'],
        load: async () => ({ run: (await import('../config.ts')).schema }),
      },
    ],
  },
  {
    name: 'secrets',
    summary: 'what the vault holds and what the configuration refers to, by name; values change here',
    options: common,
    examples: ['cloudspace secrets', 'cloudspace secrets rotate redis_password'],
    load: async () => ({ run: (await import('../secrets.ts')).list }),
    children: [
      {
        name: 'list',
        summary: 'names of all secrets and where they are kept; never a value',
        options: common,
        examples: ['cloudspace secrets list --json'],
        load: async () => ({ run: (await import('../secrets.ts')).list }),
      },
      {
        name: 'show',
        arguments: '<key>',
        summary: 'one value, after a yes, at a terminal only',
        options: common,
        examples: ['cloudspace secrets show services_api_token'],
        load: async () => ({ run: (await import('../secrets.ts')).show }),
      },
      {
        name: 'rotate',
        arguments: '<key>',
        summary: 'give a secret a new value, and run the plays again that put it to use',
        options: [
          { flags: '--from <ref>', text: 'the new value: op://…, env:NAME, file:PATH, prompt (default: made here)' },
          { flags: '--later', text: 'change the vault only; the next start runs the plays' },
          yes,
          ...cloud,
          ...practiceOnly,
          ...common,
        ],
        examples: ['cloudspace secrets rotate redis_password', 'cloudspace secrets rotate our_key --from prompt'],
        load: () => import('../secretsRotate.ts'),
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
      configFile,
    ],
    examples: [
      'cloudspace credential-process --access-key-id op://team/aws/id --secret-access-key op://team/aws/secret',
    ],
    load: () => import('../session/awsKey.ts'),
  },
  {
    name: 'ca',
    summary: "print the certificate of the Cloudspace's own authority, and how to trust it",
    options: common,
    examples: ['cloudspace ca', 'cloudspace ca > ca.crt', 'cloudspace ca --json'],
    load: () => import('../ca.ts'),
  },
];
