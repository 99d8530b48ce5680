/** `npm start`: the whole stack on fixed ports, its state in `.local/`, until Ctrl-C. */
import { join } from 'node:path';
import { guide } from './guide.ts';
import { OptionError, parseStartOptions, type StartOptions, startHelp } from './options.ts';
import { type Stack, startStack } from './stack.ts';

const stateDir = join(process.cwd(), '.local');
const saveEveryMs = 5000;

let stack: Stack | undefined;
let ending = false;

async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  await stack?.stop();
  process.exit(code);
}

function endWith(code: number): void {
  end(code).catch((fault: unknown) => {
    console.error(`The stack did not end cleanly: ${fault instanceof Error ? fault.message : 'unknown'}`);
    process.exit(1);
  });
}

try {
  const options = parseStartOptions(process.argv.slice(2));
  if (options.help) console.log(startHelp);
  else await start(options);
} catch (fault) {
  console.error(fault instanceof Error ? fault.message : fault);
  process.exit(fault instanceof OptionError ? 2 : 1);
}

async function start({ ports, inspectPort }: StartOptions): Promise<void> {
  const started = await startStack({
    ports,
    stateDir,
    ...(inspectPort !== undefined && { inspectPort }),
    onProgress: console.log,
    onLost: (part, how) => {
      console.error(`${part} ended (${how}): the rest is being ended too.`);
      endWith(1);
    },
  });
  stack = started;
  setInterval(() => started.save(), saveEveryMs).unref();
  process.on('SIGINT', () => {
    console.log('\nEnding ...');
    endWith(0);
  });
  process.on('SIGTERM', () => endWith(0));
  process.on('SIGHUP', () => {
    // The terminal was closed. What is still printed has no reader, which is no reason to end early.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
    endWith(0);
  });
  console.log(guideOf(started, inspectPort));
}

function guideOf(started: Stack, inspectPort: number | undefined): string {
  const { functionsUrl, identities, entra, keyVault, store, azurite } = started;
  return guide({
    functionsUrl,
    functionKey: identities.functionKey,
    functions: started.host().functions,
    collectionsUrl: store.collectionsUrl,
    purchaseUrl: store.purchaseUrl,
    entraUrl: entra.url,
    keyVaultUrl: keyVault.url,
    tablesUrl: /TableEndpoint=([^;]+)/.exec(azurite.connectionString)?.[1] ?? '',
    inspectPort,
    shell: process.platform === 'win32' ? 'powershell' : 'bash',
  });
}
