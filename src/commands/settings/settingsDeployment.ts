import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type DeploymentMapping, GROUPS, OWN_VAULT, ROLES } from './deploymentMapping.ts';

const GROUP_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const VAULT_ID = /^[A-Za-z0-9_.-]+$/;

const shown = (value: unknown): string => JSON.stringify(value);
const each = <K extends string, V extends z.ZodType>(keys: readonly K[], value: V) =>
  z.strictObject(Object.fromEntries(keys.map((key) => [key, value.optional()])) as Record<K, z.ZodOptional<V>>, {
    error: (issue) => (issue.code === 'invalid_type' ? 'is no mapping: write lines below it' : undefined),
  });

const playbook = z
  .union([z.literal(false), z.null(), z.string()], { error: ({ input }) => `${shown(input)} is ${NO_PLAYBOOK}` })
  .superRefine((value, context) => {
    if (typeof value !== 'string' || (/\.ya?ml$/.test(value) && !value.split('/').includes('..'))) return;
    context.addIssue({
      code: 'custom',
      message: `${shown(value)} is ${NO_PLAYBOOK}`,
      params: {
        hint: 'name a .yml file, from its playbooks folder or its root; or false, when it has none for this role',
      },
    });
  });
const NO_PLAYBOOK = 'no playbook inside the repository';

const groupNames = z.unknown().transform((value, context): readonly string[] => {
  const names: unknown[] = Array.isArray(value) ? value : [value];
  if (names.length > 0 && names.every((one) => typeof one === 'string' && GROUP_NAME.test(one)))
    return names as string[];
  context.addIssue({
    code: 'custom',
    message: `${shown(value)} names no inventory groups`,
    params: { hint: 'a name or a list of names, of letters, digits and underscores' },
  });
  return z.NEVER;
});

/** The keys of `cloudspace.yaml` that say how a team's own deployment repository is used. Relative paths are from the folder `base`. */
export function deploymentFields(base: string) {
  return {
    playbooks: each(ROLES, playbook),
    groups: each(GROUPS, groupNames),
    extra_vars: z
      .record(z.string(), z.unknown(), { error: 'is no mapping: write lines below it' })
      .superRefine((vars, context) => {
        for (const name of Object.keys(vars)) {
          if (!GROUP_NAME.test(name))
            context.addIssue({
              code: 'custom',
              path: [name],
              message: `"${name}" is no name of a variable`,
              params: { hint: 'letters, digits and underscores, no digit first' },
            });
          else if (name.startsWith('cloudspace_'))
            context.addIssue({
              code: 'custom',
              path: [name],
              message: `"${name}" is the wizard's own`,
              params: { hint: 'names that begin with cloudspace_ are passed by the wizard' },
            });
        }
      }),
    vault_ids: z
      .record(z.string(), z.unknown(), { error: 'is no mapping: write lines below it' })
      .transform((ids, context): Record<string, string> => {
        const paths: Record<string, string> = {};
        const problem = (id: string, message: string, hint: string) =>
          context.addIssue({ code: 'custom', path: [id], message, params: { hint } });
        for (const [id, value] of Object.entries(ids)) {
          if (!VAULT_ID.test(id) || id === OWN_VAULT)
            problem(
              id,
              `"${id}" cannot be used`,
              `"${OWN_VAULT}" is the wizard's own: give its password with vault: {password: …}`,
            );
          else if (typeof value !== 'string' || value === '')
            problem(id, 'is no path', 'name the file with the password, or an executable that prints it');
          else {
            const path = resolve(base, value);
            if (statSync(path, { throwIfNoEntry: false })?.isFile()) paths[id] = path;
            else
              problem(
                id,
                `there is no file ${path}`,
                'name the file with the password, or an executable that prints it',
              );
          }
        }
        return paths;
      }),
    vault_password_command: z
      .union([z.string(), z.array(z.unknown())], { error: 'is no command' })
      .transform((value, context): readonly string[] => {
        const words: readonly unknown[] = typeof value === 'string' ? value.trim().split(/\s+/) : value;
        if (words.length > 0 && words.every((word) => typeof word === 'string' && word !== ''))
          return words as string[];
        context.addIssue({
          code: 'custom',
          message: 'is no command',
          params: { hint: 'write it as text or as a list of words: [op, read, "op://team/vault/password"]' },
        });
        return z.NEVER;
      }),
  };
}

type Fields = {
  [K in keyof ReturnType<typeof deploymentFields>]?: z.output<ReturnType<typeof deploymentFields>[K]> | undefined;
};

/** The parsed keys as the rest of the wizard knows them. */
export function mappingOf(file: Fields): DeploymentMapping {
  return {
    ...(file.playbooks && {
      playbooks: Object.fromEntries(Object.entries(file.playbooks).map(([role, value]) => [role, value ?? false])),
    }),
    ...(file.groups && { groups: file.groups as NonNullable<DeploymentMapping['groups']> }),
    ...(file.extra_vars && { extraVars: file.extra_vars }),
    ...(file.vault_ids && { vaultIds: file.vault_ids }),
    ...(file.vault_password_command && { vaultPasswordCommand: file.vault_password_command }),
  };
}
