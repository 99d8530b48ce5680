import { app } from '@azure/functions';
import { DefaultAzureCredential } from '@azure/identity';
import { type Config, loadConfig } from './config.ts';
import { consumes } from './consume/consume.ts';
import { consumeKind } from './consume/handler.ts';
import type { ConsumeOrder, ConsumeResult } from './consume/record.ts';
import { entitlementsQuery } from './entitlements/query.ts';
import { rememberSeen } from './entitlements/remember.ts';
import { eventFeed } from './events/feed.ts';
import { fulfilmentEngine } from './fulfilment/engine.ts';
import { recovery } from './fulfilment/recovery.ts';
import { gamePassQuery } from './gamePass/query.ts';
import { grants } from './grants/grant.ts';
import { type GrantOrder, type GrantResult, grantKind } from './grants/handler.ts';
import { keyCipher } from './identity/cipher.ts';
import { cachedEntra, publisherMint } from './identity/entra.ts';
import { cachedSecrets, keyVaultReader } from './identity/secrets.ts';
import type { KeyKind } from './identity/storeId.ts';
import { type Call, systemClock } from './lib/callContext.ts';
import { healthProbe } from './operations/health.ts';
import { serviceTickets } from './operations/tickets.ts';
import { eventsTable } from './state/events.ts';
import { fulfilmentsTable } from './state/fulfilments.ts';
import { orderLinesTable } from './state/orderLines.ts';
import { storeIdsTable } from './state/storeIds.ts';
import { openTables } from './state/tables.ts';
import { collectionsApi } from './store/collections.ts';
import { keysApi } from './store/keys.ts';
import { purchaseApi } from './store/purchase.ts';
import { storeTransport } from './store/transport.ts';
import { keyring } from './storeIds/keyring.ts';
import { storeIds } from './storeIds/register.ts';
import { renewals } from './storeIds/renew.ts';

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
  const lines = orderLinesTable(open);
  const events = eventsTable(open);
  const query = { clock, sandbox, entra, keyring: ring, collections };
  const purchase = purchaseApi(send, purchaseUrl);

  const consumesTable = fulfilmentsTable<ConsumeOrder, ConsumeResult>(open, 'Consumes');
  const consumeEngine = fulfilmentEngine(
    consumeKind({ ...query, purchase, lines, events, open: consumesTable }),
    consumesTable,
    clock,
  );
  const consumeRecovery = recovery('consume', consumeEngine, consumesTable, clock);
  const grantsTable = fulfilmentsTable<GrantOrder, GrantResult>(open, 'Grants');
  const grantEngine = fulfilmentEngine(grantKind({ entra, keyring: ring, purchase, events }), grantsTable, clock);
  const grantRecovery = recovery('grant', grantEngine, grantsTable, clock);
  // A developer-managed consume may wait for the orders, which are asked for with the purchase key.
  const waiting = { collections: [consumeRecovery], purchase: [grantRecovery, consumeRecovery] };

  return {
    storeIds: storeIds({
      ...{ clientId, clock, cipher, table, renewals: renewal },
      keyIsBack: async (call: Call, userId: string, kinds: KeyKind[]) => {
        const concerned = new Set(kinds.flatMap((kind) => waiting[kind]));
        await Promise.all([...concerned].map((one) => one.resumeUser(call, userId)));
      },
    }),
    entitlements: entitlementsQuery({ ...query, remember: rememberSeen(lines) }),
    gamePass: gamePassQuery(query),
    consumes: consumes(consumeEngine, consumesTable, sandbox),
    grants: grants(grantEngine, grantsTable, sandbox),
    feed: eventFeed(events, clock),
    async recover(call: Call) {
      const runs = await Promise.allSettled(
        Object.entries({ consumes: consumeRecovery, grants: grantRecovery }).map(async ([kind, one]) =>
          Object.entries(await one.run(call)).map(([name, value]) => [`${kind}.${name}`, value]),
        ),
      );
      // Not before both have ended: a run is not to go on when its invocation is over.
      const counts = runs.map((run) => {
        if (run.status === 'rejected') throw run.reason;
        return run.value;
      });
      return Object.fromEntries(counts.flat());
    },
    serviceTickets: serviceTickets(entra, clock),
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
