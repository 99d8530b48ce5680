import { app } from '@azure/functions';
import { DefaultAzureCredential } from '@azure/identity';
import { systemClock } from './call.ts';
import { type Config, loadConfig } from './config.ts';
import { entitlementsQuery } from './entitlements/query.ts';
import { rememberSeen } from './entitlements/remember.ts';
import { gamePassQuery } from './gamePass/query.ts';
import { keyCipher } from './identity/cipher.ts';
import { cachedEntra, publisherMint } from './identity/entra.ts';
import { cachedSecrets, keyVaultReader } from './identity/secrets.ts';
import { renewals } from './renewal/renew.ts';
import { healthProbe } from './service/health.ts';
import { serviceTickets } from './service/tickets.ts';
import { orderLinesTable } from './state/orderLines.ts';
import { storeIdsTable } from './state/storeIds.ts';
import { openTables } from './state/tables.ts';
import { collectionsApi } from './store/collections.ts';
import { keysApi } from './store/keys.ts';
import { storeTransport } from './store/transport.ts';
import { keyring } from './storeIds/keyring.ts';
import { storeIds } from './storeIds/register.ts';

/** Puts the parts together: the only place that knows which implementation goes where. */
function compose(config: Config) {
  const clock = systemClock;
  const own = new DefaultAzureCredential({ disableInstanceDiscovery: !config.ownInstanceDiscovery });
  const secrets = cachedSecrets(keyVaultReader(config.keyVaultUri, own), clock);
  const entra = cachedEntra(publisherMint(config, secrets), clock);
  const cipher = keyCipher(secrets, config.userKeySecretName);
  const open = openTables(config.tables, own);
  const table = storeIdsTable(open);
  const send = storeTransport({ clock });
  const { collectionsUrl, purchaseUrl, sandbox } = config.store;
  const keys = keysApi(send, { collections: collectionsUrl, purchase: purchaseUrl });
  const collections = collectionsApi(send, collectionsUrl);
  const { clientId } = config.entra;
  const renewal = renewals({ clientId, clock, entra, cipher, keys, table });
  const ring = keyring({ clientId, clock, cipher, table, renewals: renewal });
  const query = { clock, sandbox, entra, keyring: ring, collections };
  return {
    storeIds: storeIds({ clientId, clock, cipher, table, renewals: renewal }),
    entitlements: entitlementsQuery({ ...query, remember: rememberSeen(orderLinesTable(open)) }),
    gamePass: gamePassQuery(query),
    serviceTickets: serviceTickets(entra),
    health: healthProbe(
      {
        tables: () => table.one({ userId: '', account: 'health', kind: 'collections' }),
        keyVault: (call) => secrets.reread(config.userKeySecretName, call.log),
        identity: (call) => entra.mint('service', call.log),
      },
      clock,
    ),
  };
}

export type Services = ReturnType<typeof compose>;

let composed: Services | undefined;

/** The services of this process, made at the first use. @throws Error that names the settings which are missing */
export function services(): Services {
  composed ??= compose(loadConfig());
  return composed;
}

// Settings are judged when the app starts, not when it is loaded: the build loads every unit without any.
app.hook.appStart(() => {
  services();
});
