import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Filter } from '@aws-sdk/client-ec2';
import { expect } from 'vitest';
import { cleanEnv, cli, PUBLIC_KEY, type Result, type Server } from './cli.ts';

export interface Laptop {
  /** a command of ours against the practice server */
  on(words: readonly string[], more?: Parameters<typeof cli>[1]): Promise<Result>;
  /** the answers that a walk without hosts needs, but for its name */
  readonly answers: readonly string[];
  /** the same, unattended */
  readonly walk: readonly string[];
  /** walks up to a chapter, and it has to end well */
  up(name: string, until: string): Promise<void>;
}

/** Where a person works: a folder with a key, whose commands speak to a practice server. */
export function laptop(dir: string, server: () => Server): Laptop {
  const key = join(dir, 'key.pub');
  writeFileSync(key, `${PUBLIC_KEY}\n`);
  const on: Laptop['on'] = (words, more = {}) => cli(words, { env: cleanEnv(server().env), ...more });
  const answers = ['--ssh-public-key', key, '--provision', 'skip', '--ssh-from', '198.51.100.7/32'];
  const walk = ['--yes', ...answers];
  return {
    on,
    answers,
    walk,
    async up(name, until) {
      const place = ['--name', name, '--state-dir', join(dir, 'state')];
      const { code, stderr } = await on(['start', ...walk, '--until', until, ...place]);
      expect(code, stderr).toBe(0);
    },
  };
}

/** EC2's filter for everything of one Cloudspace. */
export const named = (name: string): Filter[] => [{ Name: 'tag:cloudspace:name', Values: [name] }];
