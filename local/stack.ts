import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningAzurite, startAzurite } from './azurite.ts';
import { startEmulators } from './emulatorParts.ts';
import type { RunningEntra } from './emulators/entra.ts';
import type { RunningKeyVault } from './emulators/keyVault.ts';
import type { Emulators } from './emulators/running.ts';
import type { RunningStore } from './emulators/store/server.ts';
import { type HostProcess, startHostProcess } from './hostProcess.ts';
import { startPart } from './part.ts';
import { assertPortFree, type Ports } from './ports.ts';
import type { Identities } from './savedState.ts';
import { openState, saveState, writeRequestFiles } from './stackState.ts';
import { createTeardown, type Teardown } from './teardown.ts';
import { createLocalTls } from './tls.ts';

const restartTries = 20;
const restartPauseMs = 250;

export interface StackOptions {
  /** Default: any free ones. */
  ports?: Ports;
  /** Keeps everything here between runs; default a folder that `stop` removes. */
  stateDir?: string;
  /** The tables are kept in memory, not in files. */
  tablesInMemory?: boolean;
  /** The function app to run; default the package itself. */
  appDir?: string;
  /** Takes the functions' log in place of stdout. */
  logFile?: string;
  /** false: timers run only by `POST /admin/functions/{name}`. */
  timers?: boolean;
  /** Settings beside, or in place of, those of the stack. */
  settings?: Record<string, string>;
  /** A debugger can attach to the functions host at this port. */
  inspectPort?: number;
  /** Takes a line about what is starting now. */
  onProgress?: (line: string) => void;
  /** A part ended by itself. */
  onLost?: (part: string, how: string) => void;
}

export interface Stack {
  functionsUrl: string;
  identities: Identities;
  entra: RunningEntra;
  keyVault: RunningKeyVault;
  store: RunningStore;
  azurite: RunningAzurite;
  /** The certificate of the emulators, and the file that has it. */
  ca: string;
  caFile: string;
  /** Settings that the functions run with. */
  settings: Record<string, string>;
  host(): HostProcess;
  /** Ends the functions host, if it still runs, and starts it again with the same state. */
  restartHost(signal?: NodeJS.Signals): Promise<void>;
  save(): void;
  stop(): Promise<void>;
}

/**
 * Starts everything that the functions need, then the functions. If a part cannot start, those that run are ended.
 * @throws Error that names the part
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const teardown = createTeardown();
  try {
    return await startParts(options, teardown);
  } catch (fault) {
    await teardown.run();
    throw fault;
  }
}

async function startParts(options: StackOptions, teardown: Teardown): Promise<Stack> {
  const { ports, onProgress = () => undefined } = options;
  await checkHostPorts(options);
  const state = openState(options.stateDir, teardown);
  onProgress('Starting the emulators of Entra, Key Vault and the Microsoft Store ...');
  const tls = await createLocalTls();
  const emulators = await startEmulators({ state, tls, ports, teardown });

  // After the emulators: a stack that cannot start leaves the files of an earlier one as they are.
  const caFile = writeRequestFiles(state, tls);
  onProgress('Starting Azurite ...');
  const azurite = await startPart('Azurite', undefined, () =>
    startAzurite({ location: join(state.folder, 'azurite'), inMemory: options.tablesInMemory ?? false }),
  );
  teardown.add(azurite.stop);
  watchExit(azurite.child, 'Azurite', options, () => teardown.running);

  const settings = settingsOf({ identities: state.identities, emulators, azurite, caFile, options });
  const save = (): void => saveState(state, emulators);
  // Runs after the functions have ended, so that what they do last is saved too.
  teardown.add(save);
  onProgress('Starting the functions ...');
  const functions = await startFunctions(settings, options, teardown);
  save();
  return {
    functionsUrl: `http://localhost:${functions.host().port}`,
    identities: state.identities,
    ...emulators,
    azurite,
    ca: tls.cert,
    caFile,
    settings,
    host: functions.host,
    restartHost: functions.restart,
    save,
    stop: teardown.run,
  };
}

/** The functions host starts last. That one of its ports is in use must be known before anything starts. */
async function checkHostPorts({ ports, inspectPort }: StackOptions): Promise<void> {
  if (ports) await startPart('functions', ports.functions, () => assertPortFree(ports.functions));
  if (inspectPort !== undefined) await startPart('debugger', inspectPort, () => assertPortFree(inspectPort));
}

/** The functions host. It can be ended and started again, with the same settings and at the same port. */
async function startFunctions(settings: Record<string, string>, options: StackOptions, teardown: Teardown) {
  let restarting = false;
  const start = async (): Promise<HostProcess> => {
    const started = await startPart('functions', options.ports?.functions, () =>
      startHostProcess(settings, options.inspectPort),
    );
    watchExit(started.child, 'The functions host', options, () => teardown.running || restarting);
    return started;
  };
  let host = await start();
  teardown.add(() => host.stop());
  settings.FUNCTIONS_PORT = String(host.port);
  return {
    host: () => host,
    async restart(signal?: NodeJS.Signals): Promise<void> {
      restarting = true;
      await host.stop(signal);
      host = await startOnFreedPort(start);
      restarting = false;
    },
  };
}

/** While the port is free, an outgoing connection of another process can take it for a moment. */
async function startOnFreedPort(start: () => Promise<HostProcess>): Promise<HostProcess> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start();
    } catch (fault) {
      if (tries === restartTries || !(fault instanceof Error && fault.message.includes('is in use'))) throw fault;
    }
    await sleep(restartPauseMs);
  }
}

function watchExit(child: ChildProcess, name: string, { onLost }: StackOptions, isExpected: () => boolean): void {
  child.once('exit', (code, signal) => {
    if (!isExpected()) onLost?.(name, signal ?? `code ${code}`);
  });
}

function settingsOf(parts: {
  identities: Identities;
  emulators: Emulators;
  azurite: RunningAzurite;
  caFile: string;
  options: StackOptions;
}): Record<string, string> {
  const { tenantId, publisher, own, functionKey, masterKey } = parts.identities;
  const { entra, keyVault, store } = parts.emulators;
  const { appDir = process.cwd(), ports, logFile, timers, settings } = parts.options;
  return {
    ENTRA_TENANT_ID: tenantId,
    ENTRA_CLIENT_ID: publisher.clientId,
    ENTRA_AUTHORITY_HOST: entra.url,
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: own.clientId,
    AZURE_CLIENT_SECRET: own.secret,
    AZURE_AUTHORITY_HOST: entra.url,
    AZURE_TOKEN_CREDENTIALS: 'prod',
    KEY_VAULT_URI: keyVault.url,
    TABLES_CONNECTION_STRING: parts.azurite.connectionString,
    STORE_COLLECTIONS_URL: store.collectionsUrl,
    STORE_PURCHASE_URL: store.purchaseUrl,
    FUNCTIONS_KEY: functionKey,
    FUNCTIONS_MASTER_KEY: masterKey,
    NODE_EXTRA_CA_CERTS: parts.caFile,
    FUNCTIONS_APP_DIR: appDir,
    FUNCTIONS_PORT: String(ports?.functions ?? 0),
    ...(logFile !== undefined && { FUNCTIONS_LOG_FILE: logFile }),
    ...(timers === false && { FUNCTIONS_TIMERS: 'off' }),
    ...settings,
  };
}
