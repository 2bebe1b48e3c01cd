import { defineConfig, mergeConfig } from 'vitest/config';
import common from './vitest.config.ts';

/** Files that build what they need themselves; all others of test/e2e share one Cloudspace (test/support/builtCloudspace.ts). */
const OWN = ['deployment', 'hosts', 'practice', 'reboot', 'systems'].map((name) => `test/e2e/${name}.test.ts`);

export default mergeConfig(
  { test: { ...common.test, include: [] } },
  defineConfig({
    test: {
      // Two files at a time would measure each other.
      fileParallelism: false,
      projects: [
        { extends: true, test: { name: 'own', include: OWN } },
        {
          extends: true,
          test: {
            name: 'shared',
            include: ['test/e2e/**/*.test.ts'],
            exclude: OWN,
            globalSetup: 'test/support/builtCloudspace.ts',
          },
        },
      ],
    },
  }),
);
