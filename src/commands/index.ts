import { applicationsCommands } from './specs/applications.ts';
import { hostsCommands } from './specs/hosts.ts';
import { settingsCommands } from './specs/settings.ts';
import type { CommandSpec } from './specs/spec.ts';
import { walkCommands } from './specs/walk.ts';

/** All commands, as `cloudspace --help` groups them. */
export const COMMANDS: readonly { readonly heading: string; readonly commands: readonly CommandSpec[] }[] = [
  { heading: 'The Cloudspace:', commands: walkCommands },
  { heading: 'Hosts:', commands: hostsCommands },
  { heading: 'Applications:', commands: applicationsCommands },
  { heading: 'Settings and secrets:', commands: settingsCommands },
];
