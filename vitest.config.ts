import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longestFirst.ts';

const units = 'test/unit/**/*.test.ts';
/** With a server of its own for each file. */
const emulators = 'test/unit/local/emulators/*.test.ts';

export default defineConfig({
  test: {
    globalSetup: ['test/support/build.ts'],
    reporters: ['default', './test/support/closingLine.ts'],
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      // They share their modules, which take longer to load than most of these tests to run.
      { extends: true, test: { name: 'unit', include: [units], exclude: [emulators], isolate: false, ...common() } },
      {
        extends: true,
        test: { name: 'stack', include: ['test/{integration,e2e,faults}/*.test.ts', emulators], ...common() },
      },
    ],
  },
});

function common() {
  // A hang is to be found, not a slow machine.
  return { setupFiles: ['test/support/denyNetwork.ts'], testTimeout: 180_000, hookTimeout: 180_000 };
}
