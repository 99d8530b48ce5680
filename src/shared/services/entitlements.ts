import { createEntitlementsQuery } from '../entitlements/query.ts';
import { createRemember } from '../entitlements/remember.ts';
import { systemClock } from '../lib/clock.ts';
import { createOrderLinesTable } from '../state/orderLines.ts';
import { collectionsApi } from './collections.ts';
import { service } from './platform.ts';
import { storeSettings, userKeys } from './storeAccess.ts';
import { openTables } from './tables.ts';

export const entitlements = service([...storeSettings, 'sandbox'], (settings) =>
  createEntitlementsQuery({
    clock: systemClock,
    sandbox: settings.sandbox,
    keyring: userKeys(settings).keyring,
    collections: collectionsApi(settings),
    remember: createRemember(createOrderLinesTable(openTables(settings))),
  }),
);
