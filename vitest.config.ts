import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longestFirst.ts';

// A hang is to be found, not a slow machine.
const common = { setupFiles: ['test/support/denyNetwork.ts'], testTimeout: 180_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    reporters: ['default', './test/support/closingLine.ts'],
    // Many tests wait: with one worker for each of two cores, both would often be idle.
    maxWorkers: Math.max(4, availableParallelism()),
    sequence: { sequencer: LongestFirst },
    // What is waited for comes; on a busy machine later than the default of a second.
    expect: { poll: { timeout: 60_000 } },
    projects: [
      // They share their modules, which take longer to load than most of these tests to run.
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false, ...common } },
      { extends: true, test: { name: 'integration', include: ['test/integration/*.test.ts'], ...common } },
      // These run what is in dist/. What builds it stands here, and not above: there it runs once a project, and for units too.
      {
        extends: true,
        test: {
          name: 'stack',
          include: ['test/{e2e,faults}/*.test.ts'],
          globalSetup: ['test/support/build.ts'],
          ...common,
        },
      },
    ],
  },
});
