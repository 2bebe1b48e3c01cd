import type { Context } from './context.ts';
import { locateExisting } from './session/places.ts';
import { deploymentDir } from './session/session.ts';
import { ROLES } from './settings/deploymentMapping.ts';

/** `cloudspace deployment`: which deployment repository is used, and which of its playbooks for what. */
export async function run(context: Context): Promise<number> {
  const { options, print } = context;
  // Without a Cloudspace there are no saved answers yet; with several, the flag or the config file decides alone.
  const state = await locateExisting(context)
    .then((place) => place.state)
    .catch(() => undefined);
  const directory = await deploymentDir(options, state?.answers.deployment);
  const playbooks = Object.fromEntries(
    ROLES.map((role) => [role, options.mapping?.playbooks?.[role] ?? `${role}.yml`]),
  );
  const groups = options.mapping?.groups ?? {};
  const vaultIds = Object.keys(options.mapping?.vaultIds ?? {});
  if (options.json) {
    print(`${JSON.stringify({ directory, playbooks, groups, vaultIds }, null, 2)}\n`);
    return 0;
  }
  const lines = [
    `deployment repository: ${directory}`,
    '',
    ...ROLES.map((role) => `  ${role.padEnd(12)}${playbooks[role] === false ? '(skipped)' : playbooks[role]}`),
    ...Object.entries(groups).map(([group, names]) => `  group ${group} is ${names.join(', ')}`),
    ...(vaultIds.length > 0 ? [`  vault ids: ${vaultIds.join(', ')}`] : []),
    '',
    'A copy to begin your own with: cloudspace deployment eject DIR',
  ];
  print(`${lines.join('\n')}\n`);
  return 0;
}
