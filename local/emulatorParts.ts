/** The emulators of a stack, each with the identities and the saved state of this stack. */
import { randomBytes } from 'node:crypto';
import { azureAudiences, type RunningEntra, startEntra, storeAudiences } from './emulators/entra.ts';
import { type RunningKeyVault, startKeyVault } from './emulators/keyVault.ts';
import type { Emulators } from './emulators/running.ts';
import { type RunningStore, startStore } from './emulators/store/server.ts';
import { startPart } from './part.ts';
import type { Ports } from './ports.ts';
import type { StackState } from './stackState.ts';
import type { Teardown } from './teardown.ts';
import type { LocalTls } from './tls.ts';

interface EmulatorContext {
  state: StackState;
  tls: LocalTls;
  /** Default: any free ones. */
  ports: Ports | undefined;
  teardown: Teardown;
}

export async function startEmulators(context: EmulatorContext): Promise<Emulators> {
  const entra = await startEntraPart(context);
  const keyVault = await startKeyVaultPart(context, entra);
  const store = await startStorePart(context, entra);
  return { entra, keyVault, store };
}

async function startEntraPart({ state, tls, ports, teardown }: EmulatorContext): Promise<RunningEntra> {
  const { tenantId, publisher, own } = state.identities;
  const entra = await startPart('Entra', ports?.entra, () =>
    startEntra({
      tls,
      ...(ports && { port: ports.entra }),
      tenantId,
      apps: [
        { clientId: publisher.clientId, secrets: [publisher.secret], audiences: storeAudiences },
        { clientId: own.clientId, secrets: [own.secret], audiences: azureAudiences },
      ],
    }),
  );
  teardown.add(entra.close);
  for (const [clientId, secrets] of Object.entries(state.saved?.entra ?? {})) entra.setSecrets(clientId, secrets);
  return entra;
}

async function startKeyVaultPart(context: EmulatorContext, entra: RunningEntra): Promise<RunningKeyVault> {
  const { state, tls, ports, teardown } = context;
  const { tenantId, publisher } = state.identities;
  const keyVault = await startPart('Key Vault', ports?.keyVault, () =>
    startKeyVault({
      tls,
      ...(ports && { port: ports.keyVault }),
      authority: `${entra.url}/${tenantId}`,
      verifyBearer: entra.verify,
    }),
  );
  teardown.add(keyVault.close);
  if (state.saved) {
    keyVault.importState(state.saved.keyVault);
  } else {
    keyVault.setSecret('entra-client-secret', publisher.secret);
    keyVault.setSecret('user-store-id-key', randomBytes(32).toString('base64'));
  }
  return keyVault;
}

async function startStorePart(context: EmulatorContext, entra: RunningEntra): Promise<RunningStore> {
  const { state, tls, ports, teardown } = context;
  const store = await startPart('Microsoft Store', ports?.collections, () =>
    startStore({
      tls,
      ...(ports && { collectionsPort: ports.collections, purchasePort: ports.purchase }),
      verifyBearer: entra.verify,
      publisherClientId: state.identities.publisher.clientId,
    }),
  );
  teardown.add(store.close);
  if (state.saved) store.importState(state.saved.store);
  return store;
}
