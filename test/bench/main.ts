/**
 * `npm run bench [-- PART ...]`: figures as ratios inside one run. The Store's emulator and the clients run in this process, Azurite on
 * the same machine: the functions share its cores with them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, startStack } from '../../local/stack.ts';
import { benchColdLoad } from './coldLoad.ts';
import { benchConsumes } from './consumes.ts';
import { benchQueries } from './queries.ts';
import { benchRecovery } from './recovery.ts';

const parts: Record<string, (stack: Stack, logFile: string) => Promise<string>> = {
  load: async () => benchColdLoad(),
  queries: benchQueries,
  consumes: benchConsumes,
  recovery: benchRecovery,
};
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
const unknown = wanted.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(', ')}: ${Object.keys(parts).join(', ')}.`);
  process.exit(1);
}

console.log(
  `Node ${process.version}, ${cpus().length} cores. Medians of several rounds; compare within this run only.\n`,
);
for (const name of wanted) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const logFile = join(folder, 'functions.log');
  const stack = await startStack({ logFile, timers: false, tablesInMemory: true });
  try {
    console.log(`${await parts[name]?.(stack, logFile)}\n`);
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
