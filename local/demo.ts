/** `npm run demo`: a tour over real requests, each step checked; exit 0 only if all of it was right. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, startStack } from './stack.ts';
import { tour } from './tour.ts';

const folder = mkdtempSync(join(tmpdir(), 'demo-'));
let stack: Stack | undefined;
let code = 1;
const interrupted = new AbortController();
process.on('SIGINT', () => interrupted.abort(new Error('Interrupted.')));
process.on('SIGTERM', () => interrupted.abort(new Error('Ended from outside.')));

try {
  console.log(
    'Starting Azurite, Entra, Key Vault, the Microsoft Store and the functions, all of them on this machine ...',
  );
  stack = await startStack({
    logFile: join(folder, 'functions.log'),
    onLost: (part, how) => interrupted.abort(new Error(`${part} ended (${how}).`)),
  });
  process.send?.([stack.azurite.pid, stack.host().pid]);
  const { steps } = await tour(stack, interrupted.signal);
  console.log(`\nAll ${steps} steps came out right.`);
  code = 0;
} catch (fault) {
  console.error(`\n${fault instanceof Error ? fault.message : fault}`);
} finally {
  await stack?.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);
