import { createEntitlementsQuery } from '../entitlements/query.ts';
import { createRemember } from '../entitlements/remember.ts';
import { systemClock } from '../lib/clock.ts';
import { createOrderLinesTable } from '../state/orderLines.ts';
import { openTables, service } from './platform.ts';
import { collectionsApi, storeSettings, userKeys } from './storeAccess.ts';

export const entitlements = service([...storeSettings, 'sandbox'], (settings) =>
  createEntitlementsQuery({
    clock: systemClock,
    sandbox: settings.sandbox,
    keyring: userKeys(settings).keyring,
    collections: collectionsApi(settings),
    remember: createRemember(createOrderLinesTable(openTables(settings))),
  }),
);
