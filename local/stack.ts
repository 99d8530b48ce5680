import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningAzurite, startAzurite } from './azurite.ts';
import { azureAudiences, type RunningEntra, startEntra, storeAudiences } from './emulators/entra.ts';
import { type RunningKeyVault, startKeyVault } from './emulators/keyVault.ts';
import { type RunningStore, startStore } from './emulators/store/server.ts';
import { type HostProcess, startHostProcess } from './hostProcess.ts';
import { type Identities, loadStack, newIdentities, saveStack } from './savedState.ts';
import { createLocalTls } from './tls.ts';

export interface Ports {
  functions: number;
  entra: number;
  keyVault: number;
  collections: number;
  purchase: number;
}

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
  /** A part ended that was not asked to. */
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
  /** Ends the functions host, if it still runs, and starts it anew with the same state. */
  restartHost(signal?: NodeJS.Signals): Promise<void>;
  save(): void;
  stop(): Promise<void>;
}

/**
 * Starts everything that the functions need, then the functions. If a part cannot start, those that run are ended.
 * @throws Error that names the part
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const folder = options.stateDir ?? mkdtempSync(join(tmpdir(), 'store-functions-'));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const saved = options.stateDir === undefined ? undefined : loadStack(folder);
  const identities = saved?.identities ?? newIdentities();
  const undo: (() => Promise<void> | void)[] = [];
  let stopping = false;
  let restarting = false;
  const stop = async (): Promise<void> => {
    stopping = true;
    for (const step of undo.splice(0).reverse()) await step();
  };
  if (options.stateDir === undefined) undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const start = async <Part>(name: string, port: number | undefined, work: () => Promise<Part>): Promise<Part> => {
    try {
      return await work();
    } catch (fault) {
      throw partFault(name, port, fault);
    }
  };

  try {
    const tls = await createLocalTls();
    const { ports } = options;

    const entra = await start('Entra', ports?.entra, () =>
      startEntra({ tls, ...at(ports?.entra), ...appsOf(identities) }),
    );
    undo.push(entra.close);
    for (const [clientId, secrets] of Object.entries(saved?.entra ?? {})) entra.setSecrets(clientId, secrets);

    const keyVault = await start('Key Vault', ports?.keyVault, () =>
      startKeyVault({
        ...{ tls, ...at(ports?.keyVault), verifyBearer: entra.verify },
        authority: `${entra.url}/${identities.tenantId}`,
      }),
    );
    undo.push(keyVault.close);
    if (saved) keyVault.importState(saved.keyVault);
    else {
      keyVault.setSecret('entra-client-secret', identities.publisher.secret);
      keyVault.setSecret('user-store-id-key', randomBytes(32).toString('base64'));
    }

    const store = await start('Microsoft Store', ports?.collections, () =>
      startStore({
        ...{ tls, verifyBearer: entra.verify, publisherClientId: identities.publisher.clientId },
        ...(ports && { collectionsPort: ports.collections, purchasePort: ports.purchase }),
      }),
    );
    undo.push(store.close);
    if (saved) store.importState(saved.store);

    // Not before the ports are held: a stack that already runs on the same state keeps its files.
    const caFile = join(folder, 'ca.pem');
    writeFileSync(caFile, tls.cert);
    writeFileSync(join(folder, 'function-key'), identities.functionKey, { mode: 0o600 });
    const azurite = await start('Azurite', undefined, () =>
      startAzurite({ location: join(folder, 'azurite'), inMemory: options.tablesInMemory ?? false }),
    );
    undo.push(azurite.stop);
    watch(azurite.child, 'Azurite');

    const settings = {
      ...settingsOf({ identities, entra, keyVault, store, azurite }),
      NODE_EXTRA_CA_CERTS: caFile,
      FUNCTIONS_APP_DIR: options.appDir ?? process.cwd(),
      FUNCTIONS_PORT: String(ports?.functions ?? 0),
      ...(options.logFile !== undefined && { FUNCTIONS_LOG_FILE: options.logFile }),
      ...(options.timers === false && { FUNCTIONS_TIMERS: 'off' }),
      ...options.settings,
    };
    const startHost = async (): Promise<HostProcess> => {
      const started = await start('functions', ports?.functions, () => startHostProcess(settings));
      watch(started.child, 'The functions host');
      return started;
    };
    const save = (): void => {
      if (options.stateDir === undefined) return;
      saveStack(folder, {
        identities,
        keyVault: keyVault.exportState(),
        store: store.exportState(),
        entra: entra.exportSecrets(),
      });
    };
    // Once the functions have ended: what they still do is part of it.
    undo.push(save);
    let host = await startHost();
    undo.push(() => host.stop());
    settings.FUNCTIONS_PORT = String(host.port);

    save();

    return {
      ...{
        functionsUrl: `http://localhost:${host.port}`,
        identities,
        entra,
        keyVault,
        store,
        azurite,
        settings,
        save,
        stop,
      },
      ...{ ca: tls.cert, caFile },
      host: () => host,
      async restartHost(signal) {
        restarting = true;
        await host.stop(signal);
        host = await startHost();
        restarting = false;
      },
    };
  } catch (fault) {
    await stop();
    throw fault;
  }

  function watch(child: HostProcess['child'], name: string): void {
    child.once('exit', (code, signal) => {
      if (!stopping && !restarting) options.onLost?.(name, signal ?? `code ${code}`);
    });
  }
}

function partFault(name: string, port: number | undefined, fault: unknown): Error {
  const { code, message } = fault as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new Error(
      `Port ${(fault as { port?: number }).port ?? port} (${name}) is in use: end what uses it, then start again.`,
    );
  return new Error(name === 'functions' ? message : `${name}: ${message}`, { cause: fault });
}

function at(port: number | undefined): { port?: number } {
  return port === undefined ? {} : { port };
}

function appsOf({ tenantId, publisher, own }: Identities) {
  return {
    tenantId,
    apps: [
      { clientId: publisher.clientId, secrets: [publisher.secret], audiences: storeAudiences },
      { clientId: own.clientId, secrets: [own.secret], audiences: azureAudiences },
    ],
  };
}

function settingsOf(parts: {
  identities: Identities;
  entra: RunningEntra;
  keyVault: RunningKeyVault;
  store: RunningStore;
  azurite: RunningAzurite;
}): Record<string, string> {
  const { tenantId, publisher, own, functionKey, masterKey } = parts.identities;
  return {
    ENTRA_TENANT_ID: tenantId,
    ENTRA_CLIENT_ID: publisher.clientId,
    ENTRA_AUTHORITY_HOST: parts.entra.url,
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: own.clientId,
    AZURE_CLIENT_SECRET: own.secret,
    AZURE_AUTHORITY_HOST: parts.entra.url,
    KEY_VAULT_URI: parts.keyVault.url,
    TABLES_CONNECTION_STRING: parts.azurite.connectionString,
    STORE_COLLECTIONS_URL: parts.store.collectionsUrl,
    STORE_PURCHASE_URL: parts.store.purchaseUrl,
    FUNCTIONS_KEY: functionKey,
    FUNCTIONS_MASTER_KEY: masterKey,
  };
}
