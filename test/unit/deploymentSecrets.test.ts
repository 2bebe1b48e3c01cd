import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { referenceDeployment } from '../../src/ansible/paths.ts';
import { KNOWN_SECRETS } from '../../src/steps/secrets.ts';

type Task = Readonly<Record<string, unknown>>;

const roles = join(referenceDeployment(), 'roles');
const files = readdirSync(roles, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\/(tasks|handlers)\/[^/]+\.yml$/.test(path))
  .map((path) => join(roles, path));

const tasksOf = (list: readonly Task[]): Task[] =>
  list.flatMap((task) =>
    [task, ...['block', 'rescue', 'always'].flatMap((part) => tasksOf((task[part] as Task[]) ?? []))].filter(Boolean),
  );
/** Vault values by their names, and the variables by which roles know them. */
const SECRET = new RegExp(
  `${Object.keys(KNOWN_SECRETS).join('|')}|(?<!change)_password\\b|_token\\b|_secret_access_key\\b`,
);

/** Ansible puts `environment` into the arguments of ssh, sudo and sh, and sudo writes its arguments to the log. */
it('no task passes a secret in its environment or as an argument', () => {
  const found = files.flatMap((file) =>
    tasksOf((parse(readFileSync(file, 'utf8')) as Task[]) ?? []).flatMap((task) => {
      const command = task['ansible.builtin.command'] ?? task['ansible.builtin.shell'];
      const { stdin: _, ...words } = typeof command === 'object' && command !== null ? (command as Task) : { command };
      const text = JSON.stringify([task.environment, words]);
      return SECRET.test(text) ? [`${file.slice(roles.length + 1)}: ${task.name}`] : [];
    }),
  );
  expect(files.length).toBeGreaterThan(15);
  expect(found).toEqual([]);
});
