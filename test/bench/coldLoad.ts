import { execFileSync } from 'node:child_process';
import { median, table } from './measure.ts';

const starts = 7;

/** Time of a new process that loads the app and registers its functions. */
export function benchColdLoad(): string {
  const apps = {
    'bundled app': 'dist/app/index.js',
    'one unit (entitlements)': 'dist/units/entitlements/index.js',
    unbundled: 'dist/unbundled/main.js',
  };
  const times = new Map<string, number[]>();
  for (let start = 0; start < starts; start += 1) {
    for (const [name, main] of Object.entries(apps)) {
      const from = performance.now();
      execFileSync(process.execPath, ['scripts/loadUnit.js', main]);
      times.set(name, [...(times.get(name) ?? []), performance.now() - from]);
    }
  }
  const slowest = median(times.get('unbundled') ?? []);
  const rows = [...times].map(([name, all]) => [name, median(all).toFixed(0), (median(all) / slowest).toFixed(2)]);
  return table(['cold load in a fresh process', 'ms', 'of unbundled'], rows);
}
