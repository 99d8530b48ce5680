/** `npm run bench`: figures as ratios inside one run. The Store's emulator runs in this process, beside what asks it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack } from '../../local/stack.ts';
import { benchColdLoad } from './coldLoad.ts';
import { benchQueries } from './queries.ts';

const folder = mkdtempSync(join(tmpdir(), 'bench-'));
console.log(
  `Node ${process.version}, ${cpus().length} cores. Medians of several rounds; compare within this run only.\n`,
);
console.log(`${benchColdLoad()}\n`);
const stack = await startStack({ logFile: join(folder, 'functions.log'), timers: false });
try {
  console.log(`${await benchQueries(stack)}\n`);
} finally {
  await stack.stop();
  rmSync(folder, { recursive: true, force: true });
}
