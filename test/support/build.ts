import { execFileSync } from 'node:child_process';

/** The bundles that the tests of the whole stack run. */
export default function setup(): void {
  execFileSync(process.execPath, ['scripts/build.js', '--quiet'], { stdio: 'inherit' });
}
