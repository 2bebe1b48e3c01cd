import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    // Tests of the wire and the terminal start servers and processes; two at a time fit a small machine.
    maxWorkers: 2,
  },
});
