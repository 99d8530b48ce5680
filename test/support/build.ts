import { execFileSync } from 'node:child_process';
import type { TestProject } from 'vitest/node';

/** The bundles that the tests of the whole stack run. */
export default function setup(project: TestProject): void {
  build();
  // When watching: before each run that needs them.
  project.onTestsRerun((specifications) => {
    if (specifications.some((one) => one.project === project)) build();
  });
}

function build(): void {
  execFileSync(process.execPath, ['scripts/build.js', '--quiet'], { stdio: 'inherit' });
}
