import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Generous: a slow machine is no failure, a hang is.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Tests of the wire and the terminal start servers and processes; two at a time fit a small machine.
    maxWorkers: 2,
    // Two processes race in some tests as they do in life; a machine that is shared may starve one. Locally a failure is looked at at once.
    retry: process.env.CI ? 1 : 0,
  },
});
