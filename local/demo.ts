/** `npm run demo`: a tour over real requests, each step checked; exit 0 only if all of it was right. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoHelp, OptionError, parseDemoOptions } from './options.ts';
import { type Stack, startStack } from './stack.ts';
import { tour } from './tour/tour.ts';

try {
  const { help } = parseDemoOptions(process.argv.slice(2));
  if (help) console.log(demoHelp);
  else process.exit(await demo());
} catch (fault) {
  console.error(fault instanceof Error ? fault.message : fault);
  process.exit(fault instanceof OptionError ? 2 : 1);
}

async function demo(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'demo-'));
  let stack: Stack | undefined;
  const interrupted = new AbortController();
  process.on('SIGINT', () => interrupted.abort(new Error('Interrupted.')));
  process.on('SIGTERM', () => interrupted.abort(new Error('Ended from outside.')));
  try {
    stack = await startStack({
      logFile: join(folder, 'functions.log'),
      onProgress: console.log,
      onLost: (part, how) => interrupted.abort(new Error(`${part} ended (${how}).`)),
    });
    process.send?.([stack.azurite.pid, stack.host().pid]);
    const { steps } = await tour(stack, interrupted.signal);
    console.log(`\nAll ${steps} steps came out right.`);
    return 0;
  } catch (fault) {
    console.error(`\n${fault instanceof Error ? fault.message : fault}`);
    return 1;
  } finally {
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
