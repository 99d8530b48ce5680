import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/denyNetwork.ts'],
    reporters: ['default', './test/support/closingLine.ts'],
    // A hang is to be found, not a slow machine.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 3,
  },
});
