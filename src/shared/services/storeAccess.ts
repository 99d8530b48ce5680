import type { Settings, SettingsGroup } from '../config.ts';
import { createKeyCipher } from '../identity/cipher.ts';
import { systemClock } from '../lib/clock.ts';
import { once } from '../lib/once.ts';
import { createStoreIdsTable } from '../state/storeIds.ts';
import { createAskStore } from '../store/authorize.ts';
import { createKeysApi } from '../store/keys.ts';
import { createStoreTransport } from '../store/transport.ts';
import { createKeyring } from '../storeIds/keyring.ts';
import { createRenewals } from '../storeIds/renew.ts';
import { type EntraSettings, entra, entraSettings, secrets } from './entra.ts';
import { openTables, tablesSettings } from './tables.ts';

export const storeSettings = [
  ...tablesSettings,
  ...entraSettings,
  'userKeys',
  'store',
] as const satisfies SettingsGroup[];
export type StoreSettings = Pick<Settings, (typeof storeSettings)[number]>;

const sendToStore = once(() => createStoreTransport({ clock: systemClock }));

/** The Store's APIs are built on this. Each has a file of its own in this folder, so that a unit contains only those that it uses. */
export const askStore = once((settings: EntraSettings) => createAskStore(sendToStore(), entra(settings), systemClock));

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
