import type { Settings, SettingsGroup } from '../config.ts';
import { createKeyCipher } from '../identity/cipher.ts';
import { createEntra, type Entra } from '../identity/entra.ts';
import { createPublisherMint } from '../identity/publisherMint.ts';
import { createKeyVaultReader, createSecrets } from '../identity/secrets.ts';
import { systemClock } from '../lib/clock.ts';
import { once } from '../lib/once.ts';
import { createStoreIdsTable } from '../state/storeIds.ts';
import { createAskStore } from '../store/authorize.ts';
import { createCollectionsApi } from '../store/collections.ts';
import { createKeysApi } from '../store/keys.ts';
import { createPurchaseApi } from '../store/purchase.ts';
import { createStoreTransport } from '../store/transport.ts';
import { createKeyring } from '../storeIds/keyring.ts';
import { createRenewals } from '../storeIds/renew.ts';
import { openTables, ownCredential, tablesSettings } from './platform.ts';

export const entraSettings = ['ownIdentity', 'keyVault', 'entra'] as const satisfies SettingsGroup[];
export const storeSettings = [...tablesSettings, ...entraSettings, 'userKeys', 'store'] as const;

type EntraSettings = Pick<Settings, (typeof entraSettings)[number]>;
type StoreSettings = Pick<Settings, (typeof storeSettings)[number]>;

const secrets = once((settings: EntraSettings) =>
  createSecrets(createKeyVaultReader(settings.keyVault.uri, ownCredential(settings)), systemClock),
);

/** Tokens of the publisher's app. */
export const entra: (settings: EntraSettings) => Entra = once((settings: EntraSettings) =>
  createEntra(createPublisherMint(settings.entra, secrets(settings)), systemClock),
);

/** The stored keys of users: their table, what encrypts them and what renews them. */
export const userKeys = once((settings: StoreSettings) => {
  const { clientId } = settings.entra;
  const { collectionsUrl, purchaseUrl } = settings.store;
  const clock = systemClock;
  const cipher = createKeyCipher(secrets(settings), settings.userKeys.secretName);
  const table = createStoreIdsTable(openTables(settings));
  const keys = createKeysApi(sendToStore(), { collections: collectionsUrl, purchase: purchaseUrl });
  const renewals = createRenewals({ clientId, clock, entra: entra(settings), cipher, keys, table });
  const keyring = createKeyring({ clientId, clock, cipher, table, renewals });
  return { clientId, cipher, table, renewals, keyring };
});

const sendToStore = once(() => createStoreTransport({ clock: systemClock }));
const askStore = once((settings: EntraSettings) => createAskStore(sendToStore(), entra(settings)));

export const collectionsApi = once((settings: StoreSettings) =>
  createCollectionsApi(askStore(settings), settings.store.collectionsUrl),
);

export const purchaseApi = once((settings: StoreSettings) =>
  createPurchaseApi(askStore(settings), settings.store.purchaseUrl),
);
